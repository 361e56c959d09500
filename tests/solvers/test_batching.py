"""The largest batch under a target: by hand, and against trying every batch."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Hardware, Models, ServingModel
from mlsysim.core.calibration import IDEAL
from mlsysim.solvers.batching import BatchingLimit, BatchingOptimizer
from mlsysim.solvers.monotone import last

TOY = Accelerator(name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB"))
NETS = [Models.Llama3_8B, Models.Mixtral_8x7B, Models.DeepSeek_V2_Lite, Models.Gemma2_9B]


def solve(model, hardware=TOY, **options):
    return BatchingOptimizer().solve(
        model, hardware, **{"prompt": 100, "output": 10, "calibration": "ideal", **options}
    )


def test_a_target_by_hand(hand):
    """A step reads 190e6 + B·2.1e6 B: 274 µs for 40 sequences; the TTFT of B prompts is B·182.1 µs."""
    r = solve(hand, tpot=Q_("274.1 us"))

    assert (r.largest, r.limits) == (40, (BatchingLimit.TPOT,))
    assert r.serving.tpot.m_as("us") == pytest.approx(274, rel=1e-12)
    assert r.reason == "at batch 41: TPOT 0.2761 ms"
    assert solve(hand, ttft=Q_("1821.1 us")).largest == 10
    both = solve(hand, ttft=Q_("1821.1 us"), tpot=Q_("211.1 us"))
    assert (both.largest, both.limits) == (10, (BatchingLimit.TTFT, BatchingLimit.TPOT))


def test_a_target_that_is_just_met_is_met(hand):
    at = ServingModel().solve(hand, TOY, 17, prompt=100, output=10, calibration="ideal")

    assert solve(hand, ttft=Q_(at.prefill.terms.latency, "s")).largest == 17
    assert solve(hand, tpot=Q_(at.decode.terms.latency, "s")).largest == 17


def test_the_largest_batch_may_not_be_the_best(hand):
    """Nine rows cost as much as sixteen: with room for nine sequences, eight get more done."""
    slow = replace(TOY, peak={"fp16": Q_("1 TFLOP/s")}, capacity=Q_(0.2 + 9.5 * 0.0022, "GB"))
    r = solve(hand, slow, prompt=10, output=100, calibration=replace(IDEAL, name="tiles", tile=8))

    assert (r.largest, r.best) == (9, 8)
    assert r.most > r.serving.throughput.m_as("token/s")


def test_without_a_target_memory_limits(hand):
    r = solve(hand)

    assert (r.largest, r.limits, r.fits) == (29_000, (BatchingLimit.MEMORY,), True)
    assert not r.over.fits
    assert "does not fit" in r.reason


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"tpot": Q_("192 us")}, (BatchingLimit.TPOT,)),
        ({"ttft": Q_("191 us")}, (BatchingLimit.TTFT,)),
        ({"hardware": replace(TOY, capacity=Q_("100 MB"))}, (BatchingLimit.MEMORY,)),
        (
            {"hardware": replace(TOY, capacity=Q_("100 MB")), "ttft": Q_("1 us"), "tpot": Q_("1 us")},
            tuple(BatchingLimit),
        ),
    ],
)
def test_none_is_an_outcome_with_its_reason(hand, options, limits):
    r = solve(hand, **options)

    assert (r.largest, r.best, r.most, r.feasible) == (0, 0, 0.0, False)
    assert r.limits == limits
    assert r.over == r.serving
    assert "none" in repr(r)


@settings(deadline=None, max_examples=25)
@given(
    model=st.sampled_from(NETS),
    tpot=st.one_of(st.none(), st.floats(3, 40)),
    ttft=st.one_of(st.none(), st.floats(20, 900)),
    room=st.floats(0.2, 6),
    calibration=st.sampled_from(["ideal", "serving"]),
)
def test_no_other_batch_is_better(model, *, tpot, ttft, room, calibration):
    """Every batch is tried: none larger keeps to the limits, none that does is faster."""
    weights = ServingModel().solve(model, Hardware.Cloud.H200, prompt=500, output=64).memory.weights
    device = replace(Hardware.Cloud.H200, capacity=Q_((weights + room * 1e9) / 1e9, "GB"))
    asked = {"prompt": 500, "output": 64, "calibration": calibration}
    r = BatchingOptimizer().solve(
        model,
        device,
        tpot=None if tpot is None else Q_(tpot, "ms"),
        ttft=None if ttft is None else Q_(ttft, "ms"),
        **asked,
    )
    tried = [ServingModel().solve(model, device, n, **asked) for n in range(1, r.largest + 12)]
    good = [
        s
        for s in tried
        if s.fits
        and (tpot is None or s.tpot.m_as("ms") <= tpot)
        and (ttft is None or s.ttft.m_as("ms") <= ttft)
    ]

    assert [s.decode.batch_size for s in good] == list(range(1, r.largest + 1))
    fastest = max((s.throughput.m_as("token/s") for s in good), default=0.0)
    assert r.most == pytest.approx(fastest, rel=1e-12)


def test_a_looser_target_never_takes_away(hand):
    largest = [solve(hand, tpot=Q_(t, "us"), calibration="serving").largest for t in range(2500, 4500, 100)]

    assert largest == sorted(largest)
    assert largest[0] < largest[-1]


def test_a_shared_prefix_lets_more_in(hand):
    plain, shared = (solve(hand, prompt=100, shared_prefix=p, ttft=Q_("2 ms")) for p in (0, 96))

    assert shared.largest > 5 * plain.largest


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tpot": Q_("0 ms")}, "tpot must be a finite positive quantity"),
        ({"tpot": 50}, "tpot needs a unit"),
        ({"ttft": Q_("1 GB")}, "ttft needs [time]"),
        ({"prompt": 0}, "prompt must be a whole number"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, **wrong)
    assert said in str(caught.value)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(-5, 120))
def test_the_last_that_holds(low, span, bound):
    high = low + span
    expected = max([n for n in range(low, high + 1) if n <= bound], default=low)
    assert last(lambda n: n <= bound, low, high) == expected
