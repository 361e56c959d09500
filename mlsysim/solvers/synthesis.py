r"""What hardware a latency target needs: the roofline, inverted.

Without a serial fraction each resource has a floor of its own:

.. math:: \text{bandwidth} = \frac{\text{bytes}}{\eta_m (T - o)}, \qquad
          \text{peak} = \frac{\text{FLOP}}{\eta_c (T - o)}

With one, time trades between the two, so the pair is not unique: the answer is then a given machine
with both rates scaled by :math:`k = (T_{like} - o) / (T - o)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.engine import Engine, check_pair
from mlsysim.core.errors import MissingSpecError
from mlsysim.core.models import Model
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown


@dataclass(frozen=True, kw_only=True, repr=False)
class SynthesisResult(Shown):
    """The least hardware that meets a latency target.

    Parameters
    ----------
    profile
        The step on the synthesised machine; its latency is the target.
    target
        The latency that was asked for. [s]
    bandwidth_floor, flops_floor
        The least rate of each resource by itself, below which no amount of the other helps.
        [B/s, FLOP/s]
    scale
        Factor on the rates of ``like``; None where the calibration overlaps fully.
    meets
        Those of the candidates that meet the target, fit included.
    misses
        The other candidates, each with the reason.
    """

    profile: PerformanceProfile
    target: float
    bandwidth_floor: float
    flops_floor: float
    scale: float | None
    meets: tuple[Accelerator, ...]
    misses: tuple[tuple[Accelerator, str], ...]

    @property
    def target_latency(self) -> Quantity:
        """The latency that was asked for."""
        return ureg.Quantity(self.target * 1e3, unit("ms"))

    @property
    def required_bw(self) -> Quantity:
        """Memory bandwidth of the machine that meets the target."""
        return ureg.Quantity(self.profile.terms.bandwidth / 1e12, unit("TB/s"))

    @property
    def required_flops(self) -> Quantity:
        """Arithmetic rate of the machine that meets the target."""
        return ureg.Quantity(self.profile.terms.peak / 1e12, unit("TFLOP/s"))

    @property
    def required_memory(self) -> Quantity:
        """Memory capacity that the model needs."""
        return self.profile.memory_required

    @property
    def hardware(self) -> Accelerator:
        """The machine that meets the target."""
        return self.profile.hardware

    @property
    def least_bw(self) -> Quantity:
        """Bandwidth below which no arithmetic rate meets the target."""
        return ureg.Quantity(self.bandwidth_floor / 1e12, unit("TB/s"))

    @property
    def least_flops(self) -> Quantity:
        """Arithmetic rate below which no bandwidth meets the target."""
        return ureg.Quantity(self.flops_floor / 1e12, unit("TFLOP/s"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Hardware for {self.profile.model} within {self.target_latency:.4g}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the machine, and who meets it."""
        floors = [("Least bandwidth", self.least_bw), ("Least FLOP rate", self.least_flops)]
        like = [] if self.scale is None else [("Scale", self.scale), *floors]
        met = ", ".join(hw.name for hw in self.meets) or "no candidate"
        zoo = [("Met by", met)] if self.meets or self.misses else []
        return [
            ("Phase", str(self.profile.phase)),
            ("Batch size", self.profile.batch_size),
            ("Precision", str(self.profile.precision)),
            ("Calibration", self.profile.calibration.name),
            ("Required bandwidth", self.required_bw),
            ("Required FLOP rate", self.required_flops),
            ("Required memory", self.required_memory),
            *like,
            *zoo,
        ]


def _reference(number_format: Precision) -> Accelerator:
    """Return a machine of unit rates: a step solved on it shows what the step demands."""
    return Accelerator(
        name="unit machine",
        peak={number_format.compute: ureg.Quantity(1.0, unit("PFLOP/s"))},
        bandwidth=ureg.Quantity(1.0, unit("PB/s")),
        capacity=ureg.Quantity(1.0, unit("EB")),
    )


def _devices(given: Arguments, candidates: Any) -> list[Accelerator]:
    """Return the candidates, or note that they are no devices."""
    is_list = isinstance(candidates, Iterable) and not isinstance(candidates, str)
    devices: list[Any] = list(candidates) if is_list else [None]
    if not all(isinstance(hw, Accelerator) for hw in devices):
        given.fault(f"candidates must list devices, as Hardware.list() does; got {candidates!r}")
    return devices


