"""Fewer bits by hand: where they help, where they do not, and what the device must have for it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Calibration,
    ConvNet,
    Engine,
    Hardware,
    MissingSpecError,
    Models,
    UnitError,
)
from mlsysim.core.models import Phase
from mlsysim.solvers.compression import CompressionModel, Outcome, Pruning
from mlsysim.solvers.perplexity import PERPLEXITIES


def toy(**changes):
    peaks = {"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TFLOP/s")}
    fields = {"peak": peaks, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


PLAIN = {"peak": {"fp16": Q_("100 TFLOP/s")}}
PREFILL = {"phase": "prefill", "prompt": 1000}


def solve(model, hardware, batch=1, precision="fp16", **options):
    return CompressionModel().solve(model, hardware, batch, precision, **{"calibration": "ideal", **options})


def test_half_the_weights_halve_a_decode_step(hand):
    """190 MB take 190 µs, 95 MB take 95; 200 MB of weights become 100."""
    r = solve(hand, toy(), precision="w8a16")
    assert r.speedup == pytest.approx(2, rel=1e-12)
    assert r.memory_ratio == pytest.approx(2, rel=1e-12)
    assert r.outcome is Outcome.RUNS
    assert r.compressed.latency.to("us").magnitude == pytest.approx(95, rel=1e-12)


def test_weights_alone_do_not_help_prefill(hand):
    """1,000 tokens: 2·90e6·1000 + 10e6 + 20e9 FLOP take 2,001 µs on fp16 units, whatever the weights are."""
    r = solve(hand, toy(), precision="w8a16", **PREFILL)
    assert r.baseline.compute_time.to("us").magnitude == pytest.approx(2000.1, rel=1e-4)
    assert r.speedup == pytest.approx(1, rel=1e-12)


def test_int8_helps_prefill_where_there_are_int8_units(hand):
    assert solve(hand, toy(), precision="int8", **PREFILL).speedup == pytest.approx(2, rel=1e-12)
    without = solve(hand, toy(**PLAIN), precision="int8", **PREFILL)
    assert without.outcome is Outcome.NO_UNITS
    assert (without.speedup, without.compressed) == (None, None)
    assert "does not run" in repr(without)


def test_memory_is_told_even_where_it_does_not_run(hand):
    """int8 keeps 16 bits of cache: 100 MB of weights, 2·100·20,000 B of cache, before and after."""
    r = solve(hand, toy(**PLAIN), 2, "int8", context=100)
    assert r.fit.required == 100e6 + 4e6
    assert r.memory_ratio == pytest.approx(204 / 104, rel=1e-12)
    assert str(r.precision) == "int8"


def test_at_a_small_batch_both_help_decode_alike(hand):
    eight, weights = (solve(hand, toy(), precision=p).speedup for p in ("int8", "w8a16"))
    assert eight == pytest.approx(weights, rel=1e-12)


def test_at_a_large_batch_only_faster_arithmetic_helps(hand):
    """Batch 1,000: 190e9 FLOP take 1,900 µs, weights 190."""
    assert solve(hand, toy(), 1000, "w8a16").speedup == pytest.approx(1, rel=1e-12)
    assert solve(hand, toy(), 1000, "int8").speedup == pytest.approx(2, rel=1e-12)


def test_the_cache_is_compressed_by_itself(hand):
    """Batch 10 at context 1,000: 190 MB and 200 MB of cache; at 8 bits 100 MB of it."""
    r = solve(hand, toy(), 10, kv_bits=8, context=1000)
    assert r.speedup == pytest.approx(390 / 290, rel=1e-12)
    assert r.memory_ratio == pytest.approx(400 / 300, rel=1e-12)
    assert str(r.precision) == "w16 kv8 a16 fp16"


def test_weights_cache_and_arithmetic_each_by_itself(hand):
    r = solve(hand, toy(), 10, weight_bits=4, kv_bits=8, activation_bits=8, compute="int8", context=1000)
    assert r.speedup == pytest.approx(390 / (47.5 + 100), rel=1e-12)
    assert str(r.precision) == "w4 kv8 a8 int8"
    assert r.compressed.terms.peak == 200e12


def test_zeros_without_a_pattern_gain_nothing(hand):
    r = solve(hand, toy(), pruning=Pruning.UNSTRUCTURED)
    assert (r.speedup, r.memory_ratio) == (1, 1)
    assert r.outcome is Outcome.STAYS_DENSE


def test_two_of_four_without_a_sparse_peak_gains_nothing(hand):
    r = solve(hand, toy(), pruning=Pruning.TWO_OF_FOUR, **PREFILL)
    assert (r.speedup, r.memory_ratio, r.outcome) == (1, 1, Outcome.STAYS_DENSE)
    assert "stay dense" in repr(r)


def test_two_of_four_with_a_sparse_peak(hand):
    """Nine of sixteen bits are read in decode; in prefill 180.01e9 FLOP double their rate and 20e9 do not."""
    options = {"pruning": Pruning.TWO_OF_FOUR, "sparse_peak": Q_("200 TFLOP/s")}
    decode = solve(hand, toy(), **options)
    assert decode.speedup == pytest.approx(16 / 9, rel=1e-12)
    assert decode.memory_ratio == pytest.approx(16 / 9, rel=1e-12)
    assert decode.outcome is Outcome.RUNS
    prefill = solve(hand, toy(), **options, **PREFILL)
    work = prefill.baseline.work
    assert prefill.speedup == pytest.approx(work.flops / (work.matmul / 2 + work.other), rel=1e-12)
    assert 1.7 < prefill.speedup < 2


def test_sparse_products_keep_their_padding(hand):
    """Tiles of eight: one row costs eight, dense or sparse."""
    tiled = Calibration(
        name="tiled", source="invented here", compute_efficiency={Phase.DECODE: 1.0}, memory_efficiency=1.0,
        serial_fraction=0.0, step_overhead=Q_("0 s"), layer_overhead=Q_("0 s"), tile=8,
    )  # fmt: skip
    slow = toy(peak={"fp16": Q_("1 TFLOP/s")})
    options = {"pruning": Pruning.TWO_OF_FOUR, "sparse_peak": Q_("2 TFLOP/s"), "calibration": tiled}
    assert solve(hand, slow, **options).sparse_seconds == pytest.approx(8 * 190e6 / 2e12, rel=1e-12)


def test_unstructured_zeros_keep_their_bytes_on_hardware_that_skips_them(hand):
    r = solve(hand, toy(), 1000, pruning=Pruning.UNSTRUCTURED, sparse_peak=Q_("200 TFLOP/s"))
    assert (r.memory_ratio, r.outcome) == (1, Outcome.RUNS)
    assert r.speedup == pytest.approx(2, rel=1e-12)


def test_what_did_not_fit_is_said_first(hand):
    r = solve(hand, toy(capacity=Q_("150 MB")), precision="w8a16")
    assert (r.baseline.fits, r.fits) == (False, True)
    lines = repr(r).splitlines()
    assert "fits: 0.1 GB of 0.15 GB" in lines[1]
    assert "does not fit: needs 0.2 GB" in lines[2]


def test_accuracy_only_where_a_source_gives_it():
    """GPTQ's table 5: OPT-175B at 3 bits has perplexity 8.68, 8.34 at 16."""
    r = solve(Models.OPT_175B, Hardware.Cloud.A100, weight_bits=3)
    assert {p.method: p.value for p in r.perplexities} == {"GPTQ": 8.68, "rounding to nearest": 7300.0}
    assert "8.68 by GPTQ, 8.34 at 16 bits" in repr(r)
    for other in (
        solve(Models.OPT_175B, Hardware.Cloud.A100, precision="int4"),
        solve(Models.OPT_175B, Hardware.Cloud.A100, weight_bits=3, kv_bits=8),
        solve(Models.OPT_175B, Hardware.Cloud.A100, weight_bits=3, pruning=Pruning.UNSTRUCTURED),
        solve(Models.OPT_66B, Hardware.Cloud.A100, weight_bits=3),
    ):
        assert other.perplexities == ()
        assert "no sourced figure" in repr(other)


