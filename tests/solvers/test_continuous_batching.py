"""Continuous batching: by hand, against a schedule that is played step by step, and in its limits."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, ConvNet, Hardware, Models, ServingModel, Transformer
from mlsysim.core.queueing import mean_wait
from mlsysim.solvers.continuous_batching import ContinuousBatchingModel
from mlsysim.solvers.in_flight import BatchLimit, Regime

TOY = Accelerator(name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB"))
NETS = [Models.Llama3_8B, Models.Mixtral_8x7B, Models.DeepSeek_V2_Lite, Models.Gemma2_9B]
H100 = Hardware.Cloud.H100


def solve(model, hardware=TOY, batch_size=None, **options):
    asked = {"prompt": 100, "output": 11, "calibration": "ideal", **options}
    return ContinuousBatchingModel().solve(model, hardware, batch_size, **asked)


@pytest.fixture(scope="module")
def net():
    return Transformer(
        name="hand", layers=10, width=1000, heads=10, kv_heads=5, head_size=100, ffn_width=2000,
        gated=True, vocab=5000, tied=False, context=4096,
    )  # fmt: skip


def test_four_in_flight_by_hand(hand):
    """A life has one reading and ten decoding steps, so with four in flight 4/11 of the steps read one prompt
    beside three that decode at context 105. These take 182.1 + 5.826 µs of arithmetic and 190 + 2 + 6.3 µs
    of memory: 198.3 µs. The others decode four in 198.4 µs.
    """
    r = solve(hand, batch_size=4)
    mixed, plain = 198.3e-6, 198.4e-6
    step = 4 / 11 * mixed + 7 / 11 * plain

    assert r.flight.step == pytest.approx(step, rel=1e-12)
    assert r.flight.residence == pytest.approx(11 * step, rel=1e-12)
    assert r.flight.reading == pytest.approx(mixed, rel=1e-12)
    assert r.flight.per_token == pytest.approx((11 * step - mixed) / 10, rel=1e-12)
    assert r.peak == pytest.approx(4 / (11 * step), rel=1e-12)
    assert r.throughput.m_as("token/s") == pytest.approx(44 / (11 * step), rel=1e-12)
    assert (r.regime, r.limit, r.most, r.in_flight) == (Regime.SATURATED, BatchLimit.SCHEDULER, 4, 4.0)
    assert (r.ttft, r.latency, r.utilization) == (None, None, 1.0)


def played(in_flight, chunks, output, prompt=96):
    """Mean step of *in_flight* requests that start evenly spread, each step priced from first principles."""
    life, total = chunks + output - 1, 0.0
    size = prompt // chunks
    for now in range(life * in_flight):
        ages = [(now + life * i // in_flight) % life for i in range(in_flight)]
        reading = [age for age in ages if age < chunks]
        decoding = len(ages) - len(reading)
        pairs = (prompt * prompt / 2 * 40_000 + 1e7) / chunks * len(reading)
        flops = decoding * (190e6 + 40_000 * (prompt + output // 2)) + len(reading) * size * 180e6 + pairs
        cached = decoding * (prompt + output // 2) + sum(size * (age + 1) for age in reading)
        total += max(flops / 100e12, (190e6 + 20_000 * cached) / 1e12)
    return total / (life * in_flight)


@pytest.mark.parametrize(
    ("in_flight", "chunks", "output"), [(1, 1, 9), (4, 1, 13), (5, 1, 60), (3, 4, 30), (2, 2, 9), (8, 2, 80)]
)
def test_a_schedule_that_is_played_agrees(hand, in_flight, chunks, output):
    """While at most one prompt is read at a time; chunks of one prompt differ in cache, not in FLOP here."""
    r = solve(hand, batch_size=in_flight, prompt=96, output=output, chunk_size=96 // chunks)

    assert r.most == in_flight
    assert r.flight.step == pytest.approx(played(in_flight, chunks, output), rel=5e-3)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(NETS),
    st.integers(1, 2000),
    st.integers(2, 500),
    st.sampled_from(["ideal", "serving"]),
)
def test_alone_it_is_served_as_serving_says(model, prompt, output, calibration):
    """One in flight: TTFT, TPOT, latency and throughput are those of `ServingModel` at batch 1."""
    options = {"prompt": prompt, "output": output, "calibration": calibration}
    r = ContinuousBatchingModel().solve(model, H100, 1, **options)
    one = ServingModel().solve(model, H100, 1, **options)

    assert r.reading.m_as("s") == pytest.approx(one.ttft.m_as("s"), rel=1e-12)
    assert r.tpot.m_as("s") == pytest.approx(one.tpot.m_as("s"), rel=1e-9)
    assert r.peak_throughput.m_as("token/s") == pytest.approx(one.throughput.m_as("token/s"), rel=1e-9)
    assert r.speedup == pytest.approx(1, rel=1e-9)


def test_rare_requests_meet_nobody(net):
    r = solve(net, batch_size=64, arrival_rate=Q_("0.001/s"))
    one = ServingModel().solve(net, TOY, prompt=100, output=11, calibration="ideal")

    assert r.regime is Regime.STABLE
    assert r.ttft.m_as("s") == pytest.approx(one.ttft.m_as("s"), rel=1e-5)
    assert r.tpot.m_as("s") == pytest.approx(one.tpot.m_as("s"), rel=1e-5)
    assert r.latency.m_as("s") == pytest.approx(one.latency.m_as("s"), rel=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    model=st.sampled_from(NETS),
    share=st.floats(0.001, 0.999),
    batch=st.integers(1, 200),
    chunk=st.sampled_from([None, 64, 500, 4000]),
    output=st.integers(2, 300),
    calibration=st.sampled_from(["ideal", "serving"]),
)
def test_the_fixed_point_is_one(model, share, batch, *, chunk, output, calibration):
    """Little's law: in flight = arrival rate x residence; what comes is what goes."""
    options = {"prompt": 600, "output": output, "chunk_size": chunk, "calibration": calibration}
    peak = ContinuousBatchingModel().solve(model, H100, batch, **options).peak
    r = ContinuousBatchingModel().solve(model, H100, batch, arrival_rate=Q_(share * peak, "1/s"), **options)

    assert r.regime is Regime.STABLE
    assert r.in_flight == pytest.approx(share * peak * r.flight.residence, rel=1e-9)
    assert 0 < r.in_flight <= r.most
    assert r.throughput.m_as("token/s") == pytest.approx(share * peak * output, rel=1e-9)
    assert r.utilization == pytest.approx(share, rel=1e-9)
    assert r.wait >= 0


