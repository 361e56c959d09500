"""Laws that hold for every network, machine and calibration."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    Calibration,
    DifferentialExplainer,
    Engine,
    SensitivitySolver,
    SynthesisSolver,
    Transformer,
)
from mlsysim.core.counting import Work, count
from mlsysim.core.models import Encoder, Phase
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.roofline import Bottleneck, Terms

settings.register_profile(
    "laws", max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
LAWS = settings.get_profile("laws")


def between(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of every size from *low* to *high*."""
    return st.floats(math.log(low), math.log(high)).map(math.exp)


shares = st.floats(0.01, 1.0)

terms = st.builds(
    Terms,
    flops=between(1e6, 1e16),
    traffic=between(1e3, 1e12),
    peak=between(1e9, 1e16),
    bandwidth=between(1e9, 1e14),
    compute_efficiency=shares,
    memory_efficiency=shares,
    serial_fraction=st.floats(0, 1),
    overhead=st.one_of(st.just(0.0), between(1e-6, 1e-1)),
)

machines = st.builds(
    lambda peak, bandwidth, capacity: Accelerator(
        name="any",
        peak={"fp16": Q_(peak, "FLOP/s"), "int8": Q_(2 * peak, "OP/s")},
        bandwidth=Q_(bandwidth, "B/s"),
        capacity=Q_(capacity, "B"),
    ),
    peak=between(1e12, 1e16),
    bandwidth=between(1e10, 1e14),
    capacity=between(1e11, 1e12),
)

networks = st.builds(
    lambda layers, heads, group, size, width, gated, tied, window: Transformer(
        name="any",
        layers=layers,
        width=heads * group * size,
        heads=heads * group,
        kv_heads=heads,
        head_size=size,
        ffn_width=width,
        gated=gated,
        vocab=1000,
        tied=tied,
        context=4096,
        window=window,
    ),
    layers=st.integers(1, 40),
    heads=st.integers(1, 8),
    group=st.integers(1, 8),
    size=st.sampled_from([16, 64, 128]),
    width=st.integers(64, 16384),
    gated=st.booleans(),
    tied=st.booleans(),
    window=st.one_of(st.none(), st.integers(1, 4096)),
)

calibrations = st.builds(
    lambda decode, prefill, memory, serial, step, layer, tile: Calibration(
        name="any",
        source="any",
        compute_efficiency={Phase.DECODE: decode, Phase.PREFILL: prefill},
        memory_efficiency=memory,
        serial_fraction=serial,
        step_overhead=Q_(step, "s"),
        layer_overhead=Q_(layer, "s"),
        tile=tile,
    ),
    decode=shares,
    prefill=shares,
    memory=shares,
    serial=st.floats(0, 1),
    step=st.floats(0, 5e-3),
    layer=st.floats(0, 1e-4),
    tile=st.sampled_from([1, 8, 64]),
)

steps = st.one_of(
    st.fixed_dictionaries({"batch_size": st.integers(1, 512), "context": st.integers(0, 4096)}),
    st.fixed_dictionaries(
        {"batch_size": st.integers(1, 8), "phase": st.just("prefill"), "prompt": st.integers(1, 4096)}
    ),
)
precisions = st.sampled_from(["fp16", "int8", "w8a16", "int4"])
questions = st.builds(
    lambda model, hardware, calibration, precision, step: {
        "model": model,
        "hardware": hardware,
        "calibration": calibration,
        "precision": precision,
        **step,
    },
    networks,
    machines,
    calibrations,
    precisions,
    steps,
)


@LAWS
@given(terms)
def test_time_lies_between_the_longest_and_the_sum(t):
    longest, total = max(t.compute_time, t.memory_time), t.compute_time + t.memory_time
    assert longest * (1 - 1e-12) <= t.latency <= (total + t.overhead) * (1 + 1e-12)
    assert longest + t.overhead <= t.latency * (1 + 1e-12)
    assert t.latency <= 2 * max(longest, t.overhead) + min(longest, t.overhead) + 1e-300


@LAWS
@given(terms)
def test_the_bottleneck_is_the_largest_term(t):
    times = {
        Bottleneck.MEMORY: t.memory_time,
        Bottleneck.COMPUTE: t.compute_time,
        Bottleneck.OVERHEAD: t.overhead,
    }
    assert times[t.bottleneck] == max(times.values())


