"""Fit a calibration preset to published measurements, and say how well it predicts.

Run from the root of the repository::

    python -m bench.fit_calibration vision

It reads ``data/measurements.csv``, prints which rows were used and why the others were not, the
parameters, the errors in sample and cross-validated. A person copies the parameters and the errors
to ``mlsysim/core/calibration.py``, the only place where they stand; a test fits again and compares.

Notes
-----
The fit minimises the mean of |ln(predicted / measured)| over runs, each source weighing the same. The
parameters lie on a lattice, a step for each digit that ``calibration.py`` states, so the search is
over whole numbers: a coarse grid, then the best of it improved by moves to neighbours, whose distance
halves down to one step. Nothing is drawn at random. An error is predicted / measured time - 1, a bias
the geometric mean of predicted / measured - 1.
"""

import argparse
import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from mlsysim.core.calibration import IDEAL, PRESETS, Calibration
from mlsysim.core.constants import Q_
from mlsysim.core.engine import Engine
from mlsysim.core.errors import MissingSpecError, UnknownNameError
from mlsysim.core.models import ConvNet, Encoder, Model, Phase, VisionTransformer
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Terms
from mlsysim.core.specs import Accelerator
from mlsysim.registry import Hardware, Models, Registry

TABLE: Final = Path(__file__).parents[1] / "data" / "measurements.csv"

Row: TypeAlias = Mapping[str, str]
Array: TypeAlias = npt.NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a preset is fitted to, and which of its parameters are free.

    Parameters
    ----------
    category
        Category of the rows.
    stack, software
        Kind of software in words, and the pattern that its name in the table matches.
    free
        Names of the fitted parameters, keys of ``LATTICE``; the others are held at zero.
    tile
        Rows to which hardware pads matrix products; held, not fitted.
    """

    category: str
    stack: str
    software: str
    free: tuple[str, ...]
    tile: int


RECIPES: Final = {
    # step_overhead is held: all batch-1 rows are one network, so they fix only its sum with
    # layers x layer_overhead, and a compiled graph has no scheduler between steps. tile is that of
    # serving, since attention blocks run the same products; no row here depends on it.
    "vision": Recipe(
        category="5_vision_nlp_reco",
        stack="compiled (TensorRT, torch.compile)",
        software=r"TensorRT|_TRT\b|torch\.compile",
        free=("compute_efficiency", "memory_efficiency", "serial_fraction", "layer_overhead"),
        tile=8,
    ),
}
"""How each preset is fitted, by its name."""


@dataclass(frozen=True)
class Range:
    """The values that a parameter may take: *low* to *high* steps of size *step*."""

    step: float
    low: int
    high: int


LATTICE: Final = {
    "compute_efficiency": Range(0.01, 1, 100),
    "memory_efficiency": Range(0.01, 1, 100),
    "serial_fraction": Range(0.05, 0, 20),
    "step_overhead": Range(1e-4, 0, 200),  # s
    "layer_overhead": Range(5e-7, 0, 600),  # s
}


class UnusableRowError(Exception):
    """A row cannot be scored; the message is the reason under which it is counted."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One measured run, as the arguments of ``Engine.solve``, and its time in seconds."""

    source: str
    model: Model
    hardware: Accelerator
    batch: int
    precision: str
    prompt: int | None
    seconds: float

    def profile(self, calibration: Calibration) -> PerformanceProfile:
        """Return what the engine predicts."""
        asked = (self.model, self.hardware, self.batch, self.precision)
        return Engine.solve(*asked, phase=Phase.FORWARD, prompt=self.prompt, calibration=calibration)


GROUPS: Final[dict[str, Callable[[Run], str]]] = {
    "source": lambda run: run.source,
    "network": lambda run: run.model.name,
    "device x network": lambda run: f"{run.hardware} x {run.model}",
}
"""Ways to group runs, for errors by group and for what cross-validation leaves out together."""


