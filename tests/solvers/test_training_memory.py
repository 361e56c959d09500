"""Training memory by hand: state by ZeRO stage, activations in flight, adapters, and whether it fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Hardware, Models
from mlsysim.core.counting.sharding import Held, held_parameters, state_bytes
from mlsysim.core.counting.training import ADAM
from mlsysim.core.parallelism import Parallelism
from mlsysim.solvers.training_memory import TrainingMemoryModel


def toy(**changes):
    fields = {"peak": {"bf16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("4 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(model, split=None, **options):
    return TrainingMemoryModel().solve(model, toy(), prompt=100, split=split, **options)


def test_one_device_by_hand(hand):
    """100e6 parameters: 200 MB, 200 MB and 1,200 MB. 26 MB of activations (13,000 numbers of 2 B for each
    of 100 tokens and 10 layers) and 5,000 logits a token in 4 B, 2 MB.
    """
    r = solve(hand)
    parts = (r.weights, r.gradients, r.optimizer_state, r.model_states, r.activation_memory)
    assert [p.to("MB").magnitude for p in parts] == pytest.approx([200, 200, 1200, 1600, 28], rel=1e-12)
    assert r.fit.required == pytest.approx(1628e6, rel=1e-12)
    assert r.fits


@pytest.mark.parametrize(("stage", "each"), [(0, 16), (1, 4 + 12 / 4), (2, 2 + 14 / 4), (3, 16 / 4)])
def test_zero_divides_part_after_part(hand, stage, each):
    r = solve(hand, Parallelism(dp_size=4, zero_stage=stage))
    assert r.model_states.to("MB").magnitude == pytest.approx(100 * each, rel=1e-12)


def test_the_first_stage_of_a_pipeline_keeps_all_microbatches(hand):
    """Two stages: five layers, 90e6/2 + 5e6 parameters. A microbatch keeps 13 MB on a stage; the first keeps
    two, the last one and 2 MB of logits. One microbatch a step: 13 + 2 MB on the last.
    """
    two = Parallelism(pp_size=2)
    assert solve(hand, two).held.total == pytest.approx(50e6, rel=1e-12)
    assert solve(hand, two).activation_memory.to("MB").magnitude == pytest.approx(26, rel=1e-12)
    assert solve(hand, two, microbatches=1).activation_memory.to("MB").magnitude == pytest.approx(
        15, rel=1e-12
    )


def test_interleaving_keeps_some_more(hand):
    """Two parts on each of two stages: 2 + 1/2 microbatches in flight."""
    r = solve(hand, Parallelism(pp_size=2, interleave=2), microbatches=8)
    assert r.activation_memory.to("MB").magnitude == pytest.approx(13 * 2.5, rel=1e-12)


def test_tensor_and_context_parallel_divide_activations(hand):
    """Five heads of ten each: 28 MB in half."""
    for split in (Parallelism(tp_size=2), Parallelism(cp_size=2)):
        assert solve(hand, split).activation_memory.to("MB").magnitude == pytest.approx(14, rel=1e-12)


def test_full_recomputation_keeps_the_inputs_of_the_layers(hand):
    """1,000 numbers of 2 B for each of 100 tokens and 10 layers: 2 MB, and 2 MB of logits."""
    r = solve(hand, recompute="full")
    assert r.activation_memory.to("MB").magnitude == pytest.approx(4, rel=1e-12)


def test_experts_are_divided_by_expert_parallelism():
    """Each copy holds an eighth of the experts; ZeRO-1 splits their state over 64/8."""
    model = Models.Language.Mixtral_8x7B
    split = Parallelism(dp_size=64, ep_size=8)
    held, whole = held_parameters(model, split), held_parameters(model, Parallelism())
    assert held.expert == pytest.approx(whole.expert / 8, rel=1e-12)
    assert held.dense == whole.dense
    zero = state_bytes(held, Parallelism(dp_size=64, ep_size=8, zero_stage=1), ADAM)
    assert zero.state == pytest.approx(12 * (held.dense / 64 + held.expert / 8), rel=1e-12)


def test_adapters_train_little_and_freeze_the_rest(hand):
    """Rank 8 on 10 layers: 8·(2,000 + 2,000 + 2·1,500 + 3·3,000) = 128,000 a layer, 1.28e6 in all. Weights
    200 + 2.56 MB, gradients 2.56 MB, state 15.36 MB. In int4 the frozen ones take 4.125 bits each.
    """
    r = solve(hand, adapter_rank=8)
    assert r.adapters == pytest.approx(1.28e6, rel=1e-12)
    parts = (r.weights, r.gradients, r.optimizer_state)
    assert [p.to("MB").magnitude for p in parts] == pytest.approx([202.56, 2.56, 15.36], rel=1e-12)
    q = solve(hand, adapter_rank=8, precision="int4")
    assert q.weights.to("MB").magnitude == pytest.approx(100 * 4.125 / 8 + 2.56, rel=1e-12)


def test_what_does_not_fit_says_how_much_is_missing(hand):
    r = TrainingMemoryModel().solve(hand, toy(capacity=Q_("1 GB")), prompt=100)
    assert not r.fits
    assert "does not fit: needs 1.628 GB, has 1 GB, 0.628 GB short; at least 2 devices" in repr(r)


def test_copies_do_not_count_among_the_devices_that_hold_it(hand):
    """1.628 GB on 1 GB: two devices if they split it; eight plain copies are as short as one."""
    r = TrainingMemoryModel().solve(hand, toy(capacity=Q_("1 GB")), prompt=100, split=Parallelism(dp_size=8))
    assert r.fit.least_devices == 2


@given(
    dp=st.integers(1, 64),
    tp=st.sampled_from([1, 2, 4, 8]),
    pp=st.integers(1, 8),
    parameters=st.floats(1e6, 1e12),
)
def test_a_higher_stage_never_needs_more(dp, tp, pp, parameters):
    stages = [
        state_bytes(
            Held(parameters, 0.0), Parallelism(dp_size=dp, tp_size=tp, pp_size=pp, zero_stage=z), ADAM
        ).total
        for z in range(4)
    ]
    assert stages == sorted(stages, reverse=True)
    assert stages[0] == pytest.approx(16 * parameters, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recompute": "some"}, "recompute must be 'none', 'selective' or 'full'; got 'some'"),
        ({"split": 8}, "split must be a Parallelism"),
        ({"split": Parallelism(tp_size=3)}, "tp_size .3. must divide the heads"),
        ({"adapter_rank": 0}, "adapter_rank must be a whole number"),
        ({"microbatches": 0}, "microbatches must be a whole number"),
    ],
)
def test_one_clear_error(hand, options, message):
    with pytest.raises(ArgumentError, match=message):
        TrainingMemoryModel().solve(hand, toy(), **options)


def test_vision_has_no_split_here():
    with pytest.raises(ArgumentError, match="model must be a decoder transformer"):
        TrainingMemoryModel().solve(Models.ResNet50, Hardware.Cloud.A100)
