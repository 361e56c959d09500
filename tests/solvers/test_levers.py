"""Elasticities, inverses and crossovers of any function: by hand, against powers, and against the solvers."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    CrossoverSolver,
    Engine,
    SensitivitySolver,
    ServingModel,
    SynthesisSolver,
    UnitError,
)
from mlsysim.solvers.economics import EconomicsModel
from mlsysim.solvers.levers import ElasticitySolver, InverseSolver, Outcome


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def elastic(function, levers, **options):
    return ElasticitySolver().solve(function, levers, **options)


def inverse(function, target, low, high, **levers):
    return InverseSolver().solve(function, target, lever="x", low=low, high=high, **levers)


def test_a_central_difference_by_hand():
    """x^2 at 3, +-10 %: (1.21 - 0.81) / 0.2 = 2; x^3: (1.331 - 0.729) / 0.2 = 3.01; the limit is 3."""
    assert elastic(lambda x: x**2, {"x": 3.0}).sensitivities["x"] == pytest.approx(2, rel=1e-12)
    cubed = elastic(lambda x: x**3, {"x": 3.0})
    assert cubed.sensitivities["x"] == pytest.approx(3.01, rel=1e-12)
    assert cubed.exact["x"] == pytest.approx(3, rel=1e-9)
    assert cubed.value == 27


@settings(max_examples=25)
@given(power=st.floats(-5, 5), x=st.floats(1e-3, 1e3), scale=st.floats(1e-6, 1e6))
def test_the_exact_elasticity_of_a_power_is_the_power_wherever_it_stands(power, x, scale):
    assert elastic(lambda x: scale * x**power, {"x": x}).exact["x"] == pytest.approx(power, abs=1e-7)


@settings(max_examples=25)
@given(a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_elasticities_of_a_product_do_not_know_each_other(a, b):
    r = elastic(lambda x, y: x**a * y**b, {"x": 2.0, "y": Q_("5 GB").to("GB").magnitude})
    assert (r.exact["x"], r.exact["y"]) == (pytest.approx(a, abs=1e-7), pytest.approx(b, abs=1e-7))
    assert r.binding == ("x" if abs(r.exact["x"]) >= abs(r.exact["y"]) else "y")


def test_units_do_not_matter():
    def time(size, bandwidth):
        return size / bandwidth

    one = elastic(time, {"size": Q_("1 GB"), "bandwidth": Q_("1 TB/s")})
    two = elastic(time, {"size": Q_("8e9 bit"), "bandwidth": Q_("1000 GB/s")})
    assert dict(one.exact) == pytest.approx(dict(two.exact), rel=1e-9)
    assert one.exact["bandwidth"] == pytest.approx(-1, rel=1e-9)


def test_a_lever_that_does_nothing_has_none():
    assert elastic(lambda x, y: x + 0 * y, {"x": 1.0, "y": 1.0}).exact["y"] == 0


def test_a_kink_gives_the_mean_of_both_sides():
    """max(1, x) at 1 has slopes 0 and 1."""
    assert elastic(lambda x: max(1.0, x), {"x": 1.0}).exact["x"] == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("calibration", ["ideal", "serving"])
@pytest.mark.parametrize("batch", [1, 64])
def test_it_agrees_with_the_sensitivity_solver(hand, calibration, batch):
    """The same step with one figure of the device turned: same central difference, same limit."""
    same = {"batch_size": batch, "calibration": calibration, "context": 500}

    def latency(bandwidth, peak):
        return Engine.solve(hand, toy(bandwidth=bandwidth, peak={"fp16": peak}), **same).latency

    levers = {"bandwidth": Q_("1 TB/s"), "peak": Q_("100 TFLOP/s")}
    ours, theirs = elastic(latency, levers), SensitivitySolver().solve(hand, toy(), **same)
    for name, lever in (("bandwidth", "memory_bandwidth"), ("peak", "peak_flops")):
        assert ours.sensitivities[name] == pytest.approx(theirs.sensitivities[lever], abs=1e-9)
        assert ours.exact[name] == pytest.approx(theirs.exact[lever], abs=1e-7)


def test_time_to_first_token_to_bandwidth_is_that_of_its_prefill(hand):
    def ttft(bandwidth):
        return ServingModel().solve(hand, toy(bandwidth=bandwidth), prompt=100).ttft

    theirs = SensitivitySolver().solve(hand, toy(), phase="prefill", prompt=100)
    ours = elastic(ttft, {"bandwidth": Q_("1 TB/s")})
    assert ours.exact["bandwidth"] == pytest.approx(theirs.exact["memory_bandwidth"], abs=1e-7)


def test_the_price_of_a_token_falls_with_its_rate_and_rises_with_the_rent(hand):
    """Rent over rate: the elasticity to bandwidth is that of the step's time."""

    def price(bandwidth, rent):
        step = Engine.solve(hand, toy(bandwidth=bandwidth))
        r = EconomicsModel().solve(step.hardware, duration=Q_("1 hour"), throughput=step, price=rent)
        return r.per_million(r.rent)

    r = elastic(price, {"bandwidth": Q_("1 TB/s"), "rent": Q_("2 USD/hour")})
    time = SensitivitySolver().solve(hand, toy()).exact["memory_bandwidth"]
    assert dict(r.exact) == {"bandwidth": pytest.approx(time, abs=1e-7), "rent": pytest.approx(1, abs=1e-9)}
    assert r.binding == "rent"
    assert ("Binding", "rent") in r.rows()
    assert f"{r.value.units:~P}" == "USD/Mtoken"