def load(recipe: Recipe, table: Path = TABLE) -> list[Row]:
    """Return the rows of the recipe's category."""
    with table.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["category"] == recipe.category]


_UNITS: Final = {
    "inference_images_per_s": "img/s",
    "inference_sequences_per_s": "seq/s",
    "offline_samples_per_s": "samples/s",
    # The 90th percentile over one stream of equal samples, which lies close to the mean.
    "single_stream_p90_latency": "ms",
}
"""Metrics of a forward pass, each with its unit in the table."""

_OPAQUE: Final = re.compile(r"\bid \d+|\bstored\b", re.IGNORECASE)
_NAMED: Final = re.compile(r"github|arxiv|\w\.(?:ai|com|io|net|org)/", re.IGNORECASE)
_PRECISIONS: Final = {"fp16 amp": "fp16"}


def map_row(row: Row, recipe: Recipe) -> Run:
    """Return the run that a row describes.

    Raises
    ------
    UnusableRowError
        If the row lacks something, or describes something that the engine does not compute.
    """
    if row["metric"] not in _UNITS:
        raise UnusableRowError(f"not a forward pass of a network: {row['metric']}")
    if row["confidence"] not in {"high", "medium"}:
        raise UnusableRowError(f"confidence {row['confidence']}")
    if _OPAQUE.search(row["source_ref"]) and not _NAMED.search(row["source_ref"]):
        raise UnusableRowError("source that a reader cannot look up")
    if not re.search(recipe.software, row["software"]):
        raise UnusableRowError("another software stack")
    if row["n_devices"] != "1":
        raise UnusableRowError("several devices")
    if not row["batch_or_concurrency"].isdigit():
        raise UnusableRowError("batch not given as a number")
    model = _find(Models, "network", row["model"])
    hardware = _find(Hardware, "device", row["hardware_key"] or row["hardware"])
    if hardware.kind != "gpu":
        raise UnusableRowError(f"device is no GPU: {hardware}")
    if row["unit"] != (unit := _UNITS[row["metric"]]):
        raise ValueError(f"{row['id']}: {row['metric']} must be in {unit}; got {row['unit']!r}")
    batch, value = int(row["batch_or_concurrency"]), float(row["value"])
    run = Run(
        source=row["source"],
        model=model,
        hardware=hardware,
        batch=batch,
        precision=_precision(row, hardware),
        prompt=_prompt(row, model),
        seconds=value / 1e3 if unit == "ms" else batch / value,
    )
    try:
        run.profile(IDEAL)
    except MissingSpecError:
        raise UnusableRowError(f"no published {run.precision} peak: {hardware}") from None
    return run


def _find(registry: Registry[T], kind: str, name: str) -> T:
    try:
        return registry[name]
    except UnknownNameError:
        raise UnusableRowError(f"{kind} not in the zoo: {name}") from None


def _precision(row: Row, hardware: Accelerator) -> str:
    """Return the number format; no row says whether PyTorch's fp32 was TF32 where a device has both."""
    weights, arithmetic = row["precision_weights"], row["precision_compute"]
    name = _PRECISIONS.get(arithmetic, arithmetic)
    if weights != arithmetic or name not in PRECISIONS:
        raise UnusableRowError(f"number format not known: weights {weights}, compute {arithmetic}")
    if name == "fp32" and "tf32" in hardware.peak:
        raise UnusableRowError("fp32 or TF32: not stated")
    return name


def _prompt(row: Row, model: Model) -> int | None:
    """Return the tokens of an encoder's sequence, after a look at the image size of the others."""
    if isinstance(model, Encoder):
        if not row["input_len"].isdigit():
            raise UnusableRowError("sequence length not given as a number")
        return int(row["input_len"])
    if isinstance(model, ConvNet):
        size = model.input[1:]
    elif isinstance(model, VisionTransformer):
        size = (model.image, model.image)
    else:
        raise UnusableRowError(f"network has no forward phase: {model}")
    if not row["input_len"].startswith("{}x{}".format(*size)):
        raise UnusableRowError(f"image size not that of the network: {row['input_len']}")
    return None


