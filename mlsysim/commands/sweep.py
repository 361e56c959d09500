"""`sweep`: a grid of steps in one call."""

import importlib.util
import re
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from typing import Any, Final

from mlsysim.commands import scenario as scenarios
from mlsysim.commands.limits import Limit, Verdict, compares, threshold
from mlsysim.commands.page import Facts, Page, Part, Prose, Table
from mlsysim.commands.scenario import Scenario
from mlsysim.core.engine import Engine
from mlsysim.core.errors import ArgumentError, UnknownNameError, suggestion
from mlsysim.core.sweeps.choice import Point
from mlsysim.core.sweeps.result import SweepResult
from mlsysim.format import number, plain
from mlsysim.registry import Hardware, Models

_RANGE: Final = re.compile(r"\s*(\d+)\s*\.\.\s*(\d+)\s*(?:\*\s*(\d+)\s*)?")
_LONGEST: Final = 10**7
_BLOCK: Final = 2**16
_CALLED: Final = {"devices": "tp_size"}


def sweep(given: Namespace) -> Page:
    """Answer every step of a grid.

    Raises
    ------
    ArgumentError
        If NumPy is not installed, or an argument has no usable value.
    """
    if importlib.util.find_spec("numpy") is None:
        msg = "a sweep needs NumPy: pip install 'mlsysim[arrays]'"
        raise ArgumentError(msg)
    if given.rows < 0:
        msg = f"--rows must be at least 0; got {given.rows}"
        raise ArgumentError(msg)
    asked = scenarios.given(given, "sweep")
    result = Engine.sweep(**_arguments(asked))
    chosen = _chosen(result, given)
    heads = _heads(result)
    listed = list(islice(_rows(result), given.rows))
    left = result.size - len(listed)
    caption = f"Points; {left:,} more in csv and json" if left else "Points"
    parts: list[Part] = [
        Facts(result.rows()),
        *(Facts([row for row in point.rows() if row[1] is not None], label) for label, point in chosen),
        *([Prose(["No point fits, so none is best."])] if _wants(given) and not chosen else []),
        *([Table(heads, listed, caption)] if listed else []),
    ]
    return Page(
        title=asked.title or result.title,
        parts=parts,
        data=_data(asked, result, chosen) if given.output == "json" else {},
        records=Table(heads, _rows(result)),
        verdicts=tuple(_judged(result, asked.limits)),
    )


def _arguments(asked: Scenario) -> dict[str, Any]:
    """Return the arguments of ``Engine.sweep``: those of a step, with lists in place of what varies."""
    varied = asked.tables["sweep"]
    where = f"{asked.where}: [sweep]"
    found: dict[str, Any] = {**asked.step()}
    for key, values in varied.items():
        if key in {"model", "hardware"}:
            look: Callable[[str], Any] = Models.__getitem__ if key == "model" else Hardware.__getitem__
            items = [scenarios.found(look, name, f"{where} {key}") for name in values]
        else:
            items = counted(values, f"{where} {key}") if isinstance(values, str) else list(values)
        found[_CALLED.get(key, key)] = items[0] if len(items) == 1 else items
    if "model" not in found:
        found["model"] = asked.network
    if "hardware" not in found:
        found["hardware"] = asked.device
    return found


