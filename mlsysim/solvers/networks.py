r"""Networks: ends, switches and cables, how far apart the ends are, and how many cables the middle has.

The bisection is the least number of cables that part the ends in two halves; hops are the cables of a
shortest way. With :math:`N` ends,

.. math:: \text{fat tree: } N = \frac{k^3}{4} \text{ on } \frac{5k^2}{4} \text{ switches},\; \frac{N}{2}
          \text{ cables in the middle}

.. math:: \text{torus: } \frac{2N}{n_{max}} \text{ in the middle}; \quad \text{dragonfly: } N = ap(ah + 1).

Adaptive routing, cables that fail, and traffic that collides on its way are not described.

References
----------
.. [alfares2008] M. Al-Fares, A. Loukissas, A. Vahdat, "A scalable, commodity data center network
   architecture", SIGCOMM 2008.
.. [kim2008] J. Kim, W. J. Dally, S. Scott, D. Abts, "Technology-driven, highly-scalable dragonfly topology",
   ISCA 2008.
.. [superpod] NVIDIA, "DGX SuperPOD architecture", DGX B200: leaves of a rail, 32 nodes a unit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mlsysim.core.arguments import Arguments


class NetworkKind(Enum):
    """How the ends are joined."""

    FAT_TREE = "fat tree"
    TORUS = "torus"
    DRAGONFLY = "dragonfly"
    FULLY_CONNECTED = "fully connected"
    RAIL_OPTIMIZED = "rail-optimized"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Network:
    """A graph of ends, switches and cables, by its counts.

    Parameters
    ----------
    kind, name
        How the ends are joined, and with what numbers.
    endpoints, ports, switches, cables
        Ends, cables at each end, switches, and cables in all.
    bisection
        Cables between two halves of the ends; of a dragonfly an upper bound.
    diameter, mean_hops
        Cables on the way between two ends, at most and on average over all pairs.
    """

    kind: NetworkKind
    name: str
    endpoints: int
    ports: int
    switches: int
    cables: int
    bisection: int
    diameter: int
    mean_hops: float


def fat_tree(radix: int, *, levels: int = 3, oversubscription: float = 1.0) -> Network:
    """Return the largest fat tree of switches with *radix* ports, in two or three levels [alfares2008]_.

    Parameters
    ----------
    radix
        Ports of every switch, an even number.
    levels
        2: leaves and spines; 3: edge, aggregation, core.
    oversubscription
        Ports down over ports up at the switches that the ends are on; 1 is a full bisection.

    Examples
    --------
    >>> t = fat_tree(48)
    >>> t.endpoints, t.switches, t.bisection
    (27648, 2880, 13824)
    """
    given = Arguments("fat_tree")
    k = given.count("radix", radix, least=2)
    ratio = given.number("oversubscription", oversubscription, "at least 1", lambda x: 1 <= x < math.inf)
    up = round(k / (1 + ratio))
    if k % 2 or up < 1 or not math.isclose(up * (1 + ratio), k):
        given.fault(
            f"radix must be even and split by oversubscription into whole ports; got {k} and {ratio:g}"
        )
    if levels not in (2, 3):
        given.fault(f"levels must be 2 or 3; got {levels!r}")
    given.close()
    pods, edges = (1, k) if levels == 2 else (k, k // 2)
    down, ends = k - up, pods * edges * (k - up)
    core = up if levels == 2 else up * k // 2
    near, pod = down - 1, edges * down - down
    hops = 2 * near + 4 * pod + 6 * (ends - 1 - near - pod)
    return Network(
        kind=NetworkKind.FAT_TREE,
        name=f"{levels} levels of {k} ports, {ratio:g}:1",
        endpoints=ends,
        ports=1,
        switches=pods * edges + core + (0 if levels == 2 else pods * up),
        cables=ends + pods * edges * up * (levels - 1),
        bisection=pods * edges * up // 2,
        diameter=2 * levels,
        mean_hops=hops / (ends - 1) if ends > 1 else 0.0,
    )


def torus(shape: Sequence[int]) -> Network:
    """Return a torus: rings in each direction, without switches.

    Parameters
    ----------
    shape
        Ends along each side: even numbers, or 1. A side of two has one cable, not two.

    Examples
    --------
    >>> t = torus((16, 16, 16))
    >>> t.endpoints, t.bisection, t.diameter
    (4096, 512, 24)
    """
    given = Arguments("torus")
    listed = shape if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    sides = [given.count(f"shape[{i}]", n) for i, n in enumerate(listed)]
    if max(sides, default=1) < 2 or any(n > 1 and n % 2 for n in sides):
        given.fault(f"shape must have sides that are even or 1, as in (16, 16, 16); got {shape!r}")
    given.close()
    ends, longest = math.prod(sides), max(sides)
    ports = sum(min(n - 1, 2) for n in sides)
    return Network(
        kind=NetworkKind.TORUS,
        name=" x ".join(map(str, sides)),
        endpoints=ends,
        ports=ports,
        switches=0,
        cables=ends * ports // 2,
        bisection=ends // longest * min(longest - 1, 2),
        diameter=sum(n // 2 for n in sides),
        mean_hops=sum(n / 4 for n in sides if n > 1) * ends / (ends - 1),
    )


def dragonfly(routers: int, *, hosts: int, global_cables: int) -> Network:
    """Return the largest dragonfly of groups of *routers*, all joined [kim2008]_.

    Parameters
    ----------
    routers
        Routers of a group, an even number; each has a cable to each other.
    hosts, global_cables
        Ends, and cables to other groups, of each router. Balanced where both are half the routers.

    Notes
    -----
    Hops are those of minimal routing, with one cable between groups; longer ways over a third group can be
    shorter in hops. The bisection is the cut between half of the groups and the rest, with the odd group
    split: an upper bound.
    """
    given = Arguments("dragonfly")
    a, p = given.count("routers", routers, least=2), given.count("hosts", hosts)
    h = given.count("global_cables", global_cables)
    if a % 2:
        given.fault(f"routers must be even, so that a group can be halved; got {a}")
    given.close()
    groups = a * h + 1
    ends, half = a * p * groups, groups // 2
    local, away = 2 * (p - 1) + 3 * (a - 1) * p, a * p * (groups - 1)
    return Network(
        kind=NetworkKind.DRAGONFLY,
        name=f"{groups} groups of {a} routers with {p} ends",
        endpoints=ends,
        ports=1,
        switches=a * groups,
        cables=ends + groups * a * (a - 1) // 2 + groups * (groups - 1) // 2,
        bisection=min(ends // 2, half**2 + (a // 2) ** 2),
        diameter=5,
        mean_hops=(local + away * (3 + 2 * (a - 1) / a)) / (ends - 1),
    )


def fully_connected(endpoints: int) -> Network:
    """Return ends of which each has a cable to each other."""
    given = Arguments("fully_connected")
    n = given.count("endpoints", endpoints, least=2)
    given.close()
    return Network(
        kind=NetworkKind.FULLY_CONNECTED,
        name=f"{n} ends",
        endpoints=n,
        ports=n - 1,
        switches=0,
        cables=n * (n - 1) // 2,
        bisection=(n // 2) * (n - n // 2),
        diameter=1,
        mean_hops=1.0,
    )


def rail_optimized(nodes: int, *, rails: int, units: int = 1) -> Network:
    """Return a rail-optimized fabric: one leaf for the equal devices of a unit's nodes [superpod]_.

    Parameters
    ----------
    nodes
        Nodes of a unit; switches have twice as many ports, half of a leaf's go up.
    rails, units
        Devices of a node, each on a leaf of its own, and units that the spines join.

    Notes
    -----
    A hop between devices of a node counts as one. Cables inside nodes are not counted, and the halves of the
    bisection part no node.
    """
    given = Arguments("rail_optimized")
    n, m, u = given.count("nodes", nodes), given.count("rails", rails), given.count("units", units)
    leaves, ends = m * u, n * m * u
    if leaves % 2 or n % (leaves // 2 or 1):
        given.fault(f"nodes must be a multiple of the spines, rails x units / 2; got {n} and {leaves / 2:g}")
    given.close()
    near = (m - 1) + 2 * (n - 1) + 3 * (n - 1) * (m - 1)
    return Network(
        kind=NetworkKind.RAIL_OPTIMIZED,
        name=f"{u} x {n} nodes on {m} rails",
        endpoints=ends,
        ports=1,
        switches=leaves + leaves // 2,
        cables=2 * ends,
        bisection=ends // 2,
        diameter=4 if u > 1 else 1 + 2 * (n > 1),
        mean_hops=(near + 4 * (ends - n * m)) / (ends - 1),
    )
