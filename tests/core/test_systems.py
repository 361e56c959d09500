"""Links, nodes, fleets, grids, data centres and prices: what they hold, and what they refuse."""

import copy
import pickle

import pytest

from mlsysim import Q_, Accelerator, Datacenter, Fleet, Grid, Link, Node, Price
from mlsysim.core.errors import SpecError

CHIP = Accelerator(name="chip", peak={"fp16": Q_("1 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("80 GB"))
WIRE = Link(name="wire", bandwidth=Q_("400 Gbps"), topology="switched")
BOX = Node(name="box", accelerator=CHIP, devices=8, link=WIRE)


def test_a_link_is_counted_in_bytes():
    """400 Gbit/s are 50 GB/s."""
    assert WIRE.bandwidth_si == 50e9
    assert str(WIRE.topology) == "switched"


def test_a_node_and_a_fleet_count_their_devices():
    """Eight devices of 80 GB are 640 GB; 16 boxes are 128 devices."""
    assert BOX.capacity.to("GB").magnitude == 640
    assert Fleet(name="hall", node=BOX, nodes=16, fabric=WIRE).devices == 128


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Link(name="x", bandwidth=50e9, topology="switched"), "bandwidth needs a unit"),
        (lambda: Link(name="x", bandwidth=Q_("1 GB"), topology="switched"), "bandwidth needs"),
        (lambda: Link(name="x", bandwidth=Q_("1 GB/s"), topology="swiched"), "Did you mean 'switched'?"),
        (lambda: Link(name="x", bandwidth=Q_("1 GB/s"), topology="switched", ports=0), "ports must be"),
        (
            lambda: Link(name="x", bandwidth=Q_("1 GB/s"), topology="switched", latency=Q_("1 GB")),
            "latency needs",
        ),
        (lambda: Node(name="x", accelerator="H100", devices=8, link=WIRE), "accelerator must be a device"),
        (lambda: Node(name="x", accelerator=CHIP, devices=0, link=WIRE), "devices must be a whole"),
        (lambda: Node(name="x", accelerator=CHIP, devices=8, link=CHIP), "link must be a Link"),
        (lambda: Node(name="x", accelerator=CHIP, devices=8, link=WIRE, nic=5), "nic must be a Link"),
        (
            lambda: Node(name="x", accelerator=CHIP, devices=8, link=WIRE, power=Q_("10 GB")),
            "power needs",
        ),
        (lambda: Fleet(name="x", node=BOX, nodes=0, fabric=WIRE), "an empty fleet has none"),
        (lambda: Fleet(name="x", node=CHIP, nodes=1, fabric=WIRE), "node must be a Node"),
        (lambda: Fleet(name="x", node=BOX, nodes=1, fabric=BOX), "fabric must be a Link"),
        (lambda: Grid(name="x", carbon_intensity=400), "carbon_intensity needs a unit"),
        (lambda: Grid(name="x", carbon_intensity=Q_("-1 g/kWh")), "carbon_intensity must be"),
        (lambda: Grid(name="x", carbon_intensity=Q_("1 g/kWh"), price=Q_("1 USD")), "price needs"),
        (lambda: Datacenter(name="x", pue=0.9), "pue must be a number of at least 1"),
        (lambda: Datacenter(name="x", pue=True), "pue must be a number"),
        (lambda: Datacenter(name="x", pue=1.1, wue=Q_("1 L")), "wue needs"),
        (
            lambda: Price(name="x", accelerator=CHIP, hourly=Q_("2 USD"), date="2026-07-28"),
            "hourly needs",
        ),
        (
            lambda: Price(name="x", accelerator=CHIP, hourly=Q_("2 USD/hour"), date="July 2026"),
            "date must be a day or a month",
        ),
        (
            lambda: Price(name="x", accelerator=None, hourly=Q_("2 USD/hour"), date="2026-07"),
            "accelerator must be a device",
        ),
    ],
)
def test_what_is_wrong_is_named(build, said):
    with pytest.raises(SpecError) as caught:
        build()
    assert "'x'" in str(caught.value)
    assert said in str(caught.value)


def test_a_grid_without_carbon_is_one():
    assert Grid(name="wind", carbon_intensity=Q_("0 g/kWh")).carbon_intensity.magnitude == 0


def test_all_faults_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        Node(name="x", accelerator=None, devices=0, link=None)
    assert all(word in str(caught.value) for word in ("accelerator", "devices", "link"))


@pytest.mark.parametrize("thing", [WIRE, BOX, Fleet(name="hall", node=BOX, nodes=2, fabric=WIRE)])
def test_systems_pickle_and_copy(thing):
    assert copy.deepcopy(thing) == thing
    assert pickle.loads(pickle.dumps(thing)) == thing  # noqa: S301 - our own bytes
