"""Preprocessing by hand: cores, accelerators, and where the work is done."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Engine
from mlsysim.core.models import Encoder
from mlsysim.solvers.transformation import Limiter, Placement, TransformationModel, cores_needed


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(**changes):
    fields = {"demand": Q_("2000 sample/s"), "rate_per_core": Q_("100 sample/s"), "cores": 10}
    return TransformationModel().solve(**{**fields, **changes})


def test_ten_cores_by_hand():
    """10 cores prepare 1,000 samples of the 2,000 that are taken: half busy, 20 cores needed; a batch of 50
    every 50 ms.
    """
    r = solve(batch_size=50)
    assert r.cpu_rate.magnitude == 1000.0
    assert r.throughput.magnitude == 1000.0
    assert r.utilization == 0.5
    assert r.cores_needed == 20
    assert r.batch_time.magnitude == pytest.approx(50.0, rel=1e-12)
    assert (r.limiter, r.placement) == (Limiter.CPU, Placement.CPU)
    assert r.offload_rate is None


def test_cores_that_scale_badly_are_more():
    """At 80 % of linear scaling 25 cores take the place of 20."""
    r = solve(efficiency=0.8)
    assert r.utilization == pytest.approx(0.4, rel=1e-12)
    assert r.cores_needed == 25


def test_eight_accelerators_take_eight_times_as_much():
    r = solve(devices=8)
    assert (r.demand, r.cores_needed, r.utilization) == (16_000.0, 160, 0.0625)


def test_an_accelerator_that_prepares_its_own_samples():
    """Alone 2,000 or 6,000 a second, one after the other 1/(1/2,000 + 1/6,000) = 1,500; an engine of its
    own hides the shorter, 2,000. The host gives 1,000.
    """
    shared = solve(offload_rate=Q_("6000 sample/s"))
    assert shared.offload_rate.magnitude == pytest.approx(1500.0, rel=1e-12)
    assert (shared.placement, shared.limiter) == (Placement.ACCELERATOR, Limiter.OFFLOAD)
    own = solve(offload_rate=Q_("6000 sample/s"), separate_engine=True)
    assert own.throughput.magnitude == 2000.0
    assert (own.placement, own.limiter) == (Placement.ACCELERATOR, Limiter.DEVICE)
    slow = solve(offload_rate=Q_("1500 sample/s"), separate_engine=True, devices=2)
    assert slow.throughput.magnitude == 3000.0


def test_the_host_keeps_what_it_does_as_well():
    """With 20 cores nothing is gained by moving the work."""
    r = solve(cores=20, offload_rate=Q_("1e9 sample/s"), separate_engine=True)
    assert (r.placement, r.limiter, r.utilization) == (Placement.CPU, Limiter.DEVICE, 1.0)


def test_a_step_of_the_engine_is_a_demand():
    """Batch 4 in the time that the engine gives: the same as the rate in figures."""
    net = Encoder(
        name="net",
        layers=2,
        width=64,
        heads=4,
        head_size=16,
        ffn_width=256,
        vocab=1000,
        context=512,
        positions=512,
    )
    step = Engine.solve(net, toy(), 4, prompt=100, calibration="ideal")
    r = solve(demand=step)
    assert r.demand == pytest.approx(4 / step.latency.to("s").magnitude, rel=1e-12)
    assert r.fit is not None
    assert r.fit.fits
    small = solve(demand=Engine.solve(net, toy(capacity=Q_("1 kB")), prompt=100, calibration="ideal"))
    assert "does not fit" in repr(small)


def test_a_prompt_is_a_sample(hand):
    """A prefill step of eight prompts of 100 tokens reads eight samples."""
    step = Engine.solve(hand, toy(), 8, phase="prefill", prompt=100)
    assert solve(demand=step).demand == pytest.approx(8 / step.latency.to("s").magnitude, rel=1e-12)


def test_a_decode_step_reads_none(hand):
    with pytest.raises(ArgumentError, match="a decode step reads no sample"):
        solve(demand=Engine.solve(hand, toy()))


@given(st.floats(1, 1e6), st.floats(1, 1e4), st.floats(0.1, 1))
def test_the_cores_needed_are_enough_and_one_less_is_not(demand, each, share):
    n = cores_needed(demand, each, share)
    assert n * each * share >= demand * (1 - 1e-8)
    assert (n - 1) * each * share < demand


@given(st.integers(1, 500), st.integers(1, 500))
def test_more_cores_never_give_less(a, b):
    few, many = sorted((a, b))
    assert solve(cores=few).utilization <= solve(cores=many).utilization <= 1.0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"demand": 2000}, "demand needs a unit"),
        ({"demand": Q_("2000 token/s")}, "demand needs"),
        ({"demand": Q_("0 sample/s")}, "demand must be a finite positive quantity"),
        ({"rate_per_core": 5}, "rate_per_core needs a unit"),
        ({"cores": 0}, "cores must be a whole number of at least 1; got 0"),
        ({"efficiency": 1.5}, "efficiency must be above 0 and at most 1; got 1.5"),
        ({"devices": 0}, "devices must be a whole number of at least 1; got 0"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"offload_rate": Q_("0 sample/s")}, "offload_rate must be a finite positive quantity"),
        ({"separate_engine": True}, "separate_engine needs offload_rate"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(**wrong)
    assert said in str(caught.value)


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        solve(demand=1, rate_per_core=1, cores=0, efficiency=0, devices=0, batch_size=0)
    for word in ("demand", "rate_per_core", "cores", "efficiency", "devices", "batch_size"):
        assert word in str(caught.value)


def test_what_it_shows():
    shown = solve(offload_rate=Q_("6000 sample/s")).to_dict()
    assert shown["cores_needed"] == 20
    assert shown["offload"] == "shared with the network"
    assert shown["preprocessing_on"] == "accelerator"
    assert math.isclose(shown["utilization"], 0.75)
