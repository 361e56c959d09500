"""Fit a calibration preset to published measurements, and say how well it predicts.

Run from the root of the repository::

    python -m bench.fit_calibration vision

It reads ``data/measurements.csv``, prints which rows were used and why the others were not, the
parameters, the errors in sample and cross-validated, and the band. A person copies them to
``mlsysim/core/calibration.py``, the only place where they stand; a test fits again and compares.

Notes
-----
The fit minimises the mean of |ln(predicted / measured)| over runs. The parameters lie on a lattice, a step
for each digit that ``calibration.py`` states, so the search is over whole numbers: a coarse grid, then the
best of it improved by moves to neighbours, whose distance halves down to one step.
Nothing is drawn at random. An error is that of the ratio: 25 % for a ratio of 1.25, and of 1/1.25.
"""

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from re import IGNORECASE, search
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.recipes import RECIPES, Recipe, Stage, parameters
from bench.sample import Array, Sample, steps
from mlsysim.core.calibration import IDEAL, PRESETS, Calibration
from mlsysim.core.constants import Q_
from mlsysim.core.models import Phase
from mlsysim.mapping import NotMappedError, map_row
from mlsysim.measurements import Measurement, read
from mlsysim.validation import spearman

TABLE: Final = Path(__file__).parents[1] / "data" / "measurements.csv"

LEAST_SOURCES = 3
"""Sources that a stage needs for one of them to be left out."""


LEAST_RUNS = 8
"""Runs that a phase needs for percentiles."""


class Range(NamedTuple):
    """The values that a parameter may take: *low* to *high* steps of size *step*."""

    step: float
    low: int
    high: int


LATTICE: Final = {
    "decode": Range(0.005, 1, 200),
    "prefill": Range(0.01, 1, 100),
    "forward": Range(0.01, 1, 100),
    "memory_efficiency": Range(0.01, 1, 100),
    "serial_fraction": Range(0.05, 0, 20),
    "layer_overhead": Range(5e-7, 0, 600),  # s
    "link_efficiency": Range(0.01, 1, 100),
    "link_latency": Range(5e-7, 0, 400),  # s
}

_POINTS: Final = {1: 41, 2: 21, 3: 15, 4: 9, 5: 6, 6: 5, 7: 4}
"""Points of the coarse grid on each axis, by the number of axes."""

_TIMES: Final = frozenset({"layer_overhead", "link_latency"})
"""Parameters that are times: the grid is closer where they are small."""

_FEW, _STARTS = 4, 6
"""Parameters that may change in one move, two if there are more; points from which the search descends."""

GROUPS: Final[dict[str, Callable[[Sample], str]]] = {
    "source": lambda sample: sample.source,
    "hardware x network": lambda sample: sample.pair,
    "stack": lambda sample: sample.stack,
}
"""What cross-validation may leave out together."""


def load(recipe: Recipe, table: Path = TABLE) -> tuple[list[Sample], Counter[str]]:
    """Return the runs of a recipe, and how many rows of its categories have none by reason."""
    samples: list[Sample] = []
    skipped: Counter[str] = Counter()
    for row in read(table):
        if row["category"] in recipe.categories:
            found = _sample(recipe, row)
            if isinstance(found, Sample):
                samples.append(found)
            else:
                skipped[found] += 1
    return samples, skipped


def _sample(recipe: Recipe, row: Measurement) -> Sample | str:
    """Return the run of a row, or why it is not used."""
    if not search(recipe.software, row["software"], IGNORECASE):
        return "another software stack"
    try:
        sample = Sample(row=row, run=map_row(row))
    except NotMappedError as reason:
        return str(reason)
    if sample.run.metric.step not in {step for stage in recipe.stages for step in stage.steps}:
        return f"not of the preset's steps: {sample.run.metric.step}"
    return sample if recipe.where(sample) else "not among the recipe's runs"


