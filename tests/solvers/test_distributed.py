"""A training step on many devices, by hand: compute, bubble, exchanges, and whether it fits."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Engine, Fleet, Link, Models, Node, Systems
from mlsysim.core.calibration import IDEAL
from mlsysim.core.parallelism import Parallelism
from mlsysim.core.training_step import SERIAL, Exchange, Overlap, Part, step_time
from mlsysim.solvers.distributed import DistributedModel

ALL_HIDES = Overlap(name="all", source="everything behind compute", exchange=1.0, data=1.0)


def fleet(nodes=8, **changes):
    fields = {"peak": {"bf16": Q_("100 TFLOP/s")}, "bandwidth": Q_("100 TB/s"), "capacity": Q_("8 GB")}
    gpu = Accelerator(**{"name": "Toy", **fields, **changes})
    wire = Link(name="wire", bandwidth=Q_("100 GB/s"), topology="all-to-all")
    cable = Link(name="cable", bandwidth=Q_("10 GB/s"), topology="switched")
    return Fleet(
        name="toys", node=Node(name="box", accelerator=gpu, devices=4, link=wire), nodes=nodes, fabric=cable
    )


def solve(model, split, batch=32, **options):
    fixed = {"prompt": 100, "overlap": SERIAL, "calibration": "ideal", "network": "ideal"}
    return DistributedModel().solve(model, fleet(), batch, split=split, **{**fixed, **options})


def test_one_device_is_the_engine_s_step(hand):
    """57.6e9 FLOP at 1e14 FLOP/s: 576 µs; the update moves 100e6·28 B at 1e14 B/s: 28 µs."""
    r = solve(hand, Parallelism(), batch=1)
    step = Engine.solve(
        hand, fleet().node.accelerator, 1, "bf16", phase="train", prompt=100, calibration="ideal"
    )
    assert r.step.parts[Part.COMPUTE] == pytest.approx(step.terms.latency, rel=1e-12)
    assert r.step.parts[Part.COMPUTE] == pytest.approx(576e-6, rel=1e-12)
    assert r.step.parts[Part.OPTIMIZER] == pytest.approx(28e-6, rel=1e-12)
    assert r.step.total == pytest.approx(604e-6, rel=1e-12)


def test_the_bubble_by_hand(hand):
    """Two stages, eight microbatches: each takes half, 288 µs; one more is waited for, or a fifth."""
    r = solve(hand, Parallelism(pp_size=2), batch=8)
    send = r.step.parts[Part.PIPELINE] / 8
    assert r.step.parts[Part.BUBBLE] == pytest.approx(288e-6 + send, rel=1e-9)
    v = solve(hand, Parallelism(pp_size=2, interleave=5), batch=8)
    assert v.step.parts[Part.BUBBLE] == pytest.approx(
        (288e-6 + v.step.parts[Part.PIPELINE] / 8) / 5, rel=1e-9
    )


@pytest.mark.parametrize(
    ("stages", "microbatches", "parts"), [(8, 32, 1), (8, 32, 2), (4, 4, 1), (16, 64, 4)]
)
def test_the_bubble_is_the_published_fraction(stages, microbatches, parts):
    """Narayanan et al. 2021, section 2.2: bubble over ideal time is (p − 1)/(v m)."""
    t = step_time(
        1.0,
        Exchange(),
        SERIAL,
        Parallelism(pp_size=stages, interleave=parts),
        microbatches=microbatches,
        optimizer=0.0,
    )
    ratio = t.parts[Part.BUBBLE] / t.parts[Part.COMPUTE]
    assert ratio == pytest.approx((stages - 1) / (parts * microbatches), rel=1e-12)


@pytest.mark.parametrize(("microbatches", "rounds"), [(1, 4), (2, 4.5), (4, 5.5), (8, 9.5)])
def test_few_microbatches_wait_for_every_part(microbatches, rounds):
    """Four stages of two parts: one microbatch passes all eight parts, half a stage each: four rounds."""
    t = step_time(
        1.0,
        Exchange(),
        SERIAL,
        Parallelism(pp_size=4, interleave=2),
        microbatches=microbatches,
        optimizer=0.0,
    )
    assert t.total == pytest.approx(rounds, rel=1e-12)


def test_tensor_parallel_exchange_by_hand(hand):
    """Two of a box: four sums in ten layers of 100·1,000·2 B; a sum sends as much, at 1e11 B/s: 80 µs."""
    r = solve(hand, Parallelism(tp_size=2), batch=1)
    assert r.step.parts[Part.TENSOR] == pytest.approx(40 * 200e3 / 1e11, rel=1e-9)
    assert r.step.parts[Part.COMPUTE] == pytest.approx(288e-6, rel=1e-9)
    full = solve(hand, Parallelism(tp_size=2), batch=1, recompute="full")
    assert full.step.parts[Part.TENSOR] == pytest.approx(60 * 200e3 / 1e11, rel=1e-9)


def test_the_sum_of_the_gradients_by_hand(hand):
    """Four copies in a box: 2·3/4 of 200 MB at 1e11 B/s, 3 ms. Eight in two boxes: quarters between the
    boxes, 2·1/2 of 50 MB at 1e10 B/s, 5 ms, while the box takes 3: the slower level remains.
    """
    four = solve(hand, Parallelism(dp_size=4), batch=4)
    assert four.step.parts[Part.DATA] == pytest.approx(3e-3, rel=1e-9)
    eight = solve(hand, Parallelism(dp_size=8), batch=8)
    assert eight.step.parts[Part.DATA] == pytest.approx(5e-3, rel=1e-9)


def test_zero_3_gathers_weights_for_every_microbatch(hand):
    """Two gathers and one scatter for each of two microbatches: thrice half of the sum, twice."""
    r = solve(hand, Parallelism(dp_size=4, zero_stage=3), batch=8)
    assert r.step.parts[Part.DATA] == pytest.approx(2 * 1.5 * 3e-3, rel=1e-9)
    for stage in (1, 2):
        same = solve(hand, Parallelism(dp_size=4, zero_stage=stage), batch=4)
        assert same.step.parts[Part.DATA] == pytest.approx(3e-3, rel=1e-9)


def test_what_hides_is_not_shown(hand):
    """576 µs of compute hide as much of the 3 ms sum; all of the 80 µs of tensor exchange hide behind 288."""
    r = solve(hand, Parallelism(dp_size=4), batch=4, overlap=ALL_HIDES)
    assert r.step.parts[Part.DATA] == pytest.approx(3e-3 - 576e-6, rel=1e-9)
    assert solve(hand, Parallelism(tp_size=2), batch=1, overlap=ALL_HIDES).step.parts[Part.TENSOR] == 0


def test_experts_exchange_tokens():
    """Mixtral: a token's stream goes to two experts; out and back, forward and backward, in 32 layers."""
    model = Models.Language.Mixtral_8x7B
    r = DistributedModel().solve(
        model,
        Systems.Clusters.DGX_SuperPOD_SU_H100,
        8,
        prompt=4096,
        split=Parallelism(dp_size=8, ep_size=8),
        overlap=SERIAL,
        network="ideal",
    )
    sent = 2 * 4096 * model.width * 2 * 7 / 8
    link = Systems.Fabrics.NVLink4.bandwidth_si
    assert r.step.parts[Part.EXPERT] == pytest.approx(4 * 32 * sent / link, rel=1e-6)


