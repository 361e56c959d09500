"""The explainer: factors against another way to compute them, and sentences against the facts."""

import json
import math
import re
from dataclasses import replace
from itertools import permutations

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, DifferentialExplainer, Engine, Transformer
from mlsysim.core.calibration import SERVING


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def network(**changes):
    fields = {"layers": 32, "width": 4096, "heads": 32, "kv_heads": 8, "head_size": 128, "ffn_width": 14336}
    fields |= {"gated": True, "vocab": 128_256, "tied": False, "context": 8192}
    return Transformer(**{"name": "eight billion", **fields, **changes})


def solve(hardware=None, batch=1, model=None, **options):
    return Engine.solve(model or network(), hardware or toy(), batch, **options)


FAST = toy(peak={"fp16": Q_("300 TFLOP/s")}, bandwidth=Q_("2 TB/s"))
TINY = network(name="tiny", layers=2, width=64, heads=4, kv_heads=4, head_size=16, ffn_width=256, vocab=500)
PROMPT = {"phase": "prefill", "prompt": 512}

# what each player owns of the time equation
OWNS = {
    "bandwidth": ("bandwidth", "memory_efficiency"),
    "compute": ("peak", "compute_efficiency"),
    "overhead": ("overhead",),
    "workload": ("flops", "traffic"),
    "policy": ("serial_fraction",),
    "devices": ("devices", "link_traffic", "link_bandwidth", "link_latency"),
}

# name: what the baseline and what the proposal have in place of one sequence in decode on the toy
CASES = {
    "upgrade, one sequence": ({}, {"hardware": FAST}),
    "upgrade, many sequences": ({"batch": 256}, {"batch": 256, "hardware": FAST}),
    "downgrade, one sequence": ({"hardware": FAST}, {}),
    "downgrade, many sequences": ({"batch": 256, "hardware": FAST}, {"batch": 256}),
    "equal": ({}, {}),
    "equal but for the name": ({}, {"hardware": toy(name="Other")}),
    "overhead bound, upgrade": ({"model": TINY}, {"model": TINY, "hardware": FAST}),
    "overhead bound, downgrade": ({"model": TINY, "hardware": FAST}, {"model": TINY}),
    "batch 1 to 64": ({}, {"batch": 64}),
    "batch 64 to 1": ({"batch": 64}, {}),
    "batch 1 to 64, more bandwidth": ({}, {"batch": 64, "hardware": toy(bandwidth=Q_("2 TB/s"))}),
    "decode to prefill": ({}, PROMPT),
    "prefill to decode": (PROMPT, {}),
    "longer context": ({}, {"context": 8000}),
    "fewer bits": ({}, {"precision": "int4"}),
    "another network": ({}, {"model": TINY}),
    "textbook to serving": ({"batch": 256, "calibration": "ideal"}, {"batch": 256}),
    "serving to textbook": ({}, {"calibration": "ideal"}),
    "efficiency alone": ({"batch": 256}, {"batch": 256, "efficiency": 0.5}),
    "overlap alone": ({"batch": 64}, {"batch": 64, "calibration": replace(SERVING, serial_fraction=0.0)}),
    "overhead alone": ({}, {"calibration": replace(SERVING, step_overhead=Q_("0 s"))}),
    "idle arithmetic alone": (
        {"calibration": "ideal"},
        {"calibration": "ideal", "hardware": toy(peak={"fp16": Q_("200 TFLOP/s")})},
    ),
    "three alike": (
        {},
        {
            "hardware": toy(bandwidth=Q_("1.05 TB/s")),
            "calibration": replace(SERVING, step_overhead=Q_("1.5 ms"), serial_fraction=0.19),
        },
    ),
    "regimes cross": (
        {"batch": 64},
        {"batch": 64, "hardware": toy(peak={"fp16": Q_("1 PFLOP/s")}, bandwidth=Q_("0.5 TB/s"))},
    ),
}


def explain(name, *, swapped=False):
    a, b = (solve(**side) for side in CASES[name])
    if swapped:
        a, b = b, a
    return DifferentialExplainer.compare_performance(baseline=a, proposal=b)


def analysis(name):
    return " ".join(explain(name).sentences())


def seconds(terms, proposal, players):
    """Time with the terms of *players* taken from the proposal, from the equation in the glossary."""
    t = {f: getattr(terms, f) for names in OWNS.values() for f in names}
    t |= {f: getattr(proposal, f) for p in players for f in OWNS[p]}
    compute = t["flops"] / (t["devices"] * t["peak"] * t["compute_efficiency"])
    memory = t["traffic"] / (t["devices"] * t["bandwidth"] * t["memory_efficiency"])
    longer, shorter = max(compute, memory), min(compute, memory)
    sent = t["link_latency"] + t["link_traffic"] / t["link_bandwidth"]
    return longer + t["serial_fraction"] * shorter + t["overhead"] + sent


