"""Image classifiers: vision transformers and ConvNets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mlsysim.core.errors import SpecError, suggestion
from mlsysim.core.models.base import Phase, Shape, whole_number
from mlsysim.core.specs import FrozenMap


@dataclass(frozen=True, kw_only=True, repr=False)
class VisionTransformer(Shape):
    """An image classifier made of transformer blocks over square patches, and a class token.

    Parameters
    ----------
    image, patch, channels
        Side of the square image and of a patch, in pixels; colour channels.
    classes
        Outputs of the classifier.
    layers, width, heads, head_size, ffn_width
        As for a Transformer.
    """

    image: int
    patch: int
    channels: int
    layers: int
    width: int
    heads: int
    head_size: int
    ffn_width: int
    classes: int

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD,)

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        if not faults and self.image % self.patch:
            faults.append(f"patch ({self.patch}) must divide image ({self.image})")
        return faults

    @property
    def tokens(self) -> int:
        """Patches, and the class token."""
        return (self.image // self.patch) ** 2 + 1


CONVNET_OPS: Mapping[str, frozenset[str]] = FrozenMap(
    {
        "conv": frozenset({"out", "kernel", "stride"}),
        "maxpool": frozenset({"kernel", "stride"}),
        "basic": frozenset({"out", "stride", "repeat"}),
        "bottleneck": frozenset({"inner", "out", "stride", "repeat"}),
        "inverted_residual": frozenset({"expand", "out", "stride", "repeat"}),
        "global_pool": frozenset[str](),
        "linear": frozenset({"out"}),
    }
)
"""The operations that a ConvNet card may list, each with its arguments."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ConvNet(Shape):
    """A convolutional image classifier, as a list of operations.

    Parameters
    ----------
    input
        Channels, height and width of the image.
    layers
        Operations in order; each is a mapping with ``op`` and the arguments that
        ``CONVNET_OPS`` names.

    Examples
    --------
    >>> ConvNet(name="tiny", input=(3, 8, 8), layers=[{"op": "conv", "out": 4, "kernel": 3}])
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.SpecError: ConvNet 'tiny': layers[0] (conv) needs stride
    """

    input: tuple[int, int, int]
    layers: tuple[FrozenMap[str, Any], ...]

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD,)

    def __post_init__(self) -> None:
        if not isinstance(self.input, Sequence):
            msg = f"ConvNet {self.name!r}: input must be (channels, height, width); got {self.input!r}"
            raise SpecError(msg)
        if not isinstance(self.layers, Sequence):
            msg = f"ConvNet {self.name!r}: layers must list operations, each with its op; got {self.layers!r}"
            raise SpecError(msg)
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Mapping):
                msg = f"ConvNet {self.name!r}: layers[{i}] must be a table with its op; got {layer!r}"
                raise SpecError(msg)
        object.__setattr__(self, "input", tuple(self.input))
        object.__setattr__(self, "layers", tuple(FrozenMap(layer) for layer in self.layers))
        super().__post_init__()

    def __hash__(self) -> int:
        return hash((self.name, self.input, len(self.layers)))

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        if len(self.input) != 3 or not all((whole_number(n) or 0) > 0 for n in self.input):
            faults.append(f"input must be (channels, height, width); got {self.input!r}")
        for i, layer in enumerate(self.layers):
            op = str(layer.get("op"))
            if op not in CONVNET_OPS:
                faults.append(f"layers[{i}] has op {op!r}. {suggestion(op, CONVNET_OPS)}")
                continue
            given = set(layer) - {"op"}
            if missing := CONVNET_OPS[op] - given:
                faults.append(f"layers[{i}] ({op}) needs {', '.join(sorted(missing))}")
            if extra := given - CONVNET_OPS[op]:
                faults.append(f"layers[{i}] ({op}) does not take {', '.join(sorted(extra))}")
            if any((whole_number(layer[k]) or 0) < 1 for k in given):
                faults.append(f"layers[{i}] ({op}): arguments must be whole positive numbers")
        if not any(layer.get("op") not in {"maxpool", "global_pool"} for layer in self.layers):
            faults.append("layers must hold at least one operation that computes")
        return faults
