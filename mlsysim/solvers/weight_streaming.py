r"""What if weights need not, or cannot, be read from the device's own memory; and when does a rival overtake?

The time of a step follows from where the weights live (``mlsysim.solvers.residence``): in the SRAM of a
wafer, spread over the SRAM of many chips, or behind a link. Machines are compared at the same batch, by
tokens a second for each device or for each watt of its thermal design power. A GPU that waits for its memory
gains with the batch; a machine that does not, gains nothing.

Notes
-----
The default calibration is the textbook roofline, since none has been fitted to such machines. What is
published is far from that bound: 450 tokens a second of Llama-3.1-70B on four CS-3 [register2024]_.
The power of a card is that of what it describes: of a wafer the whole system, of most others the chip.

References
----------
.. [register2024] The Register, "Cerebras gives waferscale chips inferencing twist", 2024.
.. [sheng2023] Y. Sheng et al., "FlexGen", ICML 2023: weights behind a link, hidden by large batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown
from mlsysim.solvers.crossover import LARGEST
from mlsysim.solvers.monotone import last
from mlsysim.solvers.request import check_generator
from mlsysim.solvers.residence import Residence, Resident, on_device, spread, streamed


class Per(StrEnum):
    """What the tokens of two machines are divided by."""

    DEVICE = "device"
    WATT = "watt"


@dataclass(frozen=True, kw_only=True, repr=False)
class WeightStreamingResult(Shown):
    """A step of a machine whose weights live somewhere, and a rival.

    Parameters
    ----------
    residence, machine
        Where the weights live, and the step that follows.
    rival, per
        The device that it is compared with, and by what.
    crossover, outgrown
        The least batch at which the rival does more, None where it never does; whether that is because
        the machine no longer holds the cache.
    """

    residence: Residence
    machine: Resident
    rival: Accelerator | None
    per: Per
    crossover: int | None
    outgrown: bool

    @property
    def devices(self) -> int:
        """Devices that the weights live on."""
        return self.machine.devices

    @property
    def fits(self) -> bool:
        """Whether each device holds its part."""
        return self.machine.fit.fits

    @property
    def latency(self) -> Quantity:
        """Time of the step, all streaming hidden behind the work that can hide it."""
        return ureg.Quantity(self.machine.seconds * 1e3, unit("ms"))

    @property
    def latency_bound(self) -> Quantity:
        """Time of the step if no streaming were hidden."""
        return ureg.Quantity(self.machine.serial_seconds * 1e3, unit("ms"))

    @property
    def stream_bound(self) -> bool:
        """Whether the link is what is waited for."""
        return bool(self.machine.stream > self.machine.step.terms.latency)

    @property
    def throughput(self) -> Quantity:
        """Tokens per second of all devices."""
        return ureg.Quantity(self.machine.items_per_second, unit("token/s"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        many = f"{self.devices:,} x " if self.devices > 1 else ""
        return f"{self.machine.step.model} on {many}{self.machine.step.hardware}, {self.residence}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return fit, times, and the rival."""
        step, rival = self.machine.step, []
        if self.rival is not None:
            least = "never" if self.crossover is None else f"from batch {self.crossover:,}"
            least += ", which the machine does not hold" if self.outgrown else ""
            rival = [("Rival", str(self.rival)), (f"Rival does more per {self.per}", least)]
        return [
            ("Memory", str(self.machine.fit)),
            ("Devices", self.devices),
            ("Batch size", self.machine.batch_size),
            ("Batch of a part", step.batch_size),
            ("Precision", str(step.precision)),
            ("Latency", self.latency),
            ("Latency bound", self.latency_bound),
            ("Stream time", ureg.Quantity(self.machine.stream * 1e3, unit("ms"))),
            ("Waits for the link", self.stream_bound),
            ("Bottleneck of the work", step.bottleneck),
            ("Throughput", self.throughput),
            *rival,
            ("Calibration", step.calibration.name),
        ]