@pytest.mark.parametrize(
    ("function", "levers", "said"),
    [
        (3, {"x": 1.0}, "give a function and a mapping of names to levers"),
        (abs, {}, "give a function and a mapping of names to levers"),
        (abs, [1.0], "give a function and a mapping of names to levers"),
        (lambda x: x, {"x": 0.0}, "x is 0, and one percent of it is nothing"),
        (lambda x: x, {"x": "much"}, "must be numbers or quantities; got 'much'"),
        (lambda x: x, {"x": True}, "must be numbers or quantities; got True"),
        (lambda x: x - 1, {"x": 1.0}, "0.0 from the function has no percentage"),
        (lambda x: x * math.inf, {"x": 1.0}, "inf from the function has no percentage"),
        (lambda x: x * math.nan, {"x": 1.0}, "must be numbers or quantities; got nan"),
        (lambda x: f"{x}", {"x": 1.0}, "must be numbers or quantities; got '1.0'"),
    ],
)
def test_what_has_no_elasticity_is_refused(function, levers, said):
    with pytest.raises(ArgumentError) as caught:
        elastic(function, levers)
    assert said in str(caught.value)


def test_a_perturbation_that_is_none_is_refused_with_everything_else():
    with pytest.raises(ArgumentError) as caught:
        elastic(lambda x: x, {"x": 0.0}, perturbation_pct=100)
    assert "perturbation_pct must be above 0, below 100; got 100" in str(caught.value)
    assert "x is 0" in str(caught.value)


def test_an_inverse_by_hand():
    r = inverse(lambda x: x**2, 9.0, 1.0, 10.0)
    assert r.outcome is Outcome.FOUND
    assert r.answer == pytest.approx(3, rel=1e-12)
    assert r.value == pytest.approx(9, rel=1e-12)
    assert r.monotone


@settings(max_examples=25)
@given(power=st.floats(0.2, 5), x=st.floats(0.1, 50), falling=st.booleans())
def test_the_inverse_undoes_the_function(power, x, falling):
    sign = -1 if falling else 1
    r = inverse(lambda x: x ** (sign * power), x ** (sign * power), 0.05, 100.0)
    assert r.outcome is Outcome.FOUND
    assert r.answer == pytest.approx(x, rel=1e-9)


