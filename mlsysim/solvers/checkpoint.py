r"""Checkpoints: how large, how long to write, how often, and what they cost.

Failures are Poisson, one in :math:`M`. Work stops for :math:`\delta` after each :math:`\tau`; a failure loses
the work since the last checkpoint, and then :math:`R`. The share of the time that is kept work is

.. math:: G(\tau) = \frac{\tau}{M}\,\frac{e^{-R/M}}{e^{(\tau+\delta)/M} - 1},

largest where :math:`\tau/M + \ln(1 - \tau/M) + \delta/M = 0`, which :math:`R` does not move. Young's
:math:`\sqrt{2 \delta M}` is its first term, and with :math:`\xi = \sqrt{\delta / 2M} < 1` Daly's series is

.. math:: \sqrt{2 \delta M}\,\left[1 + \xi/3 + \xi^2/9\right] - \delta.

A write in the background stops work only for the copy out of the devices; until it ends the checkpoint before
it counts, which adds its time :math:`W` to :math:`R`, to first order in :math:`W/M`. Failures that come in
clusters are not described.

References
----------
.. [young1974] J. W. Young, "A first order approximation to the optimum checkpoint interval", CACM, 1974.
.. [daly2006] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps".
.. [rajbhandari2020] S. Rajbhandari et al., "ZeRO", SC 2020: mixed-precision Adam, 4 + 8 bytes a parameter.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting import parameters, resident_bytes
from mlsysim.core.models import Model
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.format import Share, Shown


class IntervalLimit(Enum):
    """What sets the interval between checkpoints."""

    FAILURES = "failures: the best interval"
    STORAGE = "storage: one write follows the other"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class TimeShares:
    """Where the time of a run goes; the shares add up to one. Exact for Poisson failures."""

    useful: float
    checkpoint: float
    rework: float
    downtime: float


def time_shares(interval: float, write: float, restart: float, mtbf: float) -> TimeShares:
    """Return the shares of work kept, checkpoint writes, work done again, and restarts. All in s."""
    up, spans = math.exp(-restart / mtbf), (interval + write) / mtbf
    kept = up * math.exp(-spans) / -math.expm1(-spans)
    useful, checkpoint = kept * interval / mtbf, kept * write / mtbf
    rework = max(0.0, up - useful - checkpoint)  # below zero by rounding alone
    return TimeShares(
        useful=useful, checkpoint=checkpoint, rework=rework, downtime=-math.expm1(-restart / mtbf)
    )


def young_interval(write: float, mtbf: float) -> float:
    """Return Young's interval, the first-order optimum. [s]"""
    return math.sqrt(2 * write * mtbf)


def daly_interval(write: float, mtbf: float) -> float:
    """Return Daly's interval; beyond its range, from a write of twice the MTBF on, the MTBF. [s]"""
    if write >= 2 * mtbf:
        return mtbf
    xi = math.sqrt(write / (2 * mtbf))
    return young_interval(write, mtbf) * (1 + xi / 3 + xi**2 / 9) - write


def optimal_interval(write: float, mtbf: float) -> float:
    """Return the interval that keeps the largest share of the time, by bisection. [s]"""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if middle + math.log1p(-middle) + write / mtbf > 0:
            low = middle
        else:
            high = middle
    return middle * mtbf


