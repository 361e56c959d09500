"""Language models that write: decoder-only transformers, dense or with experts."""

from dataclasses import dataclass
from typing import ClassVar

from mlsysim.core.models.base import Phase, Shape, whole_number


@dataclass(frozen=True, kw_only=True, repr=False)
class Transformer(Shape):
    """A decoder-only language model.

    Parameters
    ----------
    layers, width
        Number of blocks, and the width of the residual stream.
    heads, kv_heads, head_size
        Query heads, key-value heads, and the size of one head.
    ffn_width, gated
        Inner width of a dense feed-forward part; three matrices where gated, two where not.
    vocab, tied
        Vocabulary size; whether the LM head shares the embedding table.
    positions
        Number of learned position embeddings, 0 for rotary ones.
    context
        Longest context that the model was trained for. [token]
    window, global_every
        Width of sliding-window attention, or None; each how many-th layer sees the whole context
        all the same, 0 where none does. [token]
    experts, experts_per_token, shared_experts, expert_width
        Routed experts of a layer, how many of them a token visits, how many it always visits, and their
        inner width. No experts means a dense model.
    dense_layers, moe_every
        Leading layers that stay dense; after them each how many-th layer has experts.
    kv_rank, q_rank, rope_size, value_size
        Latent attention: ranks of the compressed key-value and query (0: not compressed), rotary part of
        a head, and size of a value head. ``head_size`` is then the part without rotation.

    Examples
    --------
    >>> tiny = Transformer(name="tiny", layers=2, width=64, heads=4, kv_heads=2, head_size=16,
    ...                    ffn_width=256, gated=True, vocab=1000, tied=False, context=512)
    >>> tiny.phases
    (<Phase.DECODE: 'decode'>, <Phase.PREFILL: 'prefill'>, <Phase.TRAIN: 'train'>)
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    ffn_width: int = 0
    gated: bool
    vocab: int
    tied: bool
    positions: int = 0
    context: int
    window: int | None = None
    global_every: int = 0
    experts: int = 0
    experts_per_token: int = 0
    shared_experts: int = 0
    expert_width: int = 0
    dense_layers: int = 0
    moe_every: int = 1
    kv_rank: int = 0
    q_rank: int = 0
    rope_size: int = 0
    value_size: int = 0

    phases: ClassVar[tuple[Phase, ...]] = (Phase.DECODE, Phase.PREFILL, Phase.TRAIN)

    @property
    def moe_layers(self) -> int:
        """Layers that have experts."""
        return (self.layers - self.dense_layers) // self.moe_every if self.experts else 0

    @property
    def global_layers(self) -> int:
        """Layers that see the whole context."""
        if self.window is None:
            return self.layers
        return self.layers // self.global_every if self.global_every else 0

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = super().faults()
        if self.window is not None and (whole_number(self.window) or 0) < 1:
            faults.append(f"window must be a whole positive number or None; got {self.window!r}")
        if faults:
            return faults
        if self.heads % self.kv_heads:
            faults.append(f"kv_heads ({self.kv_heads}) must divide heads ({self.heads})")
        if self.global_every and self.window is None:
            faults.append("global_every needs a window")
        if self.experts and not (0 < self.experts_per_token <= self.experts and self.expert_width):
            faults.append(
                f"experts ({self.experts}) need an expert_width and 1 to {self.experts} experts_per_token"
            )
        if not self.experts and (self.experts_per_token or self.shared_experts or self.expert_width):
            faults.append("experts_per_token, shared_experts and expert_width need experts")
        if self.layers - self.moe_layers and not self.ffn_width:
            faults.append("ffn_width must be positive where a layer has no experts")
        if self.kv_rank and not (self.rope_size and self.value_size):
            faults.append("kv_rank (latent attention) needs rope_size and value_size")
        return faults