@settings(max_examples=25)
@given(root=st.floats(-9, 9))
def test_a_range_across_zero_and_a_target_of_zero(root):
    r = inverse(lambda x: x - root, 0.0, -10.0, 10.0)
    assert r.outcome is Outcome.FOUND
    assert r.answer == pytest.approx(root, abs=1e-9)


@pytest.mark.parametrize("target", [1.0, 100.0])
def test_a_target_at_an_end_is_met_there(target):
    r = inverse(lambda x: x**2, target, 1.0, 10.0)
    assert (r.outcome, r.answer) == (Outcome.FOUND, math.sqrt(target))


@pytest.mark.parametrize(("target", "closest"), [(0.5, 1.0), (101.0, 10.0)])
def test_a_target_out_of_reach_is_an_outcome(target, closest):
    r = inverse(lambda x: x**2, target, 1.0, 10.0)
    assert r.outcome is Outcome.IMPOSSIBLE
    assert r.answer == closest
    assert r.rows()[:2] == [("Outcome", Outcome.IMPOSSIBLE.value), ("Closest", closest)]


def test_a_jump_is_told_from_an_answer():
    r = inverse(lambda x: 1.0 if x < 3 else 5.0, 2.0, 1.0, 10.0)
    assert r.outcome is Outcome.JUMPS
    assert r.answer == pytest.approx(3, rel=1e-9)


@pytest.mark.parametrize("edge", [math.inf, -math.inf])
def test_an_unstable_side_is_a_jump_and_not_an_answer(edge):
    """Finite up to 3 and infinite from there on: nothing in between is reached."""
    target = math.copysign(20.0, edge)
    r = inverse(lambda x: x if x < 3 else edge, target, 1.0, 10.0)
    assert r.outcome is Outcome.JUMPS


def test_an_answer_before_saturation_is_found():
    """1 / (3 - x) is 100 at 2.99, infinite from 3 on."""
    r = inverse(lambda x: 1 / (3 - x) if x < 3 else math.inf, 100.0, 1.0, 10.0)
    assert r.outcome is Outcome.FOUND
    assert r.answer == pytest.approx(2.99, rel=1e-9)


def test_up_and_down_gives_the_first_and_says_that_there_may_be_more():
    r = inverse(lambda x: (x - 5) ** 2, 4.0, 1.0, 10.0)
    assert r.answer == pytest.approx(3, rel=1e-9)
    assert not r.monotone
    assert "up and down: there may be more answers" in repr(r)


def test_a_crossover_of_two_functions():
    """10 + x and 3 x - 10 meet at 10; other levers are handed to both."""
    r = inverse(lambda x, a: a + x, lambda x, a: 3 * x - a, 1.0, 100.0, a=10.0)
    assert r.outcome is Outcome.FOUND
    assert r.answer == pytest.approx(10, rel=1e-12)


@settings(max_examples=25)
@given(target=st.integers(2, 10_000), low=st.integers(-50, 1))
def test_whole_numbers_give_the_first_that_meets_or_passes(target, low):
    r = inverse(lambda x: 3 * x, 3 * target - 1, low, 20_000)
    assert (r.outcome, r.answer) == (Outcome.FOUND, target)
    assert isinstance(r.answer, int)


def test_it_agrees_with_the_synthesis_solver(hand):
    """The least bandwidth for 100 us under the textbook roofline, where arithmetic is no limit."""

    def latency(bandwidth):
        return Engine.solve(hand, toy(bandwidth=bandwidth), calibration="ideal").latency

    low, high = Q_("0.1 TB/s"), Q_("20000 GB/s")
    r = InverseSolver().solve(latency, Q_("100 us"), lever="bandwidth", low=low, high=high)
    theirs = SynthesisSolver().solve(hand, Q_("100 us"))
    assert r.outcome is Outcome.FOUND
    assert r.answer.to("TB/s").magnitude == pytest.approx(theirs.required_bw.to("TB/s").magnitude, rel=1e-9)


