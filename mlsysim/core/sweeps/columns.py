"""Columns: what a sweep answers at every point, in SI or as codes, and how a reader sees it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

import pint

from mlsysim.core.arrays import numpy
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.errors import ArgumentError
from mlsysim.core.sweeps.axes import Axis

NOWHERE = 255
"""The code of a point that has no answer."""


@dataclass(frozen=True, eq=False)
class Column:
    """One answer at every point of a grid.

    Parameters
    ----------
    data
        Numbers, NaN where there is no answer; or codes that count in *words*, ``NOWHERE`` where none is.
    units, scale
        The unit in which it is shown, and that unit in SI; no unit for a bare number.
    words
        What the codes stand for.
    """

    data: Any
    units: str = ""
    scale: float = 1.0
    words: tuple[Any, ...] = ()

    @property
    def magnitude(self) -> Any:
        """Numbers in the unit; codes as they are."""
        return self.data if self.scale == 1.0 else self.data / self.scale

    def quantity(self) -> Quantity:
        """Return numbers with their unit."""
        return ureg.Quantity(self.magnitude, unit(self.units))

    def shown(self) -> Any:
        """Return a quantity, bare numbers, or words with None where there is no answer."""
        if not self.words:
            return self.quantity() if self.units else self.data
        table = numpy().full(NOWHERE + 1, None, dtype=object)
        table[: len(self.words)] = self.words
        if hasattr(self.data, "map_blocks"):
            return self.data.map_blocks(table.__getitem__, dtype=object)
        return table[self.data]

    def at(self, place: tuple[int, ...]) -> Any:
        """Return the answer at one point; None where there is none."""
        value = numpy().asarray(self.data[place])[()]
        if self.words:
            return None if value == NOWHERE else self.words[int(value)]
        plain = value.item()
        if math.isnan(plain):
            return None
        return ureg.Quantity(plain / self.scale, unit(self.units)) if self.units else plain

    def part(self, places: Any) -> "Column":
        """Return the column at some points."""
        return replace(self, data=self.data[places])


class Answers(Protocol):
    """What choosing and exporting need to know of a sweep's result."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What varies."""

    @property
    def fixed(self) -> Mapping[str, Any]:
        """What does not."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """The answers."""

    @property
    def feasible(self) -> Any:
        """Whether each point fits."""

    @property
    def answered(self) -> Any:
        """Whether each point has an answer."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why some have none."""

    @property
    def reason_codes(self) -> Any:
        """Which of the reasons is that of each point."""

    @property
    def missing_count(self) -> int:
        """How many have none."""


def gathered(name: str, answers: Sequence[Any], shape: tuple[int, ...]) -> Column:
    """Return single answers, None where there is none, as a column.

    Quantities take the unit of the first.

    Raises
    ------
    ArgumentError
        If an answer is neither a quantity nor a number nor a word.
    """
    np = numpy()
    first = next((a for a in answers if a is not None), None)
    if isinstance(first, pint.Quantity):
        numbers = [np.nan if a is None else a.to(first.units).magnitude for a in answers]
        return Column(np.array(numbers, dtype=float).reshape(shape), f"{first.units:~P}")
    if isinstance(first, int | float) and not isinstance(first, bool | Enum):
        numbers = [np.nan if a is None else a for a in answers]
        return Column(np.array(numbers, dtype=float).reshape(shape))
    said = [a for a in answers if a is not None]
    if not all(isinstance(a, str | bool | Enum) for a in said):
        kinds = ", ".join(sorted({type(a).__name__ for a in said}))
        msg = f"output {name!r} is a {kinds}; a sweep keeps numbers, quantities and words (name a part of it)"
        raise ArgumentError(msg)
    words = tuple(dict.fromkeys(said))
    if len(words) > NOWHERE:
        msg = f"output {name!r} takes {len(words):,} different words; a sweep keeps at most {NOWHERE}"
        raise ArgumentError(msg)
    codes = {word: code for code, word in enumerate(words)}
    found = [NOWHERE if a is None else codes[a] for a in answers]
    return Column(np.array(found, dtype=np.uint8).reshape(shape), words=words)
