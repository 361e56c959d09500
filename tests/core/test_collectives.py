"""Lines over the size: by hand, by law, and by messages that are counted one by one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError, Calibration, Engine, Hardware, Models
from mlsysim.core.calibration import IDEAL
from mlsysim.core.collectives import (
    Algorithm,
    Collective,
    Level,
    bus_factor,
    collective_time,
    parse_algorithm,
    parse_collective,
    plans,
)

ALL_REDUCE, BROADCAST = Collective.ALL_REDUCE, Collective.BROADCAST
US = 1e-6


def level(devices=8, **changes):
    """10 GB/s a device, a microsecond a hop."""
    return Level(**{"devices": devices, "bandwidth": 10e9, "latency": US, **changes})


def line(collective, levels, algorithm, parts=None):
    """The one plan of an algorithm, and of parts if it is hierarchical."""
    found = [p for p in plans(collective, levels) if p.algorithm is algorithm and parts in {None, p.parts}]
    (plan,) = found
    return plan


@pytest.mark.parametrize(
    ("collective", "algorithm", "hops", "share"),
    [
        ("all-reduce", "ring", 14, 1.75),
        ("all-gather", "ring", 7, 0.875),
        ("reduce-scatter", "ring", 7, 0.875),
        ("broadcast", "ring", 7, 1.0),
        ("all-reduce", "tree", 6, 2.0),
        ("broadcast", "tree", 3, 1.0),
        ("all-to-all", "direct", 7, 0.875),
        ("point-to-point", "direct", 1, 1.0),
    ],
)
def test_eight_devices_by_hand(collective, algorithm, hops, share):
    """10 GB/s and 1 µs a hop, 1 MB: a ring's all-reduce takes 14 µs + 1.75 MB / 10 GB/s = 189 µs, a tree's
    2·3 µs + 2 MB / 10 GB/s = 206 µs; half of a ring is 7 µs + 87.5 µs.
    """
    took = collective_time(collective, 1e6, [level()], algorithm)

    assert took == pytest.approx(hops * US + share * 1e6 / 10e9)


def test_a_switch_adds():
    """Each device lets its eighth be added from all eight, 8/8, and sends the sum out, 1/8: 9/8 of 1 MB at
    half of 10 GB/s is 225 µs, and two hops of 3 µs. To gather alone, a device takes in 8/8.
    """
    able = level(switch_efficiency=0.5, switch_latency=3 * US)

    assert collective_time(ALL_REDUCE, 1e6, [able], Algorithm.NVLS) == pytest.approx(231 * US)
    assert collective_time(Collective.ALL_GATHER, 1e6, [able], Algorithm.NVLS) == pytest.approx(203 * US)


def test_two_levels_by_hand():
    """Four nodes of eight at 10 GB/s, 1 GB/s and 5 µs between nodes, a tensor of 8 MB.

    Inside, a ring: 14 µs and 1.75·8 MB / 10 GB/s = 1,400 µs. Between, a ring of four over an eighth of the
    tensor, 1.5·1 MB / 1 GB/s = 1,500 µs and 6·5 µs. Latencies add, transfers overlap: 44 + 1,500 µs.
    """
    levels = [level(), level(4, bandwidth=1e9, latency=5 * US)]
    plan = line(ALL_REDUCE, levels, Algorithm.HIERARCHICAL, (Algorithm.RING, Algorithm.RING))

    assert plan.time(8e6) == pytest.approx(1544 * US)
    assert plan.transfers == pytest.approx((1.75 / 10e9, 1.5 / 8e9))
    assert plan.binding == 1


def test_one_ring_through_all_nodes_by_hand():
    """32 devices: 62 steps, of which 4 of each 32 hops lead to another node: 62·(28·1 + 4·5)/32 = 93 µs.
    The boundary of a node is crossed by 2·31/32 of 8 MB over 8 ports of 1 GB/s: 1,937.5 µs.
    """
    levels = [level(), level(4, bandwidth=1e9, latency=5 * US)]

    assert line(ALL_REDUCE, levels, Algorithm.RING).time(8e6) == pytest.approx((93 + 1937.5) * US)


def test_all_to_all_between_nodes_by_hand():
    """16 devices in two nodes: each sends 8/16 of its tensor to the other node through its own port, and 7/16
    inside; 7 messages of 1 µs and 8 of 5 µs. By way of a partner there: 7/8 inside, half between, 7 + 1.
    """
    levels = [level(), level(2, bandwidth=1e9, latency=5 * US)]
    straight = line(Collective.ALL_TO_ALL, levels, Algorithm.DIRECT)
    by_node = line(Collective.ALL_TO_ALL, levels, Algorithm.HIERARCHICAL)

    assert straight.transfers == pytest.approx((7 / 16 / 10e9, 8 / 16 / 1e9))
    assert straight.latency == pytest.approx(47 * US)
    assert by_node.transfers == pytest.approx((7 / 8 / 10e9, 1 / 2 / 1e9))
    assert by_node.latency == pytest.approx(12 * US)


def test_point_to_point_goes_as_far_as_the_system_does():
    levels = [level(), level(4, bandwidth=1e9, latency=5 * US)]

    assert collective_time(Collective.POINT_TO_POINT, 1e6, levels) == pytest.approx(1005 * US)
    assert collective_time(Collective.POINT_TO_POINT, 1e6, [*levels[:1], level(1)]) == pytest.approx(101 * US)


def tree_load(n):
    """The most that a device sends, up and down in two binary trees with half of the tensor each.

    The second tree is the first with every device moved by one, so that an inner one becomes a leaf.
    """
    sent = [0.0] * n
    for shift in (0, 1):
        for child in range(n):
            above = in_order_parent(child, n)
            if above is not None:
                sent[(child + shift) % n] += 0.5
                sent[(above + shift) % n] += 0.5
    return max(sent)


def in_order_parent(i, n):
    """The parent of a node in a binary tree over 0..n-1 whose leaves are the odd numbers; 0 is the root."""
    if i == 0:
        return None
    bit = i & -i
    up = (i ^ bit) | (bit << 1)
    return up if up < n else i ^ bit


@pytest.mark.parametrize("n", [2, 3, 4, 8, 16, 32])
def test_two_trees_counted_edge_by_edge(n):
    """No device sends more than the tensor twice; of few devices, none is inside with two below it."""
    share = line(ALL_REDUCE, [level(n)], Algorithm.TREE).seconds_per_byte * 10e9

    assert share == pytest.approx(tree_load(n))


@pytest.mark.parametrize("n", [2, 3, 8, 13])
def test_a_ring_counted_message_by_message(n):
    """Each of 2(n - 1) steps sends an nth from every device to its neighbour; a sum arrives everywhere."""
    parts = [[{device} for _ in range(n)] for device in range(n)]
    sent = 0
    for step in range(2 * (n - 1)):
        messages = [((d - step) % n, d, (d + 1) % n) for d in range(n)]
        moved = [(part, parts[a][part].copy(), b) for part, a, b in messages]
        for part, content, b in moved:
            parts[b][part] |= content
        sent += 1 / n

    assert all(part == set(range(n)) for device in parts for part in device)
    plan = line(ALL_REDUCE, [level(n)], Algorithm.RING)
    assert plan.seconds_per_byte == pytest.approx(sent / 10e9)
    assert plan.latency == pytest.approx(2 * (n - 1) * US)


def test_the_ring_is_that_of_the_engine():
    """Given the engine's time of a sum and share of the link, and no hops."""
    mine = Calibration(
        name="mine",
        source="a test",
        compute_efficiency=dict(IDEAL.compute_efficiency),
        memory_efficiency=1.0,
        serial_fraction=0.0,
        step_overhead=Q_("0 s"),
        layer_overhead=Q_("0 s"),
        tile=1,
        link_efficiency=0.6,
        link_latency=Q_("16.5 us"),
    )
    for n in (2, 4, 8):
        p = Engine.solve(Models.Llama3_8B, Hardware.H100, 16, tp_size=n, calibration=mine)
        joined = Level(devices=n, bandwidth=Hardware.H100.figure("link"), efficiency=0.6)
        each = collective_time(ALL_REDUCE, p.work.reduced, [joined], Algorithm.RING, launch=16.5e-6)

        assert p.work.reductions * each == pytest.approx(p.terms.communication_time, rel=1e-12)


