"""One step in its surroundings: the textbook beside it, the crossover, the largest batch."""

from dataclasses import replace

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Bottleneck,
    ConvNet,
    CrossoverSolver,
    Engine,
    SingleNodeModel,
)
from mlsysim.solvers.single_node import largest_batch


@pytest.fixture
def toy():
    return Accelerator(
        name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB")
    )


def test_the_step_is_that_of_the_engine(hand, toy):
    r = SingleNodeModel().solve(hand, toy, 4, precision="w8a16", context=100)
    assert r.profile == Engine.solve(hand, toy, 4, "w8a16", context=100)
    assert (r.latency, r.throughput, r.bottleneck, r.fits) == (
        r.profile.latency,
        r.profile.throughput,
        Bottleneck.OVERHEAD,
        True,
    )


def test_the_textbook_is_a_lower_bound_beside_it(hand, toy):
    """190 µs against 190 + 0.35·55.2727 + 2,620 µs: 6.7 % of the textbook's speed."""
    r = SingleNodeModel().solve(hand, toy)
    assert r.ideal == Engine.solve(hand, toy, calibration="ideal")
    assert r.roofline_share == pytest.approx(190 / 2829.345454, rel=1e-9)


def test_an_efficiency_of_ones_own_leaves_the_textbook_alone(hand, toy):
    r = SingleNodeModel().solve(hand, toy, efficiency=0.1)
    assert r.ideal.terms.compute_efficiency == 1
    assert r.profile.terms.compute_efficiency == 0.1


def test_the_largest_batch_fills_the_memory(hand, toy):
    """(64e9 − 0.2e9) / (1000·20,000) = 3,190 sequences, and not one more."""
    r = SingleNodeModel().solve(hand, toy, context=1000)
    assert r.largest_batch == 3190
    assert Engine.solve(hand, toy, 3190, context=1000).fits
    assert not Engine.solve(hand, toy, 3191, context=1000).fits


@pytest.mark.parametrize("capacity", ["199 MB", "200 MB", "219.9 MB", "220 MB", "221 MB", "1 GB"])
def test_the_largest_batch_is_the_last_that_fits(hand, toy, capacity):
    """One sequence of 1000 tokens needs 220 MB."""
    small = replace(toy, capacity=Q_(capacity))
    n = largest_batch(hand, small, context=1000)
    assert n == 0 or Engine.solve(hand, small, n, context=1000).fits
    assert not Engine.solve(hand, small, n + 1, context=1000).fits


def test_the_largest_batch_of_a_convnet(toy):
    """Weights 192·10 + 10 = 1,930 parameters, 3,860 B; input and output of a sample (192 + 10)·2 B."""
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    small = replace(toy, capacity=Q_(3860 + 7 * 404 + 403, "B"))
    assert largest_batch(net, small, calibration="ideal") == 7


def test_without_a_cache_memory_sets_no_largest_batch(hand, toy):
    """An empty cache takes no bytes whatever the batch: any number shown as the largest is made up."""
    r = SingleNodeModel().solve(hand, toy)
    shown = dict(r.rows())["Largest batch that fits"]
    assert not isinstance(shown, int), f"{shown} fit, and so does one more"


def test_the_crossover_is_that_of_its_solver(hand, toy):
    r = SingleNodeModel().solve(hand, toy, 64, calibration="ideal")
    assert r.crossover == CrossoverSolver().solve(hand, toy, calibration="ideal")
    assert r.crossover.reason in repr(r)


def test_not_fitting_is_an_outcome(hand, toy):
    r = SingleNodeModel().solve(hand, replace(toy, capacity=Q_("100 MB")))
    assert (r.fits, r.largest_batch) == (False, 0)
    assert "does not fit" in repr(r)


def test_swapped_arguments_are_called_that(hand, toy):
    with pytest.raises(ArgumentError, match="swapped"):
        SingleNodeModel().solve(toy, hand)
