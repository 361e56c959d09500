"""Axes of a grid: what varies, in which order, under which labels; and the blocks that a grid is cut into."""

import itertools
import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pint

from mlsysim.core.arguments import Arguments
from mlsysim.core.arrays import numpy
from mlsysim.core.errors import ArgumentError, suggestion

T = TypeVar("T")

_LARGEST = 2**53


@dataclass(frozen=True, eq=False)
class Axis:
    """One direction of a grid.

    Parameters
    ----------
    name
        The argument that varies.
    entries
        What it is given, in order.
    labels
        The same as text or as numbers, for tables and figures.
    units
        The unit of labels that are numbers with one.
    chunks
        How a Dask array cut the axis; None if it was none.

    Examples
    --------
    >>> Axis("precision", ("fp16", "int8"), ("fp16", "int8")).place("int8")
    1
    """

    name: str
    entries: Sequence[Any]
    labels: Sequence[Any]
    units: str = ""
    chunks: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_number(self) -> bool:
        """Whether the labels are numbers, which have an order and a size."""
        return not isinstance(self.labels[0], str)

    @property
    def heading(self) -> str:
        """The name, with the unit in brackets where there is one."""
        return f"{self.name} [{self.units}]" if self.units else self.name

    def place(self, wanted: Any) -> int:
        """Return where a value stands, given itself or its label.

        Raises
        ------
        ArgumentError
            If it is not on the axis.
        """
        if isinstance(wanted, pint.Quantity) and self.units:
            wanted = wanted.to(self.units).magnitude
        pairs = zip(self.entries, self.labels, strict=True)
        places: list[int] = (
            numpy().flatnonzero(self.labels == wanted).tolist()
            if self.is_number
            else [i for i, pair in enumerate(pairs) if any(x is wanted or x == wanted for x in pair)]
        )
        if places:
            return places[0]
        known = f"it has {self}" if self.is_number else suggestion(str(wanted), self.labels)
        msg = f"{self.name} {wanted!s} is not on the axis; {known}"
        raise ArgumentError(msg)

    def part(self, places: slice | Sequence[int]) -> "Axis":
        """Return the axis with some of its values."""
        if isinstance(places, slice):
            return Axis(self.name, self.entries[places], self.labels[places], self.units)
        values, labels = (tuple(which[i] for i in places) for which in (self.entries, self.labels))
        return Axis(self.name, values, numpy().array(labels) if self.is_number else labels, self.units)

    def __str__(self) -> str:
        if len(self) > 6 or self.is_number:
            ends = f"{self.labels[0]} to {self.labels[-1]}" if len(self) > 1 else f"{self.labels[0]}"
            return f"{len(self):,} values, {ends} {self.units}".rstrip()
        return ", ".join(map(str, self.labels))


def listed(value: Any) -> list[Any] | None:
    """Return the values of an axis, or None for a single value.

    Examples
    --------
    >>> listed(range(3)), listed("fp16"), listed(8)
    ([0, 1, 2], None, None)
    """
    if isinstance(value, pint.Quantity):
        return list(value) if getattr(value.magnitude, "ndim", 0) else None
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return None
    return list(value)


def things(given: Arguments, name: str, value: Any, read: Callable[[Any], T]) -> tuple[Axis, bool]:
    """Return an axis of things with names, and whether it is one or a single value.

    Parameters
    ----------
    given
        Notes what is wrong.
    name
        The argument's name.
    value
        One thing, or several.
    read
        Checks and parses one.
    """
    items = listed(value)
    several = items is not None
    if items == []:
        given.fault(f"{name} must hold at least one value; it is empty")
    values = [read(item) for item in (items if items is not None else [value])]
    labels = [str(v) for v in values]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice and not given.faults:
        given.fault(
            f"{name} holds {', '.join(map(repr, twice))} more than once; each needs a name of its own"
        )
    return Axis(name, tuple(values), tuple(labels)), several


def anything(given: Arguments, name: str, items: Sequence[Any]) -> Axis:
    """Return an axis of numbers, of quantities or of things with names, whichever they are."""
    np = numpy()
    if items and all(isinstance(item, pint.Quantity) for item in items):
        units = items[0].units
        labels = np.array([item.to(units).magnitude for item in items])
        return Axis(name, tuple(items), labels, f"{units:~P}")
    if items and all(isinstance(item, numbers.Real) and not isinstance(item, bool) for item in items):
        plain = tuple(item.item() if hasattr(item, "dtype") else item for item in items)
        return Axis(name, plain, np.array(plain))
    return things(given, name, items, lambda item: item)[0]


def counts(given: Arguments, name: str, value: Any, *, least: int = 1) -> tuple[Axis, bool]:
    """Return an axis of whole numbers, and whether it is one or a single value."""
    np = numpy()
    if not hasattr(value, "__array__") and listed(value) is None:
        return Axis(name, *[np.array([given.count(name, value, least=least)])] * 2), False
    array = np.asarray(value.compute() if is_dask(value) else value)
    if array.ndim == 0:
        return Axis(name, *[np.array([given.count(name, array[()], least=least)])] * 2), False
    if array.ndim != 1 or not array.size:
        given.fault(
            f"{name} must be one number or a row of at least one; got an array of shape {array.shape}"
        )
    elif array.dtype.kind not in "iu" or array.min() < least or array.max() > _LARGEST:
        given.fault(
            f"{name} must hold whole numbers from {least} to 2**53; got {array.dtype} from {array.min()} to "
            f"{array.max()} (numpy.geomspace(1, 256, 9, dtype=int) makes whole numbers)"
        )
    else:
        array = array.astype(np.int64)
        return Axis(name, array, array, chunks=value.chunks[0] if is_dask(value) else None), True
    return Axis(name, *[np.array([least])] * 2), True


def is_dask(value: Any) -> bool:
    """Return whether a value is a Dask array, without importing Dask."""
    return hasattr(value, "dask") and hasattr(value, "chunks")


def blocks(shape: Sequence[int], limit: int) -> Iterator[tuple[slice, ...]]:
    """Cut a grid into boxes of at most *limit* points, whole rows first.

    Examples
    --------
    >>> list(blocks((4, 3), 6))
    [(slice(0, 2, None), slice(0, 3, None)), (slice(2, 4, None), slice(0, 3, None))]
    """
    sides: list[int] = []
    for length in reversed(shape):
        sides.insert(0, max(1, min(length, limit // math.prod(sides))))
    starts = (range(0, length, side) for length, side in zip(shape, sides, strict=True))
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + side, length))
            for start, side, length in zip(corner, sides, shape, strict=True)
        )