def test_context_parallel_halves_the_work(hand):
    one, two = solve(hand, Parallelism(), batch=1), solve(hand, Parallelism(cp_size=2), batch=1)
    assert two.step.parts[Part.COMPUTE] == pytest.approx(one.step.parts[Part.COMPUTE] / 2, rel=1e-9)
    assert two.step.parts[Part.CONTEXT] > 0


def test_utilisations_agree_with_their_definitions(hand):
    """No loss but the update: MFU is 576/604. Full attention counts 0.6e9
    FLOP more of 57.6e9. Recomputed: 18.2e9 of the layers once more, 1e9 of the head not."""
    r = solve(hand, Parallelism(), batch=1)
    assert r.mfu() == pytest.approx(576 / 604, rel=1e-9)
    assert r.hfu() == pytest.approx(r.mfu(), rel=1e-9)
    assert r.mfu("full") / r.mfu() == pytest.approx(58.2 / 57.6, rel=1e-9)
    again = solve(hand, Parallelism(), batch=1, recompute="full")
    assert again.hfu() / again.mfu() == pytest.approx((4 * 18.2 + 3 * 1) / 57.6, rel=1e-9)


def test_what_does_not_fit_is_timed_and_says_so():
    r = solve(Models.Llama3_8B, Parallelism(dp_size=32), batch=32)
    assert not r.fits
    assert "does not fit" in repr(r)


@settings(max_examples=40)
@given(
    sizes=st.fixed_dictionaries(
        {
            "tp_size": st.sampled_from([1, 2, 4]),
            "pp_size": st.sampled_from([1, 2, 5]),
            "dp_size": st.integers(1, 3),
            "zero_stage": st.integers(0, 3),
        }
    ),
    microbatches=st.integers(1, 8),
)
def test_hiding_never_slows_and_parts_add_up(sizes, microbatches):
    split = Parallelism(**sizes)
    many = fleet(nodes=32)
    slow, fast = (
        DistributedModel().solve(
            Models.Language.GPT2,
            many,
            split.dp_size * microbatches,
            prompt=64,
            split=split,
            overlap=overlap,
            calibration=IDEAL,
            network="ideal",
        )
        for overlap in (SERIAL, ALL_HIDES)
    )
    assert fast.step.total <= slow.step.total * (1 + 1e-12)
    assert all(seconds >= 0 for seconds in fast.step.parts.values())
    assert slow.mfu() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": Parallelism(tp_size=3)}, "tp_size .3. must divide the heads of hand, 10"),
        ({"split": Parallelism(pp_size=13)}, "pp_size x interleave .13 x 1. must not exceed the layers"),
        ({"split": Parallelism(dp_size=64), "batch": 64}, "needs 64 devices; toys has 32"),
        (
            {"split": Parallelism(dp_size=3)},
            "batch_size .32. must be a multiple of dp_size x microbatch_size",
        ),
        ({"split": None}, "split must be a Parallelism"),
        ({"split": Parallelism(), "recompute": "yes"}, "recompute must be"),
        ({"split": Parallelism(), "network": "nvlink"}, "calibration must be"),
    ],
)
def test_one_clear_error(hand, changes, message):
    with pytest.raises(ArgumentError, match=message):
        solve(hand, **changes)


def test_things_of_another_kind_are_named_together():
    with pytest.raises(ArgumentError) as caught:
        DistributedModel().solve(Models.ResNet50, "cluster", 0, prompt=0, split=Parallelism())
    for part in ("decoder transformer", "must be a Fleet", "batch_size must be", "prompt must be"):
        assert part in str(caught.value)


def test_an_empty_fleet_is_none():
    with pytest.raises(ValueError, match="an empty fleet has none"):
        replace(fleet(), nodes=0)
