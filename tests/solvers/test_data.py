"""The way of a sample by hand: five stages, and who starves whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Engine, Systems
from mlsysim.solvers.data import DataModel, Stage
from mlsysim.solvers.transformation import TransformationModel


def solve(**changes):
    """100 kB stored and 600 kB decoded; 2,000 samples a second are taken."""
    fields = {
        "demand": Q_("2000 sample/s"),
        "sample_size": Q_("100 kB"),
        "tensor_size": Q_("600 kB"),
        "storage": Q_("300 MB/s"),
        "network": Q_("400 MB/s"),
        "rate_per_core": Q_("100 sample/s"),
        "cores": 25,
        "host_link": Q_("2.4 GB/s"),
    }
    return DataModel().solve(**{**fields, **changes})


def test_every_stage_by_hand():
    """300 MB/s and 400 MB/s of 100 kB: 3,000 and 4,000; 25 cores: 2,500; 2.4 GB/s of 600 kB: 4,000. The
    accelerator takes 2,000 and is never starved.
    """
    r = solve()
    assert dict(r.rates) == pytest.approx(
        {
            Stage.DEVICE: 2000.0,
            Stage.STORAGE: 3000.0,
            Stage.NETWORK: 4000.0,
            Stage.DECODE: 2500.0,
            Stage.HOST_LINK: 4000.0,
        },
        rel=1e-12,
    )
    assert (r.binding, r.starved, r.utilization) == (Stage.DEVICE, False, 1.0)
    assert r.bandwidth_needed.to("MB/s").magnitude == pytest.approx(200, rel=1e-12)
    assert r.link_needed.to("GB/s").magnitude == pytest.approx(1.2, rel=1e-12)
    assert r.cores_needed == 20


@pytest.mark.parametrize(
    ("slow", "stage", "rate"),
    [
        ({"storage": Q_("50 MB/s")}, Stage.STORAGE, 500),
        ({"network": Q_("8 Gbps"), "sample_size": Q_("1 MB"), "storage": None}, Stage.NETWORK, 1000),
        ({"cores": 5}, Stage.DECODE, 500),
        ({"cores": 20, "efficiency": 0.5}, Stage.DECODE, 1000),
        ({"host_link": Q_("0.6 GB/s")}, Stage.HOST_LINK, 1000),
        ({"devices": 2}, Stage.DECODE, 2500),
    ],
)
def test_the_slowest_stage_starves_the_rest(slow, stage, rate):
    r = solve(**slow)
    assert (r.binding, r.starved) == (stage, True)
    assert r.throughput.magnitude == pytest.approx(rate, rel=1e-12)
    assert r.utilization == pytest.approx(rate / r.demand.magnitude, rel=1e-12)


def test_what_is_needed_feeds():
    """Each stage at exactly what is needed: nobody waits, and a tie is the accelerator's."""
    poor = solve(storage=Q_("1 MB/s"), network=Q_("1 MB/s"), cores=1, host_link=Q_("1 MB/s"))
    fed = solve(
        storage=poor.bandwidth_needed,
        network=poor.bandwidth_needed,
        cores=poor.cores_needed,
        host_link=poor.link_needed,
    )
    assert poor.utilization < 0.01
    assert fed.utilization == pytest.approx(1.0, rel=1e-12)
    assert solve(storage=Q_("200 MB/s")).binding is Stage.DEVICE


def test_each_accelerator_has_a_link_of_its_own():
    """Eight links carry eight times as much; storage is shared."""
    one, eight = solve(), solve(devices=8)
    assert eight.rates[Stage.HOST_LINK] == pytest.approx(8 * one.rates[Stage.HOST_LINK], rel=1e-12)
    assert eight.rates[Stage.STORAGE] == one.rates[Stage.STORAGE]
    assert eight.link_needed.magnitude == pytest.approx(one.link_needed.magnitude, rel=1e-12)
    assert eight.bandwidth_needed.magnitude == pytest.approx(8 * one.bandwidth_needed.magnitude, rel=1e-12)


