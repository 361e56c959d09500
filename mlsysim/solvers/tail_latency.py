r"""How long the slowest wait: percentiles of the response time of a queue under load.

Requests arrive at random (Poisson) with rate :math:`\lambda`, each takes one of :math:`c` servers for
:math:`s` on average, and those that find no server wait in order of arrival. The wait is zero, or
exponential:

.. math:: P(W > t) = P_w\, e^{-\theta t}, \qquad \theta = P_w / E[W]

- **M/M/c** (durations exponential): exact, with Erlang's :math:`P_w = C(c, \lambda s)` and
  :math:`E[W] = P_w s / (c - \lambda s)` [erlang1917]_.
- **M/G/1** (one server, coefficient of variation :math:`v`): :math:`P_w = \rho = \lambda s` and the mean,
  :math:`E[W] = \rho s (1 + v^2) / (2 (1 - \rho))` [pollaczek1930]_, are exact; that the tail is exponential
  is an approximation, made for high percentiles [abate1995]_. Against simulated queues with loads of 0.3
  to 0.9 and :math:`v` of 0 to 2, the 95th and 99th are within a fifth, the median within a third.

The response is wait and duration; ``response_time`` says how a duration of other variation is made up.
At :math:`\lambda s \ge c` the queue grows without end: the result says so and has no times.

References
----------
.. [erlang1917] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in
   automatic telephone exchanges", Elektroteknikeren 13, 1917.
.. [pollaczek1930] F. Pollaczek, "Über eine Aufgabe der Wahrscheinlichkeitstheorie. I", Mathematische
   Zeitschrift 32, 1930.
.. [abate1995] J. Abate, G. L. Choudhury, W. Whitt, "Exponential approximations for tail probabilities in
   queues, I: waiting times", Operations Research 43(5), 885-901, 1995.
"""

import math
from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.queueing import erlang_c, mean_wait
from mlsysim.format import Share, Shown
from mlsysim.solvers.request import check_rate
from mlsysim.solvers.response_time import Queue, Response, Stability


@dataclass(frozen=True, kw_only=True, repr=False)
class TailLatencyResult(Shown):
    """Response times of a queue.

    Parameters
    ----------
    queue, stability
        Which queue it is, and whether it comes to rest.
    service
        Mean time that a request holds a server. [s]
    arrivals
        Requests that come in a second. [1/s]
    servers
        Servers that share the queue.
    variation
        Standard deviation of the service time over its mean.
    waiting_share
        Share of the requests that wait.
    wait
        Mean wait of all requests; None where the queue is not stable. [s]
    profile
        The step that a request is, where it was given as one.
    """

    queue: Queue
    stability: Stability
    service: float
    arrivals: float
    servers: int
    variation: float
    waiting_share: float
    wait: float | None
    profile: PerformanceProfile | None = None

    @property
    def utilization(self) -> float:
        """Offered load over servers; 1 and above is unstable."""
        return self.arrivals * self.service / self.servers

    @property
    def stable(self) -> bool:
        """Whether the queue comes to rest."""
        return self.stability is Stability.STABLE

    @property
    def least_servers(self) -> int:
        """Fewest servers with which the queue comes to rest."""
        return math.floor(self.arrivals * self.service) + 1

    @property
    def fits(self) -> bool:
        """Whether the step that a request is fits its device; true of a service time by itself."""
        return self.profile is None or self.profile.fits

    @property
    def response(self) -> Response | None:
        """The distribution of the response times; None where the queue is not stable."""
        if self.wait is None:
            return None
        return Response(
            service=self.service,
            variation=self.variation,
            waiting_share=self.waiting_share,
            wait=self.wait,
        )

    def percentile(self, percent: float) -> Quantity | None:
        """Return the response time that *percent* of the requests do not exceed; None if unstable.

        Raises
        ------
        ArgumentError
            If *percent* is not between 0 and 100.
        """
        given = Arguments("TailLatencyResult.percentile")
        share = given.number("percent", percent, "above 0 and below 100", lambda x: 0 < x < 100) / 100
        given.close()
        return None if self.response is None else _time(self.response.within(share))

    @property
    def p50(self) -> Quantity | None:
        """Median response time; None where the queue is not stable."""
        return self.percentile(50)

    @property
    def p95(self) -> Quantity | None:
        """Response time that 95 % do not exceed; None where the queue is not stable."""
        return self.percentile(95)

    @property
    def p99(self) -> Quantity | None:
        """Response time that 99 % do not exceed; None where the queue is not stable."""
        return self.percentile(99)

    @property
    def mean_wait(self) -> Quantity | None:
        """Mean wait; None where the queue is not stable."""
        return None if self.wait is None else _time(self.wait)

    @property
    def mean_response(self) -> Quantity | None:
        """Mean wait and mean service; None where the queue is not stable."""
        return None if self.wait is None else _time(self.wait + self.service)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        what = "a service" if self.profile is None else self.profile.title
        return f"Response time of {what}, {self.servers:,} server{'s' * (self.servers > 1)}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return whether it is stable, and the response times."""
        memory = [] if self.profile is None else [("Memory", str(self.profile.fit))]
        return [
            *memory,
            ("Stability", str(self.stability)),
            ("Queue", str(self.queue)),
            ("Service time", _time(self.service)),
            ("Arrival rate", ureg.Quantity(self.arrivals, unit("1/s"))),
            ("Utilization", Share(self.utilization)),
            ("Share that waits", Share(self.waiting_share)),
            ("Mean wait", self.mean_wait),
            ("Mean response", self.mean_response),
            ("P50", self.p50),
            ("P95", self.p95),
            ("P99", self.p99),
        ]