@dataclass(frozen=True)
class Problem:
    """The fit of one stage.

    Parameters
    ----------
    recipe, stage
        What is fitted.
    samples
        The stage's runs.
    held
        Every parameter by name; those of the stage are replaced.
    """

    recipe: Recipe
    stage: Stage
    samples: Sequence[Sample]
    held: Mapping[str, float]

    @cached_property
    def weights(self) -> Array:
        """The weight of each run."""
        size = Counter(s.source if self.stage.by_source else "" for s in self.samples)
        each = [size[s.source if self.stage.by_source else ""] for s in self.samples]
        return 1 / (len(size) * np.array(each))

    @cached_property
    def _ranges(self) -> list[Range]:
        return [LATTICE[name] for name in self.stage.free]

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        return np.array([float(r.low) for r in self._ranges]), np.array([float(r.high) for r in self._ranges])

    @cached_property
    def _grid(self) -> tuple[Array, Array]:
        """The coarse grid, and the error of each run at each of its points."""
        share = np.linspace(0, 1, _POINTS[len(self._ranges)])
        axes = []
        for name, r in zip(self.stage.free, self._ranges, strict=True):
            part = share**2 if name in _TIMES else share
            axes.append(np.unique((r.low + (r.high - r.low) * part).round()))
        points = np.array(list(itertools.product(*axes)))
        parts = [self.errors(part) for part in np.array_split(points, 1 + len(points) // 2000)]
        return points, np.abs(np.concatenate(parts))

    @cached_property
    def _moves(self) -> Array:
        together = 2 if len(self._ranges) > _FEW else _FEW
        moves = itertools.product((-1.0, 0.0, 1.0), repeat=len(self._ranges))
        return np.array([move for move in moves if sum(map(abs, move)) <= together])

    @cached_property
    def _steps(self) -> Callable[[Mapping[str, Array]], Array]:
        return steps(self.samples, self.recipe.tile).errors

    def errors(self, points: Array) -> Array:
        """Return ln(predicted / measured) for each lattice point and run."""
        values = {name: np.full((len(points), 1), value) for name, value in self.held.items()}
        for index, name in enumerate(self.stage.free):
            values[name] = points[:, index, np.newaxis] * LATTICE[name].step
        return self._steps(values)

    def fit(self, used: Array) -> Array:
        """Return the lattice point of least loss over the runs that are *used*, as far as the search sees."""
        share = self.weights * used
        points, errors = self._grid
        starts = points[np.argsort(errors @ share, kind="stable")[:_STARTS]]
        return min((self._descend(start, share) for start in starts), key=lambda found: found[0])[1]

    def _descend(self, point: Array, share: Array) -> tuple[float, Array]:
        """Go to the best neighbour while there is a better one; then come closer, and start again.

        Where batches are small, an overhead has a narrow valley, so it moves by single steps too.
        """
        low, high = self._ends
        reach = widest = np.ceil((high - low) / 16)
        best = last = float((np.abs(self.errors(point[np.newaxis])) @ share)[0])
        while True:
            fine = np.where([name in _TIMES for name in self.stage.free], 1, reach)
            near = np.clip(point + np.concatenate([self._moves * reach, self._moves * fine]), low, high)
            values = np.abs(self.errors(near)) @ share
            index = int(values.argmin())
            if values[index] < best - 1e-12:
                point, best = near[index], float(values[index])
            elif reach.max() > 1:
                reach = np.ceil(reach / 2)
            elif best < last - 1e-12:
                reach, last = widest, best
            else:
                return best, point

    @property
    def left_out(self) -> str:
        """What cross-validation leaves out together: a key of ``GROUPS``."""
        few = len({sample.source for sample in self.samples}) < LEAST_SOURCES
        return self.stage.left_out or ("hardware x network" if few else "source")

    def by_phase(self) -> dict[Phase, npt.NDArray[np.bool_]]:
        """Return which runs tell of each phase."""
        phases = [sample.phase for sample in self.samples]
        return {phase: np.array([p is phase for p in phases]) for phase in Phase if phase in phases}

    def unseen(self, left_out: str) -> Array:
        """Return the error of each run by a fit that has not seen its group."""
        names = np.array([GROUPS[left_out](sample) for sample in self.samples])
        errors = np.empty(len(names))
        for name in sorted(set(names)):
            point = self.fit(names != name)
            errors[names == name] = self.errors(point[np.newaxis])[0, names == name]
        return errors


@dataclass(frozen=True)
class Fitted:
    """A fitted preset.

    Parameters
    ----------
    recipe
        What it was fitted to.
    values
        Its parameters.
    problems
        Its stages.
    """

    recipe: Recipe
    values: Mapping[str, float]
    problems: tuple[Problem, ...]

    @property
    def calibration(self) -> Calibration:
        """The parameters as a preset holds them."""
        v = self.values
        return Calibration(
            name="fitted",
            source="bench/fit_calibration.py",
            compute_efficiency={phase: v[phase] for phase in self.recipe.phases},
            memory_efficiency=v["memory_efficiency"],
            serial_fraction=v["serial_fraction"],
            step_overhead=Q_(v["step_overhead"], "s"),
            layer_overhead=Q_(v["layer_overhead"], "s"),
            tile=self.recipe.tile,
            link_efficiency=v["link_efficiency"],
            link_latency=Q_(v["link_latency"], "s"),
        )

    @cached_property
    def unseen(self) -> dict[Phase, tuple[str, Array]]:
        """For each phase: what is left out, and the cross-validated errors."""
        found: dict[Phase, tuple[str, Array]] = {}
        for problem in self.problems:
            errors = problem.unseen(problem.left_out)
            for phase, of in problem.by_phase().items():
                found[phase] = (problem.left_out, errors[of])
        return found

    def inside(self, calibration: Calibration) -> dict[Phase, Array]:
        """Return the errors of each phase under a calibration."""
        found: dict[Phase, Array] = {}
        for problem in self.problems:
            errors = np.array([sample.score(calibration) for sample in problem.samples])
            found |= {phase: errors[of] for phase, of in problem.by_phase().items()}
        return found

    def statement(self, calibration: Calibration) -> str:
        """Return the errors in words, as the preset's source states them."""
        return "; ".join(
            f"{phase} {len(errors)} rows, median error {median_error(errors):.1f} %, "
            f"{median_error(self.unseen[phase][1]):.1f} % with each {self.unseen[phase][0]} left out"
            for phase, errors in self.inside(calibration).items()
        )

    @property
    def band(self) -> dict[Phase, tuple[float, float]]:
        """10th and 90th percentile of measured / predicted, cross-validated, by phase; none of a few runs."""
        enough = {p: errors for p, (_, errors) in self.unseen.items() if len(errors) >= LEAST_RUNS}
        ends = {phase: np.exp(-np.quantile(errors, [0.9, 0.1])) for phase, errors in enough.items()}
        return {phase: (round(float(low), 2), round(float(high), 2)) for phase, (low, high) in ends.items()}


def fit(recipe: Recipe, samples: Sequence[Sample]) -> Fitted:
    """Return the fit of a recipe to its runs."""
    values = {**parameters(IDEAL), **recipe.held}
    problems = []
    for stage in recipe.stages:
        chosen = [sample for sample in samples if sample.run.metric.step in stage.steps]
        problem = Problem(recipe, stage, chosen, dict(values))
        point = problem.fit(np.ones(len(chosen)))
        values |= {n: round(float(x) * LATTICE[n].step, 9) for n, x in zip(stage.free, point, strict=True)}
        problems.append(problem)
    return Fitted(recipe, values, tuple(problems))


def loss(fitted: Fitted, calibration: Calibration) -> list[float]:
    """Return the loss of each stage under a calibration."""
    return [float(np.abs([s.score(calibration) for s in p.samples]) @ p.weights) for p in fitted.problems]


def median_error(scores: Array) -> float:
    """Return the median error in percent."""
    return float(100 * np.expm1(np.median(np.abs(scores))))


def _line(label: str, scores: Array) -> str:
    bias = 100 * np.expm1(np.median(scores))
    return f"  {label:<58}{len(scores):>4}{median_error(scores):>8.1f} %{bias:>+8.1f} %"


def describe(calibration: Calibration) -> str:
    """Return the parameters in the units in which ``calibration.py`` states them."""
    scale = {"step_overhead": (1e3, " ms"), "layer_overhead": (1e6, " us"), "link_latency": (1e6, " us")}
    parts = []
    for name, value in parameters(calibration).items():
        factor, unit = scale.get(name, (1.0, ""))
        parts.append(f"{name} {value * factor:.4g}{unit}")
    return ", ".join(parts)


def report(name: str) -> None:
    """Fit the preset *name* and print everything that a reader needs to judge it."""
    recipe = RECIPES[name]
    samples, skipped = load(recipe)
    print(f"{name}: {recipe.software} in {', '.join(recipe.categories)}")
    print(f"  {len(samples)} rows used, {skipped.total()} not:")
    for reason, number in skipped.most_common():
        print(f"  {number:>4}  {reason}")
    fitted = fit(recipe, samples)
    print(f"fitted:    {describe(fitted.calibration)}")
    if name in PRESETS:
        print(f"preset:    {describe(PRESETS[name])}")
    print(f"source:    {fitted.statement(PRESETS.get(name, fitted.calibration))}")
    print(f"band:      { {str(phase): ends for phase, ends in fitted.band.items()} }")
    print(f"  {'time, predicted over measured':<58}rows  median |error|  bias")
    for phase, errors in fitted.inside(fitted.calibration).items():
        print(_line(f"{phase}, in sample", errors))
    for problem in fitted.problems:
        steps_of = " and ".join(problem.stage.steps)
        for label, key in GROUPS.items():
            if len({key(sample) for sample in problem.samples}) > 1:
                print(_line(f"{steps_of}, each {label} left out", problem.unseen(label)))
        inside = np.array([sample.score(fitted.calibration) for sample in problem.samples])
        seconds = np.log([sample.row.value for sample in problem.samples])
        signs = np.array([1.0 if sample.is_time else -1.0 for sample in problem.samples])
        for metric in sorted({sample.row["metric"] for sample in problem.samples}):
            of = np.array([sample.row["metric"] == metric for sample in problem.samples])
            rank = spearman(list(seconds[of]), list((seconds + signs * inside)[of]))
            print(f"  Spearman, {metric}: {'—' if rank is None else format(rank, '.3f')}")
        for label, key in GROUPS.items():
            print(f"{steps_of}, in sample by {label}")
            for value in sorted({key(sample) for sample in problem.samples}):
                print(_line(value[:56], inside[[key(sample) == value for sample in problem.samples]]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fit a calibration preset.")
    parser.add_argument("preset", choices=sorted(RECIPES))
    report(parser.parse_args(arguments).preset)


if __name__ == "__main__":
    main()
