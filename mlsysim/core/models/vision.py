"""Networks that read images: vision transformers and ConvNets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD, Phase.TRAIN)

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


@dataclass(frozen=True, slots=True)
class Arguments:
    """What an operation of a ConvNet takes.

    Parameters
    ----------
    needed
        Names of the arguments that a card must give.
    defaults
        Names and values of the others.
    """

    needed: tuple[str, ...] = ()
    defaults: FrozenMap[str, Any] = field(default_factory=lambda: FrozenMap[str, Any]({}))


def _takes(*needed: str, **defaults: Any) -> Arguments:
    return Arguments(needed, FrozenMap(defaults))


CONVNET_OPS: Mapping[str, Arguments] = FrozenMap(
    {
        "conv": _takes("out", "kernel", "stride", groups=1, norm="after", bias=False),
        "maxpool": _takes("kernel", "stride"),
        "basic": _takes("out", "stride", "repeat", bias=False),
        "bottleneck": _takes("inner", "out", "stride", "repeat", groups=1),
        "inverted_residual": _takes("expand", "out", "stride", "repeat"),
        "separable": _takes("out", kernel=3, stride=1, repeat=1, bias=False),
        "mbconv": _takes("expand", "out", "kernel", "stride", "repeat", squeeze=4),
        "squeeze_excite": _takes("inner"),
        "convnext": _takes("repeat", kernel=7, expand=4),
        "c2f": _takes("out", "repeat"),
        "sppf": _takes("out"),
        "upsample": _takes(factor=2),
        "keep": _takes("name"),
        "concat": _takes("name"),
        "detect": _takes("names", "classes"),
        "global_pool": _takes(),
        "linear": _takes("out", norm="none"),
    }
)
"""The operations that a ConvNet card may list, each with its arguments.

``kernel`` and ``stride`` are a number, or a pair for height and width. ``norm`` stands ``"after"`` a layer,
``"before"`` it, or is ``"none"``. ``keep`` gives the image a name, by which ``concat`` appends its channels
and ``detect`` finds it.
"""

_LAYERLESS = frozenset({"maxpool", "global_pool", "upsample", "keep", "concat"})
"""Operations without a convolution or a linear layer."""

_NORMS = ("before", "after", "none")


def _is_count(value: Any) -> bool:
    return (whole_number(value) or 0) > 0


def _argument_fault(name: str, value: Any) -> str:
    """Return what is wrong with the value of an argument, or nothing."""
    if name == "bias":
        return "" if isinstance(value, bool) else "bias must be true or false"
    if name == "norm":
        return "" if value in _NORMS else f"norm must be one of {', '.join(_NORMS)}"
    if name == "name":
        return "" if isinstance(value, str) else "name must be a text"
    if name == "names":
        good = isinstance(value, tuple) and value and all(isinstance(n, str) for n in value)
        return "" if good else "names must list texts"
    if name in ("kernel", "stride") and isinstance(value, tuple) and len(value) == 2:
        return "" if all(map(_is_count, value)) else f"{name} must be a whole positive number, or two"
    return "" if _is_count(value) else "arguments must be whole positive numbers"


@dataclass(frozen=True, kw_only=True, repr=False)
class ConvNet(Shape):
    """A convolutional network, as a list of operations.

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

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD, Phase.TRAIN)

    def __post_init__(self) -> None:
        if isinstance(self.input, str) or not isinstance(self.input, Sequence):
            msg = f"ConvNet {self.name!r}: input must be (channels, height, width); got {self.input!r}"
            raise SpecError(msg)
        if isinstance(self.layers, str) or not isinstance(self.layers, Sequence):
            msg = f"ConvNet {self.name!r}: layers must list operations, each with its op; got {self.layers!r}"
            raise SpecError(msg)
        for i, layer in enumerate(self.layers):
            if not isinstance(layer, Mapping):
                msg = f"ConvNet {self.name!r}: layers[{i}] must be a table with its op; got {layer!r}"
                raise SpecError(msg)
        object.__setattr__(self, "input", tuple(self.input))
        object.__setattr__(self, "layers", tuple(map(_frozen, self.layers)))
        super().__post_init__()

    def __hash__(self) -> int:
        return hash((self.name, self.input, len(self.layers)))

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        if len(self.input) != 3 or not all(map(_is_count, self.input)):
            faults.append(f"input must be (channels, height, width); got {self.input!r}")
        kept: set[str] = set()
        for i, layer in enumerate(self.layers):
            faults += [f"layers[{i}] {fault}" for fault in _layer_faults(layer, kept)]
            if layer.get("op") == "keep":
                kept.add(str(layer.get("name")))
        if all(str(layer.get("op")) in _LAYERLESS for layer in self.layers):
            faults.append("layers must hold at least one operation that computes")
        return faults


def _frozen(layer: Mapping[str, Any]) -> FrozenMap[str, Any]:
    """Return an operation whose lists are tuples."""
    return FrozenMap({k: tuple(v) if isinstance(v, list) else v for k, v in layer.items()})


def _layer_faults(layer: Mapping[str, Any], kept: set[str]) -> list[str]:
    """Return what is wrong with one operation, where the images *kept* have names."""
    op = str(layer.get("op"))
    if op not in CONVNET_OPS:
        return [f"has op {op!r}. {suggestion(op, CONVNET_OPS)}"]
    faults, known, given = [], CONVNET_OPS[op], set(layer) - {"op"}
    if missing := set(known.needed) - given:
        faults.append(f"({op}) needs {', '.join(sorted(missing))}")
    if extra := given - set(known.needed) - set(known.defaults):
        faults.append(f"({op}) does not take {', '.join(sorted(map(str, extra)))}")
    wrong = {_argument_fault(name, layer[name]) for name in given - extra} - {""}
    faults += [f"({op}): {fault}" for fault in sorted(wrong)]
    if faults or op not in ("concat", "detect"):
        return faults
    wanted = layer["names"] if op == "detect" else (layer["name"],)
    return [f"({op}): no layer before it keeps {name!r}" for name in wanted if name not in kept]