@pytest.mark.parametrize("factor", [1.0, 1.0001, 50.0])
def test_overload_is_an_outcome_and_no_negative_number(net, factor):
    peak = solve(net, batch_size=16).peak
    r = solve(net, batch_size=16, arrival_rate=Q_(factor * peak, "1/s"))

    assert r.regime is Regime.UNSTABLE
    assert (r.ttft, r.latency, r.wait) == (None, None, None)
    assert r.throughput == r.peak_throughput
    assert r.utilization == pytest.approx(factor)
    assert "unstable" in repr(r)


def test_near_saturation_the_wait_grows_without_end(net):
    peak = solve(net, batch_size=16).peak
    waits = [solve(net, batch_size=16, arrival_rate=Q_(x * peak, "1/s")).wait for x in (0.9, 0.99, 0.9999)]

    assert waits == sorted(waits)
    assert waits[-1] > 50 * waits[0]


def test_the_wait_is_that_of_a_full_batch(net):
    """Nobody waits for a place unless all are taken, and then the batch is full: M/M/16, and half a step."""
    full = solve(net, batch_size=16)
    r = solve(net, batch_size=16, arrival_rate=Q_(0.8 * full.peak, "1/s"))
    half = (1 - math.exp(-r.in_flight)) * r.flight.step / 2

    assert r.wait == pytest.approx(mean_wait(16, 12.8, full.flight.residence) + half, rel=1e-9)


