"""Each row of a table of facts about whole training runs as a call of the public API.

A row that has none raises :class:`~mlsysim.mapping.NotMappedError`, as in ``mlsysim.mapping``. What a row
states besides its value is an input: tokens for device-hours, those and power for emissions, FLOP for days.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Q_
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.training import Attention
from mlsysim.core.errors import UnknownNameError
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Zero
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Datacenter, Grid
from mlsysim.mapping import NotMappedError, device, missing_figure
from mlsysim.mapping_training import TrainingRun, map_training
from mlsysim.measurements import Measurement
from mlsysim.registry import Infrastructure, Models
from mlsysim.solvers.sustainability import SustainabilityModel
from mlsysim.solvers.training import TrainingModel

CATEGORY: Final = "7_run_facts"

METRICS: Final = {
    "pretraining_gpu_hours": "GPU-hours",
    "pretraining_emissions": "tCO2eq",
    "ideal_training_days": "days",
}
"""Metrics that are predicted, each with its unit."""

_INPUTS: Final = frozenset({"restarts", "machine_failures_per_day", "storage_sustained_throughput"})
"""Metrics that solvers ask for: rates of failure and of storage are measured, not computed."""

_SEQUENCE: Final = 8192
"""Tokens of a sequence where none is stated, or the network's context if that is less; as for Llama 3."""

_TOKENS: Final = re.compile(r"(\S+) (?:up to |~)?(\d+(?:\.\d+)?)T\b\+?(?P<distilled> \(distilled[^)]*\))?")
"""Names that share a count of tokens, the count, and whether other networks' passes come on top."""

_ENERGY: Final = re.compile(r"GPU-hours x (\d+) W = (\d+(?:\.\d+)?) MWh")
_FLOP: Final = re.compile(r"(\d+(?:\.\d+)?[eE]\d+)/\(")


@dataclass(frozen=True, kw_only=True)
class DeviceHours:
    """A run's device-hours from its tokens: a bound, since nothing is lost between devices or in restarts.

    Parameters
    ----------
    model, hardware, prompt, tokens
        As ``TrainingModel.solve`` takes them.
    calibration
        Name of the preset.
    remarks
        What was assumed.
    """

    model: Transformer
    hardware: Accelerator
    prompt: int
    tokens: float
    remarks: tuple[str, ...]
    calibration: str = "training"

    def predict(self, calibration: str | Calibration | None = None) -> float:
        """Return the predicted hours of all devices together. [h]"""
        chosen = self.calibration if calibration is None else calibration
        run = TrainingModel().solve(
            self.model, self.hardware, prompt=self.prompt, tokens=self.tokens, calibration=chosen
        )
        return float(run.device_hours.to("hour").magnitude)


@dataclass(frozen=True, kw_only=True)
class Emissions:
    """A run's emissions from its device-hours and the power of a device, which are stated.

    Parameters
    ----------
    hardware, hours, power, grid, site
        As ``SustainabilityModel.solve`` takes them. [h, W]
    remarks
        What was assumed.
    """

    hardware: Accelerator
    hours: float
    power: float
    grid: Grid
    site: Datacenter
    remarks: tuple[str, ...]
    calibration: str | None = None

    def predict(self, _: str | Calibration | None = None) -> float:
        """Return the predicted emissions; no calibration enters. [t]"""
        run = SustainabilityModel().solve(
            self.hardware,
            duration=Q_(self.hours, "hour"),
            power=Q_(self.power, "W"),
            grid=self.grid,
            pue=self.site,
        )
        return float(run.operational_carbon.to("tonne").magnitude)


@dataclass(frozen=True, kw_only=True)
class RunDays:
    """Days of a run without a failure, from the FLOP that it took.

    Parameters
    ----------
    run
        The step, whose executed FLOP/s are predicted.
    flop
        FLOP of the whole run, recomputation counted.
    remarks
        What was assumed.
    """

    run: TrainingRun
    flop: float
    remarks: tuple[str, ...]

    @property
    def calibration(self) -> str:
        """Name of the preset."""
        return self.run.calibration

    def predict(self, calibration: str | Calibration | None = None) -> float:
        """Return the predicted days."""
        rate = self.run.predict(calibration) * 1e12 * self.run.split.devices
        return self.flop / rate / 86_400


