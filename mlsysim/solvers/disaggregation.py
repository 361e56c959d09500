r"""Prefill and decode on machines of their own: how many of each, and is it worth while?

A prefill machine reads a prompt at a time, in :math:`T_p`; requests arrive at random, so with a share
:math:`\rho` of its time taken they wait as in an M/D/1 queue. A decode machine holds :math:`b` requests, each
for :math:`O - 1` steps of :math:`T_d(b)`. Within their targets they bear :math:`\mu` requests a second:

.. math:: TTFT = T_p + \frac{\rho\, T_p}{2 (1 - \rho)}, \qquad \mu_p = \frac{\rho}{T_p}, \qquad
          \mu_d = \frac{b}{(O - 1)\, T_d(b)}

The cache of the prompt travels in between and delays one of the :math:`O - 1` steps. A machine that does both
stops decoding while it reads, so with :math:`r` requests a second :math:`TPOT = T_d(b) / (1 - r T_p)`, and
a prompt waits for a whole decode step besides, at most.

Notes
-----
Targets are for means; requests are alike and decoded at the mean context. The longest gap between two tokens
is told apart. Machines bear no more than the link carries; sending takes none of their time.

References
----------
.. [zhong2024] Y. Zhong et al., "DistServe: disaggregating prefill and decoding", OSDI 2024.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, si, unit, ureg
from mlsysim.core.engine import Engine
from mlsysim.core.models import Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown
from mlsysim.solvers.monotone import last
from mlsysim.solvers.serving import ServingModel, ServingResult


class Feasibility(StrEnum):
    """Whether the targets can be met, by any number of machines."""

    MET = "targets met"
    DOES_NOT_FIT = "a machine does not hold the model and one request"
    TTFT_MISSED = "no prefill machine is in time, even if a prompt never waits"
    TPOT_MISSED = "no decode machine is in time, even with one request"


@dataclass(frozen=True)
class Machines:
    """Machines of one kind: their step, and the requests that one bears and that arrive. [1/s]"""

    step: PerformanceProfile
    bears: float
    demand: float

    @property
    def least(self) -> int | None:
        """Fewest machines for the demand; None where no number is enough."""
        return math.ceil(self.demand / self.bears) if self.bears > 0 else None

    @property
    def goodput_per_device(self) -> Quantity:
        """Requests per second and device within the targets."""
        return ureg.Quantity(self.bears / self.step.tp_size, unit("1/s"))


@dataclass(frozen=True, kw_only=True, repr=False)
class DisaggregationResult(Shown):
    """Machines for prefill and for decode, beside machines that do both.

    Parameters
    ----------
    fit
        Whether a machine holds the model and one request; of the two kinds, the tighter one.
    prefill, decode, colocated
        Machines of each kind; the last do both.
    transfer_seconds
        Time in which the cache of one prompt travels. [s]
    """

    fit: Fit
    prefill: Machines
    decode: Machines
    colocated: Machines
    transfer_seconds: float

    @property
    def fits(self) -> bool:
        """Whether machines of both kinds hold it."""
        return self.fit.fits

    @property
    def feasibility(self) -> Feasibility:
        """Whether the targets can be met with machines for each phase."""
        if not self.fits:
            return Feasibility.DOES_NOT_FIT
        if not self.prefill.bears:
            return Feasibility.TTFT_MISSED
        return Feasibility.MET if self.decode.bears else Feasibility.TPOT_MISSED

    @property
    def ratio(self) -> float | None:
        """Prefill machines for each decode machine, all at their limit; None out of reach."""
        return self.decode.bears / self.prefill.bears if self.feasibility is Feasibility.MET else None

    @property
    def goodput_per_device(self) -> Quantity:
        """Requests per second and device within the targets, machines standing in the ratio."""
        each = 0.0 if self.ratio is None else self.decode.bears / (1 + self.ratio)
        return ureg.Quantity(each / self.decode.step.tp_size, unit("1/s"))

    @property
    def cache(self) -> Quantity:
        """Cache of one prompt, on all devices of a machine."""
        return ureg.Quantity(self.prefill.step.work.state * self.prefill.step.tp_size / 1e9, unit("GB"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Disaggregation of {self.prefill.step.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return fit, machines and goodput."""
        read, alone, both = self.prefill.step, self.decode.step, self.colocated.step
        return [
            ("Memory", str(self.fit)),
            ("Feasibility", str(self.feasibility)),
            ("Prefill machines", self.prefill.least),
            ("Decode machines", self.decode.least),
            ("Colocated machines", self.colocated.least),
            ("Prefill per decode machine", self.ratio),
            ("Goodput per device", self.goodput_per_device),
            ("Colocated goodput per device", self.colocated.goodput_per_device),
            ("Decode batch", alone.batch_size),
            ("Colocated batch", both.batch_size),
            ("Longest gap", alone.latency),
            ("Colocated longest gap", both.latency + read.latency),
            ("KV cache of a prompt", self.cache),
            ("Transfer time", ureg.Quantity(self.transfer_seconds * 1e3, unit("ms"))),
            ("Calibration", read.calibration.name),
        ]