def test_what_limits_the_batch(hand):
    """64 GB hold 28,482 sequences of seven blocks; a chunk of 25 tokens keeps up with 25·14/100 = 3."""
    assert (solve(hand).limit, solve(hand).most) == (BatchLimit.CACHE, 28_482)
    assert (solve(hand, batch_size=7).limit, solve(hand, batch_size=7).most) == (BatchLimit.SCHEDULER, 7)
    chunked = solve(hand, batch_size=7, chunk_size=25)
    assert (chunked.limit, chunked.most) == (BatchLimit.CHUNKS, 3)


def test_contiguous_holds_fewer(hand):
    paged = solve(hand, longest_output=1000, allocation="paged")
    whole = solve(hand, longest_output=1000, allocation="contiguous")

    assert whole.most == int(63.8e9 // (1100 * 20_000)) < paged.most
    assert whole.peak < paged.peak


def test_the_static_batch_waits_for_the_longest(hand):
    """Every sequence of a static batch stays for 100 tokens, though it needs 11."""
    r = solve(hand, batch_size=8, longest_output=100)
    static = ServingModel().solve(hand, TOY, 8, prompt=100, output=100, calibration="ideal")

    assert r.static == static
    assert r.static_throughput.m_as("token/s") == pytest.approx(88 / static.latency.m_as("s"), rel=1e-12)
    assert r.speedup > 5


def test_whole_prompts_hold_up_the_others_more_than_chunks(net):
    """Chunks lengthen the reading of one and shorten the steps of all others."""
    whole, chunked = (solve(net, batch_size=8, prompt=3000, output=200, chunk_size=c) for c in (None, 300))

    assert chunked.flight.reading > whole.flight.reading
    assert chunked.flight.reading / 10 < whole.flight.reading / 2


def test_a_cached_prefix_saves_reading_and_room(net):
    plain, shared = (solve(net, batch_size=8, prompt=1000, output=50, shared_prefix=p) for p in (0, 960))
    assert shared.flight.reading < plain.flight.reading
    assert shared.peak > plain.peak
    assert shared.memory.paged.sequences > 5 * plain.memory.paged.sequences


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(NETS), st.integers(1, 60), st.integers(1, 60))
def test_more_in_flight_is_never_faster_for_one(model, one, two):
    few, many = (
        ContinuousBatchingModel().solve(model, H100, n, prompt=500, output=100) for n in sorted((one, two))
    )
    assert many.flight.residence >= few.flight.residence * (1 - 1e-9)


def test_nothing_fits_and_says_so(hand):
    r = solve(hand, replace(TOY, capacity=Q_("100 MB")), arrival_rate=Q_("1/s"))

    assert (r.limit, r.most, r.fits) == (BatchLimit.MEMORY, 1, False)
    assert r.rows()[0][1].startswith("does not fit")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arrival_rate": Q_("0/s")}, "arrival_rate must be positive; at 0 nobody waits"),
        ({"arrival_rate": Q_("1 token/s")}, "arrival_rate needs 1 / [time]"),
        ({"output": 1}, "output must be at least 2: with one token no request decodes"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"chunk_size": 0}, "chunk_size must be a whole number of at least 1; got 0"),
        ({"allocation": "pagde"}, "allocation must be 'contiguous' or 'paged'; got 'pagde'"),
        ({"shared_prefix": 100}, "shared_prefix (100) must be shorter than prompt (100)"),
        ({"tp_size": 3}, "tp_size (3) must divide the heads"),
        ({"prompt": 5000}, "exceed the context of hand"),
        ({"model": ConvNet(name="c", input=(3, 8, 8), layers=[{"op": "linear", "out": 2}])}, "generate text"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        ContinuousBatchingModel().solve(
            **{"model": hand, "hardware": TOY, "prompt": 100, "output": 11, **wrong}
        )
    assert said in str(caught.value)
