"""`compare`: what a reviewer wants to read under a pull request."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pint

from mlsysim.commands import scenario as scenarios
from mlsysim.commands.advice import HEADERS, Offer, enough, offers, options_of, own
from mlsysim.commands.answer import Answer
from mlsysim.commands.limits import failing, judge
from mlsysim.commands.page import Page, Part, Prose, Table
from mlsysim.commands.questions import ASK, levers
from mlsysim.core.errors import ArgumentError
from mlsysim.core.explainers import DifferentialExplainer
from mlsysim.core.explanation import Explanation
from mlsysim.core.profile import PerformanceProfile
from mlsysim.format import number, plain
from mlsysim.registry import Hardware
from mlsysim.solvers.distributed import DistributedResult
from mlsysim.solvers.sensitivity import SensitivityResult, SensitivitySolver

MOST_OFFERS: Final = 5
SAME: Final = 1e-9
BACK: Final = "What holds the proposal back"


def compare(given: Namespace) -> Page:
    """Explain a proposal against a base.

    Raises
    ------
    ArgumentError
        If the two ask different questions, or a condition cannot be read.
    """
    conditions = [failing(text, f"--fail-if {text!r}:") for text in given.fail_if]
    base, proposal = (_answer(path) for path in (given.base, given.proposal))
    if base.scenario.task != proposal.scenario.task:
        msg = (
            f"{given.base} asks `{base.scenario.task}` and {given.proposal} asks `{proposal.scenario.task}`: "
            f"two scenarios are compared that ask the same"
        )
        raise ArgumentError(msg)
    before, after = _timed(base, base), _timed(base, proposal)
    names = {
        step: DifferentialExplainer.compare_performance(base.steps[step], proposal.steps[step])
        for step in base.steps
    }
    main = next(iter(names.values()), None)
    result = None if main is None or proposal.misfit else _sensitivity(proposal, main.proposal)
    wanted = [] if main is None else enough(proposal.scenario, main.baseline, main.proposal)
    group = getattr(Hardware, given.candidates.title())
    alone = proposal.scenario.fleet is None
    shop = offers(proposal, ASK[proposal.scenario.task], group) if alone else []
    verdicts = (
        *judge(proposal.scenario.limits, after, why=proposal.misfit),
        *judge(conditions, after, before, why=proposal.misfit),
    )
    rows = [_row(name, before.get(name), value) for name, value in after.items() if name != "speedup"]
    parts: list[Part] = [
        Prose(_summary(base, proposal, after["speedup"], broken=sum(not v.met for v in verdicts))),
        Table(("figure", "base", "proposal", "ratio"), rows, "Figures"),
        *(part for step, said in names.items() for part in _explained(step, said)),
        *_parts(base, proposal),
        *([Prose([f"Memory: {proposal.misfit}."], BACK)] if proposal.misfit else []),
        *([] if result is None else _held_back(result)),
        *(_instead(own(proposal), wanted, shop, given.candidates) if alone else []),
    ]
    return Page(
        title=f"{proposal.title} against {base.title}",
        parts=parts,
        data={
            "command": "compare",
            "base": _side(base, before),
            "proposal": _side(proposal, after),
            "speedup": after["speedup"],
            "explanations": {step: said.to_dict() for step, said in names.items()},
            "sensitivity": None if result is None else result.to_dict(),
            "enough": wanted,
            "offers": [offer.to_dict() for offer in shop],
        },
        records=_records(before, after),
        verdicts=verdicts,
    )


def _answer(path: str) -> Answer:
    asked = scenarios.load(path)
    return ASK[asked.task](asked)


def _timed(base: Answer, side: Answer) -> dict[str, Any]:
    """Return the figures of a side, and its speed-up over the base; None where either has no time.

    Raises
    ------
    ArgumentError
        If one says how long a run is and the other does not.
    """
    if base.time != side.time:
        msg = (
            f"{base.scenario.where} answers a {base.time.replace('_', ' ')} and {side.scenario.where} a "
            f"{side.time.replace('_', ' ')}: give both [workload] tokens, or neither"
        )
        raise ArgumentError(msg)
    times = [each.figures[each.time] for each in (base, side)]
    speedup = None if None in times else float((times[0] / times[1]).to("").magnitude)
    return {**side.figures, "speedup": speedup}


def _summary(base: Answer, proposal: Answer, speedup: float | None, *, broken: int) -> list[str]:
    """Return what matters most, a sentence each."""
    time = proposal.time.replace("_", " ")
    said = []
    if speedup is not None:
        was, now = (each.figures[each.time] for each in (base, proposal))
        said.append(f"Speed-up: {number(speedup, 3)}x ({time} {_shown(was)} to {_shown(now)}).")
    else:
        said.append("Speed-up: none, since not both fit.")
    said += [f"The {name} {_fit(side)}." for name, side in (("base", base), ("proposal", proposal))]
    if broken:
        said.append("A limit below is broken." if broken == 1 else f"{broken} limits below are broken.")
    return said


def _fit(side: Answer) -> str:
    shown: Any = side.shown[0]
    fit = getattr(shown, "fit", None)
    return "states its utilisation, which says nothing of memory" if fit is None else str(fit)


def _shown(value: Any) -> str:
    return f"{number(value.magnitude)} {value.units:~P}"


def _row(name: str, before: Any, after: Any) -> tuple[Any, ...]:
    ratio = _ratio(before, after)
    return name, before, after, None if ratio is None else f"{ratio:.2f}x"


def _ratio(before: Any, after: Any) -> float | None:
    """Return the proposal's figure over the base's; None where it means nothing."""
    if isinstance(before, pint.Quantity) and isinstance(after, pint.Quantity):
        before, after = before.magnitude, after.to(before.units).magnitude
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in (before, after)) or not before:
        return None
    return float(after / before)


def _explained(step: str, said: Explanation) -> list[Part]:
    """Return why the times of a step differ."""
    out: list[Part] = [Prose([*said.headline(), *said.sentences()], f"{step}: why")]
    if said.delivery is not None and any(abs(factor - 1) > SAME for factor in said.factors.values()):
        out.append(Table(("factor", "speed-up"), [(str(p), f"{f:.3f}x") for p, f in said.factors.items()]))
        chain = [(label, f"{f:.3f}x") for label, f in said.delivery.rows()]
        out.append(Table(("from the datasheet's promise to what arrives", "factor"), chain))
    return out


def _parts(base: Answer, proposal: Answer) -> list[Part]:
    """Return where the time of a step on a fleet goes."""
    was, now = base.shown[0], proposal.shown[0]
    if not (isinstance(was, DistributedResult) and isinstance(now, DistributedResult)):
        return []
    rows = [
        (str(part), f"{was.step.parts[part]:.4g} s", f"{now.step.parts[part]:.4g} s")
        for part in now.step.parts
        if was.step.parts[part] or now.step.parts[part]
    ]
    return [
        Table(("part of the step", "base", "proposal"), rows, "Where the time goes"),
        Prose([f"Its largest loss is {now.step.largest_loss}; the base's is {was.step.largest_loss}."], BACK),
    ]


def _sensitivity(proposal: Answer, profile: PerformanceProfile) -> SensitivityResult:
    options = options_of(proposal.scenario, profile)
    return SensitivitySolver().solve(profile.model, profile.hardware, **options)


def _held_back(result: SensitivityResult) -> list[Part]:
    """Return which resource binds the proposal, and what more of each would bring."""
    lever = result.binding_constraint
    gain = result.speedup(lever, 0.9 if lever == "overhead" else 1.1)
    change = "10 % less" if lever == "overhead" else "10 % more"
    said = (
        f"It is bound by {str(lever).replace('_', ' ')}: {change} of it makes the step {gain:.3f}x as fast."
    )
    return [Prose([said], BACK), levers(result)]


def _instead(mine: Offer, wanted: Sequence[str], shop: Sequence[Offer], group: str) -> list[Part]:
    """Return what would have been enough, and the devices that do the same work."""
    if not shop:
        none = f"No other device of the group {group} holds the step and is as fast."
        return [Prose([*wanted, none], "What to buy instead")]
    left = len(shop) - MOST_OFFERS
    rest = f"; {left} more are in the JSON" if left > 0 else ""
    order = f"The cheapest for the work first, where a price on demand is known{rest}."
    return [
        Prose([*wanted, order], "What to buy instead"),
        Table(HEADERS, [mine.row(), *(offer.row() for offer in shop[:MOST_OFFERS])]),
    ]


def _side(side: Answer, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "scenario": side.scenario.where,
        "title": side.title,
        "figures": plain(figures),
        "fit": _fit(side),
        "results": [{"title": each.title, **each.to_dict()} for each in side.shown],
    }


def _records(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    rows = []
    for name, value in after.items():
        was, now, unit = before.get(name), value, ""
        measured = next((v for v in (value, was) if isinstance(v, pint.Quantity)), None)
        if measured is not None:
            was, now = (None if v is None else v.to(measured.units).magnitude for v in (was, value))
            unit = f"{measured.units:~P}"
        rows.append((name, was, now, _ratio(was, now), unit))
    return Table(("figure", "base", "proposal", "ratio", "unit"), rows)
