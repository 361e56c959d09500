"""Exchanges between the devices of nodes and fleets: by hand, published bandwidths, refusals."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Fleet, Link, Node, Systems, UnitError
from mlsysim.core.collective_calibration import NCCL, CollectiveCalibration
from mlsysim.core.collectives import Algorithm, Collective
from mlsysim.solvers.collective import CollectiveLimit, CollectiveModel

CHIP = Accelerator(name="chip", peak={"fp16": Q_("1 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("1 GB"))
WIRE = Link(name="wire", bandwidth=Q_("10 GB/s"), topology="switched")
CABLE = Link(name="cable", bandwidth=Q_("1 GB/s"), topology="switched", latency=Q_("5 us"))
BOX = Node(name="box", accelerator=CHIP, devices=8, link=WIRE)
ROOM = Fleet(name="room", node=BOX, nodes=4, fabric=CABLE)
PLAIN = CollectiveCalibration(name="plain", source="a test", link_latency=Q_("1 us"))
H100 = Systems.Nodes.DGX_H100


def solve(collective="all-reduce", size="8 MB", fleet=ROOM, **asked):
    return CollectiveModel().solve(collective, Q_(size), fleet, **{"calibration": PLAIN} | asked)


@pytest.fixture
def summed():
    return solve()


def test_a_fleet_by_hand(summed):
    """32 devices and 8 MB. A ring in each node takes 14 µs and 1.75·8 MB / 10 GB/s = 1,400 µs, a ring between
    them 6·5 µs and 1.5·1 MB / 1 GB/s = 1,500 µs: 44 + 1,500 µs. A tree in each node saves 8 µs, but its
    2·8 MB / 10 GB/s = 1,600 µs take longer than the cables. 32 messages would send 2·31/32 of the tensor.
    """
    assert str(summed.plan) == "hierarchical (ring, ring)"
    assert summed.time.to("us").magnitude == pytest.approx(1544)
    assert summed.latency.to("us").magnitude == pytest.approx(44)
    assert summed.algbw.to("GB/s").magnitude == pytest.approx(8 / 1.544)
    assert summed.busbw.to("GB/s").magnitude == pytest.approx(8 / 1.544 * 62 / 32)
    assert summed.devices == 32
    assert summed.binding_link is CABLE
    assert summed.limit is CollectiveLimit.BANDWIDTH


def test_every_candidate_is_listed_and_the_fastest_taken(summed):
    times = [plan.time(summed.size) for plan in summed.candidates]

    assert {p.algorithm for p in summed.candidates} == {
        Algorithm.RING,
        Algorithm.TREE,
        Algorithm.HIERARCHICAL,
    }
    assert summed.seconds == min(times)
    assert len({(p.algorithm, p.parts) for p in summed.candidates}) == len(times) == 6


def test_an_algorithm_that_is_asked_for_is_taken():
    slow = solve(algorithm="ring")

    assert (slow.plan.algorithm, slow.seconds > solve().seconds) == (Algorithm.RING, True)
    assert slow.candidates == solve().candidates


def test_a_small_tensor_is_bound_by_latency():
    assert solve(size="1 kB").limit is CollectiveLimit.LATENCY
    assert str(solve(size="1 kB").limit) == "Latency Bound"


def test_part_of_a_node_a_node_and_whole_nodes():
    assert solve(devices=3).parts == ((WIRE, 3),)
    assert solve(devices=8).parts == solve(fleet=BOX).parts == ((WIRE, 8),)
    assert solve(devices=16).parts == ((WIRE, 8), (CABLE, 2))
    assert solve(fleet=BOX, devices=5).seconds == solve(fleet=None, link=WIRE, devices=5).seconds


def test_one_device_a_node_has_the_network_alone():
    """Four devices: a ring's six steps of 5 µs, and 1.5·8 MB / 1 GB/s."""
    lone = Node(name="lone", accelerator=CHIP, devices=1, link=WIRE)
    r = solve(fleet=Fleet(name="row", node=lone, nodes=4, fabric=CABLE), algorithm="ring")

    assert r.time.to("us").magnitude == pytest.approx(30 + 12_000)
    assert [str(p) for p in r.candidates] == ["ring", "tree"]


@settings(max_examples=40)
@given(st.sampled_from(Collective), st.floats(1, 1e11), st.sampled_from([2, 8, 16, 32]), st.floats(0.1, 0.99))
def test_losses_make_it_slower(collective, size, devices, share):
    lossy = CollectiveCalibration(
        name="lossy", source="a test", link_efficiency=share, network_efficiency=share, launch=Q_("1 us")
    )
    asked = {"size": f"{size} B", "devices": devices}
    bound = solve(collective, calibration="ideal", **asked)

    assert solve(collective, calibration=lossy, **asked).seconds > bound.seconds
    assert (
        bound.seconds <= solve(collective, calibration="ideal", **asked | {"size": f"{2 * size} B"}).seconds
    )


@pytest.mark.parametrize(
    ("shape", "published"),
    [((1024, 16384), 65e-6), ((4096, 65536), 1.04e-3)],
)
def test_the_scaling_book_gathers_in_a_node(shape, published):
    """How to Scale Your Model, GPUs: bf16[1024, 16384] in 65 µs, bf16[4096, 65536] in 1.04 ms; 8 H100."""
    size = Q_(2 * math.prod(shape), "B")
    r = CollectiveModel().solve("all-gather", size, H100, calibration="ideal")

    assert r.seconds == pytest.approx(published, rel=0.01)