class WeightStreamingModel:
    """Answers: what if the weights live elsewhere than in a GPU's memory?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        residence: Residence = Residence.ON_DEVICE,
        devices: int | None = None,
        phase: str | Phase = Phase.DECODE,
        context: int | None = None,
        prompt: int | None = None,
        link: Link | None = None,
        rival: Accelerator | None = None,
        rival_size: int = 1,
        per: Per = Per.DEVICE,
        calibration: str | Calibration = "ideal",
    ) -> WeightStreamingResult:
        """Return the step of a machine, how many devices it takes, and when a rival overtakes it.

        Parameters
        ----------
        model, hardware, batch_size, precision, phase, context, prompt, calibration
            As for ``Engine.solve``.
        residence
            Where the weights live.
        devices
            Devices to spread over; the fewest that hold it if left out.
        link
            What the weights are streamed over, or what joins the devices.
        rival, rival_size, per
            A device to compare with, how many share its step, and what the tokens are divided by.

        Returns
        -------
        WeightStreamingResult
            A lower bound under ``calibration="ideal"``, else an estimate. "Does not fit" is a field.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.
        MissingSpecError
            If a device lacks a figure: a peak, a bandwidth, or its power for ``per=Per.WATT``.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> WeightStreamingModel().solve(Models.Llama3_70B, Hardware.Wafer.Cerebras_CS3,
        ...                              residence=Residence.SPREAD).devices  # 141 GB in parts of 44
        4
        """
        given = Arguments("WeightStreamingModel.solve")
        check_generator(given, model, hardware)
        batch = given.count("batch_size", batch_size)
        _check_residence(given, residence, devices, link)
        if rival is not None and not isinstance(rival, Accelerator):
            given.fault(f"rival must be a device such as Hardware.Cloud.H100; got {rival!r}")
        if not isinstance(per, Per):
            given.fault(f"per must be Per.DEVICE or Per.WATT; got {per!r}")
        given.close()
        options: dict[str, Any] = {
            "precision": precision, "phase": phase, "context": context, "prompt": prompt,
            "calibration": calibration,
        }  # fmt: skip

        def machine(b: int) -> Resident:
            whole = on_device(model, hardware, b, options)
            if residence is Residence.SPREAD:
                return spread(whole, devices, link, options)
            return whole if link is None else streamed(whole, link)

        crossover, shared = None, {**options, "tp_size": rival_size}
        if rival is not None:
            crossover = _first(lambda b: _overtakes(machine(b), on_device(model, rival, b, shared), per))
        return WeightStreamingResult(
            residence=residence,
            machine=machine(batch),
            rival=rival,
            per=per,
            crossover=crossover,
            outgrown=crossover is not None and not machine(crossover).fit.fits,
        )


def _check_residence(given: Arguments, residence: Any, devices: Any, link: Any) -> None:
    """Note a residence that is none, or devices and links that it has no use for."""
    if not isinstance(residence, Residence):
        given.fault(f"residence must be one of Residence, such as Residence.SPREAD; got {residence!r}")
    elif residence is Residence.STREAMED and not isinstance(link, Link):
        given.fault(f"link must be what the weights are streamed over, a Link; got {link!r}")
    elif link is not None and (residence is Residence.ON_DEVICE or not isinstance(link, Link)):
        given.fault(f"link must be a Link, and is for weights that are spread or streamed; got {link!r}")
    if devices is not None:
        given.count("devices", devices)
        if residence is not Residence.SPREAD:
            given.fault(
                f"devices is for weights that are spread: residence=Residence.SPREAD; got {devices!r}"
            )


def _overtakes(mine: Resident, theirs: Resident, per: Per) -> bool:
    """Return whether the second machine does more for each device or watt; what does not fit does nothing."""
    if not (mine.fit.fits and theirs.fit.fits):
        return theirs.fit.fits
    rates = []
    for one in (mine, theirs):
        power = one.step.hardware.figure("tdp") if per is Per.WATT else 1.0
        rates.append(one.items_per_second / one.devices / one.step.tp_size / power)
    return rates[1] > rates[0]


def _first(holds: Callable[[int], bool]) -> int | None:
    """Return the least batch for which *holds*, by doubling and bisection; None if none does."""
    high = 1
    while not holds(high):
        if high >= LARGEST:
            return None
        high *= 2
    return last(lambda b: not holds(b), high // 2, high) + 1 if high > 1 else 1
