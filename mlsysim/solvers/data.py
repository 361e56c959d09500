r"""The way of a sample to the accelerator: storage, network, decoding, host link, and who starves whom.

A sample of :math:`b` bytes is stored, of :math:`t` bytes once decoded. The stages work at the same time on
different samples, so the slowest sets the pace:

.. math:: X = \min\left(\frac{B_{storage}}{b},\; \frac{B_{network}}{b},\; e\,n\,r,\; \frac{B_{link}}{t},\;
          X_{device}\right)

with :math:`n` cores that decode :math:`r` each and reach the share :math:`e` of linear scaling. Samples that
all come from a cache, and queues so short that a stage waits for the jitter of another, are not described.

References
----------
.. [mohan2021] J. Mohan, A. Phanishayee, A. Raniwala, V. Chidambaram, "Analyzing and mitigating data stalls in
   DNN training", VLDB 2021: fetch stalls and prep stalls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import FrozenMap
from mlsysim.core.systems import Link
from mlsysim.format import Share, Shown
from mlsysim.solvers.transformation import cores_needed, fit_of, sample_rate


class Stage(Enum):
    """Where a sample passes, in the order in which ties are decided."""

    DEVICE = "accelerator"
    STORAGE = "storage"
    NETWORK = "network"
    DECODE = "decoding on the host"
    HOST_LINK = "host link"

    def __str__(self) -> str:
        return self.value


def _bandwidth(given: Arguments, name: str, value: Any) -> float:
    """Return a bandwidth in SI, of a link or given as such."""
    return value.bandwidth_si if isinstance(value, Link) else given.quantity(name, value, "GB/s")


@dataclass(frozen=True, kw_only=True, repr=False)
class DataResult(Shown):
    """Rate of each stage, and the one that sets the pace.

    Parameters
    ----------
    rates
        What each stage lets through for all accelerators together. [sample/s]
    sample_bytes, tensor_bytes
        Size of a sample as stored and as decoded. [B]
    devices
        Accelerators that are fed.
    cores, cores_needed
        Cores that decode, and the least number that keeps the accelerators busy; None where none decode.
    fit
        Whether the step fits its device; None where a rate was given in place of a step.
    """

    rates: Mapping[Stage, float]
    sample_bytes: float
    tensor_bytes: float
    devices: int
    cores: int | None
    cores_needed: int | None
    fit: Fit | None

    @property
    def binding(self) -> Stage:
        """The stage that sets the pace; the accelerator where another is as fast."""
        return min(self.rates, key=lambda stage: (self.rates[stage], list(Stage).index(stage)))

    @property
    def demand(self) -> Quantity:
        """What the accelerators take when they never wait."""
        return ureg.Quantity(self.rates[Stage.DEVICE], unit("sample/s"))

    @property
    def throughput(self) -> Quantity:
        """Samples that reach the accelerators each second."""
        return ureg.Quantity(self.rates[self.binding], unit("sample/s"))

    @property
    def utilization(self) -> float:
        """Share of the time in which the accelerators have something to do."""
        return self.rates[self.binding] / self.rates[Stage.DEVICE]

    @property
    def starved(self) -> bool:
        """Whether the accelerators wait for data."""
        return self.binding is not Stage.DEVICE

    @property
    def bandwidth_needed(self) -> Quantity:
        """What storage and network must each deliver so that the accelerators never wait."""
        return ureg.Quantity(self.rates[Stage.DEVICE] * self.sample_bytes / 1e9, unit("GB/s"))

    @property
    def link_needed(self) -> Quantity:
        """What the host link of each accelerator must deliver so that it never waits."""
        return ureg.Quantity(self.rates[Stage.DEVICE] * self.tensor_bytes / self.devices / 1e9, unit("GB/s"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Data for {self.devices} accelerator{'s' if self.devices > 1 else ''}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the rate of each stage, and what feeding takes."""
        stages = [(f"Rate of {s}", ureg.Quantity(rate, unit("sample/s"))) for s, rate in self.rates.items()]
        return [
            *stages,
            ("Binding stage", self.binding),
            ("Throughput", self.throughput),
            ("Utilization", Share(self.utilization)),
            ("Bandwidth needed", self.bandwidth_needed),
            ("Link needed", self.link_needed),
            *([] if self.cores_needed is None else [("Cores needed", self.cores_needed)]),
            *([] if self.fit is None else [("Memory", str(self.fit))]),
        ]


class DataModel:
    """Answers: is the accelerator fed, and which stage starves it?"""

    def solve(
        self,
        demand: PerformanceProfile | Quantity,
        *,
        sample_size: Quantity,
        tensor_size: Quantity | None = None,
        storage: Quantity | None = None,
        network: Quantity | Link | None = None,
        rate_per_core: Quantity | None = None,
        cores: int | None = None,
        efficiency: float = 1.0,
        host_link: Quantity | Link | None = None,
        devices: int = 1,
    ) -> DataResult:
        """Return the rate of each stage, and the one that sets the pace.

        Parameters
        ----------
        demand
            What one accelerator takes: a step of ``Engine.solve``, or, as for training, a rate. [sample/s]
        sample_size, tensor_size
            A sample as stored, and as it crosses the host link; as stored if left out. [B]
        storage, network
            Bandwidth for all accelerators together; a stage that is left out is not passed. [B/s]
        rate_per_core, cores, efficiency
            What one core decodes, cores that do, and share of linear scaling that they reach; both of the
            first or neither. [sample/s]
        host_link
            What joins each accelerator to its host. [B/s]
        devices
            Accelerators that are fed.

        Returns
        -------
        DataResult
            An upper bound: all stages overlap fully.

        Raises
        ------
        ArgumentError
            If no stage is given, or an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Q_
        >>> r = DataModel().solve(Q_("2000 sample/s"), sample_size=Q_("100 kB"), storage=Q_("150 MB/s"))
        >>> str(r.binding), f"{r.utilization:.0%} busy, {r.bandwidth_needed:.1f} needed"
        ('storage', '75% busy, 0.2 GB/s needed')
        """
        given = Arguments("DataModel.solve")
        count = given.count("devices", devices)
        stored = given.quantity("sample_size", sample_size, "kB")
        decoded = stored if tensor_size is None else given.quantity("tensor_size", tensor_size, "kB")
        rates = {Stage.DEVICE: sample_rate(given, demand) * count}
        workers = needed = None
        if storage is not None:
            rates[Stage.STORAGE] = given.quantity("storage", storage, "GB/s") / stored
        if network is not None:
            rates[Stage.NETWORK] = _bandwidth(given, "network", network) / stored
        share = given.fraction("efficiency", efficiency)
        if rate_per_core is not None and cores is not None:
            each, workers = (
                given.quantity("rate_per_core", rate_per_core, "sample/s"),
                given.count("cores", cores),
            )
            rates[Stage.DECODE] = workers * each * share
            needed = cores_needed(rates[Stage.DEVICE], each, share)
        elif rate_per_core is not None or cores is not None:
            given.fault("rate_per_core and cores go together: give both, or neither where no core decodes")
        if host_link is not None:
            rates[Stage.HOST_LINK] = _bandwidth(given, "host_link", host_link) * count / decoded
        if len(rates) == 1:
            given.fault("no stage is given: name storage, network, rate_per_core with cores, or host_link")
        given.close()
        return DataResult(
            rates=FrozenMap(rates),
            sample_bytes=stored,
            tensor_bytes=decoded,
            devices=count,
            cores=workers,
            cores_needed=needed,
            fit=fit_of(demand),
        )
