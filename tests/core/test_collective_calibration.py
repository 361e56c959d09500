"""Calibrations of collectives: what they make of links, and what is refused."""

import copy
import pickle

import pytest

from mlsysim import Q_, ArgumentError, Link, UnitError
from mlsysim.core.collective_calibration import IDEAL, NCCL, PRESETS, CollectiveCalibration, preset

US = 1e-6
WIRE = Link(name="wire", bandwidth=Q_("10 GB/s"), topology="switched")


def test_a_calibration_makes_levels_of_links():
    inside, between = NCCL.levels([(WIRE, 8), (WIRE, 4)])

    assert (inside.devices, between.devices) == (8, 4)
    assert (inside.rate, between.rate) == pytest.approx((7.7e9, 7.8e9))
    assert (inside.latency, between.latency) == pytest.approx((3.4 * US, 88 * US))
    assert inside.switch_efficiency is None


def test_a_card_that_states_a_latency_keeps_it():
    slow = Link(name="slow", bandwidth=Q_("10 GB/s"), topology="switched", latency=Q_("7 us"))

    assert [x.latency for x in NCCL.levels([(slow, 8), (slow, 4)])] == pytest.approx([7 * US, 7 * US])


def test_switches_that_add_are_named():
    named = CollectiveCalibration(name="mine", source="a test", adding_switches=("wire",))

    assert named.level(WIRE, 8).switch_efficiency == 1.0
    assert {x.switch_efficiency for x in IDEAL.levels([(WIRE, 8)])} == {None}


def test_the_bound_has_no_losses():
    assert set(IDEAL.seconds.values()) == {0}
    assert (IDEAL.link_efficiency, IDEAL.network_efficiency, IDEAL.switch_efficiency) == (1, 1, 1)
    assert IDEAL.band is None


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_name_and_a_source(name):
    assert preset(name) is PRESETS[name]
    assert str(PRESETS[name]) == name
    assert len(PRESETS[name].source) > 20
    assert preset(PRESETS[name]) is PRESETS[name]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"link_efficiency": 0}, "link_efficiency must be above 0 and at most 1; got 0"),
        ({"switch_efficiency": 1.5}, "switch_efficiency must be above 0 and at most 1; got 1.5"),
        ({"launch": Q_("-1 us")}, "launch must"),
        ({"band": (2.0, 1.0)}, "band must be two positive ratios, low first"),
    ],
)
def test_a_calibration_is_checked(wrong, said):
    with pytest.raises(ArgumentError, match=said):
        CollectiveCalibration(**{"name": "bad", "source": "a test", **wrong})


def test_all_faults_of_a_calibration_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        CollectiveCalibration(name="bad", source="a test", launch=Q_("1 GB"), network_efficiency=2)
    assert "launch" in str(caught.value)
    assert "network_efficiency" in str(caught.value)


def test_a_time_needs_a_unit():
    with pytest.raises(UnitError, match="network_latency needs a unit"):
        CollectiveCalibration(name="bad", source="a test", network_latency=5)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ArgumentError, match=r"got 'ncll'\. Did you mean 'nccl'"):
        preset("ncll")


def test_a_calibration_is_a_value():
    assert copy.deepcopy(NCCL) == NCCL == pickle.loads(pickle.dumps(NCCL))  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(NCCL)).launch_seconds == NCCL.launch_seconds  # noqa: S301