FactRun = DeviceHours | Emissions | RunDays


def map_fact(row: Measurement) -> FactRun:
    """Return the run that a fact is about.

    Raises
    ------
    NotMappedError
        If the row lacks something, or states what a solver asks for.
    """
    if row["confidence"] == "low":
        raise NotMappedError("confidence low")
    metric = row["metric"]
    if metric in _INPUTS:
        raise NotMappedError(f"an input of the solvers, not an answer: {metric}")
    if METRICS.get(metric) != row["unit"]:
        raise NotMappedError(f"metric not covered: {metric} in {row['unit']}")
    if metric == "pretraining_gpu_hours":
        return _device_hours(row)
    return _emissions(row) if metric == "pretraining_emissions" else _days(row)


def is_sourced_fact(row: Measurement) -> bool:
    """Return whether the row asks for an answer, and its device has a card with the figures for it."""
    try:
        hardware = device(row)
    except NotMappedError:
        return False
    if row["metric"] == "pretraining_emissions":
        return True
    return row["metric"] in METRICS and not missing_figure(hardware, PRECISIONS["bf16"])


def _device_hours(row: Measurement) -> DeviceHours:
    hardware, model = device(row), _model(row["model"])
    if gap := missing_figure(hardware, PRECISIONS["bf16"]):
        raise NotMappedError(gap)
    if model.experts:
        raise NotMappedError("one device's step is no bound where experts are spread over many")
    length = row["input_len"]
    prompt = int(length) if length.isdigit() and int(length) else min(model.context, _SEQUENCE)
    return DeviceHours(
        model=model,
        hardware=hardware,
        prompt=prompt,
        tokens=_tokens(row),
        remarks=(
            "a bound: nothing lost between devices or in restarts",
            *(() if length else (f"sequence not stated, taken as {prompt:,}",)),
            *(() if row["precision_compute"] else ("number format not stated, taken as bf16",)),
        ),
    )


def _tokens(row: Measurement) -> float:
    """Return the tokens that the notes state for the row's network."""
    parts = set(row["model"].split("-"))
    for match in _TOKENS.finditer(row["notes"]):
        if parts & set(match[1].removeprefix("Llama-").split("/")):
            if match["distilled"]:
                raise NotMappedError("distilled from larger networks, whose passes are not counted")
            return float(match[2]) * 1e12
    raise NotMappedError("tokens not stated")


def _model(name: str) -> Transformer:
    try:
        found = Models[name]
    except UnknownNameError:
        raise NotMappedError(f"network not in the zoo: {name}") from None
    if not isinstance(found, Transformer):
        raise NotMappedError(f"runs are those of decoder transformers: {found}")
    return found


def _emissions(row: Measurement) -> Emissions:
    hardware, stated = device(row), _ENERGY.search(row["notes"])
    if stated is None or not float(stated[1]):
        raise NotMappedError("device-hours and power not stated")
    if "Meta" not in row["software"]:
        raise NotMappedError(f"site and grid not known: {row['software'] or 'empty'}")
    grid, site = Infrastructure.Grids.United_States, Infrastructure.Datacenters.Meta
    return Emissions(
        hardware=hardware,
        hours=float(stated[2]) * 1e6 / float(stated[1]),
        power=float(stated[1]),
        grid=grid,
        site=site,
        remarks=(f"grid not stated, taken as {grid}", f"PUE not stated, taken as that of {site}"),
    )


def _days(row: Measurement) -> RunDays:
    """Return the run of a row whose parallelism is that of a training run."""
    stated = _FLOP.search(row["notes"])
    if stated is None:
        raise NotMappedError("FLOP not stated")
    step = replace(row, cells={**row.cells, "metric": "hardware_tflops_per_gpu", "unit": "TFLOP/s/GPU"})
    run = map_training(step)
    remarks = ["recomputation not stated, taken as full, all pairs of tokens counted"]
    whole = run.batch_size // run.split.dp_size
    if run.split.zero_stage is Zero.WEIGHTS:
        remarks.append(f"microbatch not stated, taken as all {whole} sequences of a copy, as FSDP takes them")
        run = replace(run, microbatch_size=whole)
    return RunDays(
        run=replace(run, recompute=Recompute.FULL, attention=Attention.FULL),
        flop=float(stated[1]),
        remarks=tuple(remarks),
    )
