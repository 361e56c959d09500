r"""Reliability: how often a fleet fails, and which share of its time becomes kept work.

Failures are Poisson and rates add: :math:`N` devices that each fail once in :math:`m` fail together once in

.. math:: M = m / N.

What a failure costs follows from the checkpoints: the equation is that of ``mlsysim.solvers.checkpoint``,
with detection and restart in sequence. One failure stops all devices, there are spares for those that broke,
and :math:`m` is constant: failures in clusters, and devices worse than others, are not described.

References
----------
.. [llama3] Meta, "The Llama 3 herd of models", 2024, Table 5.
.. [kokolis2025] A. Kokolis et al., "Revisiting reliability in large-scale machine learning research
   clusters", HPCA 2025.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Q_, Quantity, si, unit, ureg
from mlsysim.core.systems import Fleet
from mlsysim.format import Share, Shown
from mlsysim.solvers.checkpoint import TimeShares, optimal_interval, time_shares

_AT_ONCE: Final = Q_("0 s")


class Loss(Enum):
    """What takes time from the work."""

    CHECKPOINT = "checkpoint writes"
    REWORK = "work done again"
    DOWNTIME = "detection and restart"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class FailureRecord:
    """Interruptions that a fleet's owner counted.

    Parameters
    ----------
    name, source, place, note
        Whose record it is, its key in the bibliography, where it says so, and what to know about it.
    devices, duration, interruptions
        How many devices ran for how long, and how often they were interrupted. [time]
    """

    name: str
    devices: int
    duration: Quantity
    interruptions: float
    source: str
    place: str
    note: str = ""

    def __post_init__(self) -> None:
        given = Arguments(f"FailureRecord {self.name!r}")
        given.count("devices", self.devices)
        given.quantity("duration", self.duration, "day")
        given.number("interruptions", self.interruptions, "above 0", lambda x: 0 < x < math.inf)
        given.close()

    @property
    def mtbf(self) -> Quantity:
        """Mean time between interruptions of the whole fleet."""
        return ureg.Quantity(si("duration", self.duration, "day") / self.interruptions / 3600, unit("hour"))

    @property
    def device_mtbf(self) -> Quantity:
        """Mean time between interruptions that one device causes."""
        return ureg.Quantity(self.mtbf.magnitude * self.devices, unit("hour"))


LLAMA3_405B: Final = FailureRecord(
    name="Llama 3 405B on H100",
    devices=16_384,
    duration=Q_("54 day"),
    interruptions=419,
    source="llama3-2024",
    place="Table 5: unexpected interruptions in 54 days",
    note="47 planned ones are left out",
)
RSC_1: Final = FailureRecord(
    name="Meta RSC-1, nodes of eight A100",
    devices=8,
    duration=Q_("1000 day"),
    interruptions=6.5,
    source="kokolis2025",
    place="failure model: 6.50 failures per thousand node-days, for large jobs",
    note="read as quoted by others; jobs of 1,024 GPUs failed 3.7 times more often than this rate says",
)
OPT_175B: Final = FailureRecord(
    name="OPT-175B on A100",
    devices=1024,
    duration=Q_("1 day"),
    interruptions=2,
    source="opt-chronicles",
    place="final_update.md: about 2 machines go down every day",
)


@dataclass(frozen=True, kw_only=True, repr=False)
class ReliabilityResult(Shown):
    """How often a fleet fails in a run, and where the run's time goes.

    Parameters
    ----------
    devices
        Devices that must all work.
    mtbf, duration, interval, write, detection, restart
        Mean time between failures of the fleet, length of the run on the wall clock, work between
        checkpoints, and the times of a write, of noticing a failure and of starting again. [s]
    shares
        Where the time goes.
    """

    devices: int
    mtbf: float
    duration: float
    interval: float
    write: float
    detection: float
    restart: float
    shares: TimeShares

    @property
    def fleet_mtbf(self) -> Quantity:
        """Mean time between failures of the fleet."""
        return ureg.Quantity(self.mtbf / 3600, unit("hour"))

    @property
    def failures(self) -> float:
        """Failures expected in the run."""
        return self.duration / self.mtbf

    @property
    def goodput(self) -> float:
        """Share of the time that becomes kept work."""
        return self.shares.useful

    @property
    def checkpoint_interval(self) -> Quantity:
        """Work between two checkpoints."""
        return ureg.Quantity(self.interval / 60, unit("min"))

    @property
    def largest_loss(self) -> Loss:
        """What takes most time from the work."""
        shares = (self.shares.checkpoint, self.shares.rework, self.shares.downtime)
        return max(zip(shares, Loss, strict=True), key=lambda pair: pair[0])[1]

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Reliability of {self.devices:,} devices"

    def rows(self) -> list[tuple[str, Any]]:
        """Return failures and shares of the time."""
        return [
            ("MTBF", self.fleet_mtbf),
            ("Run", ureg.Quantity(self.duration / 86400, unit("day"))),
            ("Failures expected", self.failures),
            ("Checkpoint interval", self.checkpoint_interval),
            ("Write time", ureg.Quantity(self.write, unit("s"))),
            ("Detection time", ureg.Quantity(self.detection, unit("s"))),
            ("Restart time", ureg.Quantity(self.restart, unit("s"))),
            ("Goodput", Share(self.goodput)),
            ("Checkpoint share", Share(self.shares.checkpoint)),
            ("Rework share", Share(self.shares.rework)),
            ("Downtime share", Share(self.shares.downtime)),
            ("Largest loss", self.largest_loss),
        ]


class ReliabilityModel:
    """Answers: how often does this fleet fail, and how much of its time is kept?"""

    def solve(
        self,
        fleet: Fleet | int,
        *,
        device_mtbf: Quantity | FailureRecord,
        duration: Quantity,
        write_time: Quantity,
        restart_time: Quantity,
        detection_time: Quantity = _AT_ONCE,
        interval: Quantity | None = None,
    ) -> ReliabilityResult:
        """Return failures and goodput of a run on a fleet.

        Parameters
        ----------
        fleet
            The machine, or the number of its devices.
        device_mtbf
            Mean time between failures of one device, or a record that it is taken from. For a time
            between failures of a node of eight, ``FailureRecord(devices=8, interruptions=1, …)``. [s]
        duration
            Length of the run on the wall clock. [s]
        write_time, restart_time, detection_time
            Time for which a checkpoint stops the work, time to start again, and to notice a failure
            before that. [s]
        interval
            Work between two checkpoints; the best one if left out. [s]

        Returns
        -------
        ReliabilityResult
            Exact for Poisson failures; an estimate for those of a real fleet.

        Raises
        ------
        ArgumentError
            If the fleet is empty, or an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> r = ReliabilityModel().solve(512, device_mtbf=LLAMA3_405B, duration=Q_("30 day"),
        ...                              write_time=Q_("30 s"), restart_time=Q_("10 min"))
        >>> f"a failure every {r.fleet_mtbf.to('day'):.1f}, {r.goodput:.1%} of the time kept"
        'a failure every 4.1 day, 98.5% of the time kept'
        """
        given = Arguments("ReliabilityModel.solve")
        devices = fleet.devices if isinstance(fleet, Fleet) else given.count("fleet", fleet)
        each = device_mtbf.device_mtbf if isinstance(device_mtbf, FailureRecord) else device_mtbf
        mtbf = given.quantity("device_mtbf", each, "hour") / devices
        run = given.quantity("duration", duration, "day")
        write = given.quantity("write_time", write_time, "s")
        restart = given.quantity("restart_time", restart_time, "s", positive=False)
        detection = given.quantity("detection_time", detection_time, "s", positive=False)
        best = optimal_interval(write, mtbf)
        work = best if interval is None else given.quantity("interval", interval, "min")
        given.close()
        return ReliabilityResult(
            devices=devices,
            mtbf=mtbf,
            duration=run,
            interval=work,
            write=write,
            detection=detection,
            restart=restart,
            shares=time_shares(work, write, restart + detection, mtbf),
        )
