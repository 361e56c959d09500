"""What a reviewer asks next: what would have been enough, and what to buy instead."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mlsysim.commands.answer import Answer
from mlsysim.commands.scenario import Scenario
from mlsysim.core.constants import Quantity, si, unit, ureg
from mlsysim.core.errors import ArgumentError, MissingSpecError
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Price
from mlsysim.format import number, plain, text
from mlsysim.registry import Infrastructure
from mlsysim.solvers.synthesis import SynthesisResult, SynthesisSolver

ON_DEMAND: Final = "on-demand"
HEADERS: Final = ("device", "time", "against the proposal", "memory", "rent of one", "a million items")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A device that does the proposal's work.

    Parameters
    ----------
    answer
        The proposal's question, asked of the device.
    speedup
        The proposal's time over the device's; None where the proposal does not fit.
    price
        The lowest price on demand that has a card; None if none has.
    """

    answer: Answer
    speedup: float | None
    price: Price | None

    @property
    def device(self) -> Accelerator:
        """The device."""
        return self.answer.scenario.device

    @property
    def cost(self) -> Quantity | None:
        """Rent of the devices while they finish a million tokens or samples; None without a price."""
        rate = self.answer.figures["throughput"]
        if self.price is None or rate is None:
            return None
        rent = self.price.hourly.to("USD/h").magnitude * (self.answer.scenario.devices or 1) / 3600
        return ureg.Quantity(float(1e6 * rent / rate.magnitude), unit("USD"))

    def row(self) -> tuple[Any, ...]:
        """Return the offer as a table shows it."""
        price = self.price and f"{text(self.price.hourly)} ({self.price.vendor}, {self.price.date})"
        memory = ureg.Quantity(self.device.capacity_si / 1e9, unit("GB"))
        ratio = None if self.speedup is None else f"{self.speedup:.2f}x"
        return self.device.name, self.answer.figures[self.answer.time], ratio, memory, price, self.cost

    def to_dict(self) -> dict[str, Any]:
        """Return the offer as plain data."""
        return {
            "hardware": self.device.name,
            "figures": plain(self.answer.figures),
            "speedup": self.speedup,
            "price": None if self.price is None else {"card": self.price.name, **plain(self.price.hourly)},
            "cost_of_a_million_items": plain(self.cost),
        }


def offers(
    proposal: Answer, ask: Callable[[Scenario], Answer], devices: Iterable[Accelerator]
) -> list[Offer]:
    """Return the devices that hold the work and are at least as fast, the cheapest for it first.

    Those without a price come last, the fastest first.
    """
    prices, found = _prices(), []
    for hw in devices:
        try:
            other = ask(replace(proposal.scenario, hardware=hw))
        except MissingSpecError:
            continue
        speedup = _speedup(proposal, other)
        fast = speedup is None or speedup >= 1
        if not other.misfit and fast and hw.name != proposal.scenario.device.name:
            found.append(Offer(answer=other, speedup=speedup, price=prices.get(hw.name)))
    return sorted(found, key=_order)


def own(proposal: Answer) -> Offer:
    """Return the proposal's own device as an offer, to compare the others with."""
    price = _prices().get(proposal.scenario.device.name)
    return Offer(answer=proposal, speedup=_speedup(proposal, proposal), price=price)


def _speedup(proposal: Answer, other: Answer) -> float | None:
    was, now = (each.figures[proposal.time] for each in (proposal, other))
    return None if was is None or now is None else float((was / now).to("").magnitude)


def _order(offer: Offer) -> tuple[bool, float]:
    if offer.cost is not None:
        return False, float(offer.cost.magnitude)
    return True, float(offer.answer.figures[offer.answer.time].magnitude)


def options_of(asked: Scenario, profile: PerformanceProfile) -> dict[str, Any]:
    """Return the arguments of ``Engine.solve`` that give a step of a scenario again on another device."""
    lengths: Mapping[str, int | None] = {"context": profile.context or None, "prompt": profile.prompt or None}
    return {
        "batch_size": profile.batch_size,
        "precision": profile.precision,
        "phase": profile.phase,
        "calibration": profile.calibration,
        "tp_size": profile.tp_size,
        "link": asked.link,
        "efficiency": asked.workload.get("efficiency"),
        **{name: value for name, value in lengths.items() if value is not None},
    }


def _prices() -> dict[str, Price]:
    """Return the lowest price on demand of each device that has one."""
    lowest: dict[str, Price] = {}
    for price in Infrastructure.Prices:
        name = price.accelerator.name
        before = lowest.get(name)
        if price.terms == ON_DEMAND and (before is None or price.hourly < before.hourly):
            lowest[name] = price
    return lowest


def enough(asked: Scenario, base: PerformanceProfile, proposal: PerformanceProfile) -> list[str]:
    """Return what of the base's device would have to grow for the proposal's time, in sentences.

    Nothing where the device is the same, where a step is shared by several, or where it does not fit.
    """
    before = base.hardware
    if not proposal.fits or before == proposal.hardware or proposal.tp_size > 1 or base.tp_size > 1:
        return []
    try:
        found = SynthesisSolver().solve(
            proposal.model, proposal.latency, like=before, **options_of(asked, proposal)
        )
    except MissingSpecError as error:
        return [f"What the base's device would need cannot be said: {error}."]
    except ArgumentError:
        return [f"No {before} reaches the proposal's time: the step's overhead alone takes longer."]
    have, brings = (
        (hw.bandwidth_si, hw.require_peak(proposal.precision.compute)) for hw in (before, proposal.hardware)
    )
    need = [si(name, value, unit) for name, value, unit in _needs(found)]
    needs = " and ".join(
        f"{number(n / h, 3)}x its {word} ({text(value)})"
        for n, h, word, (_, value, _) in zip(
            need, have, ("bandwidth", "FLOP rate"), _needs(found), strict=True
        )
    )
    more = " and ".join(f"{number(b / h, 3)}x" for b, h in zip(brings, have, strict=True))
    said = [f"The same time on {before} takes {needs}; {proposal.hardware} brings {more}."]
    if found.required_memory > ureg.Quantity(before.capacity_si, unit("B")):
        said.append(f"It also takes {text(found.required_memory)} of memory, more than {before} has.")
    return said


def _needs(found: SynthesisResult) -> tuple[tuple[str, Quantity, str], ...]:
    return ("bandwidth", found.required_bw, "TB/s"), ("FLOP rate", found.required_flops, "TFLOP/s")
