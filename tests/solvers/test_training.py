"""A training run by hand: stated utilisation, one device's step, a distributed step."""

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, Hardware, Models, Systems
from mlsysim.core.parallelism import Parallelism
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.solvers.training import Basis, TrainingModel


def toy(**changes):
    fields = {"peak": {"bf16": Q_("100 TFLOP/s")}, "bandwidth": Q_("100 TB/s"), "capacity": Q_("8 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def test_a_stated_utilisation_by_hand(hand):
    """A token of a sequence of 100 takes 576e6 FLOP. 1e12 tokens at half of 1e15 FLOP/s: 1.152e6 s."""
    r = TrainingModel().solve(hand, toy(), prompt=100, tokens=1e12, devices=10, mfu=0.5)
    assert r.basis is Basis.STATED
    assert r.flops.to("FLOP").magnitude == pytest.approx(5.76e20, rel=1e-12)
    assert r.duration.to("s").magnitude == pytest.approx(1.152e6, rel=1e-12)
    assert r.device_hours.to("hour").magnitude == pytest.approx(3200, rel=1e-12)
    assert (r.fits, r.mfu) == (None, pytest.approx(0.5))


def test_the_engine_s_step_loses_nothing_between_devices(hand):
    """576 µs for 100 tokens under the textbook roofline, on each of four."""
    r = TrainingModel().solve(hand, toy(), prompt=100, tokens=4e6, devices=4, calibration="ideal")
    assert r.duration.to("s").magnitude == pytest.approx(1e4 * 576e-6, rel=1e-9)
    assert (r.basis, r.fits, r.mfu) == (Basis.ENGINE, True, pytest.approx(1.0))


def test_a_distributed_step_is_taken_as_it_is():
    fleet = Systems.Clusters.DGX_SuperPOD_SU_H100
    step = DistributedModel().solve(
        Models.Llama3_8B, fleet, 64, prompt=8192, split=Parallelism(dp_size=64, zero_stage=3)
    )
    r = TrainingModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, tokens=64 * 8192 * 10, step=step)
    assert r.duration.to("s").magnitude == pytest.approx(10 * step.step.total, rel=1e-12)
    assert (r.devices, r.basis, r.mfu) == (64, Basis.STEP, pytest.approx(step.mfu()))


def test_full_attention_counts_more_work(hand):
    """0.2e9 FLOP of scores in 100 tokens, thrice, once more: 582e6 instead of 576e6 a token."""
    causal, full = (
        TrainingModel().solve(hand, toy(), prompt=100, tokens=1e9, mfu=0.5, attention=a)
        for a in ("causal", "full")
    )
    assert full.seconds / causal.seconds == pytest.approx(582 / 576, rel=1e-12)


def test_what_does_not_fit_says_so():
    r = TrainingModel().solve(Models.Llama3_70B, Hardware.Cloud.H100, tokens=1e9)
    assert r.fits is False
    assert "does not fit" in repr(r)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": 0}, "tokens must be a positive number; got 0"),
        ({"mfu": 1.5}, "mfu must be above 0 and at most 1; got 1.5"),
        ({"attention": "half"}, "attention must be 'causal' or 'full'; got 'half'"),
        ({"mfu": 0.5, "step": "step"}, "give mfu or step, not both"),
        ({"devices": 0}, "devices must be a whole number"),
    ],
)
def test_one_clear_error(hand, options, message):
    with pytest.raises(ArgumentError, match=message):
        TrainingModel().solve(hand, toy(), **{"tokens": 1e9, **options})


def test_networks_of_another_family_are_refused():
    with pytest.raises(ArgumentError, match="must be a decoder transformer"):
        TrainingModel().solve(Models.ResNet50, Hardware.Cloud.H100, tokens=1e9)
