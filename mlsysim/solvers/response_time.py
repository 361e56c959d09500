r"""The distribution of a response: a wait that is zero or exponential, and a service time after it.

With :math:`P_w` the share that waits, :math:`w` their mean wait and a service time that is exponential with
mean :math:`r`,

.. math:: P(R > t) = (1 - P_w)\, e^{-t/r} + P_w\, \frac{w\, e^{-t/w} - r\, e^{-t/r}}{w - r}

A service time of mean :math:`s` and coefficient of variation :math:`v` is made of exponentials: for
:math:`v < 1` a constant :math:`(1 - v) s` and a rest of mean :math:`v s`; for :math:`v > 1` one of two, of
means :math:`s / 2p` and :math:`s / 2(1 - p)` with chances :math:`p` and :math:`1 - p`, where
:math:`p = (1 + \sqrt{(v^2 - 1) / (v^2 + 1)}) / 2` (balanced means). Both have the mean and the variation
that were asked for; higher moments are a choice.

References
----------
.. [whitt1981] W. Whitt, "Approximating a point process by a renewal process: the view through a queue, an
   indirect approach", Management Science 27(6), 1981: two moments met by exponential building blocks.
"""

import math
from dataclasses import dataclass
from enum import Enum


class Stability(Enum):
    """Whether a queue comes to rest."""

    STABLE = "stable"
    UNSTABLE = "unstable: requests come as fast as they are served, or faster, and the queue grows"

    def __str__(self) -> str:
        return self.value


class Queue(Enum):
    """Which queue it is, and how sure its percentiles are."""

    MMC = "M/M/c: exact"
    MG1 = "M/G/1: mean exact, percentiles approximate"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response times of a queue at rest.

    Parameters
    ----------
    service, variation
        Mean of the service time, and its standard deviation over that mean. [s]
    waiting_share, wait
        Share of the requests that wait, and the mean wait of all requests. [s]

    Examples
    --------
    One server at half its load, all exponential: the response is exponential with twice the mean.

    >>> r = Response(service=1.0, variation=1.0, waiting_share=0.5, wait=1.0)
    >>> f"{r.beyond(2.0):.6f}", f"{math.exp(-1):.6f}", f"{r.within(1 - math.exp(-1)):.6f}"
    ('0.367879', '0.367879', '2.000000')
    """

    service: float
    variation: float
    waiting_share: float
    wait: float

    def beyond(self, seconds: float) -> float:
        """Return the probability of a response later than *seconds*."""
        waits = self.waiting_share
        mean = self.wait / waits if waits else 0.0
        return sum(
            chance * ((1 - waits) * _later(seconds - constant, rest, 0.0))
            + chance * waits * _later(seconds - constant, rest, mean)
            for chance, constant, rest in _parts(self.service, self.variation)
        )

    def within(self, share: float) -> float:
        """Return the least time that a *share* of the requests, below 1, do not exceed. [s]"""
        low, high = 0.0, self.service
        while self.beyond(high) > 1 - share:
            low, high = high, 2 * high
        while (middle := (low + high) / 2) not in {low, high}:
            low, high = (middle, high) if self.beyond(middle) > 1 - share else (low, middle)
        return high


def _parts(service: float, variation: float) -> tuple[tuple[float, float, float], ...]:
    """Return chance, constant and mean exponential rest of each part of a service time."""
    if variation <= 1:
        return ((1.0, (1 - variation) * service, variation * service),)
    square = variation**2
    p = (1 + math.sqrt((square - 1) / (square + 1))) / 2
    return (p, 0.0, service / (2 * p)), (1 - p, 0.0, service / (2 * (1 - p)))


def _later(seconds: float, first: float, second: float) -> float:
    """Return the probability that two exponential times of these means, 0 allowed, add up to more."""
    if seconds < 0:
        return 1.0
    longer, shorter = max(first, second), min(first, second)
    if not longer:
        return 0.0
    late = math.exp(-seconds / longer)
    if longer + shorter == longer:
        return late
    if longer == shorter:
        return late * (1 + seconds / longer)
    gap = (longer - shorter) / shorter
    return late * (1 - math.expm1(-gap * seconds / longer) / gap)