def _time(seconds: float) -> Quantity:
    return ureg.Quantity(seconds * 1e3, unit("ms"))


class TailLatencyModel:
    """Answers: how long do the slowest requests take under load?"""

    def solve(
        self,
        service: Quantity | PerformanceProfile,
        arrival_rate: Quantity,
        servers: int = 1,
        *,
        variation: float = 1.0,
    ) -> TailLatencyResult:
        """Return the response times of a queue.

        Parameters
        ----------
        service
            Mean time for which a request holds a server, or the step of ``Engine.solve`` that a request
            is, at batch 1. [s]
        arrival_rate
            Requests that come, in the mean, at random moments. [1/s]
        servers
            Servers that share the queue.
        variation
            Standard deviation of the service time over its mean: 0 for steps of equal length, 1 for
            exponential ones. Other than 1 with one server alone.

        Returns
        -------
        TailLatencyResult
            Exact for M/M/c; for M/G/1 the mean is exact and the percentiles are approximate. Without
            times where the queue is not stable.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Q_
        >>> r = TailLatencyModel().solve(Q_("100 ms"), Q_("5/s"))
        >>> r.utilization, f"{r.mean_response:.0f}", f"{r.p99:.0f}"  # 200 ms, and ln 100 times that
        (0.5, '200 ms', '921 ms')
        >>> str(TailLatencyModel().solve(Q_("100 ms"), Q_("10/s")).p99)
        'None'
        """
        given = Arguments("TailLatencyModel.solve")
        profile = service if isinstance(service, PerformanceProfile) else None
        if profile is None:
            seconds = given.quantity("service", service, "ms")
        else:
            seconds = float(profile.terms.latency)
            if profile.batch_size != 1:
                given.fault(f"service must be a step of one request; got one of batch {profile.batch_size:,}")
        rate = check_rate(given, arrival_rate)
        many = given.count("servers", servers)
        spread = given.number("variation", variation, "at least 0", lambda x: 0 <= x < math.inf)
        if many > 1 and spread != 1:
            given.fault(
                f"variation must be 1 with {many:,} servers: only M/M/c is known exactly; got {variation!r}"
            )
        given.close()
        load = rate * seconds
        stable = load < many
        return TailLatencyResult(
            queue=Queue.MMC if spread == 1 else Queue.MG1,
            stability=Stability.STABLE if stable else Stability.UNSTABLE,
            service=seconds,
            arrivals=rate,
            servers=many,
            variation=spread,
            waiting_share=erlang_c(many, load),
            wait=mean_wait(many, load, seconds) * (1 + spread**2) / 2 if stable else None,
            profile=profile,
        )
