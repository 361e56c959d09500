r"""How many replicas serve a load within a service level, or why no number does.

Each replica batches continuously and holds :math:`b` requests, the most at which a full batch still keeps
to the limits. Together, :math:`r` replicas are :math:`rb` places that one queue feeds, each held for the
residence :math:`L(b)`: M/M/:math:`rb`, with an exact wait. The least :math:`r` is sought with

.. math:: \lambda L(b) < r b, \qquad W_p(r b) + \tfrac{1}{2} \bar T(b) + \mathrm{reading}(b) \le
          \mathrm{TTFT}^*

where :math:`W_p` is the :math:`p`-th percentile of the wait. Reading, half a step and TPOT are those of full
batches: what the limits promise holds at any moment, so it is an upper bound where load is light. If a
request by itself takes longer than a limit, no number of replicas helps.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.models import Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.queueing import wait_quantile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Share, Shown
from mlsysim.solvers.continuous_batching import ContinuousBatchingModel
from mlsysim.solvers.in_flight import ContinuousBatchingResult
from mlsysim.solvers.monotone import last
from mlsysim.solvers.request import check_rate


class Binding(Enum):
    """What decides the number of replicas, or that there is none."""

    MEMORY = "memory: weights and one sequence do not fit a replica"
    TTFT = "TTFT: one request by itself takes longer, on any number of replicas"
    TPOT = "TPOT: one request by itself takes longer, on any number of replicas"
    LOAD = "load: fewer replicas would not keep up"
    WAIT = "wait: fewer replicas would keep up, but too many requests would wait too long"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, repr=False)
class CapacityResult(Shown):
    """Replicas for a load and a service level.

    Parameters
    ----------
    binding
        What decides.
    replicas
        Fewest replicas; None if no number keeps to the limits.
    server
        One replica with a full batch; with a batch of one if there is no number.
    arrivals
        Requests that come in a second, to all replicas. [1/s]
    percent
        Percentile of the time to the first token that the limit is for.
    wait
        Percentile of the wait for a place; None where there is no number. [s]
    ttft_limit, tpot_limit
        What was asked; None where nothing was. [s]
    """

    binding: Binding
    replicas: int | None
    server: ContinuousBatchingResult
    arrivals: float
    percent: float
    wait: float | None
    ttft_limit: float | None
    tpot_limit: float | None

    @property
    def feasible(self) -> bool:
        """Whether some number of replicas keeps to the limits."""
        return self.replicas is not None

    @property
    def devices(self) -> int | None:
        """Devices of all replicas; None if no number keeps to the limits."""
        return None if self.replicas is None else self.replicas * self.server.decode.tp_size

    @property
    def utilization(self) -> float | None:
        """Share of the places that are taken, in the mean; None if no number keeps to the limits."""
        if self.replicas is None:
            return None
        return self.arrivals / (self.replicas * self.server.peak)

    @property
    def ttft(self) -> Quantity | None:
        """Percentile of the time to the first token; None if no number keeps to the limits."""
        return _time(None if self.wait is None else self.wait + _start(self.server))

    @property
    def tpot(self) -> Quantity:
        """Mean time of each further token in a full batch."""
        return self.server.tpot

    @property
    def fits(self) -> bool:
        """Whether weights and one sequence fit a replica."""
        return self.server.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Replicas of {self.server.decode.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the replicas, what binds, and what each reaches."""
        return [
            ("Memory", str(self.server.fit)),
            ("Replicas", "none" if self.replicas is None else self.replicas),
            ("Devices", "none" if self.devices is None else self.devices),
            ("Binding", str(self.binding)),
            ("Arrival rate", ureg.Quantity(self.arrivals, unit("1/s"))),
            ("Utilization", None if self.utilization is None else Share(self.utilization)),
            ("Batch size", self.server.most),
            ("Percentile", self.percent),
            ("TTFT", self.ttft),
            ("TTFT limit", _time(self.ttft_limit)),
            ("TPOT", self.tpot),
            ("TPOT limit", _time(self.tpot_limit)),
            ("Calibration", self.server.decode.calibration.name),
        ]