def test_latency_wins_small_tensors_for_the_tree_and_bandwidth_large_ones_for_the_ring():
    """64 devices, 1 µs, 10 GB/s: 12 µs + 2S/β against 126 µs + 2·63/64 S/β: they meet at 36.48 MB."""
    levels = [level(64)]
    ring, tree = (line(ALL_REDUCE, levels, a) for a in (Algorithm.RING, Algorithm.TREE))
    meet = 114 * US / (2 / 64) * 10e9

    assert meet == pytest.approx(36.48e6)
    for size, faster in ((meet / 2, tree), (meet * 2, ring)):
        assert collective_time(ALL_REDUCE, size, levels) == faster.time(size)


SYSTEMS = st.lists(
    st.builds(
        Level,
        devices=st.integers(1, 32),
        bandwidth=st.floats(1e8, 1e12),
        latency=st.floats(0, 1e-3),
        efficiency=st.floats(0.1, 1),
        switch_latency=st.floats(0, 1e-4),
        switch_efficiency=st.none() | st.floats(0.1, 1),
    ),
    min_size=1,
    max_size=3,
)
KINDS = st.sampled_from(Collective)
SIZES = st.floats(1, 1e12)
FEW = settings(max_examples=50)


@FEW
@given(KINDS, SYSTEMS, SIZES)
def test_the_lowest_line_is_taken_and_it_rises(collective, levels, size):
    found = plans(collective, levels)
    took = collective_time(collective, size, levels)

    if math.prod(x.devices for x in levels) == 1:
        assert (found, took) == ((), 0)
        return
    assert took == min(plan.time(size) for plan in found) > 0
    assert took <= collective_time(collective, 2 * size, levels) <= 2 * took * (1 + 1e-12)
    for plan in found:
        assert plan.seconds_per_byte == max(plan.transfers) == plan.transfers[plan.binding]
        assert levels[plan.binding].devices > 1


