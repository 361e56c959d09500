"""Measured runs as arrays: the time equation for many calibrations at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mlsysim.core.calibration import IDEAL, Calibration
from mlsysim.core.models import Phase
from mlsysim.core.roofline import Terms
from mlsysim.mapping import STACKS, Run
from mlsysim.measurements import Measurement

Array: TypeAlias = npt.NDArray[np.float64]

_TIMES: Final = frozenset({"ms", "s"})


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A row of the table, and the run that it describes.

    Parameters
    ----------
    row, run
        Both, as ``mlsysim validate`` sees them.
    """

    row: Measurement
    run: Run

    @property
    def source(self) -> str:
        """Who measured it."""
        return self.row["source"]

    @property
    def network(self) -> str:
        """What ran."""
        return self.run.model.name

    @property
    def pair(self) -> str:
        """Device and network."""
        return f"{self.run.hardware} x {self.run.model}"

    @property
    def stack(self) -> str:
        """The kind of software: the pattern of ``mapping.STACKS`` that it matches."""
        found = (p for p, _ in STACKS if re.search(p, self.row["software"], re.IGNORECASE))
        return next(found, "another")

    @property
    def phase(self) -> Phase:
        """The phase that the row tells of; most of a request's time goes into decoding."""
        return Phase.DECODE if self.run.metric.step == "request" else Phase(self.run.metric.step)

    @property
    def is_time(self) -> bool:
        """Whether a time was measured, and not a rate."""
        return self.run.metric.unit in _TIMES

    def score(self, calibration: Calibration) -> float:
        """Return ln(predicted / measured time)."""
        ratio = np.log(self.run.predict(calibration) / self.row.value)
        return float(ratio if self.is_time else -ratio)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The steps of many runs, and the time of each run under any parameters.

    Parameters
    ----------
    counts, first
        How often each step is taken; the index of each run's first step.
    measured
        Seconds of each run.
    terms
        What each step demands, by the name of a field of ``Terms``.
    launches, reductions
        Layers, and sums over devices, of each step.
    phases
        Phase of each step.
    """

    counts: Array
    first: npt.NDArray[np.int64]
    measured: Array
    terms: Mapping[str, Array]
    launches: Array
    reductions: Array
    phases: npt.NDArray[np.str_]

    def errors(self, values: Mapping[str, Array]) -> Array:
        """Return ln(predicted / measured) for each calibration (row) and run (column).

        Parameters
        ----------
        values
            Parameters by name, each of shape (calibrations, 1); a phase's share of peak by the phase's name.
        """
        share = sum(values[str(phase)] * (self.phases == phase) for phase in Phase)
        terms = {
            **self.terms,
            "compute_efficiency": share,
            "memory_efficiency": values["memory_efficiency"],
            "serial_fraction": values["serial_fraction"],
            "overhead": values["step_overhead"] + self.launches * values["layer_overhead"],
            "link_bandwidth": self.terms["link_bandwidth"] * values["link_efficiency"],
            "link_latency": self.reductions * values["link_latency"],
        }
        seconds = np.add.reduceat(self.counts * Terms(**terms).latency, self.first, axis=1)
        scores: Array = np.log(seconds / self.measured)
        return scores


_DEMANDS: Final = ("traffic", "peak", "bandwidth", "devices", "link_traffic", "link_bandwidth")


def steps(samples: Sequence[Sample], tile: int) -> Steps:
    """Return the steps of *samples* as arrays, matrix products padded to *tile* rows."""
    runs = [sample.run.steps(IDEAL) for sample in samples]
    flat = [pair for run in runs for pair in run]
    profiles = [profile for _, profile in flat]
    ideal = [sum(count * p.terms.latency for count, p in run) for run in runs]
    terms = {name: np.array([float(getattr(p.terms, name)) for p in profiles]) for name in _DEMANDS}
    terms["flops"] = np.array([p.tp_size * p.work.padded(tile) for p in profiles])
    return Steps(
        counts=np.array([count for count, _ in flat]),
        first=np.cumsum([0, *map(len, runs[:-1])]),
        measured=np.array([t / np.exp(s.score(IDEAL)) for t, s in zip(ideal, samples, strict=True)]),
        terms=terms,
        launches=np.array([p.work.launches for p in profiles]),
        reductions=np.array([p.work.reductions if p.tp_size > 1 else 0 for p in profiles]),
        phases=np.array([str(p.phase) for p in profiles]),
    )
