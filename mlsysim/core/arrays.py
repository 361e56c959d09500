"""Larger, smaller: the two operations that floats and arrays do not share.

Everything else in the physics is arithmetic that broadcasts by itself, so one code path serves a
scalar and a grid. NumPy is imported only when an array is met.
"""

from typing import Any


def maximum(a: Any, b: Any) -> Any:
    """Return the larger of two floats, or of two arrays point by point.

    Examples
    --------
    >>> maximum(1.0, 2.0)
    2.0
    """
    if isinstance(a, float | int) and isinstance(b, float | int):
        return max(a, b)
    import numpy as np  # noqa: PLC0415 - absent where only scalars are solved

    return np.maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    """Return the smaller of two floats, or of two arrays point by point.

    Examples
    --------
    >>> minimum(1.0, 2.0)
    1.0
    """
    return -maximum(-a, -b)
