r"""The time in which devices exchange a tensor: every algorithm is a line, and the lowest line is taken.

.. math:: T(S) = \min_a \left( \alpha_a + \frac{S}{\beta_a} \right)

:math:`S` is the whole tensor as NCCL counts it: what each device holds before or after the exchange [B].
:math:`\alpha_a` is what an algorithm takes without content [s], :math:`\beta_a` the rate at which it gets
through a tensor [B/s]. For :math:`n` devices of bandwidth :math:`b` in one direction, of which :math:`\eta`
is reached, with a hop of :math:`h` seconds and launches of :math:`t_0`:

==================  ====================================  =====================================
algorithm           latency :math:`\alpha - t_0`           time of a byte :math:`\eta b / \beta`
==================  ====================================  =====================================
ring                :math:`2(n-1)h`                        :math:`2(n-1)/n`
tree (two at once)  :math:`2\lceil\log_2 n\rceil h`        :math:`\min(2, n/2)`
in-switch (NVLS)    two hops of the switch                 :math:`(n+1)/n`, of the switch's share
==================  ====================================  =====================================

for an all-reduce; all-gather and reduce-scatter are half of a ring's. A hierarchical algorithm works on
:math:`S` inside a node and on :math:`S/d` over each of the :math:`d` ports of a node. The levels are a
pipeline: their latencies add up, their transfers overlap, and the slowest remains.

Valid where nothing else uses the links and every device starts at once. Pieces of a message (protocols and
chunks) are in the fitted latencies, so sizes between a few and a hundred MiB are the least certain.

References
----------
.. [patarasuk2009] P. Patarasuk, X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
   workstations", J. Parallel Distrib. Comput. 69(2), 2009.
.. [sanders2009] P. Sanders, J. Speck, J. L. Träff, "Two-tree algorithms for full bandwidth broadcast,
   reduction and scan", Parallel Computing 35(12), 2009.
.. [nccl-tests-performance] NVIDIA, "Performance reported by NCCL tests".
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any, TypeVar

from mlsysim.core.arrays import maximum, minimum
from mlsysim.core.errors import ArgumentError, suggestion

E = TypeVar("E", bound=StrEnum)


class Collective(StrEnum):
    """What devices do together."""

    ALL_REDUCE = "all-reduce"
    ALL_GATHER = "all-gather"
    REDUCE_SCATTER = "reduce-scatter"
    ALL_TO_ALL = "all-to-all"
    BROADCAST = "broadcast"
    POINT_TO_POINT = "point-to-point"


class Algorithm(StrEnum):
    """How they do it."""

    RING = "ring"
    TREE = "tree"
    NVLS = "nvls"
    DIRECT = "direct"
    HIERARCHICAL = "hierarchical"


_LAPS = {Collective.ALL_REDUCE: 2, Collective.ALL_GATHER: 1, Collective.REDUCE_SCATTER: 1}
"""How often a tensor goes around a ring, a part less each time."""


def _parse(name: str, kind: type[E], value: Any) -> E:
    folded = str(value).casefold().replace("_", "-").replace(" ", "-")
    if isinstance(value, str) and folded in set(kind):
        return kind(folded)
    msg = f"{name} {value!r} is unknown. {suggestion(str(value), kind)}"
    raise ArgumentError(msg)


def parse_collective(value: "str | Collective") -> Collective:
    """Return the collective of that name.

    Raises
    ------
    ArgumentError
        If there is none.

    Examples
    --------
    >>> parse_collective("All Reduce")
    <Collective.ALL_REDUCE: 'all-reduce'>
    """
    return _parse("collective", Collective, value)


def parse_algorithm(value: "str | Algorithm") -> Algorithm:
    """Return the algorithm of that name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    return _parse("algorithm", Algorithm, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Devices, or groups of them, that a network joins.

    Parameters
    ----------
    devices
        How many it joins: devices on the innermost level, groups of the level below on the others.
    bandwidth
        What one device can send, in one direction. [B/s]
    latency
        Time of one hop. [s]
    efficiency
        Share of the bandwidth that is reached.
    switch_latency
        Time of one hop of which the switch does the work. [s]
    switch_efficiency
        Share of the bandwidth that is reached where the switch adds; None where it cannot.
    """

    devices: int
    bandwidth: Any
    latency: Any = 0.0
    efficiency: Any = 1.0
    switch_latency: Any = 0.0
    switch_efficiency: Any = None

    @property
    def rate(self) -> Any:
        """Bytes that one device sends per second."""
        return self.bandwidth * self.efficiency


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An algorithm on given levels: a line over the size.

    Parameters
    ----------
    algorithm
        How it is done.
    latency
        Time without content. [s]
    transfers
        Time that a byte of the tensor takes on each level, innermost first; 0 where nothing is sent. [s/B]
    parts
        What each level runs, if they differ.
    """

    algorithm: Algorithm
    latency: Any
    transfers: tuple[Any, ...]
    parts: tuple[Algorithm, ...] = ()

    @property
    def seconds_per_byte(self) -> Any:
        """Time of a byte on the slowest level: the levels work at the same time."""
        return reduce(maximum, self.transfers)

    @property
    def binding(self) -> int:
        """The slowest level, counted from the innermost; for floats alone."""
        return max(range(len(self.transfers)), key=self.transfers.__getitem__)

    def time(self, size: Any) -> Any:
        """Return the seconds for a tensor of *size* bytes.

        Examples
        --------
        >>> Plan(algorithm=Algorithm.RING, latency=0.5, transfers=(0.25, 0.125)).time(8)
        2.5
        """
        return self.latency + size * self.seconds_per_byte

    def __str__(self) -> str:
        inside = f" ({', '.join(self.parts)})" if self.parts else ""
        return f"{self.algorithm}{inside}"


def bus_factor(collective: Collective, devices: int) -> float:
    """Return the bus bandwidth over the algorithm bandwidth, as NCCL's tests define them.

    Examples
    --------
    >>> bus_factor(Collective.ALL_REDUCE, 8), bus_factor(Collective.ALL_GATHER, 8)
    (1.75, 0.875)
    >>> bus_factor(Collective.BROADCAST, 8)
    1.0
    """
    if collective in {Collective.BROADCAST, Collective.POINT_TO_POINT}:
        return 1.0
    return _LAPS.get(collective, 1) * (devices - 1) / devices


def _ports(levels: Sequence[Level]) -> list[int]:
    """Return the devices that stand behind one member of each level."""
    return list(itertools.accumulate((x.devices for x in levels[:-1]), int.__mul__, initial=1))


def _ring(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    """One ring through all devices: a node's boundary is crossed once, by all of its ports together."""
    if collective not in _LAPS and collective is not Collective.BROADCAST:
        return []
    ports = _ports(levels)
    n = ports[-1] * levels[-1].devices
    top = max(i for i, x in enumerate(levels) if x.devices > 1)
    hops = [n // p - n // (p * x.devices) for p, x in zip(ports, levels, strict=True)]
    hops[top] += n // (ports[top] * levels[top].devices)  # the ring closes on the outermost level
    lap = sum(count * x.latency for count, x in zip(hops, levels, strict=True))
    share = bus_factor(collective, n)
    return [
        Plan(
            algorithm=Algorithm.RING,
            latency=_LAPS.get(collective, 1) * (n - 1) / n * lap,
            transfers=_transfers(levels, [share / p for p in ports]),
        )
    ]


def _tree(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    """Two binary trees, each with half of the tensor: what is inside one is a leaf of the other."""
    if collective not in {Collective.ALL_REDUCE, Collective.BROADCAST}:
        return []
    ways = 2 if collective is Collective.ALL_REDUCE else 1
    depth = [math.ceil(math.log2(x.devices)) for x in levels]
    shares = [min(ways, ways * x.devices / 4) if ways == 2 else 1.0 for x in levels]
    return [
        Plan(
            algorithm=Algorithm.TREE,
            latency=sum(ways * d * x.latency for d, x in zip(depth, levels, strict=True)),
            transfers=_transfers(levels, [s / p for s, p in zip(shares, _ports(levels), strict=True)]),
        )
    ]


def _in_switch(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    """Each device lets the switch add its part, and sends the sum through the switch to all."""
    active = [i for i, x in enumerate(levels) if x.devices > 1]
    level = levels[active[0]]
    if len(active) > 1 or collective not in _LAPS or level.switch_efficiency is None:
        return []
    share = (level.devices + 1) / level.devices if collective is Collective.ALL_REDUCE else 1.0
    each = share / (_ports(levels)[active[0]] * level.bandwidth * level.switch_efficiency)
    return [
        Plan(
            algorithm=Algorithm.NVLS,
            latency=_LAPS[collective] * level.switch_latency,
            transfers=tuple(each if i == active[0] else 0.0 for i in range(len(levels))),
        )
    ]


def _direct(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    """A message from each device to each other one, or to one other on the outermost level."""
    ports = _ports(levels)
    n = ports[-1] * levels[-1].devices
    messages = [p * (x.devices - 1) for p, x in zip(ports, levels, strict=True)]
    if collective is Collective.POINT_TO_POINT:
        top = max(i for i, x in enumerate(levels) if x.devices > 1)
        messages, n = [int(i == top) for i in range(len(levels))], 1
    elif collective is not Collective.ALL_TO_ALL:
        return []
    return [
        Plan(
            algorithm=Algorithm.DIRECT,
            latency=sum(count * x.latency for count, x in zip(messages, levels, strict=True)),
            transfers=_transfers(levels, [count / n for count in messages]),
        )
    ]


def _hierarchical(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    """Each level by an algorithm of its own, on the part of the tensor that reaches it."""
    if sum(x.devices > 1 for x in levels) < 2 or collective not in {*_LAPS, Collective.ALL_TO_ALL}:
        return []
    ports = _ports(levels) if collective in _LAPS else [1] * len(levels)
    choices = [_flat(collective, [x]) if x.devices > 1 else [None] for x in levels]
    return [
        Plan(
            algorithm=Algorithm.HIERARCHICAL,
            latency=sum(part.latency for part in parts if part),
            transfers=tuple(
                part.transfers[0] / p if part else 0.0 for part, p in zip(parts, ports, strict=True)
            ),
            parts=tuple(part.algorithm for part in parts if part),
        )
        for parts in itertools.product(*choices)
    ]


def _flat(collective: Collective, levels: Sequence[Level]) -> list[Plan]:
    return [plan for make in (_ring, _tree, _in_switch, _direct) for plan in make(collective, levels)]


def _transfers(levels: Sequence[Level], shares: Iterable[float]) -> tuple[Any, ...]:
    """Return the time of a byte on each level of which a device sends *shares* of the tensor."""
    return tuple(share / x.rate if x.devices > 1 else 0.0 for share, x in zip(shares, levels, strict=True))


def plans(collective: Collective, levels: Sequence[Level], *, launch: Any = 0.0) -> tuple[Plan, ...]:
    """Return every way to do it; none where there is but one device.

    Parameters
    ----------
    collective
        What is done.
    levels
        Networks, innermost first.
    launch
        Time of a call, before anything is sent. [s]

    Examples
    --------
    >>> pair = [Level(devices=8, bandwidth=1e9, latency=1e-6)]
    >>> [(str(p), round(p.latency * 1e6), p.seconds_per_byte * 1e9) for p in plans("all-reduce", pair)]
    [('ring', 14, 1.75), ('tree', 6, 2.0)]
    """
    if math.prod(x.devices for x in levels) == 1:
        return ()
    found = [*_flat(Collective(collective), levels), *_hierarchical(Collective(collective), levels)]
    return tuple(
        Plan(algorithm=p.algorithm, latency=launch + p.latency, transfers=p.transfers, parts=p.parts)
        for p in found
    )


def collective_time(
    collective: Collective,
    size: Any,
    levels: Sequence[Level],
    algorithm: Algorithm | None = None,
    *,
    launch: Any = 0.0,
) -> Any:
    """Return the seconds that a collective takes, by its fastest algorithm.

    Parameters
    ----------
    collective
        What is done.
    size
        The whole tensor on each device; floats or an array. [B]
    levels
        Networks, innermost first.
    algorithm
        The one that is used; the fastest at each size if left out.
    launch
        Time of a call, before anything is sent. [s]

    Returns
    -------
    float or array
        An estimate; with efficiencies of 1 and latencies of 0 a lower bound. One device takes no time.

    Raises
    ------
    ArgumentError
        If the algorithm does not do this collective on these levels.

    Examples
    --------
    >>> collective_time("all-reduce", 1e9, [Level(devices=8, bandwidth=100e9)])
    0.0175
    """
    known = plans(collective, levels, launch=launch)
    if not known:
        return 0.0 * size
    chosen = [plan for plan in known if algorithm is None or plan.algorithm == algorithm]
    if not chosen:
        able = ", ".join(dict.fromkeys(str(plan.algorithm) for plan in known))
        joined = " x ".join(str(x.devices) for x in levels)
        msg = f"algorithm {algorithm} does no {collective} over {joined} devices here. Able: {able}."
        raise ArgumentError(msg)
    return reduce(minimum, (plan.time(size) for plan in chosen))
