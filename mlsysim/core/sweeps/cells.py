"""Cells of a sweep: each choice of network, device and format, checked as a single step is."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, NoReturn

from mlsysim.core import calibration as calibrations
from mlsysim.core.arguments import Arguments
from mlsysim.core.arrays import numpy
from mlsysim.core.calibration import Calibration
from mlsysim.core.errors import ArgumentError, MissingSpecError
from mlsysim.core.models import Model, Phase
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.specs import Accelerator
from mlsysim.core.step import check_pair, evaluate, lengths_of, limits, phase_of, shards_of
from mlsysim.core.sweeps.axes import Axis, counts, things
from mlsysim.core.sweeps.run import Grid
from mlsysim.core.systems import Link

THINGS: Final = ("model", "hardware", "precision", "calibration", "tp_size")
NUMBERS: Final = ("batch_size", "context", "prompt")


class Refusals(NamedTuple):
    """Codes of the reasons for which single points of a cell have no answer; 0 where that cannot be."""

    cached: int
    read: int
    endless: int


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One choice of everything that has a name: what an array of steps has in common.

    Parameters
    ----------
    model, hardware, precision, phase, calibration, efficiency, tp_size, link
        As for ``evaluate``.
    context, prompt
        Tokens where they are no axis of the sweep; None where they are.
    refusals
        Codes of its reasons.
    """

    model: Model
    hardware: Accelerator
    precision: Precision
    phase: Phase
    calibration: Calibration
    efficiency: float | None
    tp_size: int
    link: Link | None
    context: float | None
    prompt: float | None
    refusals: Refusals

    def step(self, batch: Any, context: Any, prompt: Any) -> tuple[Any, Any]:
        """Return work and terms of steps of this cell."""
        return evaluate(
            self.model,
            self.hardware,
            self.precision,
            self.phase,
            self.calibration,
            batch=batch,
            context=context if self.context is None else self.context,
            prompt=prompt if self.prompt is None else self.prompt,
            efficiency=self.efficiency,
            tp_size=self.tp_size,
            link=self.link,
        )

    def refused(self, context: Any, prompt: Any, latency: Any) -> Any:
        """Return the code of the reason why a point has no answer; 0 where it has one."""
        np = numpy()
        codes, refusals = np.uint16(0), self.refusals
        if refusals.endless:
            codes = np.where(np.isfinite(latency), codes, np.uint16(refusals.endless))
        for tokens, limit, code in zip((context, prompt), limits(self.model), refusals[:2], strict=True):
            if code:
                codes = np.where(tokens > limit, np.uint16(code), codes)
        return codes


class Reasons:
    """Why points have no answer, each said once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def code(self, text: str) -> int:
        """Return the code of a reason: one more than its place."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


@dataclass(frozen=True, eq=False)
class Cells:
    """A grid of cells, and why some of them, or some of their points, have no answer.

    Parameters
    ----------
    grid
        The cells.
    codes
        The code of each cell's reason, of the grid's whole shape; 0 where it has an answer.
    reasons
        What the codes say.
    """

    grid: Grid
    codes: Any
    reasons: tuple[str, ...]


def axes_of(values: Mapping[str, Any]) -> tuple[tuple[Axis, ...], dict[str, Any]]:
    """Return axes, and the arguments that are none, of the arguments of ``Engine.sweep``.

    Raises
    ------
    ArgumentError
        If an argument has no usable value; all that are wrong are named at once.
    """
    given = Arguments("Engine.sweep")
    fixed = {name: values[name] for name in ("phase", "link", "efficiency")}
    if fixed["efficiency"] is not None:
        given.fraction("efficiency", fixed["efficiency"])
    read = {
        "model": lambda value: value,
        "hardware": lambda value: value,
        "precision": lambda value: given.take(parse_precision, value, PRECISIONS["fp16"]),
        "calibration": lambda value: given.take(calibrations.preset, value, calibrations.IDEAL),
    }
    axes: list[Axis] = []
    for name in (*THINGS, *NUMBERS):
        value = values[name]
        if value is None:
            fixed[name] = None
            continue
        axis, several = (
            things(given, name, value, read[name])
            if name in read
            else counts(given, name, value, least=0 if name == "context" else 1)
        )
        if several:
            axes.append(axis)
        else:
            only = axis.entries[0]
            fixed[name] = only.item() if hasattr(only, "dtype") else only
    chosen = {axis.name: axis.entries for axis in axes}
    models, devices = (chosen.get(n, (fixed.get(n),)) for n in ("model", "hardware"))
    for model, hardware in itertools.zip_longest(models, devices, fillvalue=None):
        check_pair(given, model if model is not None else models[0], hardware or devices[0])
    given.close()
    return tuple(axes), fixed


