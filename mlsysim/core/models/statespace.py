"""Language models without attention: selective state spaces."""

from dataclasses import dataclass
from typing import ClassVar

from mlsysim.core.models.base import Phase, Shape


@dataclass(frozen=True, kw_only=True, repr=False)
class StateSpace(Shape):
    """A Mamba-style language model: its state has the same size at any context.

    Parameters
    ----------
    layers, width
        Number of blocks, and the width of the residual stream.
    inner
        Width of the expanded stream inside a block.
    state
        Numbers that are remembered for each inner channel.
    conv
        Width of the causal convolution.
    dt_rank
        Rank of the projection that sets the step size.
    vocab, tied, context
        As for a Transformer.

    References
    ----------
    .. [gu2023] A. Gu, T. Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023.
    """

    layers: int
    width: int
    inner: int
    state: int
    conv: int
    dt_rank: int
    vocab: int
    tied: bool
    context: int

    phases: ClassVar[tuple[Phase, ...]] = (Phase.DECODE, Phase.PREFILL)
