"""The search for a split: complete, never preferring what does not fit, and saying why others lost."""

import itertools

import pytest

from mlsysim import ArgumentError, Models, Systems
from mlsysim.core.parallelism import Parallelism
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.solvers.parallelism import ParallelismOptimizer, splits

UNIT = Systems.Clusters.DGX_SuperPOD_SU_H100


@pytest.fixture(scope="module")
def searched():
    return ParallelismOptimizer().solve(Models.Llama3_8B, UNIT, 128, prompt=8192, devices=64)


def test_the_best_is_the_fastest_that_fits(searched):
    """A loop of one's own over the same splits finds nothing faster."""
    times = []
    for tp, pp, micro, zero in itertools.product([1, 2, 4, 8], [1, 2, 4, 8, 16, 32], [1, 2, 4], [0, 1, 3]):
        dp = 64 // (tp * pp)
        if tp * pp > 64 or 128 % (dp * micro) or (zero and dp == 1) or (zero > 1 and pp > 1):
            continue
        r = DistributedModel().solve(
            Models.Llama3_8B,
            UNIT,
            128,
            prompt=8192,
            split=Parallelism(dp_size=dp, tp_size=tp, pp_size=pp, zero_stage=zero),
            microbatch_size=micro,
        )
        times.append(r.step.total if r.fits else float("inf"))
    assert searched.best.step.total <= min(times) * (1 + 1e-12)
    assert searched.best.fits


def test_the_ranking_is_sorted_and_split_by_fit(searched):
    totals = [r.step.total for r in searched.ranked]
    assert totals == sorted(totals)
    assert all(r.fits for r in searched.ranked)
    assert not any(r.fits for r in searched.refused)
    assert searched.refused


def test_runners_up_know_why_they_lost(searched):
    assert "% slower" in searched.reason(searched.ranked[1])
    assert "does not fit" in searched.reason(searched.refused[0])
    assert str(searched.ranked[1].split) in repr(searched)


def test_where_nothing_fits_there_is_no_best():
    r = ParallelismOptimizer().solve(Models.Llama3_405B, UNIT, 64, prompt=8192, devices=16)
    assert (r.best, r.fits, r.step_latency) == (None, False, None)
    assert "does not fit" in repr(r)


def test_every_split_uses_all_devices_and_stays_in_a_node():
    tried = {"zero_stages": (0, 1), "context_sizes": (1, 2), "interleaves": (1, 2)}
    found = list(splits(Models.Language.Mixtral_8x7B, UNIT, 64, 4096, **tried))
    assert len(found) == len(set(found))
    assert {s.devices for s in found} == {64}
    assert max(s.tp_size for s in found) == 8
    assert {s.ep_size for s in found} == {1, 2, 4, 8}


def test_a_batch_that_suits_no_split_is_an_error():
    with pytest.raises(ArgumentError, match=r"no split of .* suits Llama-3\.1-8B and batch_size 7"):
        ParallelismOptimizer().solve(
            Models.Llama3_8B,
            UNIT,
            7,
            prompt=8192,
            devices=64,
            zero_stages=(1,),
            interleaves=(1,),
            microbatch_sizes=(2,),
        )


def test_things_of_another_kind_are_refused():
    with pytest.raises(ArgumentError, match="must be a Fleet"):
        ParallelismOptimizer().solve(Models.Llama3_8B, "pod", 8, prompt=8192)
