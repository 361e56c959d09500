"""The last whole number for which a condition holds that holds no longer once it has failed."""

from collections.abc import Callable


def last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the last number from *low* to *high* for which *holds*, by bisection.

    Parameters
    ----------
    holds
        A condition that, once it has failed, fails for all larger numbers.
    low, high
        Ends of the search; *low* is returned where the condition holds nowhere above it, so it is either
        known to hold or stands for "none".

    Examples
    --------
    >>> last(lambda n: n * n <= 50, 0, 100)
    7
    >>> last(lambda n: n < 0, 0, 100)
    0
    """
    if high > low and holds(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
