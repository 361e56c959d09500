"""Guessing ahead, by hand: tokens of a round, its time, and when it is not worth while."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, ConvNet, Engine, Hardware, Models
from mlsysim.solvers.speculative import Speculation, SpeculativeDecodingModel


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


@pytest.fixture
def small(hand):
    """One layer of the target: P = 14e6, so a step at batch 1 reads 28 MB."""
    return replace(hand, name="small", layers=1)


def solve(model, hardware, batch=1, **options):
    options = {"acceptance": 0.5, "draft_length": 2, "calibration": "ideal", **options}
    return SpeculativeDecodingModel().solve(model, hardware, batch, **options)


def test_a_round_by_hand(hand, small):
    """P = 95e6: 190 MB take 190 µs, whether one token or three are read. The draft's 14e6 take 28 µs.

    A round brings 1 + 0.5 + 0.25 tokens in 2·28 + 190 = 246 µs: 1.75·190/246.
    """
    r = solve(hand, toy(), draft=small)
    assert r.expected_tokens == 1.75
    assert r.draft.latency.to("us").magnitude == pytest.approx(28, rel=1e-12)
    assert r.verify_seconds == pytest.approx(190e-6, rel=1e-12)
    assert r.speedup == pytest.approx(1.75 * 190 / 246, rel=1e-12)
    assert r.tpot.to("us").magnitude == pytest.approx(246 / 1.75, rel=1e-12)
    assert r.outcome is Speculation.FASTER


def test_the_cache_is_read_once_in_the_verification_and_thrice_in_its_bound(hand, small):
    """Batch 2 at context 1,000: 40 MB of cache. Verification 190 + 40 µs; the bound 190 + 3·40."""
    r = solve(hand, toy(), 2, draft=small, context=1000)
    assert r.plain.latency.to("us").magnitude == pytest.approx(230, rel=1e-12)
    assert r.verify_seconds == pytest.approx(230e-6, rel=1e-12)
    assert r.wide.latency.to("us").magnitude == pytest.approx(310, rel=1e-12)
    assert r.speedup_bound == pytest.approx(1.75 * 230 / (2 * 32 + 310), rel=1e-12)


def test_operations_count_the_draft_and_the_refused(hand, small):
    """FLOP are 2P a token: two of 28e6 and three of 190e6 for 1.75 tokens, against 190e6 for one."""
    r = solve(hand, toy(), draft=small)
    assert r.extra_operations == pytest.approx((2 * 28 + 3 * 190) / 1.75 / 190, rel=1e-12)


def test_both_models_and_both_caches_must_fit(hand, small):
    """100e6 and 19e6 weights are 238 MB; at 100 + 3 tokens the caches are 103·(20,000 + 2,000) B more."""
    r = solve(hand, toy(), draft=small, context=100)
    assert r.fit.required == 2 * (100e6 + 19e6) + 103 * 22_000
    alone = toy(capacity=Q_("210 MB"))
    tight = solve(hand, alone, draft=small, context=100)
    assert Engine.solve(hand, alone, context=100).fits
    assert (tight.fits, tight.outcome) == (False, Speculation.DOES_NOT_FIT)
    assert (tight.best_draft_length, tight.best_speedup) == (0, 1.0)
    assert repr(tight).splitlines()[1].split("  ")[-1].strip().startswith("does not fit")


@pytest.mark.parametrize(("alpha", "gamma", "speed"), [(0.0, 5, 1.0), (1.0, 5, 6.0), (0.8, 5, 3.68928)])
def test_limits_of_the_acceptance(hand, small, alpha, gamma, speed):
    r = solve(hand, toy(), draft=small, acceptance=alpha, draft_length=gamma)
    assert r.expected_tokens == pytest.approx(speed, rel=1e-12)


def test_a_draft_that_is_never_right_only_costs(hand, small):
    r = solve(hand, toy(), draft=small, acceptance=0)
    assert r.speedup < 1
    assert r.outcome is Speculation.SLOWER
    assert (r.best_draft_length, r.best_speedup) == (0, 1.0)


def test_the_target_as_its_own_draft_gains_nothing(hand):
    """Three steps and a verification for at most three tokens."""
    r = solve(hand, toy(), draft=hand, acceptance=1)
    assert r.speedup == pytest.approx(3 / 3, rel=1e-12)
    assert r.outcome is Speculation.SLOWER


def test_where_arithmetic_limits_guessing_slows_down(hand, small):
    """Batch 1,000: 190e9 FLOP take 1,900 µs, three times that verify, and each guess takes 280 µs."""
    r = solve(hand, toy(), 1000, draft=small)
    assert r.speedup == pytest.approx(1.75 * 1900 / (3 * 1900 + 2 * 280), rel=1e-12)
    assert r.outcome is Speculation.SLOWER


def test_the_gain_melts_away_with_the_batch_on_real_machines():
    options = {"draft": Models.Llama3_2_1B, "acceptance": 0.8, "tp_size": 8, "context": 500}
    results = [
        SpeculativeDecodingModel().solve(Models.Llama3_70B, Hardware.Cloud.H100, batch, **options)
        for batch in (1, 32, 256)
    ]
    assert [r.outcome for r in results] == [Speculation.FASTER, Speculation.FASTER, Speculation.SLOWER]
    assert all(a.speedup > b.speedup for a, b in pairwise(results))


@given(
    alpha=st.floats(0, 1),
    gamma=st.integers(1, 12),
    batch=st.sampled_from([1, 3, 16, 100, 700]),
    context=st.integers(0, 3000),
)
@settings(max_examples=40, deadline=None)
def test_laws(alpha, gamma, batch, context):
    """More right guesses never hurt; the bound bounds; the sum is the closed form; the best is best."""
    hand = Models.Llama2_7B
    small = replace(hand, name="small", layers=2)
    options = {"draft": small, "draft_length": gamma, "context": context, "longest": 6}
    r = solve(hand, Hardware.Cloud.A100, batch, acceptance=alpha, calibration="serving", **options)
    more = solve(hand, Hardware.Cloud.A100, batch, acceptance=1, calibration="serving", **options)
    assert 1 <= r.expected_tokens <= gamma + 1
    assert r.speedup <= more.speedup * (1 + 1e-12)
    assert r.speedup_bound <= r.speedup * (1 + 1e-12)
    if alpha < 0.999:
        assert r.expected_tokens == pytest.approx((1 - alpha ** (gamma + 1)) / (1 - alpha), rel=1e-9)
    if r.fits and gamma <= 6:
        assert r.best_speedup >= min(r.speedup, 1) * (1 - 1e-12)
        assert r.best_speedup >= r.speedup * (1 - 1e-12) or r.speedup <= 1
    assert math.isfinite(r.speedup)


def test_the_best_length_is_that_of_a_scan(hand, small):
    r = solve(hand, toy(), draft=small, acceptance=0.8, longest=20)
    scan = {n: solve(hand, toy(), draft=small, acceptance=0.8, draft_length=n).speedup for n in range(1, 21)}
    best = max(scan, key=scan.__getitem__)
    assert (r.best_draft_length, r.best_speedup) == (best, scan[best])
    assert 1 < best < 20


def test_tensor_parallel_reads_each_cache_once_too(hand, small):
    """Two devices: 95 + 20 MB on each; the sums of three tokens travel."""
    linked = toy(link=Q_("1 PB/s"))
    r = solve(hand, linked, 2, draft=small, context=1000, tp_size=2)
    cache = r.plain.work.state
    assert r.wide.work.state == 3 * cache
    expected = (r.wide.work.weights + cache) / 1e12
    assert r.verify_seconds == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"acceptance": 1.2}, "acceptance must be a chance from 0 to 1; got 1.2"),
        ({"acceptance": "often"}, "acceptance must be a chance from 0 to 1; got 'often'"),
        ({"draft_length": 0}, "draft_length must be a whole number of at least 1; got 0"),
        ({"longest": 0}, "longest must be a whole number of at least 1; got 0"),
        ({"batch": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"context": 4080}, "context and round, 4,097 tokens, exceed those of hand, 4,096 tokens"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"draft": "small"}, "draft must generate text, as Models.Llama3_8B does; got 'small'"),
    ],
)
def test_a_wrong_argument_is_named(hand, small, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), **{"draft": small, **wrong})
    assert said in str(caught.value)


def test_another_vocabulary_is_refused(hand, small):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), draft=replace(small, vocab=6000))
    assert "small has 6,000 tokens, hand 5,000. Choose a draft of the same family" in str(caught.value)


def test_a_network_that_generates_nothing_is_refused(hand):
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    with pytest.raises(ArgumentError, match="draft must generate text"):
        solve(hand, toy(), draft=net)


def test_all_wrong_arguments_are_named_at_once(hand, small):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), 0, draft=small, acceptance=2, draft_length=0)
    for word in ("batch_size", "acceptance", "draft_length"):
        assert word in str(caught.value)
