"""What a network is: its shape, frozen and validated. Counts are made of it elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from mlsysim.core.errors import SpecError, suggestion
from mlsysim.core.specs import FrozenMap, Source


class Phase(StrEnum):
    """What a network is doing."""

    DECODE = "decode"
    PREFILL = "prefill"
    FORWARD = "forward"


def _no_sources() -> FrozenMap[str, Any]:
    return FrozenMap({})


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """What all networks have: a name, and whole positive numbers for a shape."""

    name: str
    aliases: tuple[str, ...] = ()
    published: Mapping[str, Any] = field(default_factory=_no_sources, repr=False, compare=False)
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    phases: ClassVar[tuple[Phase, ...]]
    may_be_zero: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        faults = self._faults()
        if faults:
            msg = f"{type(self).__name__} {self.name!r}: " + "; ".join(faults)
            raise SpecError(msg)

    def _faults(self) -> list[str]:
        faults = []
        for f in fields(self):
            value = getattr(self, f.name)
            if f.type is int and (
                isinstance(value, bool)
                or not isinstance(value, int)
                or value < (0 if f.name in self.may_be_zero else 1)
            ):
                faults.append(f"{f.name} must be a whole positive number; got {value!r}")
            if f.type is bool and not isinstance(value, bool):
                faults.append(f"{f.name} must be true or false; got {value!r}")
        return faults

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


@dataclass(frozen=True, kw_only=True, repr=False)
class Transformer(_Shape):
    """A decoder-only language model with grouped-query attention.

    Parameters
    ----------
    layers, width
        Number of blocks, and the width of the residual stream.
    heads, kv_heads, head_size
        Query heads, key-value heads, and the size of one head.
    ffn_width, gated
        Inner width of the feed-forward part; three matrices where gated, two where not.
    vocab, tied
        Vocabulary size; whether the LM head shares the embedding table.
    positions
        Number of learned position embeddings, 0 for rotary ones.
    context
        Longest context that the model was trained for. [token]
    window
        Width of sliding-window attention, or None. [token]

    Examples
    --------
    >>> tiny = Transformer(name="tiny", layers=2, width=64, heads=4, kv_heads=2, head_size=16,
    ...                    ffn_width=256, gated=True, vocab=1000, tied=False, context=512)
    >>> tiny.phases
    (<Phase.DECODE: 'decode'>, <Phase.PREFILL: 'prefill'>)
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    ffn_width: int
    gated: bool
    vocab: int
    tied: bool
    positions: int = 0
    context: int
    window: int | None = None

    phases: ClassVar[tuple[Phase, ...]] = (Phase.DECODE, Phase.PREFILL)
    may_be_zero: ClassVar[frozenset[str]] = frozenset({"positions"})

    def _faults(self) -> list[str]:
        faults = super()._faults()
        if not faults and self.heads % self.kv_heads:
            faults.append(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")
        if self.window is not None and (not isinstance(self.window, int) or self.window < 1):
            faults.append(f"window must be a whole positive number or None; got {self.window!r}")
        return faults


@dataclass(frozen=True, kw_only=True, repr=False)
class Encoder(_Shape):
    """A bidirectional text encoder, as BERT is.

    Parameters
    ----------
    segments
        Size of the token-type table.
    pooled
        Whether a width-by-width pooler follows the last block.
    layers, width, heads, head_size, ffn_width, vocab, positions, context
        As for a Transformer; feed-forward parts have two matrices.
    """

    layers: int
    width: int
    heads: int
    head_size: int
    ffn_width: int
    vocab: int
    positions: int
    context: int
    segments: int = 0
    pooled: bool = False

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD,)
    may_be_zero: ClassVar[frozenset[str]] = frozenset({"positions", "segments"})


@dataclass(frozen=True, kw_only=True, repr=False)
class VisionTransformer(_Shape):
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

    def _faults(self) -> list[str]:
        faults = super()._faults()
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
class ConvNet(_Shape):
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
        if not isinstance(self.layers, Sequence) or not all(isinstance(x, Mapping) for x in self.layers):
            msg = f"ConvNet {self.name!r}: layers must list operations, each with its op; got {self.layers!r}"
            raise SpecError(msg)
        object.__setattr__(self, "input", tuple(self.input))
        object.__setattr__(self, "layers", tuple(FrozenMap(layer) for layer in self.layers))
        super().__post_init__()

    def __hash__(self) -> int:
        return hash((self.name, self.input, len(self.layers)))

    def _faults(self) -> list[str]:
        faults = super()._faults()
        if len(self.input) != 3 or not all(isinstance(n, int) and n > 0 for n in self.input):
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
            if any(not isinstance(layer[k], int) or layer[k] < 1 for k in given):
                faults.append(f"layers[{i}] ({op}): arguments must be whole positive numbers")
        if not self.layers:
            faults.append("layers must hold at least one operation")
        return faults


Model: TypeAlias = Transformer | Encoder | VisionTransformer | ConvNet
"""Any network that can be counted."""

KINDS: Mapping[str, type[Model]] = FrozenMap(
    {
        "decoder": Transformer,
        "encoder": Encoder,
        "vit": VisionTransformer,
        "convnet": ConvNet,
    }
)
"""The kinds of network, by the word that a card uses."""
