r"""What a request goes through where requests join and leave at every step.

A request of :math:`I` tokens in and :math:`O` out takes :math:`k` steps in which its prompt is read, chunk
by chunk, and :math:`O - 1` in which it decodes. With :math:`N` requests in flight, evenly spread over
their lives, the mean step reads :math:`m = N k / (k + O - 1)` chunks beside :math:`N - m` sequences that
decode:

.. math:: \bar T(N) = m\, T_{mixed}(N - 1, 1) + (1 - m)\, T_{decode}(N) \quad (m \le 1), \qquad
          \bar T(N) = T_{mixed}(N - m, m) \quad (m > 1)

where :math:`T_{mixed}(n, m)` decodes :math:`n` sequences and reads :math:`m` chunks. A request stays
:math:`L(N) = (k + O - 1)\, \bar T(N)`: the time to read, :math:`k\,T_{mixed}`, and :math:`O - 1` times
the time of an output token. A single request in flight lives as ``ServingModel`` says.

Notes
-----
Between whole numbers in flight all times are taken to be linear; below one they are those of one. Parts
of a sequence are rounded up.

References
----------
.. [yu2022] G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models",
   OSDI 2022: scheduling at every iteration.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from mlsysim.core.engine import Engine
from mlsysim.core.models import Phase
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Terms
from mlsysim.solvers.monotone import last
from mlsysim.solvers.prefill import Prefill, mixed_step
from mlsysim.solvers.request import Lengths


class Flight(NamedTuple):
    """Mean times of a request while a number of them are in flight.

    Parameters
    ----------
    step
        One step of the server. [s]
    reading
        From the first step to the first token. [s]
    per_token
        Each further token. [s]
    residence
        From the first step to the last token. [s]
    """

    step: float
    reading: float
    per_token: float
    residence: float


@dataclass(frozen=True, kw_only=True)
class Iterations:
    """The steps of a server that schedules at every iteration.

    Parameters
    ----------
    prefill
        The prompts, and how they are read.
    lengths
        Tokens of a request; a shared prefix is cached already.
    chunk_size
        Most tokens of prompts that a step reads; None where a step reads any number of whole prompts.
    """

    prefill: Prefill
    lengths: Lengths
    chunk_size: int | None

    @property
    def unread(self) -> int:
        """Tokens of each prompt that are not cached already."""
        return self.lengths.prompt - self.lengths.shared

    @property
    def chunks(self) -> int:
        """Steps in which a prompt is read."""
        return 1 if self.chunk_size is None else math.ceil(self.unread / self.chunk_size)

    @property
    def steps(self) -> int:
        """Steps of a request's life."""
        return self.chunks + self.lengths.output - 1

    @property
    def most(self) -> int | None:
        """Most requests in flight whose prompts the chunks keep up with; None for any number."""
        return None if self.chunk_size is None else self.chunk_size * self.steps // self.unread

    def decode(self, sequences: int) -> PerformanceProfile:
        """Return the step that decodes, at the mean context."""
        p, n = self.prefill, self.lengths
        context = n.prompt + n.output // 2
        return Engine.solve(p.model, p.hardware, sequences, phase=Phase.DECODE, context=context, **p.options)

    def mixed(self, in_flight: int) -> Terms:
        """Return the step that reads prompts, with the sequences that decode beside them."""
        pieces = max(1.0, in_flight * self.chunks / self.steps)
        beside = in_flight - math.floor(pieces)
        chunk = self.prefill.chunk(pieces, self.chunks, self.lengths.shared)
        if beside == 0:
            return chunk.terms
        return mixed_step(self.decode(beside), chunk, self.prefill.tokens(beside + int(chunk.work.rows)))

    def at(self, in_flight: int) -> Flight:
        """Return the times with a whole number of requests in flight, at least one."""
        share = min(1.0, in_flight * self.chunks / self.steps)
        mixed = float(self.mixed(in_flight).latency)
        plain = float(self.decode(in_flight).terms.latency) if share < 1 else 0.0
        step = share * mixed + (1 - share) * plain
        reading, residence = self.chunks * mixed, self.steps * step
        return Flight(step, reading, (residence - reading) / (self.lengths.output - 1), residence)

    def between(self, in_flight: float) -> Flight:
        """Return the times with any number of requests in flight."""
        low = max(1, math.floor(in_flight))
        if in_flight <= low:
            return self.at(low)
        a, b, part = self.at(low), self.at(low + 1), in_flight - low
        return Flight(*(x + part * (y - x) for x, y in zip(a, b, strict=True)))

    def settled(self, arrivals: float, most: int) -> float:
        r"""Return the number in flight at which :math:`N = \lambda L(N)`.

        Parameters
        ----------
        arrivals
            Requests that come in a second, fewer than *most* over their residence. [1/s]
        most
            Most requests in flight.
        """
        low = last(lambda n: n == 0 or arrivals * self.at(n).residence > n, 0, most - 1)
        below, above = self.at(max(1, low)).residence, self.at(low + 1).residence
        slope = above - below
        return arrivals * (below - low * slope) / (1 - arrivals * slope)
