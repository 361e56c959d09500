"""`train`: a step on a fleet, a run, or both."""

from typing import Any, Final

from mlsysim.commands.answer import Answer, figures_of
from mlsysim.commands.scenario import Scenario
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism
from mlsysim.core.specs import FrozenMap
from mlsysim.core.systems import Fleet
from mlsysim.format import Shown
from mlsysim.solvers.distributed import DistributedModel, DistributedResult
from mlsysim.solvers.parallelism import ParallelismOptimizer
from mlsysim.solvers.training import TrainingModel

RUN: Final = ("duration", "device_hours", "throughput", "mfu", "fits")
STEP: Final = ("step_latency", "throughput", "fits")
_FLEET_ONLY: Final = ("microbatch_size", "recompute")


def network(asked: Scenario) -> Transformer:
    """Return the decoder transformer that is trained.

    Raises
    ------
    ArgumentError
        If it is another network.
    """
    if not isinstance(asked.network, Transformer):
        msg = f"{asked.where}: training needs a decoder transformer, as Llama3_8B is; got {asked.network}"
        raise ArgumentError(msg)
    return asked.network


def train(asked: Scenario) -> Answer:
    """Answer a training scenario."""
    return _on_one(asked) if asked.fleet is None else _on_fleet(asked)


def _on_one(asked: Scenario) -> Answer:
    """Answer without a fleet: devices lose nothing between them, or the utilisation is stated."""
    fleet_only = [
        *(f"[workload] {key}" for key in _FLEET_ONLY if key in asked.workload),
        *(f"[parallelism] {key}" for key in asked.tables["parallelism"]),
    ]
    if fleet_only:
        msg = f"{asked.where}: {', '.join(fleet_only)}: name a fleet that is split, as [hardware] fleet"
        raise ArgumentError(msg)
    asked.need(asked.workload.get("tokens"), "how long is the run? Give [workload] tokens, or --tokens")
    devices: dict[str, Any] = {} if asked.devices is None else {"devices": asked.devices}
    run = TrainingModel().solve(network(asked), asked.device, **asked.workload, **devices)
    fits = run.fits is not False
    return Answer(
        scenario=asked,
        shown=(run,),
        figures=FrozenMap(figures_of(run, RUN, fits=fits)),
        time="duration",
        misfit="" if fits else f"{run.title} {run.fit}",
    )


def _on_fleet(asked: Scenario) -> Answer:
    """Answer with a fleet: the step of its split, and the run where it is said how long."""
    if "mfu" in asked.workload:
        msg = f"{asked.where}: [workload] mfu is for a run without a fleet; a fleet's is computed"
        raise ArgumentError(msg)
    step = step_of(asked, asked.need(asked.fleet, "no fleet is named"))
    shown: tuple[Shown, ...] = (step,)
    figures = {**figures_of(step, STEP, fits=step.fits), "mfu": step.mfu() if step.fits else None}
    tokens = asked.workload.get("tokens")
    if tokens is not None:
        run = TrainingModel().solve(
            step.model, asked.device, precision=step.precision, tokens=tokens, step=step
        )
        shown = (step, run)
        figures |= figures_of(run, ("duration", "device_hours"), fits=step.fits)
    return Answer(
        scenario=asked,
        shown=shown,
        figures=FrozenMap(figures),
        time="step_latency" if tokens is None else "duration",
        misfit="" if step.fits else f"{step.title} {step.fit}",
    )


def step_of(asked: Scenario, fleet: Fleet) -> DistributedResult:
    """Return a step of the split that is given, or of the best one if none is.

    Raises
    ------
    ArgumentError
        If the batch or the sequence is not said.
    """
    model = network(asked)
    batch = asked.need(
        asked.workload.get("batch_size"), "how large is the global batch? Give [workload] batch_size"
    )
    prompt = asked.need(asked.workload.get("prompt"), "how long is a sequence? Give [workload] prompt")
    options: dict[str, Any] = {
        key: asked.workload[key] for key in ("precision", "calibration") if key in asked.workload
    }
    chosen = {key: asked.workload[key] for key in _FLEET_ONLY if key in asked.workload}
    if asked.tables["parallelism"]:
        split = Parallelism(**asked.tables["parallelism"])
        if asked.devices not in {None, split.devices}:
            msg = (
                f"{asked.where}: [parallelism] {split} needs {split.devices:,} devices; [hardware] devices "
                f"says {asked.devices:,}"
            )
            raise ArgumentError(msg)
        return DistributedModel().solve(model, fleet, batch, prompt=prompt, split=split, **options, **chosen)
    tried: dict[str, Any] = {}
    if "microbatch_size" in chosen:
        tried["microbatch_sizes"] = (chosen["microbatch_size"],)
    if "recompute" in chosen:
        tried["recomputes"] = (chosen["recompute"],)
    found = ParallelismOptimizer().solve(
        model, fleet, batch, prompt=prompt, devices=asked.devices, **tried, **options
    )
    return found.best or found.refused[0]