def _time(seconds: float | None) -> Quantity | None:
    return None if seconds is None else ureg.Quantity(seconds * 1e3, unit("ms"))


def _start(server: ContinuousBatchingResult) -> float:
    """Return the time from a free place to the first token: half a step, and the prompt. [s]"""
    return server.flight.step / 2 + server.flight.reading


class CapacityModel:
    """Answers: how many machines does this load need?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int | None = None,
        precision: str | Precision = "fp16",
        *,
        arrival_rate: Quantity,
        ttft: Quantity | None = None,
        tpot: Quantity | None = None,
        percent: float = 99.0,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
        **options: Any,
    ) -> CapacityResult:
        """Return the fewest replicas that serve a load within limits of latency.

        Parameters
        ----------
        model, hardware
            A language model, and the device of which *tp_size* make a replica.
        batch_size
            Most requests in flight on a replica; as many as the cache holds if left out.
        precision, tp_size, link, calibration
            As for ``Engine.solve``.
        arrival_rate
            Requests that come to all replicas, in the mean, at random moments. [1/s]
        ttft, percent
            Time to the first token that *percent* of the requests may not exceed; no limit if left out. [s]
        tpot
            Longest time of each further token, in the mean of a request; no limit if left out. [s]
        **options
            ``prompt``, ``output``, ``chunk_size`` and what else ``ContinuousBatchingModel.solve`` takes.

        Returns
        -------
        CapacityResult
            An estimate, on the safe side of its model; without a number where no number would do.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Hardware, Models, Q_
        >>> c = CapacityModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, 64,
        ...                           arrival_rate=Q_("100/s"), ttft=Q_("1 s"))
        >>> c.replicas, c.binding.name
        (4, 'LOAD')
        """
        given = Arguments("CapacityModel.solve")
        rate = check_rate(given, arrival_rate)
        first = None if ttft is None else given.quantity("ttft", ttft, "ms")
        each = None if tpot is None else given.quantity("tpot", tpot, "ms")
        share = given.number("percent", percent, "above 0 and below 100", lambda x: 0 < x < 100) / 100
        given.close()

        options |= {"tp_size": tp_size, "link": link, "calibration": calibration}

        def served(batch: int | None) -> ContinuousBatchingResult:
            return ContinuousBatchingModel().solve(model, hardware, batch, precision, **options)

        def too_slow(server: ContinuousBatchingResult) -> Binding | None:
            if first is not None and _start(server) > first:
                return Binding.TTFT
            return Binding.TPOT if each is not None and server.flight.per_token > each else None

        def result(
            binding: Binding, server: ContinuousBatchingResult, replicas: int | None = None
        ) -> CapacityResult:
            return CapacityResult(
                binding=binding,
                replicas=replicas,
                server=server,
                arrivals=rate,
                percent=percent,
                wait=None if replicas is None else waiting(server, replicas),
                ttft_limit=first,
                tpot_limit=each,
            )

        def waiting(server: ContinuousBatchingResult, replicas: int) -> float:
            stay = server.flight.residence
            return wait_quantile(replicas * server.most, rate * stay, stay, share)

        alone, full = served(1), served(batch_size)
        if not alone.fits:
            return result(Binding.MEMORY, alone)
        if slow := too_slow(alone):
            return result(slow, alone)
        batch = last(lambda b: too_slow(served(b)) is None, 1, full.most)
        server = full if batch == full.most else served(batch)
        least = math.floor(rate / server.peak) + 1
        slack = math.inf if first is None else first - _start(server)
        if waiting(server, least) <= slack:
            return result(Binding.LOAD, server, least)
        high = 2 * least
        while waiting(server, high) > slack:
            high *= 2
        replicas = last(lambda r: waiting(server, r) > slack, least, high) + 1
        return result(Binding.WAIT, server, replicas)