class SynthesisSolver:
    """Answers: what hardware does this latency need?"""

    def solve(
        self,
        model: Model,
        target_latency: Quantity,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        like: Accelerator | None = None,
        candidates: Iterable[Accelerator] = (),
        calibration: str | Calibration = "ideal",
        **options: Any,
    ) -> SynthesisResult:
        """Return the machine on which one step takes *target_latency*.

        Parameters
        ----------
        model
            A network.
        target_latency
            Time of one step: a token in ``decode``, the first token with ``phase="prefill"``. [s]
        batch_size, precision, calibration
            As for ``Engine.solve``; the calibration ``ideal`` gives floors that no machine beats.
        like
            A machine whose balance the answer keeps; needed where the calibration has a serial fraction.
        candidates
            Devices to try: the result lists those that meet the target.
        **options
            ``phase``, ``context``, ``prompt`` and ``efficiency``, as for ``Engine.solve``.

        Returns
        -------
        SynthesisResult
            Exact for the calibration: solving on ``result.hardware`` gives the target again.

        Raises
        ------
        ArgumentError
            If the target is at or below the overhead, which no machine shortens.

        Examples
        --------
        >>> from mlsysim import Models, Q_
        >>> s = SynthesisSolver().solve(model=Models.Llama3_70B, target_latency=Q_("50 ms"))
        >>> f"{s.required_bw.to('TB/s'):.2f}"
        '2.78 TB/s'
        """
        given = Arguments("SynthesisSolver.solve")
        target = given.quantity("target_latency", target_latency, "ms")
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        if like is not None and not isinstance(like, Accelerator):
            given.fault(f"like must be a device such as Hardware.Cloud.A100; got {like!r}")
        if options.get("tp_size", 1) != 1:
            given.fault(f"tp_size must be 1, one machine is sought; got {options['tp_size']!r}")
        devices = _devices(given, candidates)
        check_pair(given, model, like if isinstance(like, Accelerator) else _reference(number_format))
        given.close()
        options |= {"batch_size": batch_size, "precision": number_format, "calibration": calibration}
        probe = Engine.solve(model, like or _reference(number_format), **options)
        terms = probe.terms
        busy = target - terms.overhead
        if busy <= 1e-9 * target:
            given.fault(
                f"target_latency of {target * 1e3:.4g} ms is not above the overhead, "
                f"{terms.overhead * 1e3:.4g} ms under {probe.calibration.name!r}: no hardware "
                f"shortens that. Ask for more, or use a calibration with less overhead"
            )
        if terms.serial_fraction and like is None:
            given.fault(
                f"calibration {probe.calibration.name!r} does not overlap fully, so many pairs of "
                f"bandwidth and FLOP rate meet a target: pass like=<a device> to keep its balance"
            )
        given.close()
        bandwidth_floor = terms.traffic / (terms.memory_efficiency * busy)
        flops_floor = terms.flops / (terms.compute_efficiency * busy)
        scale = terms.busy_time / busy if terms.serial_fraction and like is not None else None
        hardware = self._build(probe, bandwidth_floor, flops_floor, scale)
        tried = [(hw, self._verdict(model, hw, target, options)) for hw in devices]
        return SynthesisResult(
            profile=Engine.solve(model, hardware, **options),
            target=target,
            bandwidth_floor=bandwidth_floor,
            flops_floor=flops_floor,
            scale=scale,
            meets=tuple(hw for hw, reason in tried if not reason),
            misses=tuple((hw, reason) for hw, reason in tried if reason),
        )

    @staticmethod
    def _build(probe: PerformanceProfile, bandwidth: float, flops: float, scale: float | None) -> Accelerator:
        """Build the machine that meets the target."""
        if scale is not None:
            bandwidth, flops = probe.terms.bandwidth * scale, probe.terms.peak * scale
        return Accelerator(
            name=f"synthesised for {probe.model}",
            peak={probe.precision.compute: ureg.Quantity(flops, unit("FLOP/s"))},
            bandwidth=ureg.Quantity(bandwidth, unit("B/s")),
            capacity=ureg.Quantity(probe.work.resident, unit("B")),
        )

    @staticmethod
    def _verdict(model: Model, hw: Accelerator, target: float, options: dict[str, Any]) -> str:
        """Return why a candidate misses the target, or nothing if it meets it."""
        try:
            profile = Engine.solve(model, hw, **options)
        except MissingSpecError as error:
            return str(error)
        if not profile.fits:
            return str(profile.fit)
        if profile.terms.latency > target:
            return f"takes {profile.latency:.4g}"
        return ""
