r"""Waiting lines with several servers: the M/M/c queue, in SI floats.

Arrivals are Poisson with rate :math:`\lambda`, durations exponential with mean :math:`s`, and :math:`c`
servers take them in order of arrival. With the offered load :math:`a = \lambda s < c`,

.. math:: C(c, a) = \frac{c\,B(c, a)}{c - a\,(1 - B(c, a))}, \qquad
          B(n, a) = \frac{a\,B(n - 1, a)}{n + a\,B(n - 1, a)}, \quad B(0, a) = 1,

is the share of arrivals that wait, and their waits are exponential:

.. math:: P(W > t) = C(c, a)\, e^{-(c - a)\,t / s}.

The recursion adds and divides positive numbers below one, so neither powers nor factorials overflow.

References
----------
.. [erlang1917] A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in
   automatic telephone exchanges", Post Office Electrical Engineers' Journal 10, 1918 (Danish 1917).
"""

import math


def erlang_c(servers: int, offered: float) -> float:
    """Return the share of arrivals that must wait. Exact; the time grows with the servers.

    Parameters
    ----------
    servers
        Servers, at least one.
    offered
        Arrival rate times mean duration, in servers. At or above *servers* everyone waits.

    Examples
    --------
    One server is busy for a share of the time that equals its load; of two with a load of one, a third wait:

    >>> f"{erlang_c(1, 0.5):.4f} {erlang_c(2, 1.0):.4f} {erlang_c(2, 2.0):.4f}"
    '0.5000 0.3333 1.0000'
    """
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
        if blocked == 0.0:
            return 0.0
    return servers * blocked / (servers - offered * (1 - blocked))


def mean_wait(servers: int, offered: float, duration: float) -> float:
    """Return the mean time in the line; infinite where the load is not below the servers. [s]

    Parameters
    ----------
    servers, offered
        As for ``erlang_c``.
    duration
        Mean time that a server is held. [s]

    Examples
    --------
    >>> mean_wait(1, 0.5, 10.0)
    10.0
    """
    if offered >= servers:
        return math.inf
    return erlang_c(servers, offered) * duration / (servers - offered)


def wait_tail(servers: int, offered: float, duration: float, delay: float) -> float:
    """Return the probability of waiting longer than *delay*.

    Parameters
    ----------
    servers, offered, duration
        As for ``mean_wait``. [s]
    delay
        A time, at least zero. [s]

    Examples
    --------
    >>> f"{wait_tail(1, 0.5, 10.0, 0.0):.2f} {wait_tail(1, 0.5, 10.0, 20.0):.4f}"
    '0.50 0.1839'
    """
    if offered >= servers:
        return 1.0
    return erlang_c(servers, offered) * math.exp(-(servers - offered) * delay / duration)


def wait_quantile(servers: int, offered: float, duration: float, share: float) -> float:
    """Return the time within which a *share* of the arrivals starts; infinite as ``mean_wait`` is. [s]

    Parameters
    ----------
    servers, offered, duration
        As for ``mean_wait``. [s]
    share
        From 0 to below 1: 0.99 for the 99th percentile.

    Examples
    --------
    Half of the arrivals find the server free; nine tenths start within 20 ln 5 seconds:

    >>> f"{wait_quantile(1, 0.5, 10.0, 0.5):.1f} {wait_quantile(1, 0.5, 10.0, 0.9):.2f}"
    '0.0 32.19'
    """
    if offered >= servers:
        return math.inf
    waiting = erlang_c(servers, offered)
    if waiting <= 1 - share:
        return 0.0
    return duration / (servers - offered) * math.log(waiting / (1 - share))
