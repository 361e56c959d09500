"""Counting of a training step, by hand: FLOP of three passes, traffic, state and activations."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Engine, Hardware, Models
from mlsysim.core.counting import count
from mlsysim.core.counting.activations import Recompute, kept_bytes, moved_bytes
from mlsysim.core.counting.training import ADAM, train
from mlsysim.core.models import Phase
from mlsysim.core.precision import precision
from mlsysim.core.specs import Accelerator

FP16 = precision("fp16")


def test_three_passes_by_hand(hand):
    """One sequence of 100 tokens: 6·95e6·100 = 57e9 FLOP of matrix products, head included;
    10 layers · 5,000 pairs · 4,000 FLOP = 0.2e9 of scores, thrice. Weights 190e6 B twice, gradients too.
    """
    work = train(hand, FP16, 1.0, 100.0)
    assert (work.matmul, work.other) == pytest.approx((57e9, 0.6e9), rel=1e-12)
    assert work.weights == pytest.approx(4 * 190e6, rel=1e-12)
    assert (work.items, work.rows) == (100, 100)


def test_activations_by_hand(hand):
    """A token and layer keeps 4·1,000 + 2·15·100 + 3·2,000 = 13,000 numbers, 26 kB; 100 tokens in 10 layers
    26 MB. A pass moves two residual sums more, 15,000 numbers, and 5,000 logits a token: 155,000 numbers, out
    and in at 2 B, 62 MB; thrice in all. State: 16 B for each of 100e6 parameters; 500,000 logits, 2 MB.
    """
    work = train(hand, FP16, 1.0, 100.0)
    assert moved_bytes(hand, FP16, batch=1, prompt=100) == pytest.approx(62e6, rel=1e-12)
    assert work.activations == pytest.approx(186e6, rel=1e-12)
    assert kept_bytes(hand, FP16, batch=1, prompt=100) == pytest.approx(26e6, rel=1e-12)
    assert work.resident == pytest.approx(1.6e9 + 26e6 + 2e6, rel=1e-12)


def gpt(**changes):
    shape = {"layers": 10, "width": 1000, "heads": 10, "kv_heads": 10, "head_size": 100, "ffn_width": 4000}
    fixed = {"name": "GPT", "gated": False, "vocab": 50_000, "tied": True, "context": 2000}
    return type(Models.Llama3_8B)(**{**fixed, **shape, **changes})


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({}, 34 + 5 * 10 * 200 / 1000),
        ({"recompute": Recompute.SELECTIVE}, 34),
        ({"recompute": Recompute.FULL}, 2),
        ({"tp_size": 2, "sequence_parallel": False}, 10 + 24 / 2 + 5 * 10 * 200 / 2000),
        ({"tp_size": 2}, (34 + 5 * 10 * 200 / 1000) / 2),
        ({"tp_size": 2, "recompute": Recompute.SELECTIVE}, 34 / 2),
    ],
)
def test_the_table_of_korthikanti(options, factor):
    """Table 2 of the paper, in units of sequence x batch x width a layer (full recomputation: inputs)."""
    kept = kept_bytes(gpt(), FP16, batch=1, prompt=200, dropout=True, stores_scores=True, **options)
    assert kept / (10 * 200 * 1000) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("recompute", "matmul", "scores"), [("none", 3, 3), ("selective", 3, 4), ("full", 4, 4)]
)
def test_what_is_recomputed_is_done_once_more(hand, recompute, matmul, scores):
    """The head, 2·5e6·100 FLOP, is never recomputed."""
    work = train(hand, FP16, 1.0, 100.0, recompute=Recompute(recompute))
    assert work.matmul == pytest.approx(matmul * 2 * 90e6 * 100 + 3 * 2 * 5e6 * 100, rel=1e-12)
    assert work.other == pytest.approx(scores * 0.2e9, rel=1e-12)


def test_two_devices_halve_everything_but_launches(hand):
    one, two = train(hand, FP16, 4.0, 64.0), train(hand, FP16, 4.0, 64.0, 2)
    for name in ("matmul", "other", "weights", "activations", "resident"):
        assert getattr(two, name) == pytest.approx(getattr(one, name) / 2, rel=1e-12)
    assert (one.reductions, two.reductions, two.launches) == (0, 40, one.launches)


@given(batch=st.integers(1, 64), prompt=st.integers(1, 4096))
def test_training_is_three_forward_passes_with_the_head_everywhere(batch, prompt):
    model = Models.Llama3_8B
    forward = count(model, Phase.PREFILL, FP16, batch=float(batch), prompt=float(prompt))
    work = count(model, Phase.TRAIN, FP16, batch=float(batch), prompt=float(prompt))
    head = 2 * model.vocab * model.width * batch
    assert work.flops == pytest.approx(3 * (forward.flops + head * (prompt - 1)), rel=1e-9)
    assert work.resident > ADAM.total * 8e9


def test_experts_that_are_not_visited_do_no_work():
    model = Models.Language.Mixtral_8x7B
    work = count(model, Phase.TRAIN, FP16, batch=1.0, prompt=1024.0)
    assert 6 * 12.5e9 * 1024 < work.matmul + work.expert_matmul < 6 * 13e9 * 1024


def test_the_engine_trains_language_models_and_images():
    """ResNet-50: three times the forward FLOP and activation traffic; each layer's output is kept."""
    net = Models.ResNet50
    forward, work = (count(net, phase, FP16, batch=32.0) for phase in (Phase.FORWARD, Phase.TRAIN))
    assert work.flops == pytest.approx(3 * forward.flops, rel=1e-12)
    assert work.activations == pytest.approx(3 * forward.activations, rel=1e-12)
    p = Engine.solve(net, Hardware.Cloud.A100, 32, phase="train", calibration="ideal")
    assert p.throughput.units == Q_("1 sample/s").units
    llm = Engine.solve(
        Models.Llama3_8B, Hardware.Cloud.A100, 1, phase="train", prompt=2048, calibration="ideal"
    )
    assert llm.throughput.units == Q_("1 token/s").units
    assert not llm.fits


def test_full_mixed_precision_state_is_sixteen_bytes():
    assert (ADAM.weight, ADAM.gradient, ADAM.state, ADAM.total) == (2, 2, 12, 16)


def test_training_needs_a_length(hand):
    toy = Accelerator(name="toy", peak={"fp16": Q_("1 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("1 GB"))
    with pytest.raises(ValueError, match="prompt must be a whole number of at least 1; got None"):
        Engine.solve(hand, toy, phase="train", calibration="ideal")


def test_a_network_without_a_training_rule_says_so():
    with pytest.raises(TypeError, match="has no train phase"):
        count(Models.Recommendation.DLRM_Criteo, Phase.TRAIN, FP16, batch=1.0)


def test_a_window_limits_the_scores_in_training_too(hand):
    near = replace(hand, window=8)
    assert train(near, FP16, 1.0, 100.0).other < train(hand, FP16, 1.0, 100.0).other
