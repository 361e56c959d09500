"""Prefill and decode apart, by hand: machines of each kind, and machines that do both."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Engine, Hardware, Link, Models, Systems, UnitError
from mlsysim.solvers.disaggregation import DisaggregationModel, Feasibility
from mlsysim.solvers.tail_latency import TailLatencyModel

FAST = Link(name="fast", bandwidth=Q_("1 EB/s"), topology="switched")


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(model, hardware, **options):
    """100 tokens in, 11 out: a prompt takes 192 µs; ten steps at context 105, 190 + 2.1·b µs each."""
    options = {
        "prompt": 100, "output": 11, "arrival_rate": Q_("100 Hz"), "ttft": Q_("1 s"), "tpot": Q_("1 s"),
        "transfer": FAST, "calibration": "ideal", **options,
    }  # fmt: skip
    return DisaggregationModel().solve(model, hardware, **options)


def test_a_prefill_machine_waits_as_an_m_d_1_queue(hand):
    """TTFT 288 µs: 96 are left for waiting, half a prompt, so ρ = 1/2: 2,604 a second."""
    r = solve(hand, toy(), ttft=Q_("288 us"), arrival_rate=Q_("6000 Hz"))
    assert r.prefill.step.latency.to("us").magnitude == pytest.approx(192, rel=1e-12)
    assert r.prefill.bears == pytest.approx(0.5 / 192e-6, rel=1e-9)
    assert r.prefill.least == 3


def test_the_wait_is_that_of_the_queueing_model(hand):
    """A constant service time, at the rate that a prefill machine bears: its mean response is the target."""
    r = solve(hand, toy(), ttft=Q_("500 us"))
    q = TailLatencyModel().solve(r.prefill.step, Q_(r.prefill.bears, "1/s"), variation=0)
    assert q.mean_response.to("us").magnitude == pytest.approx(500, rel=1e-9)


def test_a_decode_machine_holds_what_its_target_allows(hand):
    """TPOT 213 µs: ten requests make 190 + 21 = 211, eleven 213.1. Ten in ten steps: 4,739 a second."""
    r = solve(hand, toy(), tpot=Q_("213 us"), arrival_rate=Q_("10 kHz"))
    assert r.decode.step.batch_size == 10
    assert r.decode.bears == pytest.approx(10 / (10 * 211e-6), rel=1e-9)
    assert r.decode.least == 3


def test_the_cache_in_transit_delays_one_step(hand):
    """2 MB of cache over 10 GB/s take 200 µs, 20 a step: TPOT 233 µs leaves 213; 100 µs more leave 203."""
    slow = Link(name="slow", bandwidth=Q_("10 GB/s"), topology="switched")
    r = solve(hand, toy(), tpot=Q_("233 us"), transfer=slow)
    assert r.cache.to("MB").magnitude == pytest.approx(2, rel=1e-12)
    assert r.transfer_seconds == pytest.approx(200e-6, rel=1e-12)
    assert r.decode.step.batch_size == 10
    late = replace(slow, latency=Q_("100 us"))
    assert solve(hand, toy(), tpot=Q_("233 us"), transfer=late).decode.step.batch_size == 6


def test_no_machine_bears_more_than_its_link(hand):
    """2 MB over 100 MB/s take 20 ms: 50 requests a second, whatever the machines could do."""
    narrow = Link(name="narrow", bandwidth=Q_("100 MB/s"), topology="switched")
    r = solve(hand, toy(), transfer=narrow)
    assert (r.prefill.bears, r.decode.bears) == (pytest.approx(50), pytest.approx(50))
    assert (r.prefill.least, r.decode.least, r.ratio) == (2, 2, pytest.approx(1))


def test_machines_stand_in_the_ratio_of_what_they_bear(hand):
    """Rates p and d in the ratio d : p bear pd/(p + d) for each machine."""
    r = solve(hand, toy(), ttft=Q_("288 us"), tpot=Q_("213 us"))
    p, d = r.prefill.bears, r.decode.bears
    assert r.ratio == pytest.approx(d / p, rel=1e-12)
    assert r.goodput_per_device.to("1/s").magnitude == pytest.approx(p * d / (p + d), rel=1e-12)


def test_a_machine_that_does_both_by_hand(hand):
    """b tokens in T + b·192/10 µs: 190 + 21.3·b ≤ 403.5 holds for ten, not for eleven."""
    r = solve(hand, toy(), tpot=Q_("403.5 us"))
    assert r.colocated.step.batch_size == 10
    rate = 10 / (10 * 211e-6 + 10 * 192e-6)
    assert r.colocated.bears == pytest.approx(rate, rel=1e-9)
    assert 211e-6 / (1 - rate * 192e-6) == pytest.approx(403e-6, rel=1e-9)


def test_a_machine_that_does_both_leaves_room_below_its_full_batch(hand):
    """TPOT 200 µs: a request at a time takes 211.3 when saturated, 200 with 3.95 % of time for prompts."""
    r = solve(hand, toy(), tpot=Q_("200 us"))
    assert r.colocated.step.batch_size == 1
    assert r.colocated.bears == pytest.approx((1 - 192.1 / 200) / 192e-6, rel=1e-9)


def test_a_batch_that_is_never_quite_full_may_bear_more(hand):
    """TPOT 410 µs: ten, always there, are 2,481 a second; up to eleven are (1 − 213.1/410)/192 µs."""
    r = solve(hand, toy(), tpot=Q_("410 us"))
    assert r.colocated.step.batch_size == 11
    assert r.colocated.bears == pytest.approx((1 - 213.1 / 410) / 192e-6, rel=1e-9)


def test_apart_wins_where_the_target_of_a_token_is_tight_and_not_where_it_is_loose():
    options = {
        "prompt": 2000, "output": 200, "arrival_rate": Q_("50 Hz"), "ttft": Q_("200 ms"),
        "transfer": Systems.Fabrics.InfiniBand_NDR,
    }  # fmt: skip

    def gain(tpot):
        r = DisaggregationModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, tpot=tpot, **options)
        return (r.goodput_per_device / r.colocated.goodput_per_device).to("").magnitude

    assert gain(Q_("10 ms")) > 2
    assert gain(Q_("10 ms")) > gain(Q_("20 ms")) > gain(Q_("100 ms"))
    assert gain(Q_("100 ms")) < 1.1


@pytest.mark.parametrize(
    ("changed", "feasibility"),
    [
        ({"ttft": Q_("192 us")}, Feasibility.TTFT_MISSED),
        ({"ttft": Q_("10 us")}, Feasibility.TTFT_MISSED),
        ({"tpot": Q_("192 us")}, Feasibility.TPOT_MISSED),
        ({}, Feasibility.MET),
    ],
)
def test_targets_out_of_reach_are_an_outcome(hand, changed, feasibility):
    r = solve(hand, toy(), **changed)
    assert r.feasibility is feasibility
    assert (r.ratio is None) == (feasibility is not Feasibility.MET)
    assert (r.goodput_per_device.magnitude == 0) == (feasibility is not Feasibility.MET)
    assert str(feasibility) in repr(r)


def test_what_does_not_fit_has_no_machines(hand):
    r = solve(hand, toy(capacity=Q_("100 MB")))
    assert (r.fits, r.feasibility) == (False, Feasibility.DOES_NOT_FIT)
    assert (r.prefill.least, r.decode.least, r.colocated.least) == (None, None, None)
    assert "does not fit" in repr(r).splitlines()[1]


def test_memory_bounds_the_decode_batch(hand):
    """11 + 100 tokens are 2.22 MB; 244.4 MB less 200 MB of weights hold twenty."""
    r = solve(hand, toy(capacity=Q_("244.4 MB")))
    assert r.decode.step.batch_size == 20
    assert r.colocated.step.batch_size == 20


def test_decode_machines_of_another_kind(hand):
    """Twice the bandwidth: the step of one request takes 96 µs; the prompt still takes 192."""
    quick = toy(name="Quick", bandwidth=Q_("2 TB/s"))
    r = solve(hand, toy(), decode_hardware=quick, tpot=Q_("106.5 us"))
    assert r.decode.step.hardware is quick
    assert r.decode.step.batch_size == 10
    assert r.prefill.step.latency.to("us").magnitude == pytest.approx(192, rel=1e-12)
    assert r.colocated.step.hardware.name == "Toy"
    small = toy(name="Small", capacity=Q_("150 MB"))
    assert solve(hand, toy(), decode_hardware=small).feasibility is Feasibility.DOES_NOT_FIT


def test_devices_of_a_machine_count(hand):
    linked = toy(link=Q_("1 EB/s"))
    one, two = solve(hand, linked), solve(hand, linked, tp_size=2)
    assert two.goodput_per_device.magnitude == pytest.approx(
        two.decode.bears / (1 + two.ratio) / 2, rel=1e-12
    )
    assert one.cache.magnitude < two.cache.magnitude  # five key-value heads leave three on each of two


@given(ttft=st.floats(0.05, 2), tpot=st.floats(0.006, 0.2), prompt=st.integers(10, 3000))
@settings(max_examples=20, deadline=None)
def test_laws(ttft, tpot, prompt):
    """A looser target never costs a machine; the batches are those of a scan; the targets hold."""
    model, hardware = Models.Llama3_8B, Hardware.Cloud.H100
    options = {"prompt": prompt, "output": 100, "calibration": None, "arrival_rate": Q_("50 Hz")}
    r = solve(model, hardware, ttft=Q_(ttft, "s"), tpot=Q_(tpot, "s"), **options)
    loose = solve(model, hardware, ttft=Q_(2 * ttft, "s"), tpot=Q_(2 * tpot, "s"), **options)
    for kind in ("prefill", "decode", "colocated"):
        assert getattr(r, kind).bears <= getattr(loose, kind).bears * (1 + 1e-9)
    if r.feasibility is not Feasibility.MET:
        return
    step = r.decode.step.terms.latency
    assert step <= tpot
    share = r.prefill.bears * r.prefill.step.terms.latency
    assert share < 1
    wait = share / (1 - share) * r.prefill.step.terms.latency / 2
    assert r.prefill.step.terms.latency + wait <= ttft * (1 + 1e-9)
    assert r.decode.least == math.ceil(50 / r.decode.bears)
    batch = r.decode.step.batch_size
    for other in (batch // 2, batch - 1, batch + 1, batch + 8):
        if 0 < other:
            p = Engine.solve(model, hardware, other, context=prompt + 50)
            rate = other / (99 * p.terms.latency)
            assert p.terms.latency > tpot or rate <= r.decode.bears * (1 + 1e-9) or other > batch


@given(tpot=st.floats(0.006, 0.2), ttft=st.floats(0.02, 0.5), prompt=st.integers(10, 3000))
@settings(max_examples=15, deadline=None)
def test_a_machine_that_does_both_against_a_scan(tpot, ttft, prompt):
    """No batch and no lower rate of a scan bears more, by the equations as the docstring has them."""
    model, hardware = Models.Llama3_8B, Hardware.Cloud.H100
    targets = {"ttft": Q_(ttft, "s"), "tpot": Q_(tpot, "s")}
    r = solve(model, hardware, prompt=prompt, output=100, calibration=None, **targets)
    reading, best = r.prefill.step.terms.latency, 0.0

    def met(rate, step):
        share = rate * reading
        wait = share / (1 - share) * reading / 2
        return step / (1 - share) <= tpot and reading + wait + step <= ttft

    for batch in (*range(1, 40), *range(40, 400, 8)):
        if not Engine.solve(model, hardware, batch, context=prompt + 100).fits:
            break
        step = Engine.solve(model, hardware, batch, context=prompt + 50).terms.latency
        rates = [batch / (99 * step + batch * reading) * (1 - i / 50) for i in range(50)]
        best = max([best, *(rate for rate in rates if met(rate, step))])
    assert r.colocated.bears >= best * (1 - 1e-9)
    if r.colocated.bears:
        assert met(r.colocated.bears * (1 - 1e-9), r.colocated.step.terms.latency)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arrival_rate": Q_("0 Hz")}, "arrival_rate must be a finite positive quantity"),
        ({"ttft": Q_("0 s")}, "ttft must be a finite positive quantity"),
        ({"output": 1}, "output must be a whole number of at least 2; got 1"),
        ({"prompt": 0}, "prompt must be a whole number of at least 1; got 0"),
        ({"transfer": "fast"}, "transfer must be a Link such as Systems.Fabrics.InfiniBand_NDR; got 'fast'"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"tp_size": 3}, "tp_size (3) must divide the heads of hand, 10"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), **wrong)
    assert said in str(caught.value)


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), transfer=None, output=0, tpot=0.01)
    for word in ("transfer", "output", "tpot needs a unit"):
        assert word in str(caught.value)


def test_targets_need_units(hand):
    with pytest.raises(UnitError, match="ttft needs a unit"):
        solve(hand, toy(), ttft=0.2)