def map_rows(rows: Iterable[Row], recipe: Recipe) -> tuple[list[Run], Counter[str]]:
    """Return the runs, and how many rows have none by reason; the two add up to the rows."""
    runs: list[Run] = []
    skipped: Counter[str] = Counter()
    for row in rows:
        try:
            runs.append(map_row(row, recipe))
        except UnusableRowError as reason:
            skipped[str(reason)] += 1
    return runs, skipped


def weights(runs: Sequence[Run]) -> Array:
    """Return the weight of each run: sources weigh the same, and so do the runs of one source."""
    size = Counter(run.source for run in runs)
    return np.array([1 / (len(size) * size[run.source]) for run in runs])


def objective(runs: Sequence[Run], tile: int) -> Callable[[Array], Array]:
    """Return the loss of lattice points, an array of shape (points, parameters)."""
    ideal = [run.profile(IDEAL) for run in runs]
    fixed = {n: np.array([getattr(p.terms, n) for p in ideal]) for n in ("traffic", "peak", "bandwidth")}
    flops = np.array([p.work.padded(tile) for p in ideal])
    launches = np.array([p.work.launches for p in ideal])
    measured, share = np.array([run.seconds for run in runs]), weights(runs)
    steps = np.array([r.step for r in LATTICE.values()])

    def loss(points: Array) -> Array:
        value = dict(zip(LATTICE, (points * steps).T[..., np.newaxis], strict=True))
        overhead = value.pop("step_overhead") + launches * value.pop("layer_overhead")
        latency = Terms(flops=flops, overhead=overhead, **fixed, **value).latency
        error: Array = np.abs(np.log(latency / measured)) @ share
        return error

    return loss


def fit(recipe: Recipe, runs: Sequence[Run]) -> Calibration:
    """Return the calibration of least loss on the lattice, as far as the search sees."""
    loss = objective(runs, recipe.tile)
    free = np.array([name in recipe.free for name in LATTICE])
    low = np.array([r.low for r in LATTICE.values()]) * free
    high = np.array([r.high for r in LATTICE.values()]) * free
    axes = [np.unique(np.linspace(a, b, 9).round()) for a, b in zip(low, high, strict=True)]
    grid = np.array(list(itertools.product(*axes)))
    starts = grid[np.argsort(loss(grid), kind="stable")[:24]]
    moves = np.array(list(itertools.product(*((-1, 0, 1) if f else (0,) for f in free))))
    found = [_descend(loss, start, moves, low, high) for start in starts]
    return calibration(recipe, min(found)[1])


def _descend(
    loss: Callable[[Array], Array], point: Array, moves: Array, low: Array, high: Array
) -> tuple[float, tuple[float, ...]]:
    """Go to the best neighbour while there is a better one; then come closer."""
    best = float(loss(point[np.newaxis])[0])
    reach = np.ceil((high - low) / 16)
    while True:
        near = np.clip(point + moves * reach, low, high)
        values = loss(near)
        index = int(values.argmin())
        if values[index] < best - 1e-12:
            point, best = near[index], float(values[index])
        elif reach.max() > 1:
            reach = np.ceil(reach / 2)
        else:
            return best, tuple(map(float, point))


def calibration(recipe: Recipe, point: Iterable[float]) -> Calibration:
    """Return the calibration at a lattice point."""
    value = {name: round(number * LATTICE[name].step, 9) for name, number in zip(LATTICE, point, strict=True)}
    return Calibration(
        name="fitted",
        source="bench/fit_calibration.py",
        compute_efficiency={Phase.FORWARD: value["compute_efficiency"]},
        memory_efficiency=value["memory_efficiency"],
        serial_fraction=value["serial_fraction"],
        step_overhead=Q_(value["step_overhead"], "s"),
        layer_overhead=Q_(value["layer_overhead"], "s"),
        tile=recipe.tile,
    )


