"""Choosing among the points of a sweep: the best one, and those that no other beats in both of two things."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mlsysim.core.arrays import numpy
from mlsysim.core.constants import Q_
from mlsysim.core.errors import ArgumentError, DoesNotFitError, suggestion
from mlsysim.core.sweeps.columns import Answers
from mlsysim.format import Shown, plain

MORE_IS_BETTER: Final = frozenset(
    {"throughput", "goodput", "mfu", "mbu", "max_concurrency", "tokens_per_joule"}
)
"""Answers of which a reader wants more; of all others, less."""

_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Point(Shown):
    """One point of a sweep.

    Parameters
    ----------
    coords
        What was asked, by argument.
    values
        What was answered, by name.
    feasible
        Whether it fits.
    missing
        Why there is no answer; empty where there is one.
    solve
        Asks again, for the whole answer.
    """

    coords: Mapping[str, Any]
    values: Mapping[str, Any]
    feasible: bool
    missing: str
    solve: Callable[[], Any] = field(compare=False)

    @property
    def title(self) -> str:
        """What this is."""
        return "Point of a sweep"

    def rows(self) -> list[tuple[str, Any]]:
        """Return question and answer."""
        pairs = [*self.coords.items(), *self.values.items()]
        state = f"no answer: {self.missing}" if self.missing else self.feasible
        return [*((_label(name), str(v) if not _is_number(v) else v) for name, v in pairs), ("Fits", state)]

    def to_dict(self) -> dict[str, Any]:
        """Return the point as plain data, unrounded."""
        return {
            **{name: plain(value) for name, value in (*self.coords.items(), *self.values.items())},
            "feasible": self.feasible,
            "missing": self.missing,
        }


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float) or hasattr(value, "units")


def numbers(result: Answers, name: str) -> tuple[Any, str]:
    """Return an answer or an axis as numbers at every point, and their unit.

    Raises
    ------
    ArgumentError
        If there is none of that name, or it is no number.
    """
    for i, axis in enumerate(result.axes):
        if axis.name == name and axis.is_number:
            shape = [1] * len(result.axes)
            shape[i] = len(axis)
            return numpy().broadcast_to(numpy().asarray(axis.labels).reshape(shape), result.shape), axis.units
    column = result.columns.get(name)
    if column is None or column.words:
        able = [n for n, c in result.columns.items() if not c.words] + [
            axis.name for axis in result.axes if axis.is_number
        ]
        msg = f"{name!r} is no number of this sweep. {suggestion(str(name), able)}"
        raise ArgumentError(msg)
    return column.magnitude, column.units


def candidates(result: Answers, bounds: Mapping[str, str], *, infeasible: bool) -> Any:
    """Return which points have an answer, fit and meet every bound, or say why none does.

    Raises
    ------
    ArgumentError
        If a bound is not written as ``"<= 50 ms"``.
    DoesNotFitError
        If no point is left.
    """
    usable = result.answered if infeasible else result.feasible
    if not bool(usable.any()):
        msg = (
            f"no point of this sweep fits: {int(result.answered.sum()):,} do not, {result.missing_count:,} "
            f"have no answer. Ask with infeasible=True to rank those that do not fit."
        )
        raise DoesNotFitError(msg)
    for name, bound in bounds.items():
        met = usable & _met(result, name, bound)
        if not bool(met.any()):
            msg = f"no point of this sweep that fits has {name} {bound}"
            raise DoesNotFitError(msg)
        usable = met
    return usable


def _met(result: Answers, name: str, bound: Any) -> Any:
    values, units = numbers(result, name)
    for sign, compare in _COMPARE.items():
        if isinstance(bound, str) and bound.startswith(sign):
            limit = Q_(bound.removeprefix(sign).strip())
            return compare(values, limit.to(units).magnitude if units else limit.to("").magnitude)
    example = f"<= 50 {units}".rstrip()
    msg = f"a bound on {name} is a text with a comparison, as in {example!r}; got {bound!r}"
    raise ArgumentError(msg)


def scores(result: Answers, name: str, *, maximize: bool | None) -> Any:
    """Return an answer so that less is better."""
    values, _ = numbers(result, name)
    more = name in MORE_IS_BETTER if maximize is None else maximize
    return -values if more else values


def best(result: Answers, score: Any, usable: Any) -> tuple[int, ...]:
    """Return the place of the least score among the usable points, the first of equals."""
    np = numpy()
    flat = int(np.argmin(np.where(usable, score, np.inf)))
    return tuple(int(i) for i in np.unravel_index(flat, result.shape))


def front(xs: Any, ys: Any, usable: Any) -> Sequence[int]:
    """Return the places, in the flat order, of points that no other beats or equals in both scores.

    Of points that are equal in both, the first stands for all.

    Examples
    --------
    >>> import numpy as np
    >>> [int(i) for i in front(np.array([1, 2, 3, 3]), np.array([9, 5, 7, 1]), np.array([True] * 4))]
    [0, 1, 3]
    """
    np = numpy()
    places = np.flatnonzero(usable)
    x, y = np.ravel(xs)[places], np.ravel(ys)[places]
    order = np.lexsort((y, x))
    y = y[order]
    before = np.minimum.accumulate(y)
    kept = np.ones(len(y), dtype=bool)
    kept[1:] = y[1:] < before[:-1]
    chosen: Sequence[int] = places[order[kept]]
    return chosen
