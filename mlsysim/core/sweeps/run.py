"""Running a grid: block by block here, as tasks on a cluster, or as Dask arrays that are computed later."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

from mlsysim.core.arrays import numpy
from mlsysim.core.sweeps.axes import blocks

BLOCK: Final = 2**16
"""Points that are computed at once: their arrays stay in a processor's cache."""

TASK: Final = 2**20
"""Points of one task on a cluster."""

Answer = Callable[[Any, Any, Any, Any], Mapping[str, Any]]
"""From a cell and three arrays that broadcast to an array for each field."""


@dataclass(frozen=True, eq=False)
class Fields:
    """What is kept for every point.

    Parameters
    ----------
    kinds
        NumPy's code of the type of each field.
    empty
        What stands where there is no answer.
    """

    kinds: Mapping[str, str]
    empty: Mapping[str, Any]

    @property
    def record(self) -> Any:
        """All fields of one point as one NumPy type."""
        return numpy().dtype([(name, kind) for name, kind in self.kinds.items()])


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells, one for each choice of things with names, and three axes of numbers that all cells share.

    Parameters
    ----------
    shape
        Choices of each thing.
    cells
        In the order of ``itertools.product``; None where nothing can be answered.
    numbers
        The three axes, as floats.
    chunks
        How Dask cut each of them; None where it did not.
    """

    shape: tuple[int, ...]
    cells: Sequence[Any]
    numbers: tuple[Any, ...]
    chunks: tuple[tuple[int, ...] | None, ...] = (None, None, None)

    @property
    def sides(self) -> tuple[int, ...]:
        """Lengths of the axes of numbers."""
        return tuple(len(values) for values in self.numbers)

    @property
    def is_lazy(self) -> bool:
        """Whether an axis was a Dask array."""
        return any(chunk is not None for chunk in self.chunks)

    def cut(self, box: tuple[slice, ...]) -> tuple[Any, ...]:
        """Return the three axes inside a box, shaped to broadcast."""
        parts = (values[side] for values, side in zip(self.numbers, box, strict=True))
        return tuple(part.reshape(shape) for part, shape in zip(parts, _ROWS, strict=True))

    def run(
        self, answer: Answer, fields: Fields, client: Any, progress: Callable[[int, int], None]
    ) -> Mapping[str, Any]:
        """Return an array for each field, of the grid's whole shape."""
        whole = (*self.shape, *self.sides)
        if self.is_lazy:
            return _later(self, answer, fields)
        total, done = math.prod(whole), 0
        flat = {
            name: numpy().empty((len(self.cells), *self.sides), dtype=kind)
            for name, kind in fields.kinds.items()
        }
        boxes = _here if client is None else _remote
        for i, cell in enumerate(self.cells):
            if cell is None:
                for name, array in flat.items():
                    array[i] = fields.empty[name]
        done = sum(cell is None for cell in self.cells) * math.prod(self.sides)
        for i, box, found in boxes(self, answer, client):
            for name, array in flat.items():
                array[(i, *box)] = found[name]
            done += math.prod(side.stop - side.start for side in box)
            progress(done, total)
        return {name: array.reshape(whole) for name, array in flat.items()}


_ROWS = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))

Found = Iterator[tuple[int, tuple[slice, ...], Mapping[str, Any]]]


def _here(grid: Grid, answer: Answer, client: None) -> Found:  # noqa: ARG001 - the twin has one
    for i, cell in enumerate(grid.cells):
        if cell is not None:
            for box in blocks(grid.sides, BLOCK):
                yield i, box, answer(cell, *grid.cut(box))


def _remote(grid: Grid, answer: Answer, client: Any) -> Found:
    """Submit every task, and yield their answers in order; each is forgotten when it has been read."""
    waiting = [
        (i, box, client.submit(_in_blocks, answer, cell, *grid.cut(box)))
        for i, cell in enumerate(grid.cells)
        if cell is not None
        for box in blocks(grid.sides, TASK)
    ]
    waiting.reverse()
    while waiting:
        i, box, future = waiting.pop()
        yield i, box, future.result()


def _in_blocks(answer: Answer, cell: Any, *numbers: Any) -> dict[str, Any]:
    """Answer a task in blocks that fit a processor's cache, as a run here does."""
    np = numpy()
    grid = Grid((1,), (cell,), tuple(values.ravel() for values in numbers))
    whole: dict[str, Any] = {}
    for _, box, found in _here(grid, answer, None):
        for name, values in found.items():
            array = whole.setdefault(name, np.empty(grid.sides, dtype=np.asarray(values).dtype))
            array[box] = values
    return whole


def _records(answer: Answer, cell: Any, record: Any, *numbers: Any) -> Any:
    """Answer a task as one array of records."""
    out = numpy().empty(tuple(values.size for values in numbers), dtype=record)
    for name, values in _in_blocks(answer, cell, *numbers).items():
        out[name] = values
    return out


def _nothing(place: int, empty: Any, *numbers: Any) -> Any:  # noqa: ARG001 - the place makes the task's name
    """Return the records of a task that has no answer."""
    return numpy().full(tuple(values.size for values in numbers), empty, dtype=empty.dtype)


def _later(grid: Grid, answer: Answer, fields: Fields) -> Mapping[str, Any]:
    """Return Dask arrays: each chunk is one task that answers all fields."""
    da: Any = import_module("dask.array")  # it is there: an axis is one of its arrays

    room = TASK // math.prod(max(chunk) for chunk in grid.chunks if chunk is not None)
    rows = []
    for values, chunk, shape in zip(grid.numbers, grid.chunks, _ROWS, strict=True):
        if chunk is None:
            side = max(1, min(len(values), room))
            room //= side
        rows.append(da.from_array(values, chunks=((chunk or side),)).reshape(shape))
    empty = numpy().array(tuple(fields.empty.values()), dtype=fields.record)
    chunks = tuple(row.chunks[i] for i, row in enumerate(rows))

    def one(place: int, cell: Any) -> Any:
        # Of two arrays of one name in a stack Dask can lose one: each cell makes a task of its own.
        task = (
            partial(_nothing, place, empty) if cell is None else partial(_records, answer, cell, empty.dtype)
        )
        return da.map_blocks(task, *rows, dtype=empty.dtype, chunks=chunks)

    level = [one(place, cell) for place, cell in enumerate(grid.cells)]
    for side in reversed(grid.shape):
        level = [da.stack(level[i : i + side]) for i in range(0, len(level), side)]
    return {name: level[0][name] for name in fields.kinds}