@LAWS
@given(terms, st.floats(1, 100))
def test_more_of_a_resource_is_never_slower(t, more):
    for name in ("peak", "bandwidth"):
        assert replace(t, **{name: getattr(t, name) * more}).latency <= t.latency * (1 + 1e-12)
    for name in ("flops", "traffic", "overhead"):
        assert replace(t, **{name: getattr(t, name) * more}).latency >= t.latency * (1 - 1e-12)
    for name in ("compute_efficiency", "memory_efficiency"):
        less = replace(t, **{name: getattr(t, name) / more})
        assert less.latency >= t.latency * (1 - 1e-12)


@LAWS
@given(terms, between(1e-3, 1e3))
def test_time_scales_with_the_unit_of_time(t, k):
    """Rates times k and overhead over k: the same machine on a faster clock."""
    other = replace(t, peak=t.peak * k, bandwidth=t.bandwidth * k, overhead=t.overhead / k)
    assert other.latency == pytest.approx(t.latency / k, rel=1e-12)


@LAWS
@given(terms, between(1e-3, 1e3))
def test_time_does_not_depend_on_the_unit_of_work(t, k):
    other = replace(t, flops=t.flops * k, peak=t.peak * k, traffic=t.traffic / k, bandwidth=t.bandwidth / k)
    assert other.latency == pytest.approx(t.latency, rel=1e-12)


@LAWS
@given(questions, st.floats(0.01, 20))
def test_elasticities_add_up(question, width):
    """e_bw + e_peak − s = −1; by ±d, −(1 − s)/(1 − d²), while the longer phase stays the longer one."""
    r = SensitivitySolver().solve(**question, perturbation_pct=width)
    s, d = r.profile.terms.overhead / r.profile.terms.latency, width / 100
    assert r.exact["overhead"] == pytest.approx(s, abs=1e-12)
    assert sum(r.exact[k] for k in ("memory_bandwidth", "peak_flops")) == pytest.approx(-(1 - s), abs=1e-12)
    a, b = sorted((r.profile.terms.compute_time, r.profile.terms.memory_time))
    assume(a / b < (1 - d) / (1 + d))
    central = sum(r.sensitivities[k] for k in ("memory_bandwidth", "peak_flops"))
    assert central == pytest.approx(-(1 - s) / (1 - d * d), abs=1e-8)
    assert r.sensitivities["overhead"] == pytest.approx(s, abs=1e-8)


@LAWS
@given(questions)
def test_exact_elasticities_are_derivatives(question):
    """A change of one part in a million, away from the ridge, moves the time as the elasticity says."""
    r = SensitivitySolver().solve(**question)
    t = r.profile.terms
    assume(abs(t.compute_time / t.memory_time - 1) > 1e-4)
    for name, lever in (("peak", "peak_flops"), ("bandwidth", "memory_bandwidth"), ("overhead", "overhead")):
        up = replace(t, **{name: getattr(t, name) * (1 + 1e-6)}).latency
        down = replace(t, **{name: getattr(t, name) * (1 - 1e-6)}).latency
        assert (up - down) / (2e-6 * t.latency) == pytest.approx(r.exact[lever], abs=1e-6)


@LAWS
@given(questions, st.integers(1, 16))
def test_more_to_do_takes_no_less_time_and_memory(question, more):
    small = Engine.solve(**question)
    large = Engine.solve(**{**question, "batch_size": question["batch_size"] + more})
    assert large.terms.latency >= small.terms.latency * (1 - 1e-12)
    assert large.work.resident >= small.work.resident
    assert large.work.flops > small.work.flops
    assert large.fit.least_devices >= small.fit.least_devices


@LAWS
@given(questions)
def test_the_textbook_bounds_every_calibration_from_below(question):
    p = Engine.solve(**question)
    ideal = Engine.solve(**{**question, "calibration": "ideal"})
    assert ideal.terms.latency <= p.terms.latency * (1 + 1e-12)
    assert 0 < p.mfu <= 1 + 1e-12
    assert 0 < p.mbu <= 1 + 1e-12


@LAWS
@given(networks, machines, steps)
def test_units_do_not_matter(model, hardware, step):
    """The same machine in other units has the same time."""
    other = Accelerator(
        name="any",
        peak={k: v.to("GFLOP/ms") for k, v in hardware.peak.items()},
        bandwidth=hardware.bandwidth.to("Gbps"),
        capacity=hardware.capacity.to("MiB"),
    )
    a, b = (Engine.solve(model, hw, **step) for hw in (hardware, other))
    assert b.terms.latency == pytest.approx(a.terms.latency, rel=1e-12)
    assert b.latency.to("us").magnitude == pytest.approx(a.latency.to("us").magnitude, rel=1e-12)
    target = Q_(100, "ms")
    in_seconds = SynthesisSolver().solve(model, target.to("s"), **step)
    in_days = SynthesisSolver().solve(model, target.to("day"), **step)
    assert in_days.profile.terms.bandwidth == pytest.approx(in_seconds.profile.terms.bandwidth, rel=1e-9)


