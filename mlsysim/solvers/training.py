r"""A training run from first token to last: days, device-hours and FLOP.

.. math:: t = \frac{D \cdot F_{token}}{n \cdot \mathrm{peak} \cdot \mathrm{MFU}}

with :math:`D` tokens, :math:`F_{token}` FLOP for each (three forward passes, attention included) and
:math:`n` devices. The utilisation comes from the engine's step on one device, which :math:`n` devices keep
only if nothing is exchanged between them (a bound); from ``DistributedModel``; or it is stated, and the
answer is arithmetic, no prediction.

References
----------
.. [kaplan2020] J. Kaplan et al., "Scaling laws for neural language models", 2020.
.. [chowdhery2022] A. Chowdhery et al., "PaLM: scaling language modeling with Pathways", 2022.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting.training import Attention, flops_per_token
from mlsysim.core.engine import Engine, check_pair
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit
from mlsysim.core.specs import Accelerator
from mlsysim.format import Share, Shown
from mlsysim.solvers.distributed import DistributedResult


class Basis(Enum):
    """Where the utilisation comes from."""

    STATED = "stated: arithmetic, no prediction"
    ENGINE = "one device's step: nothing is lost between devices"
    STEP = "a distributed step"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingResult(Shown):
    """A training run.

    Parameters
    ----------
    model, hardware, devices, tokens
        What was asked.
    basis
        Where the utilisation comes from.
    utilization
        Model FLOP/s over peak FLOP/s, by the attention convention that was asked for.
    seconds
        Time of the run. [s]
    work
        Model FLOP of the run. [FLOP]
    fit
        Whether a step fits its devices; None where a stated utilisation says nothing of memory.
    """

    model: Transformer
    hardware: Accelerator
    devices: int
    tokens: float
    basis: Basis
    utilization: float
    seconds: float
    work: float
    fit: Fit | None

    @property
    def duration(self) -> Quantity:
        """Time of the run."""
        return ureg.Quantity(self.seconds / 86_400, unit("day"))

    @property
    def device_hours(self) -> Quantity:
        """Hours of all devices together."""
        return ureg.Quantity(self.seconds * self.devices / 3600, unit("hour"))

    @property
    def flops(self) -> Quantity:
        """Model FLOP of the run."""
        return ureg.Quantity(self.work, unit("FLOP"))

    @property
    def mfu(self) -> float:
        """Model FLOP utilisation."""
        return self.utilization

    @property
    def throughput(self) -> Quantity:
        """Tokens per second of all devices."""
        return ureg.Quantity(self.tokens / self.seconds, unit("token/s"))

    @property
    def fits(self) -> bool | None:
        """Whether a step fits its devices; None where nothing is known of the step."""
        return None if self.fit is None else self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Training {self.model} on {self.devices:,} x {self.hardware}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return time, hours and FLOP."""
        return [
            ("Tokens", self.tokens),
            ("FLOP", self.flops),
            ("MFU", Share(self.mfu)),
            ("Utilisation is", str(self.basis)),
            ("Duration", self.duration),
            ("Device hours", self.device_hours),
            ("Throughput", self.throughput),
            ("Memory", "not known: utilisation is stated" if self.fit is None else str(self.fit)),
        ]


class TrainingModel:
    """Answers: how long does a training run take?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "bf16",
        *,
        prompt: int = 2048,
        tokens: float,
        devices: int = 1,
        mfu: float | None = None,
        step: DistributedResult | None = None,
        attention: str | Attention = Attention.CAUSAL,
        calibration: str | Calibration | None = None,
    ) -> TrainingResult:
        """Return days and device-hours of a run.

        Parameters
        ----------
        model, hardware
            A decoder transformer, and the device.
        batch_size
            Sequences that a device takes at once.
        precision
            Number format whose peak counts.
        prompt
            Tokens of a sequence. [token]
        tokens
            Tokens of the whole run.
        devices
            How many devices; those of *step*, where one is given.
        mfu
            A utilisation that is stated, above 0 and at most 1; the rest is arithmetic.
        step
            A step of ``DistributedModel``, whose time is taken instead of the engine's.
        attention
            Pairs that the utilisation counts: ``causal``, or ``full`` as many publications do.
        calibration
            As for ``Engine.solve``.

        Returns
        -------
        TrainingResult
            Without *mfu* and *step* a lower bound of the time: nothing is exchanged.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or both *mfu* and *step* are given.

        Examples
        --------
        Two trillion tokens on a thousand devices at a stated 40 %:

        >>> from mlsysim import Hardware, Models
        >>> model, gpu = Models.Llama2_7B, Hardware.Cloud.A100
        >>> r = TrainingModel().solve(model, gpu, tokens=2e12, devices=1000, mfu=0.4)
        >>> f"{r.duration:.1f}"
        '7.7 day'
        """
        given = Arguments("TrainingModel.solve")
        check_pair(given, model, hardware)
        if isinstance(hardware, Accelerator) and not isinstance(model, Transformer | Accelerator):
            given.fault(f"model must be a decoder transformer, as Models.Llama3_8B is; got {model!r}")
        number_format = given.take(parse_precision, precision, PRECISIONS["bf16"])
        many, length = given.count("devices", devices), given.count("prompt", prompt)
        total = given.number("tokens", tokens, "a positive number", lambda x: 0 < x < float("inf"))
        if attention not in set(Attention):
            given.fault(f"attention must be 'causal' or 'full'; got {attention!r}")
        if mfu is not None and step is not None:
            given.fault("give mfu or step, not both: each says the utilisation")
        stated = None if mfu is None else given.fraction("mfu", mfu)
        given.close()
        basis, fit = Basis.STATED, None
        if step is not None:
            basis, fit, many, length = Basis.STEP, step.fit, step.split.devices, step.prompt
        each = float(flops_per_token(model, float(length), Attention(attention)))
        peak = hardware.require_peak(number_format.compute)
        if stated is not None:
            rate = many * peak * stated / each
        elif step is not None:
            rate = step.tokens_per_step / step.step.total
        else:
            basis = Basis.ENGINE
            one = Engine.solve(
                model,
                hardware,
                batch_size,
                number_format,
                phase=Phase.TRAIN,
                prompt=length,
                calibration=calibration,
            )
            fit, rate = one.fit, many * one.work.items / one.terms.latency
        return TrainingResult(
            model=model,
            hardware=hardware,
            devices=many,
            tokens=total,
            basis=basis,
            utilization=rate * each / (many * peak),
            seconds=total / rate,
            work=total * each,
            fit=fit,
        )
