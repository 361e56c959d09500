"""ConvNets layer by layer: the blocks of a card, expanded to convolutions and linear layers.

References
----------
.. [he2016] K. He et al., "Deep residual learning for image recognition", CVPR 2016.
.. [howard2017] A. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
   applications", 2017.
.. [tan2019] M. Tan and Q. Le, "EfficientNet: rethinking model scaling for convolutional neural networks",
   ICML 2019.
.. [liu2022] Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from mlsysim.core.errors import SpecError
from mlsysim.core.models.vision import CONVNET_OPS, ConvNet

Size: TypeAlias = "int | tuple[int, int]"
"""A side, or a height and a width."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution or linear layer, for one sample.

    Parameters
    ----------
    inputs, outputs
        Elements read and written.
    macs
        Multiply-adds.
    parameters
        Weights and biases, with the scale and shift of the norm that stands with the layer.
    """

    inputs: int
    outputs: int
    macs: int
    parameters: int


def _pair(size: Size) -> tuple[int, int]:
    return size if isinstance(size, tuple) else (size, size)


class _Tape:
    """The running shape of an image on its way through the layers."""

    def __init__(self, name: str, channels: int, height: int, width: int) -> None:
        self.name = name
        self.shape = (channels, height, width)
        self.kept: dict[str, tuple[int, int, int]] = {}
        self.layers: list[Convolution] = []

    def conv(
        self,
        out: int,
        kernel: Size = 1,
        stride: Size = 1,
        *,
        groups: int = 1,
        norm: str = "after",
        bias: bool = False,
    ) -> None:
        channels, height, width = self.shape
        if channels % groups or out % groups:
            msg = f"ConvNet {self.name!r}: {groups} groups must divide {channels} channels in, {out} out"
            raise SpecError(msg)
        self.pool(stride)
        _, *sides = self.shape
        self.shape = (out, sides[0], sides[1])
        rows, columns = _pair(kernel)
        weights = out * (channels // groups) * rows * columns
        pixels = sides[0] * sides[1]
        extra = {"before": 2 * channels, "after": 2 * out, "scale": out, "none": 0}[norm]
        extra += out if bias else 0
        self.layers.append(
            Convolution(channels * height * width, out * pixels, weights * pixels, weights + extra)
        )

    def depthwise(self, kernel: Size, stride: Size = 1, *, norm: str = "after", bias: bool = False) -> None:
        channels = self.shape[0]
        self.conv(channels, kernel, stride, groups=channels, norm=norm, bias=bias)

    def pool(self, stride: Size) -> None:
        (channels, height, width), (down, across) = self.shape, _pair(stride)
        self.shape = (channels, -(-height // down), -(-width // across))

    def linear(self, out: int, *, norm: str = "none") -> None:
        channels, height, width = self.shape
        self.shape = (channels * height * width, 1, 1)
        self.conv(out, norm=norm, bias=True)

    def shortcut(self, start: tuple[int, int, int], out: int, stride: Size, *, bias: bool = False) -> None:
        """Project the residual where its shape changes."""
        if start[0] != out or _pair(stride) != (1, 1):
            end, self.shape = self.shape, start
            self.conv(out, 1, stride, bias=bias)
            self.shape = end

    def squeeze_excite(self, inner: int) -> None:
        """Weigh the channels by two layers that read their means."""
        shape, self.shape = self.shape, (self.shape[0], 1, 1)
        self.conv(inner, norm="none", bias=True)
        self.conv(shape[0], norm="none", bias=True)
        self.shape = shape

    def upsample(self, factor: int) -> None:
        channels, height, width = self.shape
        self.shape = (channels, factor * height, factor * width)

    def keep(self, name: str) -> None:
        self.kept[name] = self.shape

    def concat(self, name: str) -> None:
        (channels, *here), (more, *there) = self.shape, self.kept[name]
        if here != there:
            msg = f"ConvNet {self.name!r}: {name!r} has {there} pixels, to be appended to {here}"
            raise SpecError(msg)
        self.shape = (channels + more, here[0], here[1])


def _basic(t: _Tape, a: Mapping[str, Any], stride: Size) -> None:
    start = t.shape
    t.conv(a["out"], 3, stride, bias=a["bias"])
    t.conv(a["out"], 3, bias=a["bias"])
    t.shortcut(start, a["out"], stride, bias=a["bias"])


def _bottleneck(t: _Tape, a: Mapping[str, Any], stride: Size) -> None:
    start = t.shape
    t.conv(a["inner"])
    t.conv(a["inner"], 3, stride, groups=a["groups"])
    t.conv(a["out"])
    t.shortcut(start, a["out"], stride)


def _inverted_residual(t: _Tape, a: Mapping[str, Any], stride: Size) -> None:
    if a["expand"] != 1:
        t.conv(t.shape[0] * a["expand"])
    t.depthwise(3, stride)
    t.conv(a["out"])


def _separable(t: _Tape, a: Mapping[str, Any], stride: Size) -> None:
    t.depthwise(a["kernel"], stride, bias=a["bias"])
    t.conv(a["out"], bias=a["bias"])


def _mbconv(t: _Tape, a: Mapping[str, Any], stride: Size) -> None:
    squeezed = max(1, t.shape[0] // a["squeeze"])
    if a["expand"] != 1:
        t.conv(t.shape[0] * a["expand"])
    t.depthwise(a["kernel"], stride)
    t.squeeze_excite(squeezed)
    t.conv(a["out"])


def _convnext(t: _Tape, a: Mapping[str, Any]) -> None:
    """Filter each channel, widen, narrow, and scale what comes out by a number for each channel."""
    width = t.shape[0]
    for _ in range(a["repeat"]):
        t.depthwise(a["kernel"], bias=True)
        t.conv(a["expand"] * width, norm="none", bias=True)
        t.conv(width, norm="scale", bias=True)


def _c2f(t: _Tape, a: Mapping[str, Any]) -> None:
    """Split the channels in two, pass one half through a chain, and join all that was seen on the way."""
    half, (_, height, width) = a["out"] // 2, t.shape
    t.conv(2 * half)
    t.shape = (half, height, width)
    for _ in range(2 * a["repeat"]):
        t.conv(half, 3)
    t.shape = ((2 + a["repeat"]) * half, height, width)
    t.conv(a["out"])


def _sppf(t: _Tape, a: Mapping[str, Any]) -> None:
    """Halve the channels, join them with three poolings of themselves."""
    half, (_, height, width) = t.shape[0] // 2, t.shape
    t.conv(half)
    t.shape = (4 * half, height, width)
    t.conv(a["out"])


_BINS = 16
"""Steps into which a side of a box is divided."""


def _detect(t: _Tape, a: Mapping[str, Any]) -> None:
    """Predict boxes and classes at each pixel of the kept images, and the mean of each side of a box."""
    first, anchors = t.kept[a["names"][0]][0], 0
    box, label = max(16, first // 4, 4 * _BINS), max(first, min(a["classes"], 100))
    for name in a["names"]:
        for inner, out in ((box, 4 * _BINS), (label, a["classes"])):
            t.shape = t.kept[name]
            t.conv(inner, 3)
            t.conv(inner, 3)
            t.conv(out, norm="none", bias=True)
        anchors += t.shape[1] * t.shape[2]
    t.shape = (_BINS, 4, anchors)
    t.conv(1, norm="none")


def _stage(block: Callable[[_Tape, Mapping[str, Any], Size], None]) -> Callable[[_Tape, Any], None]:
    """Repeat a block; the first has the stride."""

    def run(t: _Tape, a: Mapping[str, Any]) -> None:
        for i in range(a["repeat"]):
            block(t, a, a["stride"] if i == 0 else 1)

    return run


_RULES: Final[Mapping[str, Callable[[_Tape, Any], None]]] = {
    "conv": lambda t, a: t.conv(**a),
    "maxpool": lambda t, a: t.pool(a["stride"]),
    "basic": _stage(_basic),
    "bottleneck": _stage(_bottleneck),
    "inverted_residual": _stage(_inverted_residual),
    "separable": _stage(_separable),
    "mbconv": _stage(_mbconv),
    "squeeze_excite": lambda t, a: t.squeeze_excite(**a),
    "convnext": _convnext,
    "c2f": _c2f,
    "sppf": _sppf,
    "upsample": lambda t, a: t.upsample(**a),
    "keep": lambda t, a: t.keep(**a),
    "concat": lambda t, a: t.concat(**a),
    "detect": _detect,
    "global_pool": lambda t, _: t.pool(t.shape[1:]),
    "linear": lambda t, a: t.linear(**a),
}


@lru_cache(maxsize=256)
def convolutions(model: ConvNet) -> tuple[Convolution, ...]:
    """Return the convolutions and linear layers of *model*, in order.

    Raises
    ------
    SpecError
        If groups do not divide the channels, or images of different size are joined.

    Examples
    --------
    >>> net = ConvNet(name="one", input=(3, 4, 4), layers=[
    ...     {"op": "conv", "out": 8, "kernel": 3, "stride": 2}])
    >>> convolutions(net)
    (Convolution(inputs=48, outputs=32, macs=864, parameters=232),)
    """
    tape = _Tape(model.name, *model.input)
    for layer in model.layers:
        given = {name: value for name, value in layer.items() if name != "op"}
        _RULES[layer["op"]](tape, {**CONVNET_OPS[layer["op"]].defaults, **given})
    return tuple(tape.layers)
