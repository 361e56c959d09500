"""Scaling laws by hand, against a search, and back again."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError, ConvNet, Models, UnitError
from mlsysim.solvers.scaling import Reach, ScalingModel
from mlsysim.solvers.scaling_laws import (
    BESIROGLU,
    CHINCHILLA,
    HOFFMANN,
    HOFFMANN_UNROUNDED,
    LossLaw,
    TokenRule,
)

LAWS = [HOFFMANN, HOFFMANN_UNROUNDED, BESIROGLU]


@pytest.fixture
def even():
    """L = 1 + 10/sqrt(N) + 10/sqrt(D): as many tokens as parameters are best."""
    return LossLaw(name="even", source="invented here", E=1.0, A=10.0, B=10.0, alpha=0.5, beta=0.5)


def solve(*args, **options):
    return ScalingModel().solve(*args, **options)


def test_twenty_tokens_a_parameter():
    """6·N·20N = 1.2e22 FLOP: N = 1e10, D = 2e11."""
    r = solve(compute=Q_("1.2e22 FLOP"))
    assert r.parameters == pytest.approx(1e10, rel=1e-12)
    assert r.tokens == pytest.approx(2e11, rel=1e-12)
    assert (r.loss, r.excess_compute, r.overtraining) == (None, None, pytest.approx(1, rel=1e-12))
    assert r.compute.to("FLOP").magnitude == pytest.approx(1.2e22, rel=1e-12)


def test_a_budget_by_hand(even):
    """6e8 FLOP: N = D = 1e4, and L = 1 + 0.1 + 0.1."""
    r = solve(compute=Q_("6e8 FLOP"), law=even)
    assert (r.parameters, r.tokens) == (pytest.approx(1e4, rel=1e-12), pytest.approx(1e4, rel=1e-12))
    assert r.loss == pytest.approx(1.2, rel=1e-12)
    assert r.excess_compute == pytest.approx(1, rel=1e-9)


def test_overtraining_by_hand(even):
    """N = 1e4, D = 1e6: L = 1 + 0.1 + 0.01. 0.055 of each kind is best: N = D = (10/0.055)²."""
    r = solve(parameters=1e4, tokens=1e6, law=even)
    assert r.loss == pytest.approx(1.11, rel=1e-12)
    assert r.overtraining == pytest.approx(100, rel=1e-12)
    assert r.tokens_per_parameter == 100
    assert r.excess_compute == pytest.approx(1e10 / (10 / 0.055) ** 4, rel=1e-9)


def test_a_loss_by_hand(even):
    """1.2 takes N = D = 1e4. N = 1e6 leaves 0.01 of loss, and the tokens 0.19: D = (10/0.19)²."""
    least = solve(loss=1.2, law=even)
    assert (least.parameters, least.tokens) == (pytest.approx(1e4), pytest.approx(1e4))
    large = solve(parameters=1e6, loss=1.2, law=even)
    assert large.tokens == pytest.approx((10 / 0.19) ** 2, rel=1e-9)
    assert large.loss == pytest.approx(1.2, rel=1e-12)
    assert large.overtraining < 1 < large.excess_compute


@pytest.mark.parametrize(
    ("asked", "reach"),
    [
        ({"loss": 1.0}, Reach.IRREDUCIBLE),
        ({"loss": 0.5, "parameters": 1e6}, Reach.IRREDUCIBLE),
        ({"loss": 1.2, "parameters": 2500.0}, Reach.TOO_SMALL),
        ({"loss": 1.15, "parameters": 2500.0}, Reach.TOO_SMALL),
    ],
)
def test_out_of_reach_is_an_outcome(even, asked, reach):
    r = solve(law=even, **asked)
    assert r.reach is reach
    assert (r.tokens, r.compute, r.loss, r.overtraining, r.excess_compute) == (None,) * 5
    assert str(reach) in repr(r)


def test_a_budget_and_a_size_leave_the_tokens(even):
    r = solve(compute=Q_("6e8 FLOP"), parameters=1e3, law=even)
    assert r.tokens == pytest.approx(1e5, rel=1e-12)
    assert solve(compute=Q_("6e8 FLOP"), tokens=1e5, law=even).parameters == pytest.approx(1e3, rel=1e-12)


def test_a_size_alone_is_completed(even):
    assert solve(parameters=5e3, law=even).tokens == pytest.approx(5e3, rel=1e-12)
    assert solve(parameters=5e3).tokens == 1e5


def test_counting_and_six_n_d_differ_by_the_table_and_the_scores(hand):
    """All parameters are 100e6; 95e6 do arithmetic, and a pair of tokens takes 40,000 FLOP.

    A token of a sequence of 1,000 sees 500 others on average: 3·(190e6 + 500·40,000) FLOP.
    """
    r = solve(hand, tokens=1e9, context=1000)
    assert r.parameters == 100e6
    assert r.compute.to("FLOP").magnitude == pytest.approx(6e17, rel=1e-12)
    assert r.counted_compute.to("FLOP").magnitude == pytest.approx(3 * 210e6 * 1e9, rel=1e-12)
    assert solve(hand, tokens=1e9).counted_compute is None


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("flop", [1e18, 5.76e23, 1e27])
def test_the_optimum_is_that_of_a_search(law, flop):
    """A search over 4,001 sizes on a logarithmic grid finds no lower loss, and a size near the optimum."""
    best = solve(compute=Q_(flop, "FLOP"), law=law)
    sizes = [10 ** (6 + 9 * i / 4000) for i in range(4001)]
    losses = [law.loss(n, flop / 6 / n) for n in sizes]
    assert best.loss <= min(losses) + 1e-12
    assert sizes[losses.index(min(losses))] == pytest.approx(best.parameters, rel=0.05)


@given(law=st.sampled_from(LAWS), size=st.floats(6, 13), tokens=st.floats(8, 15))
@settings(max_examples=60, deadline=None)
def test_laws(law, size, tokens):
    """More of either lowers the loss; nothing beats the optimum; inverses invert."""
    n, d = 10**size, 10**tokens
    r = solve(parameters=n, tokens=d, law=law)
    assert law.E < law.loss(2 * n, d) < r.loss
    assert law.E < law.loss(n, 2 * d) < r.loss
    best = solve(compute=r.compute, law=law)
    assert best.loss <= r.loss * (1 + 1e-12)
    assert r.excess_compute >= 1 - 1e-9
    least = solve(loss=r.loss, law=law)
    sizes = [least.parameters * 1.001**i for i in range(-60, 61)]
    cheapest = min(6 * x * (law.tokens_to(r.loss, x) or math.inf) for x in sizes)
    assert r.flops / r.excess_compute == pytest.approx(cheapest, rel=1e-4)
    assert least.loss == pytest.approx(r.loss, rel=1e-9)
    assert least.flops <= r.flops * (1 + 1e-6)
    again = solve(compute=least.compute, law=law)
    assert again.parameters == pytest.approx(least.parameters, rel=1e-6)
    assert again.tokens == pytest.approx(law.best_tokens(least.parameters), rel=1e-6)
    back = solve(parameters=n, loss=r.loss, law=law)
    assert law.loss(n, back.tokens) == pytest.approx(r.loss, rel=1e-12)


def test_the_fits_disagree_where_it_matters():
    """Rounding alone moves the optimum; the fit to the same points agrees with 20 tokens a parameter."""
    sizes = {law.name: solve(compute=Q_("5.76e23 FLOP"), law=law).parameters / 1e9 for law in LAWS}
    assert sizes["Hoffmann 2022"] == pytest.approx(32.2, rel=0.01)
    assert sizes["Hoffmann 2022, unrounded"] == pytest.approx(40.3, rel=0.002)
    assert sizes["Besiroglu 2024"] == pytest.approx(70, rel=0.05)


def test_presets_say_where_they_are_from():
    for law in (*LAWS, CHINCHILLA):
        assert "Hoffmann" in law.source or "Besiroglu" in law.source
        assert str(law) == law.name


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "got none"),
        ({"tokens": 1e12}, "got tokens"),
        ({"tokens": 1e12, "loss": 2.0, "law": HOFFMANN}, "got tokens and loss"),
        ({"parameters": 1e9, "tokens": 1e12, "compute": Q_("1e20 FLOP")}, "got compute and parameters and"),
        ({"parameters": 0}, "parameters must be a number above 0; got 0"),
        ({"parameters": math.inf}, "parameters must be a number above 0; got inf"),
        ({"parameters": 1e9, "tokens": -1}, "tokens must be a number above 0; got -1"),
        ({"loss": 2.0}, "law '20 tokens a parameter' says nothing of a loss: use a LossLaw such as HOFFMANN"),
        ({"parameters": 1e9, "law": "chinchilla"}, "law must be a LossLaw or a TokenRule such as CHINCHILLA"),
        ({"parameters": 1e9, "context": 10}, "context is for counting the arithmetic of a model"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(**wrong)
    assert said in str(caught.value)


def test_a_budget_needs_its_unit():
    with pytest.raises(UnitError, match="compute needs a unit"):
        solve(compute=5.76e23)


def test_a_model_must_be_dense_and_write():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    for wrong in (net, Models.Mixtral_8x7B):
        with pytest.raises(ArgumentError, match="model must be a dense language model"):
            solve(wrong, tokens=1e12)


def test_two_sizes_are_one_too_many(hand):
    with pytest.raises(ArgumentError, match="model and parameters both give a size"):
        solve(hand, parameters=1e9)


def test_a_rule_of_ones_own():
    assert solve(parameters=2.0, law=TokenRule(name="mine", source="here", ratio=3.0)).tokens == 6
