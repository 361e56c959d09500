"""Thinking longer, by hand: time, concurrency, devices, and the chance of being right."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, ConvNet, Engine, Hardware, Models, ServingModel, UnitError
from mlsysim.solvers.inference_scaling import InferenceScalingModel


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(model, hardware, batch=1, **options):
    options = {"prompt": 100, "answer": 10, "calibration": "ideal", **options}
    return InferenceScalingModel().solve(model, hardware, batch, **options)


def test_an_answer_by_hand(hand):
    """192 µs to read 100 tokens. 990 + 10 tokens at mean context 600: 190e6 + 12e6 B, 202 µs each."""
    r = solve(hand, toy(), reasoning=990)
    assert r.latency.to("us").magnitude == pytest.approx(192 + 999 * 202, rel=1e-9)
    assert r.cache_growth == pytest.approx(202 / 192, rel=1e-12)
    assert r.tokens == 1000
    assert r.throughput.to("1/s").magnitude == pytest.approx(1e6 / (192 + 999 * 202), rel=1e-9)


def test_attempts_share_the_prompt_and_not_the_cache(hand):
    """Four attempts: the prompt is read once (192 µs), a step reads four caches of 105 tokens, 198.4 µs."""
    r = solve(hand, toy(), samples=4)
    assert r.latency.to("us").magnitude == pytest.approx(192 + 9 * 198.4, rel=1e-9)
    assert r.serving.cache == 4 * 110 * 20_000
    assert r.tokens == 40


def test_one_attempt_without_reasoning_is_serving(hand):
    served = ServingModel().solve(hand, toy(), 8, prompt=100, output=10, calibration="ideal")
    r = solve(hand, toy(), 8)
    assert r.latency.to("s").magnitude == pytest.approx(served.latency.to("s").magnitude, rel=1e-12)
    assert r.max_questions == served.max_concurrency == 29_000


def test_as_many_questions_as_fit_go_together(hand):
    """1,100 tokens of cache are 22 MB; 200 MB of weights leave 63.8 GB, so 2,900 attempts, 725 questions."""
    r = solve(hand, toy(), None, reasoning=990, samples=4)
    assert (r.questions, r.max_questions) == (725, 725)
    assert r.fits
    assert not solve(hand, toy(), 726, reasoning=990, samples=4).fits


def test_what_does_not_fit_has_no_devices(hand):
    r = solve(hand, toy(capacity=Q_("210 MB")), None, reasoning=990, arrival_rate=Q_("5 Hz"))
    assert (r.questions, r.max_questions, r.fits, r.devices) == (1, 0, False, None)
    assert "does not fit" in repr(r).splitlines()[1]


def test_devices_for_a_rate(hand):
    """A question takes 202 ms: 4.95 a second, so 20 a second need 5 devices, and 24 too."""
    for rate, devices in (("4.9 Hz", 1), ("20 Hz", 5), ("24 Hz", 5), ("25 Hz", 6)):
        assert solve(hand, toy(), reasoning=990, arrival_rate=Q_(rate)).devices == devices


def test_devices_come_in_groups(hand):
    linked = toy(link=Q_("1 PB/s"))
    r = solve(hand, linked, reasoning=990, tp_size=2, arrival_rate=Q_("20 Hz"))
    assert r.devices % 2 == 0
    assert r.throughput_per_device.to("1/s").magnitude == pytest.approx(
        r.throughput.to("1/s").magnitude / 2, rel=1e-12
    )


def test_rates_for_an_hour_and_a_day(hand):
    r = solve(hand, toy(), reasoning=990)
    per_second = r.throughput.to("1/s").magnitude
    assert r.throughput_per_device.magnitude == pytest.approx(3600 * per_second, rel=1e-12)
    day = dict(r.rows())["Throughput per device and day"]
    assert day.magnitude == pytest.approx(86_400 * per_second, rel=1e-12)


@pytest.mark.parametrize(
    ("p", "n", "coverage", "majority"),
    [
        (0.5, 1, 0.5, 0.5),
        (0.5, 2, 0.75, 0.25),
        (0.5, 3, 0.875, 0.5),
        (0.2, 3, 0.488, 0.104),
        (0.0, 9, 0.0, 0.0),
        (1.0, 9, 1.0, 1.0),
    ],
)
def test_chances_by_hand(hand, p, n, coverage, majority):
    """0.2, three times: 1 − 0.8³; two or three right: 3·0.04·0.8 + 0.008. A tie is no majority."""
    r = solve(hand, toy(), samples=n, accuracy=p)
    assert r.coverage == pytest.approx(coverage, rel=1e-12)
    assert r.majority == pytest.approx(majority, rel=1e-9)


@given(p=st.floats(0.01, 0.99), n=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_a_majority_is_what_counting_gives(p, n):
    """Against exact fractions; and more than half voting never beats one of all being right."""
    r = solve(Models.Llama3_8B, toy(), samples=n, accuracy=p)
    x = Fraction(p)
    exact = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(n // 2 + 1, n + 1))
    assert r.majority == pytest.approx(float(exact), rel=1e-9, abs=1e-300)
    assert r.coverage == pytest.approx(float(1 - (1 - x) ** n), rel=1e-9)
    assert r.majority <= r.coverage * (1 + 1e-9)


def test_many_attempts_do_not_overflow(hand):
    r = solve(hand, toy(), samples=5000, accuracy=0.6)
    assert r.majority == pytest.approx(1, abs=1e-9)


def test_time_grows_faster_than_reasoning_and_concurrency_falls():
    results = [
        InferenceScalingModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, 16, reasoning=n)
        for n in (1000, 10_000, 30_000)
    ]
    each = [r.seconds / r.tokens for r in results]
    assert each == sorted(each)
    assert each[2] > 1.5 * each[0]
    assert [r.max_questions for r in results] == sorted((r.max_questions for r in results), reverse=True)
    assert results[2].cache_growth > results[0].cache_growth > 1


@given(reasoning=st.integers(0, 60), batch=st.integers(1, 20), samples=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_the_mean_step_stands_for_all_of_them(reasoning, batch, samples):
    """Against the sum of every single step; more attempts and longer ones never take less time."""
    model, hardware = Models.Llama2_7B, Hardware.Cloud.A100
    r = solve(model, hardware, batch, reasoning=reasoning, samples=samples)
    steps = [
        Engine.solve(model, hardware, batch * samples, context=100 + i, calibration="ideal").terms.latency
        for i in range(1, reasoning + 10)
    ]
    assert r.seconds == pytest.approx(r.prefill.terms.latency + sum(steps), rel=2e-3)
    assert solve(model, hardware, batch, reasoning=reasoning + 1, samples=samples).seconds > r.seconds
    assert solve(model, hardware, batch, reasoning=reasoning, samples=samples + 1).seconds >= r.seconds


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"samples": 0}, "samples must be a whole number of at least 1; got 0"),
        ({"answer": 0}, "answer must be a whole number of at least 1; got 0"),
        ({"reasoning": -1}, "reasoning must be a whole number of at least 0; got -1"),
        ({"accuracy": 1.1}, "accuracy must be a chance from 0 to 1; got 1.1"),
        ({"batch": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"arrival_rate": Q_("0 Hz")}, "arrival_rate must be a finite positive quantity"),
        ({"reasoning": 4000}, "prompt and output, 4,110 tokens, exceed the context of hand"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), **wrong)
    assert said in str(caught.value)


def test_a_rate_needs_its_unit(hand):
    with pytest.raises(UnitError, match="arrival_rate needs a unit"):
        solve(hand, toy(), arrival_rate=10)


def test_a_network_that_generates_nothing_is_refused():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    with pytest.raises(ArgumentError, match="model must generate text"):
        solve(net, toy())


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), 0, samples=0, answer=0, accuracy=2)
    for word in ("batch_size", "samples", "answer", "accuracy"):
        assert word in str(caught.value)