class DisaggregationModel:
    """Answers: how many machines for prefill, how many for decode, and is it worth while?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        precision: str | Precision = "fp16",
        *,
        arrival_rate: Quantity,
        ttft: Quantity,
        tpot: Quantity,
        transfer: Link,
        prompt: int = 512,
        output: int = 128,
        decode_hardware: Accelerator | None = None,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> DisaggregationResult:
        """Return machines and goodput, for machines of their own and for machines that do both.

        Parameters
        ----------
        model, hardware, precision, prompt, output, tp_size, link, calibration
            As for ``ServingModel.solve``; a machine is *tp_size* devices.
        arrival_rate
            Requests that arrive. [1/s]
        ttft, tpot
            Targets for the mean time to the first token and of each further one. [s]
        transfer, decode_hardware
            What a device sends its cache over, and to which; to its like if left out.

        Returns
        -------
        DisaggregationResult
            Estimates of ``Engine.solve``. Targets missed are an outcome.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Hardware, Models, Q_, Systems
        >>> r = DisaggregationModel().solve(
        ...     Models.Llama3_8B, Hardware.Cloud.H100, arrival_rate=Q_("20 Hz"), ttft=Q_("200 ms"),
        ...     tpot=Q_("20 ms"), transfer=Systems.Fabrics.InfiniBand_NDR)
        >>> str(r.feasibility), f"{r.cache.to('MiB'):.0f}"  # 512 tokens of 128 KiB
        ('targets met', '64 MiB')
        """
        given = Arguments("DisaggregationModel.solve")
        rate = given.quantity("arrival_rate", arrival_rate, "1/s")
        first, each = given.quantity("ttft", ttft, "ms"), given.quantity("tpot", tpot, "ms")
        steps = given.count("output", output, least=2) - 1
        if not isinstance(transfer, Link):
            given.fault(f"transfer must be a Link such as Systems.Fabrics.InfiniBand_NDR; got {transfer!r}")
        given.close()
        shared: dict[str, Any] = {"tp_size": tp_size, "link": link, "calibration": calibration}

        def batches(device: Accelerator) -> tuple[ServingResult, Callable[[int], PerformanceProfile]]:
            one = ServingModel().solve(model, device, 1, precision, prompt=prompt, output=output, **shared)
            mean = one.decode.context
            return one, lambda b: Engine.solve(model, device, b, precision, context=mean, **shared)

        reader, step = batches(hardware)
        writer, alone = batches(hardware if decode_hardware is None else decode_hardware)
        prefill, reading, tile = reader.prefill, reader.prefill.terms.latency, reader.decode.calibration.tile
        start = 0.0 if transfer.latency is None else si("latency", transfer.latency, "us")
        sent = prefill.work.state / transfer.bandwidth_si + start

        def load(wait: float) -> float:
            return 2 * wait / (reading + 2 * wait) if wait > 0 else 0.0

        def decoding(b: int) -> float:
            took = alone(b).terms.latency
            return b / (steps * took) if took + sent / steps <= each else 0.0

        def both(b: int) -> tuple[float, float]:
            took = step(b).terms.latency
            bearable = min(max(0.0, 1 - took / each), load(first - reading - took)) / reading
            return b / (steps * took + b * reading), bearable

        batch = _best(decoding, lambda b: decoding(b) > 0, writer.max_concurrency, tile)
        joint = _best(lambda b: min(both(b)), lambda b: operator.le(*both(b)), reader.max_concurrency, tile)
        read = min(load(first - reading) / reading, 1 / sent) * prefill.fits
        write = min(decoding(batch), 1 / sent) * writer.fits
        return DisaggregationResult(
            fit=max(prefill.fit, writer.fit, key=lambda fit: fit.required / fit.capacity),
            prefill=Machines(prefill, read, rate),
            decode=Machines(alone(batch), write, rate),
            colocated=Machines(step(joint), min(both(joint)) * reader.fits, rate),
            transfer_seconds=sent,
        )


def _best(rate: Callable[[int], float], grows: Callable[[int], bool], limit: int, tile: int) -> int:
    """Return the batch of the highest rate: the last that *grows*, the next, or the whole tiles below it."""
    end = last(grows, 0, limit)
    return max({end, end + 1, end // tile * tile} & set(range(1, limit + 1)), key=rate, default=1)
