r"""A shared cluster: how long jobs wait for devices.

A cluster of :math:`D` devices runs :math:`c = \lfloor D/g \rfloor` jobs of :math:`g` devices each at once: a
job starts when all of its devices are free (gang scheduling), and :math:`D - cg` devices are never used. Jobs
arrive at random at rate :math:`\lambda` and run for :math:`s` on average, in order of arrival: an M/M/c queue
with the load :math:`a = \lambda s`,

.. math:: \rho = \frac{a}{c}, \;\; E[W] = C(c, a)\,\frac{s}{c - a}, \;\; P(W > t) = C(c, a)\,e^{-(c - a)t/s}.

From :math:`\rho = 1` on the line grows without end. Jobs of mixed sizes, priorities, preemption, and
durations that vary more than exponential ones (which wait longer) are not described.

References
----------
.. [erlang1917] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in
   automatic telephone exchanges", Post Office Electrical Engineers' Journal 10, 1918 (Danish 1917).
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.queueing import erlang_c, mean_wait, wait_quantile
from mlsysim.core.systems import Fleet
from mlsysim.format import Share, Shown

_MOST_SLOTS = 10_000_000
"""Beyond so many jobs at a time the recursion takes seconds, and nobody waits."""


class QueueState(Enum):
    """What becomes of the line."""

    STABLE = "stable"
    UNSTABLE = "unstable: the line grows without end"
    TOO_LARGE = "a job needs more devices than there are"

    def __str__(self) -> str:
        return self.value


def _time(seconds: float | None) -> Quantity | None:
    return None if seconds is None else ureg.Quantity(seconds / 3600, unit("hour"))


@dataclass(frozen=True, kw_only=True, repr=False)
class OrchestrationResult(Shown):
    """Waits of a cluster's jobs.

    Parameters
    ----------
    devices, devices_per_job
        Devices of the cluster, and of each job.
    arrival_rate, duration
        Jobs that arrive each second, and the mean time that one runs. [1/s, s]
    target, target_slots
        Utilization that was asked for, and jobs at a time that reach it; None where none was.
    """

    devices: int
    devices_per_job: int
    arrival_rate: float
    duration: float
    target: float | None
    target_slots: int | None

    @property
    def slots(self) -> int:
        """Jobs that run at a time."""
        return self.devices // self.devices_per_job

    @property
    def load(self) -> float:
        """Jobs that would run at a time if none had to wait."""
        return self.arrival_rate * self.duration

    @property
    def state(self) -> QueueState:
        """What becomes of the line."""
        if not self.slots:
            return QueueState.TOO_LARGE
        return QueueState.STABLE if self.load < self.slots else QueueState.UNSTABLE

    @property
    def stable(self) -> bool:
        """Whether waits stay finite."""
        return self.state is QueueState.STABLE

    @property
    def utilization(self) -> float | None:
        """Load as a share of the jobs that run at a time, at 1 or above unstable; None where no job fits."""
        return self.load / self.slots if self.slots else None

    @property
    def stranded(self) -> int:
        """Devices that no job of this size can use."""
        return self.devices - self.slots * self.devices_per_job

    @property
    def waiting_share(self) -> float | None:
        """Share of the jobs that wait; None where the line is not stable."""
        return erlang_c(self.slots, self.load) if self.stable else None

    @property
    def wait(self) -> Quantity | None:
        """Mean time in the line, jobs that need not wait included; None where it is not stable."""
        return _time(mean_wait(self.slots, self.load, self.duration) if self.stable else None)

    def percentile(self, share: float) -> Quantity | None:
        """Return the time within which a *share* of the jobs starts; None where the line is not stable.

        Parameters
        ----------
        share
            At least 0 and below 1: 0.95 for the 95th percentile.

        Raises
        ------
        ArgumentError
            If the share has no usable value.
        """
        given = Arguments("OrchestrationResult.percentile")
        part = given.number("share", share, "at least 0 and below 1", lambda x: 0 <= x < 1)
        given.close()
        return _time(wait_quantile(self.slots, self.load, self.duration, part) if self.stable else None)

    @property
    def target_devices(self) -> int | None:
        """Least number of devices whose utilization is at or below the target."""
        return None if self.target_slots is None else self.target_slots * self.devices_per_job

    @property
    def target_wait(self) -> Quantity | None:
        """Mean time in the line with so many devices."""
        slots = self.target_slots
        return None if slots is None else _time(mean_wait(slots, self.load, self.duration))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Jobs of {self.devices_per_job:,} on {self.devices:,} devices"

    def rows(self) -> list[tuple[str, Any]]:
        """Return load, waits and what the target takes."""
        target = [
            ("Target utilization", self.target),
            ("Devices for the target", self.target_devices),
            ("Mean wait at the target", self.target_wait),
        ]
        return [
            ("Jobs at a time", self.slots),
            ("Devices never used", self.stranded),
            ("Load", self.load),
            ("Utilization", None if self.utilization is None else Share(self.utilization)),
            ("Queue", self.state),
            ("Jobs that wait", self.waiting_share),
            ("Mean wait", self.wait),
            ("P50 wait", self.percentile(0.5)),
            ("P95 wait", self.percentile(0.95)),
            ("P99 wait", self.percentile(0.99)),
            *(target if self.target is not None else []),
        ]


class OrchestrationModel:
    """Answers: how long do jobs wait on this cluster?"""

    def solve(
        self,
        fleet: Fleet | int,
        *,
        devices_per_job: int,
        arrival_rate: Quantity,
        duration: Quantity,
        target_utilization: float | None = None,
    ) -> OrchestrationResult:
        """Return utilization and waits of equal jobs on a shared cluster.

        Parameters
        ----------
        fleet
            The cluster, or the number of its devices.
        devices_per_job
            Devices that each job needs at once.
        arrival_rate
            Jobs that arrive in a time, as in ``Q_("2/hour")``. [1/s]
        duration
            Mean time that a job runs. [s]
        target_utilization
            Share of the jobs at a time that should be in use: the result says how many devices that takes.

        Returns
        -------
        OrchestrationResult
            Exact for Poisson arrivals and exponential durations. A line that grows without end, and jobs
            larger than the cluster, are outcomes.

        Raises
        ------
        ArgumentError
            If the fleet is empty, nothing arrives, or an argument has no usable value.

        Examples
        --------
        Two jobs at a time, one on average: a third of them wait, and the mean wait is a third of an hour.

        >>> from mlsysim import Q_
        >>> r = OrchestrationModel().solve(20, devices_per_job=8, arrival_rate=Q_("1/hour"),
        ...                                duration=Q_("1 hour"))
        >>> r.slots, r.stranded, f"{r.waiting_share:.3f}", f"{r.wait.to('min'):.0f}"
        (2, 4, '0.333', '20 min')
        """
        given = Arguments("OrchestrationModel.solve")
        devices = fleet.devices if isinstance(fleet, Fleet) else given.count("fleet", fleet)
        each = given.count("devices_per_job", devices_per_job)
        rate = given.quantity("arrival_rate", arrival_rate, "1/hour")
        mean = given.quantity("duration", duration, "hour")
        target = target_utilization
        if target is not None:
            target = given.number("target_utilization", target, "above 0 and below 1", lambda x: 0 < x < 1)
        slots = None if target is None else max(1, math.ceil(round(rate * mean / target, 9)))
        if max(devices // each, slots or 0) > _MOST_SLOTS:
            given.fault(f"more than {_MOST_SLOTS:,} jobs at a time: give fewer devices, or more for each job")
        given.close()
        return OrchestrationResult(
            devices=devices,
            devices_per_job=each,
            arrival_rate=rate,
            duration=mean,
            target=target,
            target_slots=slots,
        )
