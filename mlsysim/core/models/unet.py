"""Diffusion U-Nets: residual convolutions and cross-attention at several resolutions."""

from dataclasses import dataclass
from typing import ClassVar

from mlsysim.core.models.base import Phase, Shape


@dataclass(frozen=True, kw_only=True, repr=False)
class UNet(Shape):
    """The denoiser of Stable Diffusion; one ``forward`` is one denoising step.

    Parameters
    ----------
    latent, channels
        Side and channels of the square latent image.
    width, multipliers
        Channels of the first level, and the factor at each level.
    blocks
        Residual blocks of a level on the way down; one more on the way up.
    depths
        Transformer layers behind each residual block, by level; 0 for none.
    middle_depth
        Transformer layers in the middle.
    text_width, text_tokens
        Width and length of the text that is attended to.
    extra
        Width of a vector that conditions the time embedding besides the time, 0 for none.

    References
    ----------
    .. [rombach2022] R. Rombach et al., "High-resolution image synthesis with latent diffusion models",
       CVPR 2022.
    """

    latent: int
    channels: int
    width: int
    multipliers: tuple[int, ...]
    blocks: int
    depths: tuple[int, ...]
    middle_depth: int
    text_width: int
    text_tokens: int
    extra: int = 0

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD, Phase.TRAIN)

    def __post_init__(self) -> None:
        object.__setattr__(self, "multipliers", tuple(self.multipliers))
        object.__setattr__(self, "depths", tuple(self.depths))
        super().__post_init__()

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        if len(self.depths) != len(self.multipliers) or not self.multipliers:
            faults.append("depths and multipliers must have one entry for each level")
        return faults
