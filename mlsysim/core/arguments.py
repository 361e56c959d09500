"""What a call was given: checked at the border, and everything wrong with it said at once."""

import numbers
import operator
from collections.abc import Callable
from typing import Any, TypeVar

from mlsysim.core.constants import si
from mlsysim.core.errors import ArgumentError, UnitError

T = TypeVar("T")

_LARGEST = 2**53


class Arguments:
    """The arguments of one call, collected with their faults.

    Each method returns the usable value, or a harmless stand-in after it has noted a fault;
    ``close`` raises one error that lists all faults, so no stand-in is ever computed with.

    Examples
    --------
    >>> given = Arguments("Engine.solve")
    >>> n = given.count("batch_size", 1.5)
    >>> x = given.fraction("efficiency", 5)
    >>> given.close()
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.ArgumentError: Engine.solve():
      - batch_size must be a whole number of at least 1; got 1.5
      - efficiency must be above 0 and at most 1; got 5
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.faults: list[ArgumentError] = []

    def fault(self, message: str) -> None:
        """Note that something is wrong."""
        self.faults.append(ArgumentError(message))

    def count(self, name: str, value: Any, *, least: int = 1) -> int:
        """Return a whole number of at least *least*."""
        try:
            number = operator.index(value)
        except TypeError:
            number = least - 1
        if isinstance(value, bool) or number < least:
            self.fault(f"{name} must be a whole number of at least {least}; got {value!r}")
            return least
        if number > _LARGEST:
            self.fault(f"{name} must be at most 2**53, beyond which a float is no exact count")
            return least
        return number

    def fraction(self, name: str, value: Any) -> float:
        """Return a number above 0 and at most 1."""
        return self.number(name, value, "above 0 and at most 1", lambda x: 0 < x <= 1)

    def number(self, name: str, value: Any, expected: str, accept: Callable[[float], bool]) -> float:
        """Return a real number that *accept* takes; *expected* says which those are."""
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and accept(float(value)):
            return float(value)
        self.fault(f"{name} must be {expected}; got {value!r}")
        return 1.0

    def quantity(self, name: str, value: Any, units: str, *, positive: bool = True) -> float:
        """Return a quantity in SI."""
        try:
            return si(name, value, units, positive=positive)
        except ArgumentError as error:
            self.faults.append(error)
            return 1.0

    def take(self, parse: Callable[[Any], T], value: Any, stand_in: T) -> T:
        """Return what *parse* makes of a value."""
        try:
            return parse(value)
        except ArgumentError as error:
            self.faults.append(error)
            return stand_in

    def close(self) -> None:
        """Raise one error if anything was wrong.

        Raises
        ------
        UnitError
            If every fault is about a unit.
        ArgumentError
            If any fault is of another kind.
        """
        if not self.faults:
            return
        kind = UnitError if all(isinstance(f, UnitError) for f in self.faults) else ArgumentError
        if len(self.faults) == 1:
            msg = f"{self.where}(): {self.faults[0]}"
            raise kind(msg)
        lines = "".join(f"\n  - {f}" for f in self.faults)
        msg = f"{self.where}():{lines}"
        raise kind(msg)
