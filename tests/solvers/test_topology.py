"""Networks by hand, and against graphs that are built and searched."""

from collections import deque
from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import pytest

from mlsysim import Q_, ArgumentError, Link, Systems
from mlsysim.solvers.networks import (
    Network,
    NetworkKind,
    dragonfly,
    fat_tree,
    fully_connected,
    rail_optimized,
    torus,
)
from mlsysim.solvers.topology import TopologyModel

TPU = Systems.Clusters.TPU_v4_Pod


class Graph:
    """Ends and switches by name, cables between them."""

    def __init__(self, cables):
        self.cables = list(cables)
        self.next = {}
        for a, b in self.cables:
            self.next.setdefault(a, []).append(b)
            self.next.setdefault(b, []).append(a)
        self.ends = [n for n in self.next if n[0] == "end"]

    def hops(self):
        """Cables between any two ends, by breadth-first search."""
        for first in self.ends:
            far, line = {first: 0}, deque([first])
            while line:
                here = line.popleft()
                for there in self.next[here]:
                    if there not in far:
                        far[there] = far[here] + 1
                        line.append(there)
            yield from (far[end] for end in self.ends if end != first)

    def cut(self, half):
        """Least cables between a set of ends and the others: the largest flow, path by path."""
        room = {}
        for a, b in self.cables:
            room[a, b] = room.get((a, b), 0) + 1
            room[b, a] = room.get((b, a), 0) + 1
        flow = 0
        while True:
            back, line, goal = dict.fromkeys(half), deque(half), None
            while line and goal is None:
                here = line.popleft()
                for there in self.next[here]:
                    if there not in back and room[here, there]:
                        back[there] = here
                        if there[0] == "end" and there not in half:
                            goal = there
                            break
                        line.append(there)
            if goal is None:
                return flow
            while back[goal] is not None:
                room[back[goal], goal] -= 1
                room[goal, back[goal]] += 1
                goal = back[goal]
            flow += 1

    def halves(self):
        """Every way to halve the ends, with the first end on one side."""
        first, *rest = self.ends
        for chosen in combinations(rest, len(self.ends) // 2 - 1):
            yield {first, *chosen}


def tree_graph(k, levels, up):
    """Fat tree: ends and switches wired one by one."""
    pods, edges, down = (1, k, k - up) if levels == 2 else (k, k // 2, k - up)
    for pod in range(pods):
        for edge in range(edges):
            yield from ((("end", pod, edge, i), ("edge", pod, edge)) for i in range(down))
            for i in range(up):
                if levels == 2:
                    yield ("edge", pod, edge), ("core", i)
                else:
                    yield ("edge", pod, edge), ("aggregation", pod, i)
        if levels == 3:
            for i in range(up):
                yield from ((("aggregation", pod, i), ("core", i, j)) for j in range(k // 2))


def torus_graph(shape):
    cables = set()
    points = [()]
    for n in shape:
        points = [(*p, i) for p in points for i in range(n)]
    for p in points:
        for axis, n in enumerate(shape):
            q = (*p[:axis], (p[axis] + 1) % n, *p[axis + 1 :])
            if q != p:
                cables.add(frozenset({("end", *p), ("end", *q)}))
    return [tuple(c) for c in cables]


def dragonfly_graph(a, p, h):
    """Group i's cable number j goes to group i + j + 1, and sits on router j // h."""
    groups = a * h + 1
    for i in range(groups):
        for r in range(a):
            yield from ((("end", i, r, n), ("router", i, r)) for n in range(p))
            yield from ((("router", i, r), ("router", i, s)) for s in range(r))
        for j in range(a * h):
            other = (i + j + 1) % groups
            if other > i:
                yield ("router", i, j // h), ("router", other, ((i - other - 1) % groups) // h)


def distances(graph):
    hops = list(graph.hops())
    return max(hops), sum(hops) / len(hops)


def agrees(network: Network, graph: Graph):
    """Counts and distances of the closed form are those of the graph."""
    switches = len(graph.next) - len(graph.ends)
    assert (network.endpoints, network.switches) == (len(graph.ends), switches)
    assert network.cables == len(graph.cables)
    assert {len(graph.next[end]) for end in graph.ends} == {network.ports}
    diameter, mean = distances(graph)
    assert network.diameter == diameter
    assert network.mean_hops == pytest.approx(mean, rel=1e-12)


def test_the_published_fat_tree():
    """48 ports: 27,648 hosts on 2,880 switches."""
    t = fat_tree(48)
    assert (t.kind, t.endpoints, t.switches, t.diameter) == (NetworkKind.FAT_TREE, 27_648, 2880, 6)
    assert t.bisection == 27_648 // 2


@pytest.mark.parametrize(
    ("radix", "levels", "ratio", "up"),
    [
        (2, 2, 1, 1),
        (4, 2, 1, 2),
        (4, 2, 3, 1),
        (6, 2, 2, 2),
        (2, 3, 1, 1),
        (4, 3, 1, 2),
        (4, 3, 3, 1),
        (6, 3, 1, 3),
    ],
)
def test_fat_trees_against_their_graphs(radix, levels, ratio, up):
    network = fat_tree(radix, levels=levels, oversubscription=ratio)
    agrees(network, Graph(tree_graph(radix, levels, up)))


@pytest.mark.parametrize(("radix", "ratio", "up"), [(2, 1, 1), (4, 1, 2), (4, 3, 1)])
def test_no_halving_of_a_small_fat_tree_cuts_less(radix, ratio, up):
    graph = Graph(tree_graph(radix, 2, up))
    assert min(map(graph.cut, graph.halves())) == fat_tree(radix, levels=2, oversubscription=ratio).bisection


@pytest.mark.parametrize(("ratio", "up"), [(1, 2), (3, 1)])
def test_no_halving_of_a_fat_tree_of_three_levels_cuts_less(ratio, up):
    """Four pods of two edges: what matters is how many ends of each edge are on one side."""
    graph = Graph(tree_graph(4, 3, up))
    down = 4 - up
    pairs = list(combinations_with_replacement(range(down + 1), 2))
    cuts = []
    for pods in combinations_with_replacement(pairs, 4):
        if 2 * sum(map(sum, pods)) == len(graph.ends):
            taken = ((pod, edge, n) for pod, pair in enumerate(pods) for edge, n in enumerate(pair))
            cuts.append(graph.cut({("end", pod, edge, i) for pod, edge, n in taken for i in range(n)}))
    assert min(cuts) == fat_tree(4, oversubscription=ratio).bisection


@pytest.mark.parametrize("shape", [(2,), (4,), (8,), (2, 2), (4, 4), (6, 2), (4, 1, 6), (2, 2, 2), (4, 4, 4)])
def test_tori_against_their_graphs(shape):
    agrees(torus(shape), Graph(torus_graph(shape)))


@pytest.mark.parametrize("shape", [(2,), (4,), (8,), (2, 2), (4, 2), (6, 2), (2, 2, 2), (4, 1, 2)])
def test_no_halving_of_a_small_torus_cuts_less(shape):
    graph = Graph(torus_graph(shape))
    assert min(crossing(graph, half) for half in graph.halves()) == torus(shape).bisection


def test_no_halving_of_a_square_torus_cuts_less():
    """4 x 4: all 6,435 halves."""
    graph = Graph(torus_graph((4, 4)))
    assert min(crossing(graph, half) for half in graph.halves()) == torus((4, 4)).bisection == 8


def crossing(graph, half):
    """Cables between two sets where every node is an end."""
    return sum((a in half) != (b in half) for a, b in graph.cables)


@pytest.mark.parametrize(("pod", "shape", "published", "rel"), [
    ("TPU_v4_Pod", (16, 16, 16), 24, 0.05),
    ("TPU_v5e_Pod", (16, 16), 1.6, 1e-9),
    ("TPU_v6e_Pod", (16, 16), 3.2, 1e-9),
])  # fmt: skip
def test_the_tori_of_the_zoo(pod, shape, published, rel):
    """Google's bisection per pod; v4's links are 45 GB/s in one source of the card and 50 in another."""
    r = TopologyModel().solve(getattr(Systems.Clusters, pod))
    assert r.network == torus(shape)
    assert r.bisection_bandwidth.to("TB/s").magnitude == pytest.approx(published, rel=rel)


@pytest.mark.parametrize(("a", "p", "h"), [(2, 1, 1), (2, 2, 1), (4, 2, 2), (4, 1, 1)])
def test_dragonflies_against_their_graphs(a, p, h):
    """Counts from the graph; hops by the way over the one cable between two groups."""
    network, graph = dragonfly(a, hosts=p, global_cables=h), Graph(dragonfly_graph(a, p, h))
    assert network.endpoints == len(graph.ends) == a * p * (a * h + 1)
    assert network.switches == len(graph.next) - len(graph.ends)
    assert network.cables == len(graph.cables)
    gate = {}
    for x, y in graph.cables:
        if x[0] == y[0] == "router" and x[1] != y[1]:
            gate[x[1], y[1]], gate[y[1], x[1]] = x[2], y[2]
    ways = [
        (2 + (s[2] != t[2])) if s[1] == t[1]
        else 3 + (s[2] != gate[s[1], t[1]]) + (t[2] != gate[t[1], s[1]])
        for s in graph.ends for t in graph.ends if s != t
    ]  # fmt: skip
    assert network.mean_hops == pytest.approx(sum(ways) / len(ways), rel=1e-12)
    assert network.diameter == max(ways)
    assert network.mean_hops >= distances(graph)[1]


@pytest.mark.parametrize(("a", "p", "h"), [(2, 1, 1), (2, 2, 1)])
def test_the_cut_of_a_small_dragonfly_is_the_least(a, p, h):
    graph = Graph(dragonfly_graph(a, p, h))
    assert min(map(graph.cut, graph.halves())) == dragonfly(a, hosts=p, global_cables=h).bisection


def test_a_balanced_dragonfly_by_hand():
    """a = 2p = 2h = 4: 9 groups of 4 routers with 2 ends are N = 72; 4·4 cables between four groups and four,
    and the ninth is cut in 2·2.
    """
    d = dragonfly(4, hosts=2, global_cables=2)
    assert (d.kind, d.endpoints, d.switches) == (NetworkKind.DRAGONFLY, 72, 36)
    assert d.bisection == 4 * 4 + 2 * 2


@pytest.mark.parametrize("n", [2, 3, 7, 8])
def test_full_meshes_against_their_graphs(n):
    graph = Graph((("end", i), ("end", j)) for i in range(n) for j in range(i))
    agrees(fully_connected(n), graph)
    assert min(crossing(graph, half) for half in graph.halves()) == fully_connected(n).bisection


@pytest.mark.parametrize(
    ("units", "leaves", "spines", "cables"), [(2, 16, 8, 1024), (4, 32, 16, 2048), (8, 64, 32, 4096)]
)
def test_the_published_superpods(units, leaves, spines, cables):
    """Units of 32 nodes with eight devices: leaf and spine switches, and cables of both kinds, as printed."""
    r = rail_optimized(32, rails=8, units=units)
    assert (r.endpoints, r.switches, r.cables) == (256 * units, leaves + spines, cables)
    assert TopologyModel().solve(network=r, link=Q_("400 Gbps")).bisection_share == 1.0


@pytest.mark.parametrize(("n", "m", "u"), [(2, 2, 2), (2, 2, 1), (4, 2, 2), (4, 4, 2), (1, 2, 1)])
def test_rails_against_their_graphs(n, m, u):
    """Rails, spines that every leaf reaches n / spines times, and a cable between the devices of a node."""
    spines = m * u // 2
    rails = [(("end", a, b, c), ("leaf", a, c)) for a in range(u) for b in range(n) for c in range(m)]
    up = [(("leaf", a, c), ("spine", i % spines)) for a in range(u) for c in range(m) for i in range(n)]
    fabric = Graph(rails + up)
    inside = [
        (("end", a, b, c), ("end", a, b, d))
        for a in range(u)
        for b in range(n)
        for c in range(m)
        for d in range(c)
    ]
    network = rail_optimized(n, rails=m, units=u)
    assert (network.endpoints, network.switches) == (len(fabric.ends), len(fabric.next) - len(fabric.ends))
    assert network.cables == len(fabric.cables)
    diameter, mean = distances(Graph(rails + up + inside))
    assert (network.diameter, network.mean_hops) == (diameter, pytest.approx(mean, rel=1e-12))
    if len(fabric.ends) <= 8:
        assert min(map(fabric.cut, fabric.halves())) == network.bisection


def test_a_result_by_hand():
    """A ring of four with 10 GB/s a cable: two cables in the middle, 20 GB/s; an end sends on two, so half
    of the ends could send 40.
    """
    r = TopologyModel().solve(network=torus((4,)), link=Q_("10 GB/s"))
    assert r.bisection_bandwidth.to("GB/s").magnitude == pytest.approx(20, rel=1e-12)
    assert r.injection_bandwidth.to("GB/s").magnitude == pytest.approx(20, rel=1e-12)
    assert r.bisection_share == 0.5
    assert r.to_dict()["mean_hops"] == pytest.approx(4 / 3)
    assert repr(r).startswith("Torus: 4\n")


def test_a_link_of_several_ports_is_several_cables():
    link = Link(name="six", bandwidth=Q_("60 GB/s"), topology="3d-torus", ports=6)
    assert TopologyModel().solve(network=torus((4, 4, 4)), link=link).bandwidth == pytest.approx(10e9)


def test_a_fleet_gives_the_link_and_must_find_room():
    """1,024 H100 on a tree of 16 ports, which has room for 1,024, and on one of 14, which has not."""
    pod = Systems.Clusters.DGX_SuperPOD_H100
    assert TopologyModel().solve(pod, network=fat_tree(16)).bandwidth == pod.fabric.bandwidth_si
    with pytest.raises(ArgumentError, match="network has 686 ends for the 1,024 devices"):
        TopologyModel().solve(pod, network=fat_tree(14))


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        (Systems.Clusters.TPU_v5p_Pod, "8,960 devices and a fabric that is 3d-torus"),
        (replace(TPU, nodes=15), "60 devices"),
        (replace(TPU, node=replace(TPU.node, devices=1), nodes=27), "27 devices"),
        (Systems.Clusters.Llama3_405B_Run, "that is switched"),
    ],
)
def test_a_shape_that_does_not_follow_is_asked_for(fleet, said):
    with pytest.raises(ArgumentError, match=r"give network, as torus\(\(16, 16, 24\)\)") as caught:
        TopologyModel().solve(fleet)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: fat_tree(0), "radix must be a whole number of at least 2; got 0"),
        (lambda: fat_tree(5), "radix must be even"),
        (lambda: fat_tree(4, oversubscription=2), "whole ports; got 4 and 2"),
        (lambda: fat_tree(4, oversubscription=0.5), "oversubscription must be at least 1; got 0.5"),
        (lambda: fat_tree(4, levels=4), "levels must be 2 or 3; got 4"),
        (lambda: torus((3, 4)), "shape must have sides that are even or 1"),
        (lambda: torus(()), "shape must have sides"),
        (lambda: torus(16), "got 16"),
        (lambda: torus((4, 2.5)), "shape[1] must be a whole number"),
        (lambda: dragonfly(3, hosts=1, global_cables=1), "routers must be even"),
        (lambda: dragonfly(4, hosts=0, global_cables=0), "global_cables must be a whole number"),
        (lambda: fully_connected(1), "endpoints must be a whole number of at least 2; got 1"),
        (lambda: rail_optimized(32, rails=7), "nodes must be a multiple of the spines"),
        (lambda: rail_optimized(32, rails=8, units=3), "got 32 and 12"),
        (lambda: TopologyModel().solve(link=Q_("1 GB/s")), "give a fleet, or a network"),
        (lambda: TopologyModel().solve(network=torus((4,))), "link needs a unit"),
        (lambda: TopologyModel().solve(network="torus", link=Q_("1 GB/s")), "network must be a Network"),
        (
            lambda: TopologyModel().solve("pod", network=torus((4,)), link=Q_("1 GB/s")),
            "fleet must be a Fleet",
        ),
    ],
)
def test_a_wrong_argument_is_named(make, said):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert said in str(caught.value)
