"""Diffusion U-Nets, layer by layer: residual blocks, transformers with cross-attention, resampling.

References
----------
.. [rombach2022] R. Rombach et al., "High-resolution image synthesis with latent diffusion models",
   CVPR 2022.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlsysim.core.counting.work import Work
from mlsysim.core.models.unet import UNet
from mlsysim.core.precision import Precision


@dataclass(slots=True)
class _Tally:
    """Running sums for one sample."""

    parameters: int = 0
    macs: int = 0
    outputs: int = 0
    widest: int = 0
    launches: int = 0

    def layer(self, inputs: int, out: int, pixels: int, kernel: int = 1, *, bias: bool = True) -> None:
        """Add a convolution or a linear layer over *pixels* positions."""
        weights = inputs * out * kernel**2
        self.parameters += weights + (out if bias else 0)
        self.macs += weights * pixels
        self.outputs += out * pixels
        self.widest = max(self.widest, (inputs + out) * pixels)
        self.launches += 1

    def norm(self, channels: int) -> None:
        """Add a scale and a shift."""
        self.parameters += 2 * channels

    def residual(self, inputs: int, out: int, pixels: int, time: int) -> None:
        """Add two convolutions, the time embedding between them, and a shortcut where shapes differ."""
        self.norm(inputs)
        self.layer(inputs, out, pixels, 3)
        self.layer(time, out, 1)
        self.norm(out)
        self.layer(out, out, pixels, 3)
        if inputs != out:
            self.layer(inputs, out, pixels)

    def transformer(self, width: int, pixels: int, depth: int, text: tuple[int, int]) -> None:
        """Add *depth* blocks of self-attention, cross-attention to *text* and a gated feed-forward part."""
        if not depth:
            return
        text_width, text_tokens = text
        self.norm(width)
        self.layer(width, width, pixels)
        for _ in range(depth):
            for keys, length in ((width, pixels), (text_width, text_tokens)):
                self.layer(width, width, pixels, bias=False)
                self.layer(keys, width, length, bias=False)
                self.layer(keys, width, length, bias=False)
                self.macs += 2 * pixels * length * width
                self.layer(width, width, pixels)
                self.norm(width)
            self.layer(width, 8 * width, pixels)
            self.layer(4 * width, width, pixels)
            self.norm(width)
        self.layer(width, width, pixels)


@lru_cache(maxsize=64)
def _tally(m: UNet) -> _Tally:
    t, time, text = _Tally(), 4 * m.width, (m.text_width, m.text_tokens)
    side, levels = m.latent, [m.width * k for k in m.multipliers]
    t.layer(m.width, time, 1)
    t.layer(time, time, 1)
    if m.extra:
        t.layer(m.extra, time, 1)
        t.layer(time, time, 1)
    t.layer(m.channels, m.width, side**2, 3)
    skips, now = [m.width], m.width
    for i, width in enumerate(levels):
        for _ in range(m.blocks):
            t.residual(now, width, side**2, time)
            t.transformer(width, side**2, m.depths[i], text)
            now = width
            skips.append(now)
        if i < len(levels) - 1:
            side //= 2
            t.layer(now, now, side**2, 3)
            skips.append(now)
    t.residual(now, now, side**2, time)
    t.transformer(now, side**2, m.middle_depth, text)
    t.residual(now, now, side**2, time)
    for i, width in reversed(list(enumerate(levels))):
        for _ in range(m.blocks + 1):
            t.residual(now + skips.pop(), width, side**2, time)
            t.transformer(width, side**2, m.depths[i], text)
            now = width
        if i:
            side *= 2
            t.layer(now, now, side**2, 3)
    t.norm(now)
    t.layer(now, m.channels, side**2, 3)
    return t


def unet_parameters(m: UNet) -> float:
    """Return the number of parameters, norms and biases included."""
    return float(_tally(m).parameters)


def denoise(m: UNet, precision: Precision, batch: Any) -> Work:
    """Count one denoising step of *batch* latents (guidance doubles the batch)."""
    t, item = _tally(m), precision.activation_bytes
    weights = t.parameters * precision.weight_bytes
    return Work(
        matmul=0.0,
        other=2.0 * t.macs * batch,
        rows=batch,
        weights=weights,
        state=0.0,
        activations=2.0 * t.outputs * item * batch,
        resident=weights + t.widest * item * batch,
        launches=t.launches,
        items=batch,
    )
