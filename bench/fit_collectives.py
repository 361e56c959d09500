"""Fit the calibration of collectives to published measurements, and say how well it predicts.

Run from the root of the repository::

    python -m bench.fit_collectives

It reads category 6 of ``data/measurements.csv``, prints which rows were not used and why, the parameters, the
errors in sample and cross-validated, and the band. A person copies them to
``mlsysim/core/collective_calibration.py``, the only place where they stand; a test fits again and compares.

Notes
-----
The fit minimises the mean of |ln(predicted / measured)| over rows. The parameters lie on a lattice, a step
for each digit that the preset states. The search goes to the best neighbour, two parameters at a time, with
steps that halve down to one. Nothing is drawn at random.
An error is that of the ratio: 25 % for a ratio of 1.25, and of 1/1.25.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.sample import Array
from mlsysim.core.collective_calibration import NCCL, CollectiveCalibration
from mlsysim.core.collectives import Level, collective_time
from mlsysim.core.constants import Q_
from mlsysim.mapping import NotMappedError
from mlsysim.mapping_collectives import CATEGORY, CollectiveRun, map_collective
from mlsysim.measurements import Measurement, read
from mlsysim.solvers.collective import CollectiveResult

TABLE: Final = Path(__file__).parents[1] / "data" / "measurements.csv"

LARGE: Final = 256 * 2**20
"""Bytes from which latency hardly matters. [B]"""


class Range(NamedTuple):
    """The values that a parameter may take, *low* to *high* steps of size *step*, and where to begin."""

    step: float
    low: int
    high: int
    start: int


LATTICE: Final = {
    "launch": Range(1e-6, 0, 200, 20),  # s
    "network_latency": Range(1e-6, 0, 500, 64),  # s
    "link_efficiency": Range(0.01, 1, 100, 80),
    "network_efficiency": Range(0.01, 1, 100, 80),
    "switch_efficiency": Range(0.01, 1, 100, 80),
}

HELD: Final = {name: NCCL.seconds[name] for name in ("link_latency", "switch_latency")}
"""What NCCL publishes; all rows but a few are too large to tell of it. [s]"""

REACH: Final = 16
"""Steps of the widest move."""


@dataclass(frozen=True)
class Sample:
    """A row and its run."""

    row: Measurement
    run: CollectiveRun

    @cached_property
    def asked(self) -> CollectiveResult:
        """The exchange: what is sent, and over which links."""
        return self.run.solve()

    @cached_property
    def seconds(self) -> float:
        """The measured time. [s]"""
        return self.asked.seconds / float(np.exp(self.score(self.asked.calibration)))

    @property
    def hardware(self) -> str:
        """The device."""
        return self.row["hardware_key"]

    @property
    def is_large(self) -> bool:
        """Whether the tensor is so large that latency hardly matters."""
        return self.asked.size >= LARGE

    def score(self, calibration: CollectiveCalibration) -> float:
        """Return ln(predicted / measured time), by the public API."""
        rate = -1.0 if self.run.metric != "time" else 1.0
        return float(rate * np.log(self.run.predict(calibration) / self.row.value))

    def errors(self, values: Mapping[str, Array]) -> Array:
        """Return ln(predicted / measured time) for arrays of parameters."""
        levels = []
        for i, (link, devices) in enumerate(self.asked.parts):
            side = "network" if i else "link"
            adds = link.name in NCCL.adding_switches
            levels.append(
                Level(
                    devices=devices,
                    bandwidth=link.bandwidth_si,
                    latency=values[f"{side}_latency"],
                    efficiency=values[f"{side}_efficiency"],
                    switch_latency=values["switch_latency"],
                    switch_efficiency=values["switch_efficiency"] if adds else None,
                )
            )
        asked, algorithm = self.asked, self.run.algorithm
        seconds = collective_time(asked.collective, asked.size, levels, algorithm, launch=values["launch"])
        return np.asarray(np.log(seconds / self.seconds))


GROUPS: Final[dict[str, Callable[[Sample], str]]] = {
    "hardware": lambda sample: sample.hardware,
    "source": lambda sample: sample.row["source"],
    "hardware x devices": lambda sample: f"{sample.hardware} x {sample.run.devices}",
}
"""What cross-validation may leave out together; of two sources, one has nearly all rows."""

LEFT_OUT: Final = "hardware"


def load(table: Path = TABLE) -> tuple[list[Sample], Counter[str]]:
    """Return the runs of the category, and how many rows have none by reason."""
    samples: list[Sample] = []
    skipped: Counter[str] = Counter()
    for row in read(table):
        if row["category"] == CATEGORY:
            try:
                samples.append(Sample(row, map_collective(row)))
            except NotMappedError as reason:
                skipped[str(reason)] += 1
    return samples, skipped


def errors(samples: Sequence[Sample], points: Array) -> Array:
    """Return ln(predicted / measured time) for each lattice point and run."""
    values = {name: points[:, i] * r.step for i, (name, r) in enumerate(LATTICE.items())}
    values |= {name: np.full(len(points), value) for name, value in HELD.items()}
    return np.stack([np.broadcast_to(s.errors(values), len(points)) for s in samples], axis=1)


def fit(samples: Sequence[Sample]) -> Array:
    """Return the lattice point of least mean error, as far as the search sees."""
    ranges = list(LATTICE.values())
    low, high = np.array([float(r.low) for r in ranges]), np.array([float(r.high) for r in ranges])
    moves = [m for m in itertools.product((-1.0, 0.0, 1.0), repeat=len(ranges)) if sum(map(abs, m)) <= 2]
    steps = np.array(moves)
    point = np.array([float(r.start) for r in ranges])
    best = last = float(np.abs(errors(samples, point[np.newaxis])).mean())
    reach = REACH
    while True:
        near = np.clip(point + steps * reach, low, high)
        losses = np.abs(errors(samples, near)).mean(axis=1)
        index = int(losses.argmin())
        if losses[index] < best - 1e-12:
            point, best = near[index], float(losses[index])
        elif reach > 1:
            reach //= 2
        elif best < last - 1e-12:
            reach, last = REACH, best
        else:
            return point


def calibration(point: Array) -> CollectiveCalibration:
    """Return a lattice point as the preset holds it."""
    found = {name: float(x) * r.step for (name, r), x in zip(LATTICE.items(), point, strict=True)}
    return replace(
        NCCL,
        name="fitted",
        source="bench/fit_collectives.py",
        launch=Q_(round(found["launch"] * 1e6), "us"),
        network_latency=Q_(round(found["network_latency"] * 1e6), "us"),
        link_efficiency=round(found["link_efficiency"], 2),
        network_efficiency=round(found["network_efficiency"], 2),
        switch_efficiency=round(found["switch_efficiency"], 2),
    )


def unseen(samples: Sequence[Sample], left_out: str = LEFT_OUT) -> Array:
    """Return the error of each run by a fit that has not seen its group."""
    names = [GROUPS[left_out](sample) for sample in samples]
    found = np.empty(len(names))
    for name in sorted(set(names)):
        of = np.array([n == name for n in names])
        point = fit([s for s, out in zip(samples, of, strict=True) if not out])
        found[of] = errors([s for s, out in zip(samples, of, strict=True) if out], point[np.newaxis])[0]
    return found


def median_error(scores: Array) -> float:
    """Return the median error in percent."""
    return float(100 * np.expm1(np.median(np.abs(scores))))


def largest_error(scores: Array) -> float:
    """Return the largest error in percent."""
    return float(100 * np.expm1(np.abs(scores).max()))


def statement(samples: Sequence[Sample], chosen: CollectiveCalibration, validated: Array) -> str:
    """Return the errors in words, as the preset's source states them."""
    inside = np.array([sample.score(chosen) for sample in samples])
    large = np.array([sample.is_large for sample in samples])
    return (
        f"{len(samples)} rows, median error {median_error(inside):.1f} %, {median_error(validated):.1f} % "
        f"with each {LEFT_OUT} left out; from 256 MiB on ({large.sum()} rows) "
        f"{median_error(validated[large]):.1f} % with each {LEFT_OUT} left out, "
        f"at most {largest_error(validated[large]):.1f} %"
    )