def cells_of(axes: tuple[Axis, ...], fixed: Mapping[str, Any]) -> Cells:
    """Return the cells of a sweep.

    Raises
    ------
    ArgumentError, MissingSpecError
        If no cell has an answer.
    """
    np = numpy()
    named = {axis.name: axis for axis in axes}
    choices = [named[name].entries if name in named else (fixed[name],) for name in THINGS]
    rows = {
        name: np.asarray(named[name].entries, dtype=float) if name in named else fixed[name]
        for name in NUMBERS
    }
    reasons = Reasons()
    cells: list[Cell | None] = []
    codes: list[int] = []
    errors: list[Exception] = []
    for choice in itertools.product(*choices):
        try:
            cells.append(_cell(choice, fixed, rows, reasons))
            codes.append(0)
        except (ArgumentError, MissingSpecError) as error:
            errors.append(error)
            cells.append(None)
            codes.append(reasons.code(str(error)))
    if not any(cells):
        _refuse(errors)
    numbers = tuple(
        np.array([0.0]) if values is None else np.atleast_1d(np.asarray(values, dtype=float))
        for values in rows.values()
    )
    shape = tuple(len(values) for values in choices)
    chunks = tuple(named[name].chunks if name in named else None for name in NUMBERS)
    grid = Grid(shape, cells, numbers, chunks)
    return Cells(grid, np.array(codes, dtype=np.uint16).reshape((*shape, 1, 1, 1)), tuple(reasons.texts))


def _cell(choice: Any, fixed: Mapping[str, Any], rows: Mapping[str, Any], reasons: Reasons) -> Cell:
    """Return one cell, or raise what a single step of it would."""
    model, hardware, precision, calibration, tp_size = choice
    given = Arguments("Engine.sweep")
    phase = phase_of(given, model, fixed["phase"])
    ends = {name: _ends(values) for name, values in rows.items()}
    cached, tokens = lengths_of(given, model, phase, ends["context"][0], ends["prompt"][0])
    shards = shards_of(given, model, tp_size, fixed["link"])
    if given.faults:
        raise ArgumentError("; ".join(map(str, given.faults)))
    long_cache, long_text = (
        reasons.code(f"more tokens than the context of {model}, {limit:,} tokens")
        if (ends[name][1] or 0) > limit
        else 0
        for name, limit in zip(("context", "prompt"), limits(model), strict=True)
    )
    cell = Cell(
        model=model,
        hardware=hardware,
        precision=precision,
        phase=phase,
        calibration=calibrations.default(model, phase) if calibration is None else calibration,
        efficiency=fixed["efficiency"],
        tp_size=shards,
        link=fixed["link"],
        context=None if rows["context"] is not None else cached,
        prompt=None if rows["prompt"] is not None else tokens,
        refusals=Refusals(long_cache, long_text, 0),
    )
    most = [float(ends[name][1] or 0) for name in NUMBERS]
    _, terms = cell.step(*most)
    if math.isfinite(terms.latency):
        return cell
    endless = reasons.code(f"the step of {model} on {hardware} takes longer than a float can hold")
    return replace(cell, refusals=Refusals(long_cache, long_text, endless))


def _ends(values: Any) -> tuple[int | None, int | None]:
    """Return the least and the largest of an axis, or twice the single value."""
    if values is None or isinstance(values, int):
        return values, values
    return int(values.min()), int(values.max())


def _refuse(errors: list[Exception]) -> NoReturn:
    """Raise what all cells complain about."""
    said = list(dict.fromkeys(map(str, errors)))
    shown = "".join(f"\n  - {text}" for text in said[:3]) if len(said) > 1 else f" {said[0]}"
    more = f"\n  and {len(said) - 3} more reasons" if len(said) > 3 else ""
    msg = f"Engine.sweep(): no point has an answer:{shown}{more}"
    kind = MissingSpecError if all(isinstance(e, MissingSpecError) for e in errors) else ArgumentError
    raise kind(msg)
