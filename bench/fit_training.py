"""Fit the ``training`` preset to published training runs, and say how well it predicts.

Run from the root of the repository::

    python -m bench.fit_training

It reads ``data/measurements.csv``, prints which rows were used and why the others were not, the parameters,
the errors in sample and with each source left out, and the band. A person copies them to
``mlsysim/core/calibration.py``, the only place where they stand; a test scores them again.

Notes
-----
One row of each run is used: tables give tokens and FLOP of the same step. The fit minimises the mean of
|ln(predicted / measured)| over a lattice: a coarse grid, then moves to neighbours, whose distance halves down
to one step. An error is that of the ratio: 25 % for a ratio of 1.25, and of 1/1.25.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mlsysim.core import collective_calibration as collectives
from mlsysim.core.counting.sharding import Microbatch, stage_work
from mlsysim.core.errors import MLSysError
from mlsysim.core.training_step import exchanges, idle_microbatches
from mlsysim.mapping_training import CATEGORY, TrainingRun, map_training
from mlsysim.measurements import Measurement, read

TABLE: Final = Path(__file__).parents[1] / "data" / "measurements.csv"

STEPS: Final = {
    "compute_efficiency": (0.01, 30, 100),
    "attention_efficiency": (0.05, 2, 20),
    "memory_efficiency": (0.01, 5, 100),
    "serial_fraction": (0.05, 0, 20),
    "layer_overhead": (5e-6, 0, 60),
}
"""Size of a step of each parameter, and its least and greatest value in steps; the last is in seconds."""

TILE: Final = 8
"""Rows to which products are padded: without effect on the thousands of rows of a training step."""

_POINTS, _STARTS, _REACH = 7, 6, 16

Array = npt.NDArray[np.float64]
Point = tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """A run of the table, with all that does not depend on the calibration.

    Parameters
    ----------
    row, run
        Both, as ``mlsysim validate`` sees them.
    """

    row: Measurement
    run: TrainingRun

    @property
    def source(self) -> str:
        """Who measured it."""
        return self.row["source"]

    @property
    def key(self) -> tuple[object, ...]:
        """What tells runs apart, whatever of them was measured."""
        r = self.run
        asked = (
            r.model,
            r.fleet.name,
            r.precision,
            r.batch_size,
            r.split,
            r.prompt,
            r.microbatch_size,
            r.recompute,
        )
        return (self.source, self.row["software"], *asked)

    def terms(self) -> list[float]:
        """Return times at full rates, and what turns the time of a step into measured over predicted time."""
        run = self.run
        r = run.solve("ideal")
        micro = Microbatch(
            sequences=run.microbatch_size,
            prompt=run.prompt,
            count=r.step.microbatches,
            recompute=run.recompute,
        )
        work = stage_work(run.model, run.precision, run.split, micro)
        device = run.fleet.node.accelerator
        sent = exchanges(
            run.model,
            run.precision,
            run.split,
            run.fleet,
            collectives.NCCL,
            micro=micro,
            held=r.memory.held,
            gradient_bytes=r.memory.optimizer.gradient,
        )
        measured = self.row.value
        if self.row["unit"] != "s":  # a rate: the time is what the ideal step takes at that rate
            measured = r.step.total * run.predict("ideal") / self.row.value
        return [
            (work.padded(TILE) - work.other) / r.terms.peak,
            work.other / device.require_peak(run.precision.scores),
            work.traffic / r.terms.bandwidth,
            work.launches,
            sent.tensor + sent.expert + sent.context + sent.pipeline,
            sent.data,
            r.memory.update_bytes / r.terms.bandwidth,
            micro.count + idle_microbatches(run.split, micro.count),
            measured,
        ]


def load(table: Path = TABLE) -> tuple[list[Sample], Counter[str]]:
    """Return one sample of each run, and how many rows have none by reason."""
    samples: dict[tuple[object, ...], Sample] = {}
    skipped: Counter[str] = Counter()
    for row in read(table):
        if row["category"] != CATEGORY:
            continue
        try:
            sample = Sample(row, map_training(row))
            sample.run.solve("ideal")
        except MLSysError as reason:
            skipped[str(reason).splitlines()[0]] += 1
            continue
        if sample.key in samples:
            skipped["another figure of the same run"] += 1
        samples.setdefault(sample.key, sample)
    return list(samples.values()), skipped


def ratios(terms: Array, p: Mapping[str, float]) -> Array:
    """Return measured over predicted step time, by the equation of ``core/training_step.py``."""
    products, scores, traffic, launches, inside, data, update, rounds, measured = terms.T
    compute = (products + scores / p["attention_efficiency"]) / p["compute_efficiency"]
    memory = traffic / p["memory_efficiency"]
    busy = np.maximum(compute, memory) + p["serial_fraction"] * np.minimum(compute, memory)
    each = busy + launches * p["layer_overhead"] + inside
    found: Array = measured / (rounds * each + data + update / p["memory_efficiency"])
    return found


def fit(terms: Array) -> dict[str, float]:
    """Return the parameters that minimise the mean absolute logarithm of the ratio."""

    def values(point: Point) -> dict[str, float]:
        return {name: round(size * n, 9) for (name, (size, *_)), n in zip(STEPS.items(), point, strict=True)}

    def loss(point: Point) -> float:
        return float(np.mean(np.abs(np.log(ratios(terms, values(point))))))

    axes = [[round(x) for x in np.linspace(low, high, _POINTS)] for _, low, high in STEPS.values()]
    starts = sorted(itertools.product(*axes), key=loss)[:_STARTS]
    return values(min((descend(loss, start) for start in starts), key=loss))


def descend(loss: Callable[[Point], float], start: Point) -> Point:
    """Return where moves of one or two parameters lower the loss no more."""
    bounds = [(low, high) for _, low, high in STEPS.values()]
    moves = [m for m in itertools.product((-1, 0, 1), repeat=len(start)) if sum(map(abs, m)) in {1, 2}]
    point, best, reach = start, loss(start), _REACH
    while reach:
        near = [
            tuple(min(max(x + reach * d, lo), hi) for x, d, (lo, hi) in zip(point, move, bounds, strict=True))
            for move in moves
        ]
        found = min(near, key=loss)
        if loss(found) < best - 1e-12:
            point, best = found, loss(found)
        else:
            reach //= 2
    return point


def errors(found: Array) -> Array:
    """Return the error of each ratio, the same for a half and for the double."""
    symmetric: Array = np.exp(np.abs(np.log(found))) - 1
    return symmetric


def left_out(samples: Sequence[Sample], terms: Array) -> Array:
    """Return the ratio of each run, predicted by a fit to the other sources."""
    found = np.empty(len(samples))
    for source in sorted({s.source for s in samples}):
        mine = np.array([s.source == source for s in samples])
        found[mine] = ratios(terms[mine], fit(terms[~mine]))
    return found


def main() -> None:
    """Fit, and print."""
    samples, skipped = load()
    terms = np.array([s.terms() for s in samples])
    sources = Counter(s.source for s in samples)
    print(f"{len(samples)} runs of {len(sources)} sources; rows that are not used, by reason:")
    print(*(f"  {n:4} {reason}" for reason, n in skipped.most_common()), sep="\n")
    p = fit(terms)
    print(*(f"  {name} = {value:g}" for name, value in p.items()), sep="\n")
    inside, outside = ratios(terms, p), left_out(samples, terms)
    print("median error in sample, and with each source left out:")
    for source in ("", *sources):
        mine = [source in {"", s.source} for s in samples]
        both = (f"{np.median(errors(found[mine])):7.1%}" for found in (inside, outside))
        print(*both, f"{sum(mine):4}", source or "all")
    low, high = np.quantile(outside, [0.1, 0.9])
    print(f"band of measured over predicted time, each source left out: {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
