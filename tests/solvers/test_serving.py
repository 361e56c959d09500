"""Serving by hand: first token, every further token, cache and concurrency."""

from dataclasses import replace

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, Bottleneck, ConvNet, ServingModel


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


@pytest.fixture
def served(hand):
    return ServingModel().solve(hand, toy(), prompt=100, output=10, calibration="ideal")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ttft", "192 us"),
        ("tpot", "192.1 us"),
        ("latency", "1920.9 us"),
        ("throughput", "5205.893071 token/s"),
        ("kv_cache", "2.2 MB"),
        ("kv_cache_per_token", "20000 B"),
    ],
)
def test_a_request_by_hand(served, name, expected):
    """100 tokens in: 18.21e9 FLOP take 182.1 µs, 192e6 B take 192. Ten out: at context 105 the cache is
    2.1e6 B and a step takes 192.1 µs; 192 + 9·192.1 = 1,920.9 µs; 10 tokens in that time.
    """
    got, want = getattr(served, name), Q_(expected)
    assert got.to(want.units).magnitude == pytest.approx(want.magnitude, rel=1e-9)


def test_limits_of_the_two_phases(served):
    assert served.prefill.bottleneck is Bottleneck.MEMORY
    assert served.decode.bottleneck is Bottleneck.MEMORY


def test_concurrency_is_what_the_weights_leave(served, hand):
    """(64e9 − 0.2e9) / (110·20,000) = 29,000 sequences; the next one needs one byte too many."""
    assert served.max_concurrency == 29_000
    full = ServingModel().solve(hand, toy(), 29_000, prompt=100, output=10)
    assert full.fits
    assert not ServingModel().solve(hand, toy(), 29_001, prompt=100, output=10).fits


def test_memory_is_checked_for_the_last_token_and_not_for_the_mean(hand):
    """0.2 GB of weights and 110·20,000 B: 202.2 MB are needed at the end, 202.1 MB on the way."""
    tight = ServingModel().solve(hand, toy(capacity=Q_("202.15 MB")), prompt=100, output=10)
    assert tight.decode.fits
    assert not tight.fits
    assert tight.max_concurrency == 0


def test_weights_that_do_not_fit_leave_no_room(hand):
    r = ServingModel().solve(hand, toy(capacity=Q_("100 MB")))
    assert (r.fits, r.max_concurrency) == (False, 0)
    assert "does not fit" in repr(r)


def test_a_batch_goes_in_step(hand):
    """Batch 8: prefill 8·18.21e9 FLOP, 1,456.8 µs; a step 190e6 + 8·2.1e6 B, 206.8 µs."""
    r = ServingModel().solve(hand, toy(), 8, prompt=100, output=10, calibration="ideal")
    assert r.ttft.to("us").magnitude == pytest.approx(1456.8, rel=1e-9)
    assert r.tpot.to("us").magnitude == pytest.approx(206.8, rel=1e-9)
    total = 1456.8 + 9 * 206.8
    assert r.throughput.to("token/s").magnitude == pytest.approx(80 / total * 1e6, rel=1e-9)
    assert r.kv_cache.to("MB").magnitude == pytest.approx(17.6, rel=1e-12)


def test_one_token_of_output_is_the_first_one(hand):
    r = ServingModel().solve(hand, toy(), prompt=100, output=1, calibration="ideal")
    assert r.latency.to("us").magnitude == pytest.approx(r.ttft.to("us").magnitude, rel=1e-12)


def test_a_window_bounds_the_cache_everywhere(hand):
    """With a window of 50 the cache of a sequence never exceeds 50·20,000 B, in whatever it is shown."""
    r = ServingModel().solve(replace(hand, window=50), toy(), 3, prompt=100, output=10)
    assert r.fit.required == 200e6 + 3e6
    assert r.kv_cache.to("MB").magnitude == pytest.approx(3, rel=1e-12)
    assert r.max_concurrency == 63_800


