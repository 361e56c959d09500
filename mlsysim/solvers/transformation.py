r"""Preprocessing: how many cores turn stored samples into tensors as fast as an accelerator takes them.

With :math:`n` cores of rate :math:`r` each, and the share :math:`e` of linear scaling that is reached,

.. math:: X_{cpu} = e\,n\,r, \;\; X = \min(X_{cpu}, X_{device}), \;\; n^* = \lceil X_{device} / (e\,r) \rceil,

while batches are prepared in parallel to the steps before them. On the accelerator itself, at a rate
:math:`g` of its own, preprocessing takes time from the network, or none where a separate engine does it:

.. math:: X_{shared} = \frac{1}{1/X_{device} + 1/g}, \qquad X_{separate} = \min(X_{device}, g).

The rates hang on the size of the samples and on the library, so they are given, not assumed. Batches whose
samples differ much are not described.

References
----------
.. [mohan2021] J. Mohan, A. Phanishayee, A. Raniwala, V. Chidambaram, "Analyzing and mitigating data stalls in
   DNN training", VLDB 2021: prep stalls, and cores needed per GPU.
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.models import Phase
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.format import Share, Shown


class Limiter(Enum):
    """Who sets the pace."""

    DEVICE = "accelerator: it is never starved"
    CPU = "preprocessing on the host"
    OFFLOAD = "preprocessing on the accelerator"

    def __str__(self) -> str:
        return self.value


class Placement(Enum):
    """Where preprocessing is faster."""

    CPU = "host"
    ACCELERATOR = "accelerator"

    def __str__(self) -> str:
        return self.value


def sample_rate(given: Arguments, demand: Any) -> float:
    """Return the samples that one accelerator takes each second, or note why that is not known."""
    if not isinstance(demand, PerformanceProfile):
        return given.quantity("demand", demand, "sample/s")
    if demand.phase is Phase.DECODE:
        given.fault(
            "demand: a decode step reads no sample; take the prefill step, or give a rate in sample/s"
        )
        return 1.0
    return float(demand.batch_size / demand.terms.latency)


def fit_of(demand: PerformanceProfile | Quantity) -> Fit | None:
    """Return whether the step behind a demand fits its device; None where a rate was given."""
    return demand.fit if isinstance(demand, PerformanceProfile) else None


def cores_needed(demand: float, rate_per_core: float, efficiency: float) -> int:
    """Return the least number of cores that prepare *demand* samples per second."""
    return math.ceil(round(demand / (rate_per_core * efficiency), 9))


def _rate(value: float) -> Quantity:
    return ureg.Quantity(value, unit("sample/s"))


@dataclass(frozen=True, kw_only=True, repr=False)
class TransformationResult(Shown):
    """Rates of preprocessing and of the accelerators that it feeds.

    Parameters
    ----------
    demand
        What all accelerators take when they never wait. [sample/s]
    cpu, offload
        What the host prepares; what the accelerators reach when they prepare their own samples, None
        where no rate was given. [sample/s]
    separate_engine
        Whether an engine of its own does that.
    cores, cores_needed
        Cores of the host, and the least number that keeps the accelerators busy.
    batch_size
        Samples of a batch.
    fit
        Whether the step fits its device; None where a rate was given in place of a step.
    """

    demand: float
    cpu: float
    offload: float | None
    separate_engine: bool
    cores: int
    cores_needed: int
    batch_size: int
    fit: Fit | None

    @property
    def cpu_rate(self) -> Quantity:
        """Samples that the host prepares each second."""
        return _rate(self.cpu)

    @property
    def offload_rate(self) -> Quantity | None:
        """Samples that go through when the accelerators prepare them."""
        return None if self.offload is None else _rate(self.offload)

    @property
    def placement(self) -> Placement:
        """Where preprocessing gives more samples per second; the host, where both give the same."""
        faster = self.offload is not None and self.offload > min(self.cpu, self.demand)
        return Placement.ACCELERATOR if faster else Placement.CPU

    def _samples(self) -> float:
        host = min(self.cpu, self.demand)
        return host if self.offload is None else max(host, self.offload)

    @property
    def throughput(self) -> Quantity:
        """Samples per second with preprocessing where it is faster."""
        return _rate(self._samples())

    @property
    def utilization(self) -> float:
        """Share of the accelerators' own rate that is reached."""
        return self._samples() / self.demand

    @property
    def limiter(self) -> Limiter:
        """Who sets the pace."""
        if self._samples() >= self.demand:
            return Limiter.DEVICE
        return Limiter.OFFLOAD if self.placement is Placement.ACCELERATOR else Limiter.CPU

    @property
    def batch_time(self) -> Quantity:
        """Time between two batches."""
        return ureg.Quantity(self.batch_size / self._samples() * 1e3, unit("ms"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Preprocessing on {self.cores} cores"

    def rows(self) -> list[tuple[str, Any]]:
        """Return rates, cores and who sets the pace."""
        offload: list[tuple[str, Any]] = []
        if self.offload is not None:
            engine = "separate engine" if self.separate_engine else "shared with the network"
            offload = [("Rate on the accelerator", self.offload_rate), ("Offload", engine)]
        return [
            ("Demand", _rate(self.demand)),
            ("Rate on the host", self.cpu_rate),
            *offload,
            ("Preprocessing on", self.placement),
            ("Throughput", self.throughput),
            ("Utilization", Share(self.utilization)),
            ("Limited by", self.limiter),
            ("Cores needed", self.cores_needed),
            ("Batch time", self.batch_time),
            *([] if self.fit is None else [("Memory", str(self.fit))]),
        ]


class TransformationModel:
    """Answers: do these cores keep the accelerators busy, and how many would?"""

    def solve(
        self,
        demand: PerformanceProfile | Quantity,
        batch_size: int = 1,
        *,
        rate_per_core: Quantity,
        cores: int,
        efficiency: float = 1.0,
        devices: int = 1,
        offload_rate: Quantity | None = None,
        separate_engine: bool = False,
    ) -> TransformationResult:
        """Return the rate of preprocessing, the cores that it needs, and what the accelerators reach.

        Parameters
        ----------
        demand
            What one accelerator takes: a step of ``Engine.solve``, or a rate. [sample/s]
        batch_size
            Samples of a batch, for the batch time.
        rate_per_core, cores, efficiency
            What one core prepares, cores for the work, and share of linear scaling that they reach.
            [sample/s]
        devices
            Accelerators that the cores feed.
        offload_rate, separate_engine
            What one accelerator prepares when it does nothing else, and whether an engine of its own does it
            (a hardware JPEG decoder). [sample/s]

        Returns
        -------
        TransformationResult
            An upper bound: all stages overlap fully.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Q_
        >>> r = TransformationModel().solve(Q_("2500 sample/s"), rate_per_core=Q_("100 sample/s"), cores=16)
        >>> f"{r.utilization:.0%} busy, {r.cores_needed} cores needed", str(r.limiter)
        ('64% busy, 25 cores needed', 'preprocessing on the host')
        """
        given = Arguments("TransformationModel.solve")
        count = given.count("devices", devices)
        needed = sample_rate(given, demand) * count
        batch = given.count("batch_size", batch_size)
        each = given.quantity("rate_per_core", rate_per_core, "sample/s")
        host = given.count("cores", cores)
        share = given.fraction("efficiency", efficiency)
        offload = None
        if offload_rate is not None:
            own = given.quantity("offload_rate", offload_rate, "sample/s") * count
            offload = min(needed, own) if separate_engine else 1 / (1 / needed + 1 / own)
        elif separate_engine:
            given.fault("separate_engine needs offload_rate, the rate of that engine")
        given.close()
        return TransformationResult(
            demand=needed,
            cpu=host * each * share,
            offload=offload,
            separate_engine=separate_engine,
            cores=host,
            cores_needed=cores_needed(needed, each, share),
            batch_size=batch,
            fit=fit_of(demand),
        )