def test_links_of_the_zoo_are_bandwidths():
    """PCIe 4.0 x16 carries 31.5 GB/s: 52,500 tensors of 600 kB."""
    r = solve(host_link=Systems.Fabrics.PCIe_4_x16, network=Systems.Fabrics.Ethernet_100G)
    assert r.rates[Stage.HOST_LINK] == pytest.approx(52_500, rel=1e-12)
    assert r.rates[Stage.NETWORK] == pytest.approx(125_000, rel=1e-12)


def test_a_stage_that_is_left_out_is_not_passed():
    r = solve(network=None, rate_per_core=None, cores=None, host_link=None)
    assert set(r.rates) == {Stage.DEVICE, Stage.STORAGE}
    assert r.cores_needed is None


def test_undecoded_samples_cross_the_link_as_stored():
    """2.4 GB/s of 100 kB are 24,000."""
    assert solve(tensor_size=None).rates[Stage.HOST_LINK] == pytest.approx(24_000, rel=1e-12)


def test_decoding_is_what_the_transformation_model_says():
    cores = {"rate_per_core": Q_("90 sample/s"), "cores": 7, "efficiency": 0.9}
    other = TransformationModel().solve(Q_("2000 sample/s"), **cores)
    mine = solve(**cores)
    assert mine.rates[Stage.DECODE] == pytest.approx(other.cpu, rel=1e-12)
    assert mine.cores_needed == other.cores_needed


def test_a_step_of_the_engine_is_a_demand(hand):
    toy = Accelerator(
        name="Toy",
        peak={"fp16": Q_("100 TFLOP/s")},
        bandwidth=Q_("1 TB/s"),
        capacity=Q_("1 MB"),
    )
    step = Engine.solve(hand, toy, 8, phase="prefill", prompt=100)
    r = solve(demand=step)
    assert r.demand.magnitude == pytest.approx(8 / step.latency.to("s").magnitude, rel=1e-12)
    assert r.fit is not None
    assert not r.fit.fits
    assert "does not fit" in repr(r)


@given(st.floats(1, 1e4), st.floats(1, 1e4))
def test_a_faster_stage_never_starves_more(a, b):
    slow, fast = sorted((a, b))
    one, two = (solve(storage=Q_(x, "MB/s")) for x in (slow, fast))
    assert one.utilization <= two.utilization <= 1.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"demand": 5}, "demand needs a unit"),
        ({"sample_size": Q_("1 s")}, "sample_size needs [data]"),
        ({"tensor_size": Q_("0 B")}, "tensor_size must be a finite positive quantity"),
        ({"storage": Q_("1 GB")}, "storage needs"),
        ({"network": "fast"}, "network needs a unit"),
        ({"host_link": Q_("0 GB/s")}, "host_link must be a finite positive quantity"),
        ({"cores": 0}, "cores must be a whole number of at least 1; got 0"),
        ({"cores": None}, "rate_per_core and cores go together"),
        ({"rate_per_core": None}, "rate_per_core and cores go together"),
        ({"efficiency": 0}, "efficiency must be above 0 and at most 1; got 0"),
        ({"devices": 0}, "devices must be a whole number of at least 1; got 0"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(**wrong)
    assert said in str(caught.value)


def test_a_way_without_stages_is_refused():
    with pytest.raises(ArgumentError, match="no stage is given"):
        DataModel().solve(Q_("1 sample/s"), sample_size=Q_("1 kB"))


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        solve(demand=1, sample_size=1, storage=1, cores=0, devices=0)
    for word in ("demand", "sample_size", "storage", "cores", "devices"):
        assert word in str(caught.value)


def test_what_it_shows():
    shown = solve(cores=5).to_dict()
    assert shown["binding_stage"] == "decoding on the host"
    assert shown["rate_of_storage"]["value"] == pytest.approx(3000)
    assert repr(solve()).startswith("Data for 1 accelerator\n")
    assert repr(solve(devices=2)).startswith("Data for 2 accelerators\n")