@FEW
@given(SYSTEMS, SIZES)
def test_a_faster_link_never_makes_it_slower(levels, size):
    quick = [
        Level(
            devices=x.devices,
            bandwidth=2 * x.bandwidth,
            latency=x.latency / 2,
            efficiency=x.efficiency,
            switch_latency=x.switch_latency / 2,
            switch_efficiency=x.switch_efficiency,
        )
        for x in levels
    ]
    for collective in Collective:
        slow = collective_time(collective, size, levels)
        assert collective_time(collective, size, quick) == pytest.approx(slow / 2)


@FEW
@given(st.integers(2, 64), SIZES)
def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather(n, size):
    halves = [
        collective_time(c, size, [level(n)], Algorithm.RING)
        for c in (Collective.REDUCE_SCATTER, Collective.ALL_GATHER)
    ]

    assert collective_time(ALL_REDUCE, size, [level(n)], Algorithm.RING) == pytest.approx(sum(halves))


@FEW
@given(KINDS, st.integers(2, 64), SIZES)
def test_no_algorithm_that_sends_messages_beats_the_bus(collective, n, size):
    """The bus bandwidth is at most the link's, unless a switch adds."""
    took = collective_time(collective, size, [level(n, latency=0.0)])

    assert bus_factor(collective, n) * size / took <= 10e9 * (1 + 1e-12)


@FEW
@given(KINDS, SYSTEMS, st.integers(0, 3))
def test_a_level_of_one_changes_nothing(collective, levels, where):
    padded = [*levels[:where], level(1, bandwidth=1.0), *levels[where:]]

    assert collective_time(collective, 1e6, padded) == pytest.approx(collective_time(collective, 1e6, levels))


def test_levels_are_slower_than_one_wire_of_the_same_port():
    """A second level of equal ports: the nodes' sum crosses once, so it costs less than a lap through all."""
    flat, two = [level(64)], [level(8), level(8)]

    assert collective_time(ALL_REDUCE, 1e9, two) < collective_time(ALL_REDUCE, 1e9, flat)


@pytest.mark.parametrize("collective", Collective)
def test_one_device_takes_no_time(collective):
    assert collective_time(collective, 1e9, [level(1)], launch=1.0) == 0
    assert collective_time(collective, 1e9, [level(1)], Algorithm.NVLS) == 0


def test_a_launch_is_paid_once():
    levels = [level(), level(4)]

    assert collective_time(ALL_REDUCE, 1e6, levels, launch=1.0) == pytest.approx(
        1.0 + collective_time(ALL_REDUCE, 1e6, levels)
    )


def test_arrays_are_the_scalars_one_by_one():
    sizes, rates = np.geomspace(1e3, 1e10, 9), np.array([[1e9], [1e10]])
    grid = collective_time(ALL_REDUCE, sizes, [level(bandwidth=rates, switch_efficiency=0.7), level(4)])

    assert grid.shape == (2, 9)
    for i, rate in enumerate(rates[:, 0]):
        for j, size in enumerate(sizes):
            levels = [level(bandwidth=float(rate), switch_efficiency=0.7), level(4)]
            assert grid[i, j] == pytest.approx(collective_time(ALL_REDUCE, float(size), levels), rel=1e-12)


@pytest.mark.parametrize(
    ("collective", "levels", "algorithm", "able"),
    [
        ("all-reduce", [level()], "nvls", "ring, tree"),
        ("all-gather", [level()], "tree", "ring"),
        ("all-to-all", [level()], "ring", "direct"),
        ("all-reduce", [level(), level()], "direct", "ring, tree, hierarchical"),
        ("broadcast", [level(), level()], "hierarchical", "ring, tree"),
    ],
)
def test_an_algorithm_that_cannot_is_refused(collective, levels, algorithm, able):
    with pytest.raises(ArgumentError, match=rf"algorithm {algorithm} does no .* Able: {able}\."):
        collective_time(collective, 1e6, levels, algorithm)


def test_names_are_read_and_misses_helped():
    assert parse_collective("Reduce_Scatter") is Collective.REDUCE_SCATTER
    assert parse_algorithm("NVLS") is Algorithm.NVLS
    with pytest.raises(
        ArgumentError, match=r"collective 'all-reduse' is unknown\. Did you mean 'all-reduce'"
    ):
        parse_collective("all-reduse")
    with pytest.raises(ArgumentError, match="algorithm 3 is unknown"):
        parse_algorithm(3)