@LAWS
@given(questions, questions)
def test_factors_and_links_multiply_to_the_speedup(before, after):
    """Whatever differs: network, machine, calibration, precision, step, or all of them."""
    a, b = Engine.solve(**before), Engine.solve(**after)
    assume(a.fits and b.fits)
    why = DifferentialExplainer.compare_performance(a, b)
    ratio = a.terms.latency / b.terms.latency
    assert why.speedup == pytest.approx(ratio, rel=1e-12)
    assert math.prod(why.factors.values()) == pytest.approx(ratio, rel=1e-9)
    assert math.prod(f for _, f in why.delivery.rows()) == pytest.approx(ratio, rel=1e-9)


@LAWS
@given(questions, between(1.001, 1e3))
def test_synthesis_solves_to_its_target(question, slack):
    """Any target above the overhead: build the answer, solve again, find the target to 1e-6."""
    overhead = Engine.solve(**question).terms.overhead
    target = max(overhead, 1e-6) * slack
    like = question.pop("hardware")
    s = SynthesisSolver().solve(**question, target_latency=Q_(target, "s"), like=like)
    again = Engine.solve(**question, hardware=s.hardware)
    assert again.terms.latency == pytest.approx(target, rel=1e-6)
    assert again.fits
    assert again.terms.bandwidth >= s.bandwidth_floor * (1 - 1e-9)
    assert again.terms.peak >= s.flops_floor * (1 - 1e-9)


@LAWS
@given(st.lists(terms, min_size=1, max_size=8))
def test_terms_are_the_same_for_a_scalar_and_an_array(many):
    np = pytest.importorskip("numpy")
    grid = Terms(**{f.name: np.array([getattr(t, f.name) for t in many]) for f in fields(Terms)})
    for name in ("compute_time", "memory_time", "busy_time", "latency"):
        assert getattr(grid, name) == pytest.approx([getattr(t, name) for t in many], rel=1e-12)


@LAWS
@given(
    networks,
    st.sampled_from(list(PRECISIONS)),
    st.lists(
        st.tuples(st.integers(1, 4096), st.integers(0, 4096), st.integers(1, 4096)), min_size=1, max_size=6
    ),
    st.sampled_from([1, 8, 64]),
)
def test_work_is_the_same_for_a_scalar_and_an_array(model, name, grid, tile):
    """Batch, context and prompt as arrays, in one call, and point by point."""
    np = pytest.importorskip("numpy")
    batch, context, prompt = (np.array(column, dtype=float) for column in zip(*grid, strict=True))
    number_format = PRECISIONS[name]
    for phase in model.phases:
        whole = count(model, phase, number_format, batch=batch, context=context, prompt=prompt)
        points = [
            count(model, phase, number_format, batch=float(b), context=float(c), prompt=float(p))
            for b, c, p in grid
        ]
        for field in (f for f in fields(Work) if getattr(whole, f.name) is not None):
            expected = [getattr(w, field.name) for w in points]
            got = np.broadcast_to(getattr(whole, field.name), len(grid))
            assert got == pytest.approx(expected, rel=1e-12)
        assert whole.padded(tile) == pytest.approx([w.padded(tile) for w in points], rel=1e-12)


@LAWS
@given(st.lists(st.tuples(st.integers(1, 256), st.integers(1, 128)), min_size=1, max_size=6))
def test_an_encoder_counts_the_same_for_a_scalar_and_an_array(grid):
    np = pytest.importorskip("numpy")
    shape = {"layers": 2, "width": 64, "heads": 4, "head_size": 16, "ffn_width": 256}
    reader = Encoder(name="reader", **shape, vocab=1000, positions=128, context=128, pooled=True)
    batch, prompt = (np.array(column, dtype=float) for column in zip(*grid, strict=True))
    whole = count(reader, Phase.FORWARD, PRECISIONS["fp16"], batch=batch, prompt=prompt)
    points = [
        count(reader, Phase.FORWARD, PRECISIONS["fp16"], batch=float(b), prompt=float(p)) for b, p in grid
    ]
    for name in ("flops", "traffic", "resident"):
        assert getattr(whole, name) == pytest.approx([getattr(w, name) for w in points], rel=1e-12)
