r"""What is set aside for the KV cache of a sequence, contiguous or in pages.

A sequence of :math:`I` tokens of prompt and :math:`O` of output leaves :math:`(I + O)\,b` bytes, with
:math:`b` bytes a token. What is set aside for it depends on the allocation:

.. math:: R_{contiguous} = (I + O_{longest})\, b, \qquad
          R_{paged} = \left\lceil \frac{I + O}{k} \right\rceil k\, b

in blocks of :math:`k` tokens. The first knows no output length in advance, and needs its place in one
piece; the second takes a block when it needs one. Whole blocks of a shared prefix are cached once.

Notes
-----
Block tables take no memory here, and external fragmentation is left out: it depends on the order of
requests. Where attention has a window, a layer keeps the tokens of the window alone.

References
----------
.. [kwon2023] W. Kwon et al., "Efficient memory management for large language model serving with
   PagedAttention", SOSP 2023.
"""

from dataclasses import dataclass
from enum import StrEnum

from mlsysim.core import counting
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import Precision
from mlsysim.solvers.request import Lengths


class Allocation(StrEnum):
    """How the cache of a sequence is laid out in memory."""

    CONTIGUOUS = "contiguous"
    PAGED = "paged"


def parse_allocation(value: str | Allocation) -> Allocation:
    """Return the allocation of that name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(value, str) and value in set(Allocation):
        return Allocation(value)
    msg = f"allocation must be {' or '.join(map(repr, map(str, Allocation)))}; got {value!r}"
    raise ArgumentError(msg)


def cached_bytes(model: Transformer, precision: Precision, tokens: int, tp_size: int = 1) -> float:
    """Return the bytes that one sequence of *tokens* leaves in the cache of each device."""
    work = counting.count(model, Phase.DECODE, precision, batch=1.0, context=float(tokens), tp_size=tp_size)
    return float(work.state)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What one kind of allocation sets aside on each device, and what of it holds tokens.

    Parameters
    ----------
    allocation
        Which kind.
    room
        Bytes beside the weights.
    shared
        Bytes that all sequences have in common, cached once. [B]
    reserved, held
        Bytes set aside for one sequence when its last token is written, and those that hold tokens. [B]
    reserved_midway, held_midway
        The same when half of the output is written. [B]
    """

    allocation: Allocation
    room: float
    shared: float
    reserved: float
    held: float
    reserved_midway: float
    held_midway: float

    @property
    def sequences(self) -> int:
        """Sequences that fit to their last token; 0 if none does."""
        return max(0, int((self.room - self.shared) // self.reserved))

    @property
    def wasted(self) -> float:
        """Share of what is set aside that never holds a token."""
        return 1 - self.held / self.reserved

    @property
    def wasted_midway(self) -> float:
        """Share that holds no token when half of the output is written."""
        return 1 - self.held_midway / self.reserved_midway


def layouts(
    model: Transformer, precision: Precision, lengths: Lengths, *, room: float, tp_size: int = 1
) -> tuple[Layout, Layout]:
    """Return the contiguous and the paged layout of requests of these lengths.

    Parameters
    ----------
    model, precision
        The network and its number format.
    lengths
        Tokens of a request.
    room
        Bytes beside the weights on each device.
    tp_size
        Devices that split the model.
    """
    n = lengths
    midway = n.prompt + n.output // 2

    def own(tokens: int, shared: int = 0) -> float:
        return cached_bytes(model, precision, tokens - shared, tp_size)

    reserved = own(n.prompt + n.longest)
    contiguous = Layout(
        allocation=Allocation.CONTIGUOUS,
        room=room,
        shared=0.0,
        reserved=reserved,
        held=own(n.total),
        reserved_midway=reserved,
        held_midway=own(midway),
    )
    paged = Layout(
        allocation=Allocation.PAGED,
        room=room,
        shared=own(n.total) - own(n.total, n.shared),
        reserved=own(n.blocks(n.total), n.shared),
        held=own(n.total, n.shared),
        reserved_midway=own(n.blocks(midway), n.shared),
        held_midway=own(midway, n.shared),
    )
    return contiguous, paged
