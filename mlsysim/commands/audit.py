"""`audit`: a training run and its serving through every solver, with what limits each part."""

from argparse import Namespace
from typing import Any, Final

from mlsysim.commands import scenario as scenarios
from mlsysim.commands.limits import judge
from mlsysim.commands.page import Facts, Page, Table, figures_table
from mlsysim.commands.scenario import Scenario
from mlsysim.commands.training import network, step_of
from mlsysim.core.constants import Q_
from mlsysim.core.errors import SpecError
from mlsysim.core.systems import Grid
from mlsysim.format import plain
from mlsysim.registry import Infrastructure
from mlsysim.solvers.audit import AuditResult, full_stack_audit

_SERVED: Final = {"served_batch_size": "batch_size", "served_prompt": "prompt", "served_output": "output"}
_FIGURES: Final = {
    "duration": "Duration",
    "mfu": "MFU",
    "goodput": "Goodput",
    "cost": "Cost",
    "energy": "Energy",
    "carbon": "Carbon",
    "throughput": "Tokens per second served",
}
"""Figures, by the labels under which the audit shows them."""

_NEEDED: Final = ("device_mtbf", "storage", "restart_time", "price", "grid")


def audit(given: Namespace) -> Page:
    """Answer a whole analysis.

    Raises
    ------
    ArgumentError
        If something that the analysis needs is not said.
    """
    asked = scenarios.given(given, "audit")
    result = _solve(asked)
    said = dict(result.rows())
    figures: dict[str, Any] = {
        **{name: said[label] if result.fits else None for name, label in _FIGURES.items()},
        "binding": result.binding,
        "fits": result.fits,
    }
    walls = [(name, str(wall)) for name, wall in result.walls.items()]
    levers = [(name, f"{value:+.3f}") for name, value in result.elasticities.exact.items()]
    facts = [row for row in result.rows() if not row[0].startswith(("Wall:", "Elasticity"))]
    return Page(
        title=asked.title or result.title,
        parts=[
            Facts(facts),
            Table(("part", "what limits it"), walls, "Walls"),
            Table(("lever", "elasticity"), levers, "Elasticities of the time to the end"),
        ],
        data={
            "command": "audit",
            "scenario": asked.where,
            "title": asked.title or result.title,
            "figures": plain(figures),
            "results": [{"title": result.title, **result.to_dict()}],
        },
        records=figures_table({**figures, **{f"wall_{name}": wall for name, wall in walls}}),
        verdicts=judge(asked.limits, figures, why=f"{result.title} {said['Memory']}"),
    )


def _solve(asked: Scenario) -> AuditResult:
    """Return the analysis of a scenario; the split is that of `train`."""
    said = asked.tables["audit"]
    fleet = asked.need(asked.fleet, "which fleet? Give [hardware] fleet, or --fleet")
    tokens = asked.need(
        asked.workload.get("tokens"), "how long is the run? Give [workload] tokens, or --tokens"
    )
    for key in _NEEDED:
        asked.need(said.get(key), f"[audit] {key} is missing (--{key.replace('_', '-')})")
    step = step_of(asked, fleet)
    calibration = {key: asked.workload[key] for key in ("calibration",) if key in asked.workload}
    return full_stack_audit(
        network(asked),
        fleet,
        step.batch_size,
        step.precision.name,
        prompt=step.prompt,
        tokens=tokens,
        failures=Q_(said["device_mtbf"]),
        storage=Q_(said["storage"]),
        restart_time=Q_(said["restart_time"]),
        price=Q_(said["price"]),
        grid=_grid(said["grid"], f"{asked.where}: [audit] grid"),
        pue=said.get("pue", 1.0),
        split=step.split,
        serving={name: said[key] for key, name in _SERVED.items() if key in said},
        microbatch_size=step.microbatch_size,
        recompute=step.memory.recompute,
        **calibration,
    )


def _grid(name: str, where: str) -> Grid:
    """Return where the power comes from.

    Raises
    ------
    SpecError
        If the name is that of something else.
    """
    thing = scenarios.found(Infrastructure.__getitem__, name, where)
    if not isinstance(thing, Grid):
        msg = f"{where}: {thing} is a {type(thing).__name__.lower()}, no grid"
        raise SpecError(msg)
    return thing
