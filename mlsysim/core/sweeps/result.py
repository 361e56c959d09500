"""What a sweep answers: arrays over named axes, with every point that was asked for in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlsysim.core.arrays import numpy
from mlsysim.core.errors import ArgumentError, suggestion
from mlsysim.core.specs import FrozenMap
from mlsysim.core.sweeps import choice, export
from mlsysim.core.sweeps.axes import Axis, listed
from mlsysim.core.sweeps.choice import Point
from mlsysim.core.sweeps.columns import Column
from mlsysim.format import Shown, number

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class SweepResult(Shown):
    """Answers over a grid.

    Every array has one dimension for each of ``dims``, in that order; an argument that was given a single
    value has none. Points that do not fit are kept and marked in ``feasible``; points without an answer are
    kept, marked in ``missing``, and hold NaN.

    Parameters
    ----------
    axes
        What varies.
    fixed
        What does not, by argument.
    columns
        The answers, by name.
    feasible
        Whether each point fits.
    reasons
        Why points have no answer.
    reason_codes
        For each point 0, or one more than the place of its reason.
    ask
        The scalar call that answers a single point.
    """

    axes: tuple[Axis, ...]
    fixed: Mapping[str, Any]
    columns: Mapping[str, Column]
    feasible: Any
    reasons: tuple[str, ...]
    reason_codes: Any
    ask: Callable[..., Any] = field(repr=False)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes, in the order of the arrays' dimensions."""
        return tuple(axis.name for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def size(self) -> int:
        """Points."""
        product = 1
        for axis in self.axes:
            product *= len(axis)
        return product

    @property
    def coords(self) -> Mapping[str, Any]:
        """Labels of each axis, by its name."""
        return FrozenMap({axis.name: axis.labels for axis in self.axes})

    @property
    def missing(self) -> Any:
        """Which points have no answer; ``reasons`` says why."""
        return self.reason_codes != 0

    @property
    def answered(self) -> Any:
        """Which points have an answer."""
        return self.reason_codes == 0

    @property
    def missing_count(self) -> int:
        """How many points have no answer."""
        return int(self.missing.sum()) if self.reasons else 0

    @property
    def is_lazy(self) -> bool:
        """Whether the arrays are Dask's, whose numbers are computed when they are asked for."""
        return hasattr(self.feasible, "dask")

    def __getitem__(self, name: str) -> Any:
        """Return an answer at every point: a quantity, numbers, or words."""
        if name not in self.columns:
            msg = f"this sweep has no output {name!r}. {suggestion(str(name), self.columns)}"
            raise ArgumentError(msg)
        return self.columns[name].shown()

    def compute(self) -> "SweepResult":
        """Return the result with its arrays here; itself where they are."""
        if not self.is_lazy:
            return self
        dask: Any = import_module("dask")  # it is there, or the result were not lazy

        names = list(self.columns)
        *values, feasible, codes = dask.compute(
            *(self.columns[name].data for name in names), self.feasible, self.reason_codes
        )
        columns = {name: replace(self.columns[name], data=v) for name, v in zip(names, values, strict=True)}
        return replace(self, columns=FrozenMap(columns), feasible=feasible, reason_codes=codes)

    def sel(self, **where: Any) -> "SweepResult":
        """Return the part of the sweep at some values of its axes.

        Parameters
        ----------
        **where
            By axis: a value or its label, whose dimension goes, or several of them.

        Raises
        ------
        ArgumentError
            If there is no such axis, or no such value on it.
        """
        self._check_names(where)
        result = self
        for name, wanted in where.items():
            at = result.dims.index(name)
            axis, several = result.axes[at], listed(wanted)
            places = axis.place(wanted) if several is None else [axis.place(each) for each in several]
            index = (slice(None),) * at + (places,)
            kept = list(result.axes)
            fixed = dict(result.fixed)
            if isinstance(places, int):
                del kept[at]
                fixed[name] = axis.entries[places]
            else:
                kept[at] = axis.part(places)
            result = replace(
                result,
                axes=tuple(kept),
                fixed=FrozenMap(fixed),
                columns=FrozenMap({n: c.part(index) for n, c in result.columns.items()}),
                feasible=result.feasible[index],
                reason_codes=result.reason_codes[index],
            )
        return result

    def _check_names(self, where: Mapping[str, Any]) -> None:
        for name in where:
            if name not in self.dims:
                msg = f"{name!r} is no axis of this sweep. {suggestion(name, self.dims)}"
                raise ArgumentError(msg)

    def at(self, **where: Any) -> Any:
        """Return the whole answer at one point, solved once more by the scalar call.

        Parameters
        ----------
        **where
            A value or its label for every axis that has more than one.

        Raises
        ------
        ArgumentError
            If an axis is left out, or a value is not on it.
        MLSysError
            What the scalar call raises, at a point that is missing.
        """
        return self.ask(**self._arguments(self._place(where)))

    def point(self, **where: Any) -> Point:
        """Return question and answer at one point, without solving it again.

        Parameters
        ----------
        **where
            As for ``at``.
        """
        return self._point(self._place(where))

    def _place(self, where: Mapping[str, Any]) -> tuple[int, ...]:
        self._check_names(where)
        left = [axis.name for axis in self.axes if axis.name not in where and len(axis) > 1]
        if left:
            msg = f"say where on {', '.join(left)}: at({left[0]}=…)"
            raise ArgumentError(msg)
        return tuple(axis.place(where[axis.name]) if axis.name in where else 0 for axis in self.axes)

    def _arguments(self, place: tuple[int, ...]) -> dict[str, Any]:
        coords = {axis.name: axis.entries[i] for axis, i in zip(self.axes, place, strict=True)}
        plain = {name: value.item() if hasattr(value, "dtype") else value for name, value in coords.items()}
        return {**self.fixed, **plain}

    def _point(self, place: tuple[int, ...]) -> Point:
        np = numpy()
        arguments = self._arguments(place)
        code = int(np.asarray(self.reason_codes[place]))
        return Point(
            coords=FrozenMap({name: value for name, value in arguments.items() if value is not None}),
            values=FrozenMap({name: column.at(place) for name, column in self.columns.items()}),
            feasible=bool(np.asarray(self.feasible[place])),
            missing=self.reasons[code - 1] if code else "",
            solve=lambda: self.ask(**arguments),
        )

    def best(
        self, objective: str, *, maximize: bool | None = None, infeasible: bool = False, **bounds: str
    ) -> Point:
        """Return the point with the best value of one answer, among those that fit.

        Parameters
        ----------
        objective
            An answer: most ``throughput``, least ``latency`` or ``memory``.
        maximize
            Whether more of it is better; known for throughput and the like, false for others.
        infeasible
            Rank points that do not fit too; the point that is returned says whether it does.
        **bounds
            What must hold besides, by answer or axis: ``latency="<= 50 ms"``.

        Raises
        ------
        DoesNotFitError
            If no point fits, or none that fits meets the bounds.
        ArgumentError
            If there is no such answer, or a bound cannot be read.
        """
        score = choice.scores(self, objective, maximize=maximize)
        usable = choice.candidates(self, bounds, infeasible=infeasible)
        return self._point(choice.best(self, score, usable))

    def pareto(
        self, x: str, y: str, *, maximize: tuple[str, ...] = (), infeasible: bool = False, **bounds: str
    ) -> tuple[Point, ...]:
        """Return the points that no other beats in *x* and *y* at once, among those that fit.

        Parameters
        ----------
        x, y
            Answers, or axes of numbers such as ``tp_size``.
        maximize
            Those of the two of which more is better, besides throughput and the like.
        infeasible, **bounds
            As for ``best``.

        Returns
        -------
        tuple of Point
            From the best *x* to the best *y*; one for each pair of values.
        """
        if self.is_lazy:
            msg = "a front needs all points at once: call compute() first, or take a part with sel()"
            raise ArgumentError(msg)
        shape = self.shape
        known = dict.fromkeys(maximize, True)
        first, second = (choice.scores(self, name, maximize=known.get(name)) for name in (x, y))
        usable = choice.candidates(self, bounds, infeasible=infeasible)
        places = numpy().transpose(numpy().unravel_index(choice.front(first, second, usable), shape))
        return tuple(self._point(tuple(int(i) for i in place)) for place in places)

    def to_pandas(self) -> "DataFrame":
        """Return a table with one row a point; a column's unit stands in its heading.

        Returns
        -------
        pandas.DataFrame
            In the order of the grid. Words are categories, missing values NaN; ``missing`` says why.
        """
        return export.to_pandas(self.compute())

    def to_xarray(self) -> "Dataset":
        """Return a data set with one dimension an axis (needs xarray, in the extra ``scale``).

        Returns
        -------
        xarray.Dataset
            Lazy where the sweep is. Words are codes, with the words in the attributes.
        """
        return export.to_xarray(self)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        many = " x ".join(f"{len(axis):,}" for axis in self.axes)
        return (
            f"Sweep of {self.size:,} points ({many})"
            if len(self.axes) > 1
            else f"Sweep of {self.size:,} points"
        )

    def rows(self) -> list[tuple[str, Any]]:
        """Return the axes, and the range of every answer."""
        rows: list[tuple[str, Any]] = [(axis.name, str(axis)) for axis in self.axes]
        rows += [(name, str(value)) for name, value in self.fixed.items() if value is not None]
        if self.is_lazy:
            return [*rows, ("state", "on the cluster; compute() brings it here")]
        rows += [(name, self._range(column)) for name, column in self.columns.items()]
        rows.append(("feasible", f"{int(self.feasible.sum()):,} of {self.size:,}"))
        if self.missing_count:
            first, *others = self.reasons
            more = f", and {len(others):,} more reasons" if others else ""
            rows.append(("missing", f"{self.missing_count:,}: {first}{more}"))
        return rows

    def _range(self, column: Column) -> str:
        """Say from where to where the answers of points that fit go."""
        np = numpy()
        chosen = self.feasible if self.feasible.any() else self.answered
        if column.words:
            values, many = np.unique(column.data[chosen], return_counts=True)
            return ", ".join(f"{column.words[int(v)]} {n:,}" for v, n in zip(values, many, strict=True))
        values = column.data[chosen] / column.scale
        return f"{number(float(values.min()))} to {number(float(values.max()))} {column.units}".rstrip()