def band(validated: Array) -> tuple[float, float]:
    """Return the 10th and 90th percentile of measured over predicted time, cross-validated."""
    low, high = np.exp(-np.quantile(validated, [0.9, 0.1]))
    return round(float(low), 2), round(float(high), 2)


def describe(chosen: CollectiveCalibration) -> str:
    """Return the parameters in the units in which the preset states them."""
    return ", ".join(f"{name} {getattr(chosen, name)}" for name in (*LATTICE, *HELD))


def report() -> None:
    """Fit and print everything that a reader needs to judge it."""
    samples, skipped = load()
    print(f"{CATEGORY}: {len(samples)} rows used, {skipped.total()} not:")
    for reason, number in skipped.most_common():
        print(f"  {number:>4}  {reason}")
    fitted = calibration(fit(samples))
    validated = unseen(samples)
    print(f"fitted:    {describe(fitted)}")
    print(f"preset:    {describe(NCCL)}")
    print(f"source:    {statement(samples, NCCL, validated)}")
    print(f"band:      {band(validated)}")
    inside = np.array([sample.score(fitted) for sample in samples])
    print(f"in sample: {median_error(inside):.1f} %, mean {100 * np.abs(inside).mean():.1f} %")
    for label in GROUPS:
        scores = validated if label == LEFT_OUT else unseen(samples, label)
        large = scores[[sample.is_large for sample in samples]]
        print(f"  each {label} left out: median {median_error(scores):.1f} %, from 256 MiB on "
              f"{median_error(large):.1f} %, at most {largest_error(large):.1f} %")  # fmt: skip
    print(f"  {'time, predicted over measured':<72}in sample  unseen")
    for sample, seen, not_seen in zip(samples, inside, validated, strict=True):
        told = f"{sample.hardware}, {sample.run.devices} devices, {sample.run.size}, {sample.row['model']}"
        print(f"  {told:<72}{np.exp(seen):>9.2f}{np.exp(not_seen):>8.2f}")


if __name__ == "__main__":
    report()
