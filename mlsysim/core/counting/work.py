"""What a step demands: the record that counting fills and the engine prices."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one step asks of a device, in FLOP and bytes; of each device, where several share it.

    Every field is a float, or an array where the batch or the context was one.

    Parameters
    ----------
    matmul
        FLOP of matrix products with weights, which hardware pads to whole tiles. [FLOP]
    other
        All other FLOP: attention scores, convolutions, the head of a single row. [FLOP]
    rows
        Rows of the padded matrix products: tokens that go through the weights together.
    expert_matmul, expert_rows
        The same for routed experts: each sees only the tokens that are sent to it. [FLOP]
    weights, state, activations
        Bytes of weights read, of KV cache read or written, of activations moved. [B]
    resident
        Bytes that must be in memory at once. [B]
    launches
        Layers that are started one after the other.
    items
        Tokens or samples that the step finishes.
    scores
        FLOP of attention scores in training, a part of *other* that reaches a rate of its own; None
        in other phases, where it does not. [FLOP]
    reductions, reduced
        How often the devices sum a tensor among them in the step, and its size. [B]
    """

    matmul: Any
    other: Any
    rows: Any
    expert_matmul: Any = 0.0
    expert_rows: Any = 1.0
    weights: Any
    state: Any
    activations: Any
    resident: Any
    launches: float
    items: Any
    scores: Any = None
    reductions: int = 0
    reduced: Any = 0.0

    @property
    def flops(self) -> Any:
        """FLOP, without padding."""
        return self.matmul + self.expert_matmul + self.other

    @property
    def traffic(self) -> Any:
        """Bytes that cross the memory interface."""
        return self.weights + self.state + self.activations

    def padded(self, tile: int) -> Any:
        """FLOP that a machine executes when it rounds rows up to whole tiles.

        Examples
        --------
        >>> w = Work(matmul=2.0, other=1.0, rows=1.0, weights=0, state=0, activations=0,
        ...          resident=0, launches=1, items=1)
        >>> w.padded(8)  # one row costs as much as eight
        17.0
        """
        dense = self.matmul * _padding(self.rows, tile)
        return dense + self.expert_matmul * _padding(self.expert_rows, tile) + self.other


_JUST_BELOW: Final = 1 - 1e-12
"""So that a row count that rounding left above a whole tile fills it, and not one more."""


def _padding(rows: Any, tile: int) -> Any:
    """Return the factor by which whole tiles exceed *rows*; expected rows of an expert need not be whole."""
    if tile == 1:
        return 1.0
    return -(-rows * _JUST_BELOW // tile) * tile / rows