def test_it_agrees_with_the_crossover_solver(hand):
    """B 1.9 us of arithmetic take longer than 190e6 B at 930 GB/s, 204.3 us, from batch 108 on."""

    def step(batch_size):
        return Engine.solve(hand, device, batch_size, calibration="ideal").terms

    device = toy(bandwidth=Q_("930 GB/s"))
    r = InverseSolver().solve(
        lambda batch_size: step(batch_size).compute_time,
        lambda batch_size: step(batch_size).memory_time,
        lever="batch_size",
        low=1,
        high=5000,
    )
    assert r.answer == CrossoverSolver().solve(hand, device, calibration="ideal").value == 108
    assert r.outcome is Outcome.FOUND


@pytest.mark.parametrize(("low", "high", "even"), [(2.0, 10.0, math.log), (-1.0, 9.0, float)])
def test_samples_are_spread_evenly_over_the_range_by_ratio_where_it_is_positive(low, high, even):
    """32 intervals: of equal ratio above zero, else of equal width; nothing is tried outside."""
    seen = []
    inverse(lambda x: seen.append(x) or 1.0, 2.0, low, high)
    assert (seen[0], seen[-1], len(seen)) == (low, high, 33)
    steps = [even(b) - even(a) for a, b in pairwise(seen)]
    assert steps == pytest.approx([(even(high) - even(low)) / 32] * 32, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_what_is_close_does_not_depend_on_the_unit(scale):
    assert inverse(lambda x: scale * x, 7.3 * scale, 1.0, 10.0).outcome is Outcome.FOUND
    jumping = inverse(lambda x: scale * (x < 3), 0.5 * scale, 1.0, 10.0)
    assert jumping.outcome is Outcome.JUMPS


def test_a_range_from_a_whole_number_to_a_real_one_is_real():
    assert inverse(lambda x: x**2, 2.25, 1, 10.0).answer == pytest.approx(1.5, rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_plateaus_are_monotone(sign):
    assert inverse(lambda x: sign * max(x, 5.0), sign * 7.0, 1.0, 10.0).monotone
    assert not inverse(lambda x: sign * abs(x - 5.0), sign * 7.0, 1.0, 10.0).monotone


def test_quantities_keep_the_unit_of_the_range():
    r = inverse(lambda x: 3 * x, Q_("6 GB"), Q_("1 GB"), Q_("9000 MB"))
    assert f"{r.answer:.3f}" == "2.000 GB"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((3, 9.0, 1.0, 10.0), ArgumentError, "give a function, and low below high"),
        ((abs, 9.0, 10.0, 1.0), ArgumentError, "give a function, and low below high"),
        ((abs, 9.0, 1.0, math.inf), ArgumentError, "give a function, and low below high"),
        ((abs, 9.0, 1.0, Q_("10 GB")), ArgumentError, "give a function, and low below high"),
        ((abs, 9.0, "one", 10.0), ArgumentError, "must be numbers or quantities; got 'one'"),
        ((lambda x: x, Q_("9 GB"), 1.0, 10.0), UnitError, "the function gives 1.0, the target is 9 GB"),
        ((lambda x: x * math.nan, 9.0, 1.0, 10.0), ArgumentError, "must be numbers or quantities; got nan"),
        ((lambda x: x, "nine", 1.0, 10.0), ArgumentError, "must be numbers or quantities; got 'nine'"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(arguments, error, said):
    with pytest.raises(error) as caught:
        inverse(*arguments)
    assert said in str(caught.value)


def test_results_show_themselves_and_cannot_be_changed():
    r = elastic(lambda x: 2 * x, {"x": Q_("1 TB/s")})
    assert "+1.0000 (exact +1.0000)" in repr(r)
    assert r.to_dict()["value"] == {"value": 2.0, "unit": "TB/s"}
    with pytest.raises(AttributeError):
        r.value = 3
    assert replace(r, perturbation_pct=5.0).perturbation_pct == 5.0