def test_networks_of_the_perplexities_are_in_the_zoo():
    names = {Models.OPT_175B.name, Models.BLOOM_176B.name}
    assert {p.model for p in PERPLEXITIES} == names
    assert all("table 5" in p.source for p in PERPLEXITIES)


@given(
    weights=st.floats(1, 16),
    cache=st.floats(1, 16),
    batch=st.sampled_from([1, 8, 100, 1000]),
    context=st.integers(0, 4000),
)
@settings(max_examples=40, deadline=None)
def test_laws(weights, cache, batch, context):
    """Fewer bits never take longer or more room; the speed-up is that of two solves."""
    options = {"context": context, "calibration": "serving"}
    hardware, model = Hardware.Cloud.A100, Models.Llama2_7B
    r = solve(model, hardware, batch, weight_bits=weights, kv_bits=cache, **options)
    half = solve(model, hardware, batch, weight_bits=weights / 2, kv_bits=cache / 2, **options)
    assert 1 - 1e-12 <= r.speedup <= half.speedup * (1 + 1e-12)
    assert 1 - 1e-12 <= r.memory_ratio <= half.memory_ratio
    new = replace(r.precision, name="other")
    before, after = (Engine.solve(model, hardware, batch, p, **options) for p in ("fp16", new))
    assert r.speedup == pytest.approx(before.terms.latency / after.terms.latency, rel=1e-12)
    assert r.speedup <= 16 / min(weights, cache) * (1 + 1e-12)


def test_a_vision_network_is_compressed_too():
    r = solve(Models.ResNet50, Hardware.Cloud.A100, 64, "int8", calibration="vision")
    assert r.speedup > 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"baseline": "fp17"}, "precision 'fp17' is unknown"),
        ({"weight_bits": 0}, "weight_bits must be a positive number of bits; got 0"),
        ({"kv_bits": "few"}, "kv_bits must be a positive number of bits; got 'few'"),
        ({"compute": "int9"}, "compute 'int9' is no arithmetic unit"),
        ({"pruning": "2:4"}, "pruning must be one of 'NONE', 'UNSTRUCTURED', 'TWO_OF_FOUR' of Pruning"),
        ({"sparse_peak": Q_("200 TFLOP/s")}, "sparse_peak is for pruned weights"),
        ({"batch": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"hardware": "Toy"}, "hardware must be a device"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(**{"model": hand, "hardware": toy(), **wrong})
    assert said in str(caught.value)


def test_a_sparse_peak_needs_its_unit(hand):
    with pytest.raises(UnitError, match="sparse_peak needs a unit"):
        solve(hand, toy(), pruning=Pruning.TWO_OF_FOUR, sparse_peak=624)


def test_pruning_is_for_decoders():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    with pytest.raises(ArgumentError, match="pruning is for decoder transformers"):
        solve(net, toy(), pruning=Pruning.UNSTRUCTURED)


def test_a_baseline_without_units_is_an_error(hand):
    with pytest.raises(MissingSpecError, match="no published fp8 peak"):
        solve(hand, toy(), baseline="fp8")


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), precision="fp17", pruning="2:4", weight_bits=-1)
    for word in ("fp17", "pruning", "weight_bits"):
        assert word in str(caught.value)
