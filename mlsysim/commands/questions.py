"""`solve`, `serve`, `train`, `sensitivity` and `synthesize`: a scenario in, a page out."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Final

from mlsysim.commands import scenario as scenarios
from mlsysim.commands.answer import Answer, figures_of
from mlsysim.commands.fields import GROUPS, SERVE, SOLVE, TRAIN
from mlsysim.commands.limits import judge
from mlsysim.commands.page import Facts, Page, Table, figures_table
from mlsysim.commands.scenario import Scenario
from mlsysim.commands.training import train
from mlsysim.core.constants import Q_
from mlsysim.core.engine import Engine
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import Transformer
from mlsysim.core.specs import FrozenMap
from mlsysim.format import plain
from mlsysim.registry import Hardware
from mlsysim.solvers.sensitivity import SensitivityResult, SensitivitySolver
from mlsysim.solvers.serving import ServingModel
from mlsysim.solvers.synthesis import SynthesisSolver

STEP: Final = (
    "latency",
    "throughput",
    "bottleneck",
    "compute_time",
    "memory_time",
    "overhead",
    "communication_time",
    "arithmetic_intensity",
    "mfu",
    "mbu",
    "memory_required",
    "fits",
)
REQUESTS: Final = ("ttft", "tpot", "latency", "throughput", "kv_cache", "max_concurrency", "fits")


def _solve(asked: Scenario) -> Answer:
    """Answer what one step takes."""
    profile = Engine.solve(asked.network, asked.device, **asked.step())
    return Answer(
        scenario=asked,
        shown=(profile,),
        figures=FrozenMap(figures_of(profile, STEP, fits=profile.fits)),
        time="latency",
        steps=FrozenMap({"Step": profile}),
        misfit="" if profile.fits else f"{profile.title} {profile.fit}",
    )


def _serve(asked: Scenario) -> Answer:
    """Answer what a batch of requests takes."""
    model = asked.network
    if not isinstance(model, Transformer):
        msg = f"{asked.where}: serving needs a decoder transformer, as Llama3_8B is; got {model}"
        raise ArgumentError(msg)
    result = ServingModel().solve(model, asked.device, **asked.step())
    return Answer(
        scenario=asked,
        shown=(result,),
        figures=FrozenMap(figures_of(result, REQUESTS, fits=result.fits)),
        time="latency",
        steps=FrozenMap({"Every further token": result.decode, "First token": result.prefill}),
        misfit="" if result.fits else f"{result.decode.title} {result.fit}",
    )


ASK: Final[Mapping[str, Callable[[Scenario], Answer]]] = {SOLVE: _solve, SERVE: _serve, TRAIN: train}
"""What answers each question."""


def answer(given: Namespace, command: str) -> Page:
    """Answer `solve`, `serve` and `train`."""
    return ASK[command](scenarios.given(given, command)).page(command)


def levers(result: SensitivityResult) -> Table:
    """Return elasticities, and what more of each resource would bring."""
    rows = [
        (
            str(lever),
            f"{exact:+.3f}",
            f"{result.speedup(lever, 1.1):.3f}x",
            f"{result.speedup(lever, 2):.3f}x",
        )
        for lever, exact in result.exact.items()
    ]
    return Table(("resource", "elasticity", "with 10 % more", "with twice"), rows)


def sensitivity(given: Namespace) -> Page:
    """Answer which resource is worth investing in."""
    asked = scenarios.given(given, "sensitivity")
    result = SensitivitySolver().solve(
        asked.network, asked.device, perturbation_pct=given.perturbation, **asked.step()
    )
    figures = {
        "binding_constraint": str(result.binding_constraint),
        **{f"elasticity_to_{lever}": value for lever, value in result.exact.items()},
        **figures_of(result.profile, STEP, fits=result.fits),
    }
    return Page(
        title=asked.title or result.title,
        parts=[Facts(result.rows()), levers(result)],
        data={
            "command": "sensitivity",
            "scenario": asked.where,
            "title": asked.title or result.title,
            "figures": plain(figures),
            "results": [{"title": result.title, **result.to_dict()}],
        },
        records=figures_table(figures),
        verdicts=judge(asked.limits, figures, why=f"{result.profile.title} {result.profile.fit}"),
    )


def synthesize(given: Namespace) -> Page:
    """Answer what hardware a latency needs."""
    asked = scenarios.given(given, "synthesize")
    target = asked.tables["target"]
    latency = asked.need(target.get("latency"), "which latency? Give [target] latency, or --target-latency")
    group = target.get("candidates", GROUPS[0])
    result = SynthesisSolver().solve(
        asked.network,
        Q_(latency),
        like=asked.hardware,
        candidates=list(getattr(Hardware, group.title())),
        **asked.step(),
    )
    figures = {
        "required_bandwidth": result.required_bw,
        "required_flops": result.required_flops,
        "required_memory": result.required_memory,
        "candidates_that_meet_it": len(result.meets),
        **figures_of(result.profile, STEP, fits=True),
    }
    met = [(hw.name, hw.figures["bandwidth"] / 1e12, hw.figures["capacity"] / 1e9) for hw in result.meets]
    missed = [(hw.name, reason) for hw, reason in result.misses]
    facts = [row for row in result.rows() if row[0] != "Met by"]
    return Page(
        title=asked.title or result.title,
        parts=[
            Facts([("Target latency", result.target_latency), *facts]),
            Table(
                ("device", "bandwidth [TB/s]", "memory [GB]"),
                met,
                f"Met by {len(met)} of {len(met) + len(missed)} in {group}",
            ),
        ],
        data={
            "command": "synthesize",
            "scenario": asked.where,
            "title": asked.title or result.title,
            "figures": plain(figures),
            "results": [{"title": result.title, **result.to_dict()}],
            "meets": [hw.name for hw in result.meets],
            "misses": dict(missed),
        },
        records=figures_table(figures),
        verdicts=judge(asked.limits, figures),
    )