def counted(text: str, where: str) -> list[int]:
    """Return the numbers of a range such as ``1..64``, or ``1..4096*2`` for each twice the one before.

    Raises
    ------
    ArgumentError
        If it is no range, runs backwards or stands still, or has more than ten million numbers.

    Examples
    --------
    >>> counted("1..16*4", "batch_size"), counted("3..5", "batch_size")
    ([1, 4, 16], [3, 4, 5])
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        msg = f"{where} must be a list or a range, as in '1..64' or '1..4096*2'; got {text!r}"
        raise ArgumentError(msg)
    first, last, factor = int(match[1]), int(match[2]), match[3]
    if last < first or (factor is not None and (int(factor) < 2 or first < 1)):
        msg = f"{where} must run upwards from its first number, by a factor of at least 2; got {text!r}"
        raise ArgumentError(msg)
    if factor is None and last - first >= _LONGEST:
        msg = f"{where} may hold at most {_LONGEST:,} numbers; got {text!r}"
        raise ArgumentError(msg)
    if factor is None:
        return list(range(first, last + 1))
    numbers = [first]
    while numbers[-1] * int(factor) <= last:
        numbers.append(numbers[-1] * int(factor))
    return numbers


def _chosen(result: SweepResult, given: Namespace) -> list[tuple[str, Point]]:
    """Return the points that were asked for; none where no point fits."""
    if not bool(result.feasible.any()):
        return []
    best = [] if given.best is None else [(f"Best {given.best}", result.best(given.best))]
    front = [] if given.pareto is None else list(result.pareto(*given.pareto))
    return [*best, *((f"Front, {i} of {len(front)}", point) for i, point in enumerate(front, start=1))]


def _wants(given: Namespace) -> bool:
    return given.best is not None or given.pareto is not None


def _heads(result: SweepResult) -> list[str]:
    answers = [f"{n} [{c.units}]" if c.units else n for n, c in result.columns.items()]
    return [*(axis.heading for axis in result.axes), *answers, "feasible", "missing"]


def _rows(result: SweepResult) -> Iterator[Sequence[Any]]:
    """Yield every point as plain values, in the order of the grid."""
    points = product(*([_item(label) for label in axis.labels] for axis in result.axes))
    columns = [(column.words, column.magnitude.ravel()) for column in result.columns.values()]
    feasible, codes = result.feasible.ravel(), result.reason_codes.ravel()
    reasons = ("", *result.reasons)
    for start in range(0, result.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        missing = codes[part].tolist()
        cells = [_answers(words, values[part].tolist(), missing) for words, values in columns]
        for i, fits in enumerate(feasible[part].tolist()):
            yield (*next(points), *(column[i] for column in cells), fits, reasons[missing[i]])


def _answers(words: Sequence[Any], values: Sequence[Any], missing: Sequence[int]) -> list[Any]:
    """Return numbers, or words by their codes; None where a point has no answer."""
    pairs = zip(values, missing, strict=True)
    return [None if code else str(words[value]) if words else value for value, code in pairs]


def _data(asked: Scenario, result: SweepResult, chosen: list[tuple[str, Point]]) -> dict[str, Any]:
    heads = [axis.name for axis in result.axes] + [*result.columns, "feasible", "missing"]
    units = {name: column.units for name, column in result.columns.items() if column.units}
    return {
        "command": "sweep",
        "scenario": asked.where,
        "title": asked.title or result.title,
        "axes": {axis.name: [plain(_item(label)) for label in axis.labels] for axis in result.axes},
        "fixed": {name: str(value) for name, value in result.fixed.items() if value is not None},
        "units": units,
        "points": [dict(zip(heads, row, strict=True)) for row in _rows(result)],
        "chosen": [{"why": why, **_strings(point)} for why, point in chosen],
    }


def _item(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _strings(point: Point) -> dict[str, Any]:
    return {key: value for key, value in point.to_dict().items() if value is not None}


def _judged(result: SweepResult, limits: Sequence[Limit]) -> Iterator[Verdict]:
    """Yield whether a point that fits keeps every limit: each looks at the points that the last one left."""
    left = result.feasible
    for limit in limits:
        many = int(left.sum())
        if limit.figure == "fits":
            met = compares(limit, many > 0)
            yield Verdict(limit, many > 0, met=met, says=f"{many:,} of {result.size:,} points fit")
            continue
        column = result.columns.get(limit.figure)
        if column is None or column.words:
            able = [*(n for n, c in result.columns.items() if not c.words), "fits"]
            near = suggestion(limit.figure, able)
            msg = f"{limit.where}: {limit.figure!r} is no number of this sweep. {near}"
            raise UnknownNameError(msg)
        if not many:
            yield Verdict(limit, None, met=False, says=f"{limit.figure} has no value: no point fits")
            continue
        compare, bound = threshold(limit, column.units)
        values = column.magnitude
        kept = left & compare(values, bound)
        low, high = (number(float(end)) for end in (values[left].min(), values[left].max()))
        ends = f"{low if low == high else f'{low} to {high}'} {column.units}".rstrip()
        if kept.any():
            left = kept
        over = f"over {many:,} of {result.size:,} points"
        says = f"{limit.figure} is {ends} {over}; {int(kept.sum()):,} keep {limit}"
        yield Verdict(limit, ends, met=bool(kept.any()), says=says)