@dataclass(frozen=True, kw_only=True, repr=False)
class CheckpointResult(Shown):
    """Size, write time and interval of the checkpoints of a run.

    Parameters
    ----------
    model, precision
        What is saved.
    weights, optimizer
        Bytes of each part. [B]
    write, stall, mtbf, interval
        Time that the write takes, time for which it stops the work, mean time between failures, and work
        between two checkpoints. [s]
    limit, shares
        What sets the interval, and where the time goes.
    """

    model: Model
    precision: Precision
    weights: float
    optimizer: float
    write: float
    stall: float
    mtbf: float
    interval: float
    limit: IntervalLimit
    shares: TimeShares

    @property
    def size(self) -> Quantity:
        """Bytes of one checkpoint."""
        return ureg.Quantity((self.weights + self.optimizer) / 1e12, unit("TB"))

    @property
    def write_time(self) -> Quantity:
        """Time that the write takes."""
        return ureg.Quantity(self.write, unit("s"))

    @property
    def stall_time(self) -> Quantity:
        """Time for which each checkpoint stops the work."""
        return ureg.Quantity(self.stall, unit("s"))

    @property
    def checkpoint_interval(self) -> Quantity:
        """Work between two checkpoints."""
        return ureg.Quantity(self.interval / 60, unit("min"))

    @property
    def overhead(self) -> float:
        """Share of the time that goes into checkpoints and work done again."""
        return self.shares.checkpoint + self.shares.rework

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Checkpoints of {self.model}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return size, times, intervals and shares."""
        return [
            ("Precision", str(self.precision)),
            ("Weights", ureg.Quantity(self.weights / 1e12, unit("TB"))),
            ("Optimizer states", ureg.Quantity(self.optimizer / 1e12, unit("TB"))),
            ("Size", self.size),
            ("Write time", self.write_time),
            ("Stall", self.stall_time),
            ("MTBF", ureg.Quantity(self.mtbf / 3600, unit("hour"))),
            ("Interval", self.checkpoint_interval),
            ("Interval set by", self.limit),
            ("Young's interval", ureg.Quantity(young_interval(self.stall, self.mtbf) / 60, unit("min"))),
            ("Daly's interval", ureg.Quantity(daly_interval(self.stall, self.mtbf) / 60, unit("min"))),
            ("Overhead", self.overhead),
            ("Goodput", Share(self.shares.useful)),
        ]


class CheckpointModel:
    """Answers: how large is a checkpoint, how often is it due, and what does it cost?"""

    def solve(
        self,
        model: Model,
        precision: str | Precision = "bf16",
        *,
        bandwidth: Quantity,
        mtbf: Quantity,
        restart_time: Quantity,
        master_bytes: float = 4.0,
        moment_bytes: float = 8.0,
        copy_bandwidth: Quantity | None = None,
    ) -> CheckpointResult:
        """Return size, write time, best interval and cost of the checkpoints of a training run.

        Parameters
        ----------
        model, precision
            The network that is trained, and the number format of its weights.
        bandwidth
            What the storage takes from all devices together. [B/s]
        mtbf, restart_time
            Mean time between failures of all that the run uses, and time from one to work that goes on. [s]
        master_bytes, moment_bytes
            Optimizer states of a parameter: mixed-precision Adam [rajbhandari2020]_ if left out. [B]
        copy_bandwidth
            Rate of the copy out of all devices together, where the write then goes on in the background;
            work waits for the write if left out. [B/s]

        Returns
        -------
        CheckpointResult
            Size exact for the counts; shares exact, for writes in the background an estimate.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Models, Q_
        >>> r = CheckpointModel().solve(Models.Llama3_8B, bandwidth=Q_("2 GB/s"), mtbf=Q_("1 day"),
        ...                             restart_time=Q_("5 min"))
        >>> f"{r.size:.2f}, {r.write_time:.0f}, every {r.checkpoint_interval:.0f}"
        '0.11 TB, 56 s, every 51 min'
        """
        given = Arguments("CheckpointModel.solve")
        if not isinstance(model, get_args(Model)):
            given.fault(f"model must be a network such as Models.Llama3_8B; got {model!r}")
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        rate = given.quantity("bandwidth", bandwidth, "GB/s")
        between = given.quantity("mtbf", mtbf, "hour")
        restart = given.quantity("restart_time", restart_time, "s", positive=False)
        expected = "a number of bytes, at least 0"
        states = given.number("master_bytes", master_bytes, expected, lambda x: 0 <= x < math.inf)
        states += given.number("moment_bytes", moment_bytes, expected, lambda x: 0 <= x < math.inf)
        copied = rate
        if copy_bandwidth is not None:
            copied = given.quantity("copy_bandwidth", copy_bandwidth, "GB/s")
            if copied < rate:
                given.fault("copy_bandwidth is below bandwidth: leave it out, the write itself is faster")
        given.close()
        weights, optimizer = resident_bytes(model, number_format), parameters(model) * states
        write, stall = (weights + optimizer) / rate, (weights + optimizer) / copied
        behind = 0.0 if copy_bandwidth is None else write
        best = optimal_interval(stall, between)
        return CheckpointResult(
            model=model,
            precision=number_format,
            weights=weights,
            optimizer=optimizer,
            write=write,
            stall=stall,
            mtbf=between,
            interval=max(best, behind),
            limit=IntervalLimit.STORAGE if behind > best else IntervalLimit.FAILURES,
            shares=time_shares(max(best, behind), stall, restart + behind, between),
        )