def factors_by_orders(a, b):
    """Average, over all 720 orders of changing sides, of the log of what each player's change brings."""
    gained = dict.fromkeys(OWNS, 0.0)
    orders = list(permutations(OWNS))
    for order in orders:
        for i, player in enumerate(order):
            gained[player] += math.log(seconds(a, b, order[:i]) / seconds(a, b, order[: i + 1]))
    return {p: math.exp(g / len(orders)) for p, g in gained.items()}


@pytest.mark.parametrize("name", CASES)
def test_factors_are_averages_over_all_orders(name):
    why = explain(name)
    expected = factors_by_orders(why.baseline.terms, why.proposal.terms)
    assert dict(why.factors) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_factors_and_links_multiply_to_the_speedup(name):
    why = explain(name)
    ratio = why.baseline.terms.latency / why.proposal.terms.latency
    assert why.speedup == pytest.approx(ratio, rel=1e-12)
    assert math.prod(why.factors.values()) == pytest.approx(ratio, rel=1e-9)
    assert math.prod(factor for _, factor in why.delivery.rows()) == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_way_back_has_the_inverse_factors(name):
    there, back = explain(name), explain(name, swapped=True)
    assert back.speedup == pytest.approx(1 / there.speedup, rel=1e-12)
    for player in OWNS:
        assert back.factors[player] == pytest.approx(1 / there.factors[player], rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_a_player_that_did_not_change_has_no_part(name):
    why = explain(name)
    a, b = why.baseline.terms, why.proposal.terms
    for player, owned in OWNS.items():
        if all(getattr(a, f) == getattr(b, f) for f in owned):
            assert why.factors[player] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_head_states_the_speedup_and_the_two_regimes(name):
    why = explain(name)
    assert str(why).splitlines()[:4] == [
        "📊 Differential Analysis: Proposal vs. Baseline",
        f"• Speedup: {why.baseline.terms.latency / why.proposal.terms.latency:.2f}x",
        f"• Baseline Regime: {why.baseline.bottleneck}",
        f"• Proposal Regime: {why.proposal.bottleneck}",
    ]


@pytest.mark.parametrize("name", CASES)
def test_faster_is_said_where_it_is_faster(name):
    why = explain(name)
    text = analysis(name)
    if why.speedup > 1.005:
        assert "faster" in text
        assert "slower" not in text
    elif why.speedup < 0.995:
        assert "slower" in text
        assert "faster" not in text
    else:
        assert "mostly through" not in text


def mostly(name):
    """The factor that the verdict quotes as the one through which most of the change came, if any."""
    quoted = re.search(r"mostly through .*? \(([\d.]+)x\)", analysis(name))
    return quoted and float(quoted[1])


@pytest.mark.parametrize("name", ["upgrade, one sequence", "downgrade, many sequences", "fewer bits"])
def test_a_cause_is_named_where_there_is_one(name):
    assert mostly(name)


@pytest.mark.parametrize("name", CASES)
def test_mostly_means_more_than_all_others_that_pull_the_same_way(name):
    """The factor quoted is the largest, it pulls as the speed-up does, and it is more than half of that."""
    factor = mostly(name)
    if factor is not None:
        why = explain(name)
        way = 1 if why.speedup > 1 else -1
        pulls = sorted(way * math.log(f) for f in why.factors.values())
        assert way * math.log(factor) == pytest.approx(pulls[-1], abs=5e-3)
        assert pulls[-1] == max(pulls, key=abs)
        assert pulls[-1] > sum(x for x in pulls[:-1] if x > 0)


@pytest.mark.parametrize("name", CASES)
def test_a_shift_is_said_where_the_regime_changed(name):
    why = explain(name)
    before, after = why.baseline.bottleneck, why.proposal.bottleneck
    assert (f"from {before} to {after}" in analysis(name)) == (before is not after)
    assert (f"remained {before}" in analysis(name)) == (before is after)


@pytest.mark.parametrize("name", ["upgrade, one sequence", "downgrade, many sequences", "regimes cross"])
def test_the_promise_is_the_ratio_on_the_datasheets(name):
    """The resource of the baseline's longer phase: bandwidth at batch 1, arithmetic at 64 and 256."""
    why = explain(name)
    a, b = why.baseline, why.proposal
    memory = a.terms.memory_time >= a.terms.compute_time
    ratio = b.terms.bandwidth / a.terms.bandwidth if memory else b.terms.peak / a.terms.peak
    resource = "memory bandwidth" if memory else "arithmetic rate"
    assert why.delivery.promised == ratio
    assert f"promise {ratio:.3g}x in {resource}" in analysis(name)


@pytest.mark.parametrize(
    "name", ["overhead alone", "serving to textbook", "textbook to serving", "overlap alone"]
)
def test_overhead_that_changed_is_not_said_to_hold_back_or_dampen(name):
    """Overhead that grows or goes away is a cause of the difference and no damper of another one."""
    why = explain(name)
    changed = why.baseline.terms.overhead != why.proposal.terms.overhead
    said = re.search(r"Overhead, [^.]*(dampens|holds back)", analysis(name))
    assert not (changed and said)


@pytest.mark.parametrize("name", CASES)
def test_a_gain_is_held_back_only_where_there_is_one(name):
    why = explain(name)
    if why.speedup < 1:
        assert "holds back the gain" not in analysis(name)


def test_a_change_of_overlap_is_not_laid_at_the_door_of_the_other_phase():
    """Same machine, same step, full overlap: memory takes as long as before, and adds nothing."""
    why = explain("overlap alone")
    assert why.baseline.terms.memory_time == why.proposal.terms.memory_time
    assert dict(why.delivery.rows())["the other phase"] == pytest.approx(1, abs=1e-12)
    assert "memory bandwidth sets" not in analysis("overlap alone")


def test_a_resource_that_is_not_used_is_not_said_to_be_the_same():
    """Twice the arithmetic under full overlap changes no time, but a term does differ: the peak."""
    why = explain("idle arithmetic alone")
    assert why.speedup == 1
    assert "no term of the time differs" not in analysis("idle arithmetic alone")
    assert "no term of the time differs" in analysis("equal")


def test_one_small_change_does_not_cancel_anything():
    """A tiny network on twice the arithmetic: one factor a hair above one, nothing on the other side."""
    faster = toy(peak={"fp16": Q_("200 TFLOP/s")})
    why = DifferentialExplainer.compare_performance(solve(model=TINY), solve(faster, model=TINY))
    assert 1 < why.speedup < 1.005
    assert "cancel" not in " ".join(why.sentences())


def test_a_promise_of_the_datasheets_is_about_the_same_step():
    """64 times the tokens in a step on twice the bandwidth: the longer step breaks no promise."""
    text = analysis("batch 1 to 64, more bandwidth")
    assert "64x as much" in text
    assert "is delivered" not in text


@pytest.mark.parametrize(("name", "times"), [("batch 1 to 64", 64), ("batch 64 to 1", 1 / 64)])
def test_throughput_is_named_where_the_steps_differ_in_size(name, times):
    why = explain(name)
    a, b = why.baseline.throughput, why.proposal.throughput
    gain = (b / a).magnitude
    assert gain == pytest.approx(times * why.speedup, rel=1e-12)
    assert f"{times:.3g}x as much: {gain:.3g}x the throughput" in analysis(name)


@pytest.mark.parametrize("name", ["decode to prefill", "prefill to decode"])
def test_steps_of_another_kind_are_called_that(name):
    why = explain(name)
    assert f"{why.baseline.phase} against {why.proposal.phase}" in analysis(name)


@pytest.mark.parametrize("side", ["baseline", "proposal", "both"])
def test_what_does_not_fit_has_a_shortfall_and_no_factors(side):
    """The network takes 16.06 GB in fp16: 10 GB are 6.06 GB short, two devices hold it."""
    small = solve(toy(name="Small", capacity=Q_("10 GB")))
    a, b = {"baseline": (small, solve()), "proposal": (solve(), small), "both": (small, small)}[side]
    why = DifferentialExplainer.compare_performance(a, b)
    assert why.speedup is None
    assert why.delivery is None
    assert dict(why.factors) == {}
    assert "x\n• Baseline" not in str(why), "no speed-up is given"
    text = " ".join(str(why).split())
    text = " ".join(text.split())
    assert "Small does not fit: needs 16.06 GB, has 10 GB, 6.06 GB short; at least 2 devices" in text
    assert ("Baseline: eight billion on" in text) == (side != "proposal")
    assert ("Proposal: eight billion on" in text) == (side != "baseline")
    assert why.to_dict()["fits"] == {"baseline": a.fits, "proposal": b.fits}
    assert why.to_dict()["speedup"] is None
    assert not re.search(r"\d\.\d{3}x", why.to_markdown() + why._repr_html_())


@pytest.mark.parametrize("name", CASES)
def test_text_markdown_html_and_data_say_the_same(name):
    why = explain(name)
    data = json.loads(json.dumps(why.to_dict(), allow_nan=False))
    assert data["factors"] == {str(p): f for p, f in why.factors.items()}
    assert data["analysis"] == why.sentences()
    for shown in (str(why), why.to_markdown(), why._repr_html_()):
        assert f"{why.speedup:.2f}x" in shown
        for factor in why.factors.values():
            assert f"{factor:.3f}x" in shown


def test_a_name_is_text_and_not_markup():
    odd = solve(toy(name="<b>Toy</b>", capacity=Q_("10 GB")))
    shown = DifferentialExplainer.compare_performance(odd, solve())._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;Toy" in shown


@pytest.mark.parametrize("wrong", [None, "A100", 0.011, Q_("11 ms"), toy()])
def test_what_is_no_profile_is_refused(wrong):
    with pytest.raises(ArgumentError) as caught:
        DifferentialExplainer.compare_performance(baseline=wrong, proposal=wrong)
    for side in ("baseline", "proposal"):
        assert f"{side} must be a profile from Engine.solve" in str(caught.value)
