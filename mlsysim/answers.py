"""When two answers are the same: numbers in any unit, words in any spelling."""

import math
from enum import Enum
from typing import Any

import pint


def is_number(value: Any) -> bool:
    """Return whether a value is a number, and no truth value or enum."""
    return isinstance(value, int | float) and not isinstance(value, bool | Enum)


def words(value: Any) -> set[str]:
    """Return the spellings of an answer in words: an enum has its value and its print."""
    spellings = {str(value)} | ({str(value.value)} if isinstance(value, Enum) else set())
    return {s.casefold().replace("_", " ").strip() for s in spellings}


def bare(value: Any) -> Any:
    """Return a dimensionless quantity as a number, anything else as it is."""
    if isinstance(value, pint.Quantity) and value.dimensionless:
        return float(value.to_base_units().magnitude)
    return value


def ratio(actual: Any, expected: Any) -> float | None:
    """Return actual over expected where both are numbers of one dimension."""
    actual, expected = bare(actual), bare(expected)
    if isinstance(actual, pint.Quantity) and isinstance(expected, pint.Quantity):
        if actual.dimensionality != expected.dimensionality:
            return None
        actual, expected = actual.to_base_units().magnitude, expected.to_base_units().magnitude
    if not (is_number(actual) and is_number(expected)):
        return None
    if expected == 0:
        return 1.0 if actual == 0 else math.inf
    return float(actual / expected)


def same(actual: Any, expected: Any, rel: float) -> bool:
    """Return whether two answers agree: numbers within *rel*, words in any spelling.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> same(Q_("50 ms"), Q_("0.0505 s"), 0.02), same("Memory bound", "memory bound", 0)
    (True, True)
    """
    share = ratio(actual, expected)
    if share is not None:
        return abs(share - 1) <= rel + 1e-12
    if isinstance(actual, pint.Quantity) or isinstance(expected, pint.Quantity):
        return False
    if isinstance(expected, bool) or isinstance(actual, bool):
        return actual is expected
    return bool(words(actual) & words(expected))