def score(runs: Sequence[Run], chosen: Calibration) -> Array:
    """Return ln(predicted / measured) of each run, predicted by the engine."""
    return np.array([np.log(run.profile(chosen).terms.latency / run.seconds) for run in runs])


def cross_validate(
    recipe: Recipe, runs: Sequence[Run], group: Callable[[Run], str]
) -> tuple[Array, list[Calibration]]:
    """Return the score of each run by a fit that has not seen its group, and these fits."""
    scores, fits = np.empty(len(runs)), []
    for name in sorted({group(run) for run in runs}):
        left_out = np.array([group(run) == name for run in runs])
        fits.append(fit(recipe, [run for run in runs if group(run) != name]))
        scores[left_out] = score([run for run in runs if group(run) == name], fits[-1])
    return scores, fits


def median_error(scores: Array) -> float:
    """Return the median of |predicted / measured - 1| in percent."""
    return float(100 * np.median(np.abs(np.expm1(scores))))


def _line(label: str, scores: Array) -> str:
    bias = 100 * np.expm1(scores.mean())
    return f"  {label:<58}{len(scores):>4}{median_error(scores):>8.1f} %{bias:>+8.1f} %"


def describe(*fits: Calibration) -> str:
    """Return the parameters as ``calibration.py`` states them; of several fits, from least to most."""
    columns = {
        ("compute_efficiency", ".2f", ""): [f.efficiency(Phase.FORWARD) for f in fits],
        ("memory_efficiency", ".2f", ""): [f.memory_efficiency for f in fits],
        ("serial_fraction", ".2f", ""): [f.serial_fraction for f in fits],
        ("step_overhead", ".1f", " ms"): [f.step_seconds * 1e3 for f in fits],
        ("layer_overhead", ".1f", " us"): [f.layer_seconds * 1e6 for f in fits],
    }
    texts = []
    for (name, digits, unit), values in columns.items():
        ends = dict.fromkeys(format(end, digits) for end in (min(values), max(values)))
        texts.append(f"{name} {' to '.join(ends)}{unit}")
    return ", ".join(texts)


def report(name: str) -> None:
    """Fit the preset *name* and print everything that a reader needs to judge it."""
    recipe = RECIPES[name]
    rows = load(recipe)
    runs, skipped = map_rows(rows, recipe)
    print(f"{name}: {recipe.stack}; {len(rows)} rows of category {recipe.category}")
    print(f"  {len(runs)} mapped, {skipped.total()} not:")
    for reason, number in skipped.most_common():
        print(f"  {number:>4}  {reason}")
    fitted = fit(recipe, runs)
    print(f"fitted:    {describe(fitted)}")
    if name in PRESETS:
        print(f"preset:    {describe(PRESETS[name])}")
    scores = score(runs, fitted)
    print(f"loss {np.abs(scores) @ weights(runs):.4f}")
    print(f"  {'':<58}runs  median |error|  bias")
    print(_line("in sample", scores))
    for label in ("source", "device x network"):
        unseen, fits = cross_validate(recipe, runs, GROUPS[label])
        print(_line(f"cross-validated, {label} left out", unseen))
        print(f"    {describe(*fits)}")
    for label in ("source", "network"):
        print(f"in sample by {label}")
        key = GROUPS[label]
        for value in sorted({key(run) for run in runs}):
            chosen = np.array([key(run) == value for run in runs])
            print(_line(value, scores[chosen]))
    print(Engine.solve(Models["ResNet-50"], Hardware["H100 SXM"], 256, calibration=fitted))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fit a calibration preset.")
    parser.add_argument("preset", choices=sorted(RECIPES))
    report(parser.parse_args(arguments).preset)


if __name__ == "__main__":
    main()
