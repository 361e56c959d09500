"""Where the bottleneck changes, by hand and by trying every value."""

from dataclasses import replace

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, Bottleneck, ConvNet, CrossoverSolver, Engine, Transformer


@pytest.fixture
def large():
    """A network for which overhead is small: the shape of an eight-billion-parameter Llama."""
    return Transformer(
        name="large",
        layers=32,
        width=4096,
        heads=32,
        kv_heads=8,
        head_size=128,
        ffn_width=14336,
        gated=True,
        vocab=128_256,
        tied=False,
        context=8192,
    )


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def test_the_least_batch_is_just_above_the_ridge(hand):
    """Intensity of decode at batch B is B FLOP/B, the ridge 100: a tie at 100 goes to memory, so 101."""
    r = CrossoverSolver().solve(hand, toy(), calibration="ideal")
    assert r.value == 101
    assert (r.before.bottleneck, r.after.bottleneck) == (Bottleneck.MEMORY, Bottleneck.COMPUTE)
    assert r.before.batch_size == 1
    assert r.after.batch_size == 101


def test_the_least_context_at_which_the_cache_takes_over(hand):
    """Batch 200: compute 380 + 0.08·s µs, memory 190 + 4·s µs: equal at 48.5, so memory from 49 on."""
    r = CrossoverSolver().solve(hand, toy(), batch_size=200, axis="context", calibration="ideal")
    assert (r.value, str(r.axis)) == (49, "context")
    assert r.before.context == 0
    assert r.after.bottleneck is Bottleneck.MEMORY


def test_the_least_prompt_that_is_compute_bound(hand):
    """Compute takes (180·S + 10 + 0.02·S²)·1e6 FLOP, memory (190 + 0.02·S)·1e6 B.

    At 105: 19,130.5e6 FLOP in 191.31 µs, 192.1e6 B in 192.1 µs; at 106: 19,314.7e6 in 193.15, 192.12.
    """
    r = CrossoverSolver().solve(hand, toy(), axis="prompt", phase="prefill", calibration="ideal")
    assert r.value == 106


@pytest.mark.parametrize("context", [0, 100, 500, 900, 1200, 1500, 1700])
@pytest.mark.parametrize("calibration", ["ideal", "serving"])
def test_no_smaller_batch_has_another_bottleneck(large, context, calibration):
    """Every batch below the answer is tried. Under `serving` the FLOP of decode climb in tiles of eight
    while the cache grows with each sequence, so the bottleneck can change to and fro inside a tile.
    """
    hw = toy(peak={"fp16": Q_("300 TFLOP/s")}, bandwidth=Q_("2 TB/s"))
    options = {"context": context, "calibration": calibration}
    r = CrossoverSolver().solve(large, hw, **options)
    most = min(r.value or 600, 600)
    limits = [Engine.solve(large, hw, n, **options).bottleneck for n in range(1, most + 1)]
    other = [n for n, limit in enumerate(limits, 1) if limit is not limits[0]]
    if r.value is None:
        assert other == []
    else:
        assert other[0] == r.value
        assert limits[-1] is r.after.bottleneck


def test_what_is_said_about_the_side_beyond_is_true(large):
    """ "From there" is true only if no larger batch falls back."""
    hw = toy(peak={"fp16": Q_("300 TFLOP/s")}, bandwidth=Q_("2 TB/s"))
    r = CrossoverSolver().solve(large, hw, context=1200)
    beyond = range(r.value, r.value + 64)
    limits = {n: Engine.solve(large, hw, n, context=1200).bottleneck for n in beyond}
    falls_back = any(limit is not r.after.bottleneck for limit in limits.values())
    assert not (falls_back and "from there" in r.reason)


def test_no_crossover_is_an_answer_with_a_reason(hand):
    """At context 3000 a sequence brings 310e6 FLOP and 60e6 B, 3.1 and 60 µs: never compute bound."""
    r = CrossoverSolver().solve(hand, toy(), context=3000, calibration="ideal")
    assert r.value is None
    assert r.reason.startswith("Memory Bound from the first batch size to ")
    assert r.reason.endswith("no crossover")
    assert ("Crossover", "none") in r.rows()


def test_contexts_are_looked_for_up_to_that_of_the_network(hand):
    r = CrossoverSolver().solve(hand, toy(), axis="context", calibration="ideal")
    assert (r.value, r.searched_to) == (None, 4096)
    assert r.after.context == 4096


def test_a_crossover_beyond_the_memory_says_so(hand):
    """100 sequences of 1 token need 202 MB."""
    tight = toy(capacity=Q_("201 MB"))
    r = CrossoverSolver().solve(hand, tight, context=1, calibration="ideal")
    assert not r.fits
    assert "but it does not fit" in r.reason
    assert CrossoverSolver().solve(hand, toy(), context=1, calibration="ideal").fits


def test_without_a_crossover_fitting_is_a_matter_of_the_question(hand):
    """No batch crosses, and one sequence fits: the size of the largest batch tried is nobody's concern."""
    r = CrossoverSolver().solve(hand, toy(), context=3000, calibration="ideal")
    assert r.before.fits
    assert "does not fit" not in repr(r)


def test_overhead_gives_way_to_arithmetic_or_memory(hand):
    """Under `serving` a small network starts overhead bound: 2,620 µs against 190 of memory."""
    r = CrossoverSolver().solve(hand, toy())
    limits = {n: Engine.solve(hand, toy(), n).bottleneck for n in (r.value - 1, r.value)}
    assert r.before.bottleneck is Bottleneck.OVERHEAD
    assert list(limits.values()) == [Bottleneck.OVERHEAD, Bottleneck.COMPUTE]


def test_a_convnet_may_be_limited_by_one_resource_at_every_batch():
    """A layer of 192·10 weights: 3,840 FLOP against 40 B of activations a sample, ridge 100: none;
    ridge 20: (3840·B)/20 beyond 3,860 + 40·B bytes at B = 26.
    """
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    assert CrossoverSolver().solve(net, toy(), calibration="ideal").value is None
    low = toy(peak={"fp16": Q_("20 TFLOP/s")})
    assert CrossoverSolver().solve(net, low, calibration="ideal").value == 26


@pytest.mark.parametrize("axis", ["batch", None, 5, ["batch_size"], "BATCH_SIZE"])
def test_an_axis_that_is_none_is_refused(hand, axis):
    with pytest.raises(ArgumentError, match="axis must be one of batch_size, context, prompt; got "):
        CrossoverSolver().solve(hand, toy(), axis=axis)


@pytest.mark.parametrize(("axis", "value"), [("batch_size", 4), ("context", 100)])
def test_the_axis_has_no_value_of_its_own(hand, axis, value):
    with pytest.raises(ArgumentError, match=f"{axis} is what the crossover is looked for in"):
        CrossoverSolver().solve(hand, toy(), axis=axis, **{axis: value})


def test_an_axis_that_the_phase_has_not_is_refused(hand):
    with pytest.raises(ArgumentError, match="prompt is for the phases 'prefill' and 'train'"):
        CrossoverSolver().solve(hand, toy(), axis="prompt")
    with pytest.raises(ArgumentError, match="swapped"):
        CrossoverSolver().solve(toy(), hand)


def test_a_peak_that_is_far_away_is_found_by_doubling(hand):
    """Ridge 100,000 FLOP/B: batch 100,001."""
    vast = toy(peak={"fp16": Q_("100 PFLOP/s")})
    assert CrossoverSolver().solve(hand, vast, calibration="ideal").value == 100_001
    assert CrossoverSolver().solve(replace(hand), vast, calibration="ideal").value == 100_001