def test_the_scaling_book_gathers_in_a_scalable_unit():
    """The same: 256 H100 gather at 413 GB/s, since the leaf level, not the node's 514 GB/s, limits."""
    unit = Systems.Clusters.DGX_SuperPOD_SU_H100
    r = CollectiveModel().solve("all-gather", Q_("1 GB"), unit, calibration="ideal")

    assert r.algbw.to("GB/s").magnitude == pytest.approx(413, rel=0.001)
    assert r.binding_link is unit.fabric
    one = CollectiveModel().solve("all-gather", Q_("1 GB"), H100, algorithm="ring", calibration="ideal")
    assert one.algbw.to("GB/s").magnitude == pytest.approx(514, rel=0.001)


def test_nccl_on_eight_h100_as_its_author_says():
    """NCCL's tests, issue 212: about 370 GB/s in a ring, about 480 (algbw 275) where the switch adds. Neither
    was in the fit; NVIDIA sells it as 450.
    """
    ring = CollectiveModel().solve("all-reduce", Q_("8 GiB"), H100, algorithm="ring")
    best = CollectiveModel().solve("all-reduce", Q_("8 GiB"), H100)

    assert ring.busbw.to("GB/s").magnitude == pytest.approx(370, rel=0.1)
    assert best.plan.algorithm is Algorithm.NVLS
    assert best.algbw.to("GB/s").magnitude == pytest.approx(275, rel=0.05)
    assert 450 < best.busbw.to("GB/s").magnitude < 480


@pytest.mark.parametrize(("devices", "published"), [(5, 258), (6, 265), (7, 270), (8, 273)])
def test_what_a_switch_adds_for_some_of_eight_h100(devices, published):
    """NCCL, issue 1455: algbw by the number of devices; it rises as n / (n + 1) does."""
    r = CollectiveModel().solve("all-reduce", Q_("4 GiB"), H100, devices=devices, algorithm="nvls")

    assert r.algbw.to("GB/s").magnitude == pytest.approx(published, rel=0.05)


def test_few_devices_gain_nothing_from_the_switch():
    """The same issue: 365 to 370 GB/s for two to four devices, in a ring and in the switch alike."""
    found = [CollectiveModel().solve("all-reduce", Q_("4 GiB"), H100, devices=n) for n in (2, 3, 4)]

    assert [r.busbw.to("GB/s").magnitude for r in found] == pytest.approx([368] * 3, rel=0.1)


def test_a100_switches_do_not_add():
    r = CollectiveModel().solve("all-reduce", Q_("16 GiB"), Systems.Nodes.DGX_A100)

    assert (r.plan.algorithm, r.calibration) == (Algorithm.RING, NCCL)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"collective": "all-reduse"}, "collective 'all-reduse' is unknown. Did you mean 'all-reduce'?"),
        ({"algorithm": "rind"}, "algorithm 'rind' is unknown. Did you mean 'ring'?"),
        (
            {"algorithm": "nvls"},
            "algorithm 'nvls' does no all-reduce over 8 on wire, 4 on cable. Able: ring,",
        ),
        ({"calibration": "serving"}, "calibration must be a CollectiveCalibration or the name of a preset"),
        ({"fleet": CHIP}, "fleet must be a fleet or a node such as Systems.Nodes.DGX_H100"),
        ({"fleet": None}, "give either fleet, such as Systems.Nodes.DGX_H100, or link with devices"),
        ({"link": WIRE}, "give either fleet, such as Systems.Nodes.DGX_H100, or link with devices"),
        (
            {"fleet": None, "link": "wire", "devices": 8},
            "link must be a Link such as Systems.Fabrics.NVLink4",
        ),
        ({"fleet": None, "link": WIRE}, "devices must be a whole number of at least 2; got None"),
        ({"devices": 1}, "devices must be a whole number of at least 2; got 1"),
        ({"devices": 2.5}, "devices must be a whole number of at least 2; got 2.5"),
        ({"devices": 64}, "devices, 64, exceed those of room, 32"),
        ({"devices": 12}, "devices, 12, must be whole nodes of 8, or part of one node"),
        ({"fleet": BOX, "devices": 9}, "devices, 9, exceed those of box, 8"),
        ({"size": "0 B"}, "size must"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError, match=re.escape(said)):
        solve(**wrong)


def test_a_size_needs_a_unit():
    with pytest.raises(UnitError, match="size needs a unit"):
        CollectiveModel().solve("all-reduce", 1024, BOX)


def test_a_node_of_one_device_exchanges_nothing():
    with pytest.raises(ArgumentError, match="devices must be a whole number of at least 2; got 1"):
        solve(fleet=Node(name="lone", accelerator=CHIP, devices=1, link=WIRE))


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        solve("sum", "1 ms", devices=0, algorithm="slow", calibration="good")
    for word in ("'sum'", "size", "devices", "'slow'", "'good'"):
        assert word in str(caught.value)


def test_the_result_shows_itself(summed):
    text = repr(summed)

    for said in (
        "All-reduce over 32 devices",
        "8 on wire, 4 on cable",
        "1.544 ms",
        "hierarchical 1.544 ms; tree 2.026 ms; ring",
        "Bandwidth Bound",
    ):
        assert said in text
    assert summed.to_dict()["time"] == {"value": pytest.approx(1.544), "unit": "ms"}
    assert "8 on wire" in summed._repr_html_()


def test_the_band_is_that_of_the_calibration(summed):
    r = solve(calibration="nccl")
    low, high = r.time_band

    assert summed.time_band is None
    assert (low / r.time).magnitude == pytest.approx(NCCL.band[0])
    assert (high / r.time).magnitude == pytest.approx(NCCL.band[1])
    assert " to " in dict(r.rows())["Time"].__str__()
