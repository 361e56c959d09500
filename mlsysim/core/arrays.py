"""Larger, smaller, which is largest: the operations that floats and arrays do not share.

Everything else in the physics is arithmetic that broadcasts by itself, so one code path serves a
scalar and a grid. NumPy is imported only when an array is met.
"""

from collections.abc import Sequence
from typing import Any


def numpy() -> Any:
    """Return NumPy, for what is about arrays alone; importing a module never needs it.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import numpy as np  # noqa: PLC0415 - absent where only scalars are solved
    except ImportError:
        msg = "arrays and sweeps need NumPy, which is not installed: pip install 'mlsysim[arrays]'"
        raise ImportError(msg) from None
    return np


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two floats, or of two arrays point by point.

    Examples
    --------
    >>> maximum(1.0, 2.0)
    2.0
    """
    if isinstance(a, float | int) and isinstance(b, float | int):
        return max(a, b)
    return numpy().maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two floats, or of two arrays point by point.

    Examples
    --------
    >>> minimum(1.0, 2.0)
    1.0
    """
    if isinstance(a, float | int) and isinstance(b, float | int):
        return min(a, b)
    return numpy().minimum(a, b)


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Return *yes* where the condition holds and *no* elsewhere.

    Examples
    --------
    >>> choose(2.0 > 1.0, "yes", "no")
    'yes'
    """
    if isinstance(condition, bool):
        return yes if condition else no
    return numpy().where(condition, yes, no)


def largest(values: Sequence[Any]) -> Any:
    """Return which of several values is largest, the first of equals: an int, or small ints point by point.

    Examples
    --------
    >>> largest((1.0, 3.0, 3.0))
    1
    """
    if all(isinstance(value, float | int) for value in values):
        return values.index(max(values))
    np = numpy()
    found, best = np.uint8(0), values[0]
    for place, value in enumerate(values[1:], start=1):
        found = np.maximum(found, (value > best) * np.uint8(place))
        best = np.maximum(best, value)
    return found
