"""What the engine answers: times, the bottleneck, and whether it fits."""

import math
from dataclasses import dataclass
from typing import Any

from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting import Work
from mlsysim.core.errors import DoesNotFitError
from mlsysim.core.models import Model, Phase
from mlsysim.core.precision import Precision
from mlsysim.core.roofline import Bottleneck, Terms
from mlsysim.core.specs import Accelerator
from mlsysim.format import Banded, Share, Shown, plain, text


def _in(si_value: Any, units: str, scale: float) -> Quantity:
    return ureg.Quantity(si_value / scale, unit(units))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a configuration fits the memory of its device, and what is missing.

    Parameters
    ----------
    required, capacity
        Memory needed on each device, and memory that one has. [B]
    devices
        Devices that it is split over already.
    """

    required: float
    capacity: float
    devices: int = 1

    @property
    def fits(self) -> bool:
        """Whether each device holds its part."""
        return self.required <= self.capacity

    @property
    def shortfall(self) -> Quantity:
        """Memory that is missing; zero where it fits."""
        return _in(max(0.0, self.required - self.capacity), "GB", 1e9)

    @property
    def least_devices(self) -> int:
        """Fewest devices whose memory together holds it, by capacity alone."""
        return max(1, math.ceil(self.devices * self.required / self.capacity))

    def __str__(self) -> str:
        need, have = _in(self.required, "GB", 1e9), _in(self.capacity, "GB", 1e9)
        each = " on each device" if self.devices > 1 else ""
        if self.fits:
            return f"fits: {text(need)} of {text(have)}{each}"
        return (
            f"does not fit: needs {text(need)}, has {text(have)}{each}, "
            f"{text(self.shortfall)} short; at least {self.least_devices} devices"
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class PerformanceProfile(Shown):
    """Time of one step of a network on a device, and what limits it.

    Quantities are attached on demand; ``terms`` and ``work`` hold the SI floats.

    Parameters
    ----------
    model, hardware, batch_size, precision, phase, context, prompt, calibration
        What was asked.
    work
        What the step demands: FLOP, bytes, capacity.
    terms
        The terms of the time equation.
    tp_size
        Devices that share the step.
    """

    model: Model
    hardware: Accelerator
    batch_size: int
    precision: Precision
    phase: Phase
    context: int
    prompt: int
    calibration: Calibration
    work: Work
    terms: Terms
    tp_size: int = 1

    @property
    def latency(self) -> Quantity:
        """Time of the step."""
        return _in(self.terms.latency, "ms", 1e-3)

    @property
    def latency_band(self) -> tuple[Quantity, Quantity] | None:
        """Where eight of ten measured times lie, by errors on runs that the fit did not see.

        None where the calibration states no band, or another share of peak was asked for.
        """
        band = self.calibration.band.get(self.phase)
        if band is None or self.terms.compute_efficiency != self.calibration.efficiency(self.phase):
            return None
        low, high = (_in(self.terms.latency * ratio, "ms", 1e-3) for ratio in band)
        return low, high

    @property
    def compute_time(self) -> Quantity:
        """Time that the arithmetic takes by itself."""
        return _in(self.terms.compute_time, "ms", 1e-3)

    @property
    def memory_time(self) -> Quantity:
        """Time that moving the bytes takes by itself."""
        return _in(self.terms.memory_time, "ms", 1e-3)

    @property
    def overhead(self) -> Quantity:
        """Time of launches and scheduling."""
        return _in(self.terms.overhead, "ms", 1e-3)

    @property
    def communication_time(self) -> Quantity:
        """Time of sending between devices."""
        return _in(self.terms.communication_time, "ms", 1e-3)

    @property
    def bottleneck(self) -> Bottleneck:
        """The largest of compute time, memory time, overhead and communication time."""
        return self.terms.bottleneck

    @property
    def throughput(self) -> Quantity:
        """Tokens or samples finished per second."""
        units = "token/s" if Phase.DECODE in self.model.phases else "sample/s"
        return _in(self.work.items / self.terms.latency, units, 1.0)

    @property
    def flops(self) -> Quantity:
        """Arithmetic of the step on each device, tile padding excluded."""
        return _in(self.work.flops, "GFLOP", 1e9)

    @property
    def traffic(self) -> Quantity:
        """Bytes that cross the memory interface of each device in the step."""
        return _in(self.work.traffic, "GB", 1e9)

    @property
    def arithmetic_intensity(self) -> Quantity:
        """FLOP done for each byte moved."""
        return _in(self.work.flops / self.work.traffic, "FLOP/B", 1.0)

    @property
    def ridge_point(self) -> Quantity:
        """Intensity at which the datasheet's compute and memory take equally long."""
        return _in(self.terms.peak / self.terms.bandwidth, "FLOP/B", 1.0)

    @property
    def effective_ridge_point(self) -> Quantity:
        """The ridge point after the calibration's efficiencies."""
        t = self.terms
        ridge = (t.peak * t.compute_efficiency) / (t.bandwidth * t.memory_efficiency)
        return _in(ridge, "FLOP/B", 1.0)

    @property
    def mfu(self) -> float:
        """Model FLOP/s as a share of the datasheet's peak."""
        return float(self.work.flops / (self.terms.latency * self.terms.peak))

    @property
    def mbu(self) -> float:
        """Bytes moved per second as a share of the datasheet's bandwidth."""
        return float(self.work.traffic / (self.terms.latency * self.terms.bandwidth))

    @property
    def fit(self) -> Fit:
        """Whether it fits the device's memory, and what is missing."""
        return Fit(required=self.work.resident, capacity=self.hardware.capacity_si, devices=self.tp_size)

    @property
    def fits(self) -> bool:
        """Whether it fits the device's memory."""
        return self.fit.fits

    @property
    def memory_required(self) -> Quantity:
        """Memory that weights, cache and activations need."""
        return _in(self.work.resident, "GB", 1e9)

    def raise_if_infeasible(self) -> "PerformanceProfile":
        """Return the profile itself, or raise if it does not fit.

        Raises
        ------
        DoesNotFitError
            With the shortfall and the least number of devices.
        """
        if not self.fits:
            msg = f"{self.model} on {self.hardware} {self.fit}"
            raise DoesNotFitError(msg)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain data, unrounded."""
        return {
            "model": str(self.model),
            "hardware": str(self.hardware),
            **super().to_dict(),
            "latency_band": plain(self.latency_band),
            "fits": self.fits,
            "memory_required": plain(self.memory_required),
            "memory_capacity": plain(_in(self.fit.capacity, "GB", 1e9)),
        }

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        many = f"{self.tp_size} x " if self.tp_size > 1 else ""
        return f"{self.model} on {many}{self.hardware}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return what was asked and what came out."""
        band = self.latency_band
        length = [("Context", self.context)] if self.phase is Phase.DECODE else []
        if self.prompt:
            length = [("Prompt", self.prompt)]
        return [
            ("Phase", str(self.phase)),
            ("Batch size", self.batch_size),
            *length,
            ("Precision", str(self.precision)),
            ("Calibration", self.calibration.name),
            ("Latency", Banded(self.latency, *band) if band else self.latency),
            ("Throughput", self.throughput),
            ("Bottleneck", self.bottleneck),
            ("Compute time", self.compute_time),
            ("Memory time", self.memory_time),
            ("Overhead", self.overhead),
            *([("Communication time", self.communication_time)] if self.tp_size > 1 else []),
            ("Arithmetic intensity", self.arithmetic_intensity),
            ("Ridge point", self.ridge_point),
            ("MFU", Share(self.mfu)),
            ("Memory", str(self.fit)),
        ]