def test_both_phases_are_asked_for_alike(hand):
    r = ServingModel().solve(hand, toy(), 4, "w8a16", prompt=64, output=32, calibration="ideal")
    assert (r.prefill.batch_size, r.decode.batch_size) == (4, 4)
    assert (r.prefill.prompt, r.decode.context) == (64, 80)
    assert str(r.prefill.precision) == str(r.decode.precision) == "w8a16"
    assert r.prefill.calibration is r.decode.calibration


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": 0}, "prompt must be a whole number of at least 1; got 0"),
        ({"prompt": "many"}, "prompt must be a whole number of at least 1; got 'many'"),
        ({"output": 0}, "output must be a whole number of at least 1; got 0"),
        ({"output": 1.5}, "output must be a whole number of at least 1; got 1.5"),
        ({"prompt": 4000, "output": 97}, "prompt and output, 4,097 tokens, exceed the context of hand"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"calibration": "idael"}, "Did you mean 'ideal'"),
        ({"hardware": "Toy"}, "hardware must be a device"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        ServingModel().solve(**{"model": hand, "hardware": toy(), **wrong})
    assert said in str(caught.value)


def test_the_whole_context_can_be_used(hand):
    assert ServingModel().solve(hand, toy(), prompt=4000, output=96).output == 96


def test_a_network_that_generates_nothing_is_refused():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    with pytest.raises(ArgumentError, match="model must generate text"):
        ServingModel().solve(net, toy())


def test_swapped_arguments_are_called_that(hand):
    with pytest.raises(ArgumentError, match="swapped"):
        ServingModel().solve(toy(), hand)


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        ServingModel().solve(hand, toy(), batch_size=0, precision="fp17", prompt=0, output=0)
    for word in ("batch_size", "fp17", "prompt", "output"):
        assert word in str(caught.value)


def test_a_shared_prefix_is_read_once_and_cached_once(hand):
    """Four prompts of 100 share 64: 64 + 4·36 = 208 rows of 180e6 FLOP, scores 4(2e8 − 81.92e6) + 81.92e6 and
    four heads of 1e7; 64 + 4·46 = 248 tokens are cached at the end.
    """
    r = ServingModel().solve(hand, toy(), 4, prompt=100, output=10, shared_prefix=64, calibration="ideal")
    flops = 208 * 180e6 + 4 * (2e8 - 81.92e6) + 81.92e6 + 4e7

    assert r.ttft.to("us").magnitude == pytest.approx(flops / 100e12 * 1e6, rel=1e-12)
    assert r.kv_cache.to("MB").magnitude == pytest.approx(248 * 0.02, rel=1e-12)
    assert r.fit.required == pytest.approx(200e6 + 248 * 20_000, rel=1e-12)
    assert r.max_concurrency == int((63.8e9 - 64 * 20_000) // (46 * 20_000))
    assert r.decode == ServingModel().solve(hand, toy(), 4, prompt=100, output=10, calibration="ideal").decode


def test_as_many_fit_as_are_said_to_with_a_prefix(hand):
    options = {"prompt": 100, "output": 10, "shared_prefix": 64}
    most = ServingModel().solve(hand, toy(), **options).max_concurrency

    assert ServingModel().solve(hand, toy(), most, **options).fits
    assert not ServingModel().solve(hand, toy(), most + 1, **options).fits


def test_the_layouts_are_beside_the_exact_number(hand):
    """110 tokens need seven blocks, 112 tokens; a contiguous cache keeps room for 500 tokens."""
    r = ServingModel().solve(hand, toy(), prompt=100, output=10, longest_output=400)

    assert r.memory.paged.sequences == int(63.8e9 // (112 * 20_000))
    assert r.memory.contiguous.sequences == int(63.8e9 // (500 * 20_000))
    assert r.max_concurrency == 29_000


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shared_prefix": 512}, "shared_prefix (512) must be shorter than prompt (512)"),
        ({"longest_output": 5}, "longest_output (5) must be at least output (128)"),
        ({"block_size": 0}, "block_size must be a whole number of at least 1; got 0"),
    ],
)
def test_a_wrong_layout_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        ServingModel().solve(hand, toy(), **wrong)
    assert said in str(caught.value)
