"""Hardware for a latency, by hand, and back again."""

from dataclasses import replace

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Calibration,
    Engine,
    MissingSpecError,
    Models,
    SynthesisSolver,
    UnitError,
)
from mlsysim.core.models import Phase


@pytest.fixture
def even():
    """Half of peak, nothing padded, half of the shorter phase in sight, 200 µs a step."""
    return Calibration(
        name="even",
        source="invented here",
        compute_efficiency={Phase.DECODE: 0.5, Phase.PREFILL: 0.5},
        memory_efficiency=1.0,
        serial_fraction=0.5,
        step_overhead=Q_("200 us"),
        layer_overhead=Q_("0 s"),
        tile=1,
    )


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def test_textbook_floors(hand):
    """One token in 100 µs: 190e6 B and 190e6 FLOP in 1e-4 s, 1.9 TB/s and 1.9 TFLOP/s; 0.2 GB."""
    s = SynthesisSolver().solve(hand, Q_("100 us"))
    assert s.profile.calibration.name == "ideal"
    assert s.required_bw.to("TB/s").magnitude == pytest.approx(1.9, rel=1e-12)
    assert s.required_flops.to("TFLOPs/s").magnitude == pytest.approx(1.9, rel=1e-12)
    assert s.required_memory.to("GB").magnitude == pytest.approx(0.2, rel=1e-12)
    assert s.scale is None
    assert s.target_latency.to("us").magnitude == pytest.approx(100, rel=1e-12)


def test_overhead_leaves_less_time_and_efficiency_asks_for_more(hand, even):
    """Full overlap, 300 µs less 200 µs of overhead: 1.9 TB/s, and 1.9/0.5 TFLOP/s."""
    s = SynthesisSolver().solve(hand, Q_("300 us"), calibration=replace(even, serial_fraction=0.0))
    assert s.required_bw.to("TB/s").magnitude == pytest.approx(1.9, rel=1e-9)
    assert s.required_flops.to("TFLOP/s").magnitude == pytest.approx(3.8, rel=1e-9)


def test_padding_asks_for_more_arithmetic(hand, even):
    """One row in a tile of eight: eight times the FLOP."""
    padded = replace(even, serial_fraction=0.0, tile=8)
    s = SynthesisSolver().solve(hand, Q_("300 us"), calibration=padded)
    assert s.required_flops.to("TFLOP/s").magnitude == pytest.approx(8 * 3.8, rel=1e-9)


def test_without_full_overlap_a_machine_is_scaled(hand, even):
    """Batch 30 takes 190 + 57 µs on the toy; 300 − 200 µs are left: both rates times 2.47."""
    s = SynthesisSolver().solve(hand, Q_("300 us"), 30, calibration=even, like=toy())
    assert s.scale == pytest.approx(2.47, rel=1e-9)
    assert s.required_bw.to("TB/s").magnitude == pytest.approx(2.47, rel=1e-9)
    assert s.required_flops.to("TFLOP/s").magnitude == pytest.approx(247, rel=1e-9)
    assert s.least_bw.to("TB/s").magnitude == pytest.approx(1.9, rel=1e-9)
    assert s.least_flops.to("TFLOP/s").magnitude == pytest.approx(114, rel=1e-9)


def test_without_full_overlap_a_machine_must_be_given(hand, even):
    with pytest.raises(ArgumentError) as caught:
        SynthesisSolver().solve(hand, Q_("300 us"), calibration=even)
    assert "'even' does not overlap fully" in str(caught.value)
    assert "pass like=<a device>" in str(caught.value)


@pytest.mark.parametrize("precision", ["fp16", "w8a16", "int4"])
@pytest.mark.parametrize("options", [{}, {"phase": "prefill", "prompt": 300}, {"context": 900}])
@pytest.mark.parametrize("calibration", ["ideal", "serving"])
def test_the_answer_solves_to_the_target(hand, precision, options, calibration):
    target = Q_("7.5 ms")
    s = SynthesisSolver().solve(
        hand, target, 4, precision, like=toy(), calibration=calibration, efficiency=0.3, **options
    )
    again = Engine.solve(hand, s.hardware, 4, precision, calibration=calibration, efficiency=0.3, **options)
    assert again.latency.to("ms").magnitude == pytest.approx(7.5, rel=1e-6)
    assert again == s.profile
    assert again.fits
    built = toy(peak={"fp16": s.required_flops}, bandwidth=s.required_bw, capacity=s.required_memory)
    by_hand = Engine.solve(hand, built, 4, precision, calibration=calibration, efficiency=0.3, **options)
    assert by_hand.latency.to("ms").magnitude == pytest.approx(7.5, rel=1e-6)


def test_an_invented_machine_claims_nothing_of_the_one_it_was_scaled_from(hand, even):
    """Maker, launch year, power and sources are facts about the original; none holds for the answer."""
    like = toy(vendor="Acme", year=2020, tdp=Q_("400 W"), kind="gpu")
    s = SynthesisSolver().solve(hand, Q_("300 us"), calibration=even, like=like)
    assert (s.hardware.vendor, s.hardware.year, s.hardware.tdp) == ("", None, None)
    assert dict(s.hardware.sources) == {}


@pytest.mark.parametrize("target", ["200 us", "199 us", "1 ns"])
def test_a_target_within_the_overhead_is_impossible(hand, even, target):
    with pytest.raises(ArgumentError) as caught:
        SynthesisSolver().solve(hand, Q_(target), calibration=even, like=toy())
    assert "not above the overhead, 0.2 ms under 'even': no hardware shortens that" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (0, UnitError),
        (0.05, UnitError),
        ("50 ms", UnitError),
        (None, UnitError),
        (Q_("50"), UnitError),
        (Q_("50 GB"), UnitError),
        (Q_("0 ms"), ArgumentError),
        (Q_("-5 ms"), ArgumentError),
        (Q_("nan ms"), ArgumentError),
        (Q_("inf ms"), ArgumentError),
    ],
)
def test_a_target_that_is_none_is_refused(hand, target, error):
    with pytest.raises(error, match="target_latency"):
        SynthesisSolver().solve(hand, target)


def test_candidates_are_sorted_into_those_that_meet_the_target(hand):
    """Within 100 µs: the fast one takes 95 µs; the toy 190; one has no fp16; one holds 0.1 of 0.2 GB."""
    fast = toy(name="Fast", bandwidth=Q_("2 TB/s"))
    small = toy(name="Small", bandwidth=Q_("2 TB/s"), capacity=Q_("100 MB"))
    other = toy(name="Other", peak={"fp32": Q_("100 TFLOP/s")})
    s = SynthesisSolver().solve(hand, Q_("100 us"), candidates=iter([fast, toy(), small, other]))
    assert s.meets == (fast,)
    reasons = {hw.name: reason for hw, reason in s.misses}
    assert reasons["Toy"] == "takes 0.19 ms"
    assert reasons["Small"].startswith("does not fit: needs 0.2 GB, has 0.1 GB")
    assert "Other has no published fp16 peak (it has fp32)" in reasons["Other"]
    assert ("Met by", "Fast") in s.rows()


@pytest.mark.parametrize("missing", ["bandwidth", "capacity"])
def test_a_candidate_of_which_a_figure_is_not_published_is_a_miss_that_says_which(hand, missing):
    """It has an fp16 peak, so that is not what it lacks; and the other candidates are tried all the same."""
    unknown = toy(name="Unknown", **{missing: None})
    s = SynthesisSolver().solve(hand, Q_("1 ms"), candidates=[unknown, toy()])
    ((device, reason),) = s.misses
    assert device == unknown
    assert missing in reason
    assert "peak" not in reason
    assert s.meets == (toy(),)


def test_no_candidate_may_meet_the_target(hand):
    s = SynthesisSolver().solve(hand, Q_("100 us"), candidates=[toy()])
    assert s.meets == ()
    assert ("Met by", "no candidate") in s.rows()


@pytest.mark.parametrize("candidates", [None, 5, toy(), "Toy", ["Toy"]])
def test_candidates_that_are_none_are_refused(hand, candidates):
    with pytest.raises(ArgumentError, match="candidates"):
        SynthesisSolver().solve(hand, Q_("100 us"), candidates=candidates)


def test_a_pattern_without_the_peak_is_refused(hand):
    with pytest.raises(MissingSpecError, match="Toy has no published fp8 peak"):
        SynthesisSolver().solve(hand, Q_("1 ms"), precision="fp8", like=toy())


def test_without_a_pattern_every_precision_can_be_asked_for(hand):
    """fp8: half the bytes; the answer has an fp8 peak, and 1.9 TFLOP/s of it."""
    s = SynthesisSolver().solve(hand, Q_("100 us"), precision="fp8")
    assert s.required_bw.to("TB/s").magnitude == pytest.approx(0.95, rel=1e-12)
    assert dict(s.hardware.peak_si) == pytest.approx({"fp8": 1.9e12}, rel=1e-12)


def test_first_token_targets(hand):
    """A prompt of 100 within 1 ms: 18e9 + 10e6 + 200e6 FLOP, 18.21 TFLOP/s; 192e6 B, 0.192 TB/s."""
    s = SynthesisSolver().solve(hand, Q_("1 ms"), phase="prefill", prompt=100)
    assert s.required_flops.to("TFLOP/s").magnitude == pytest.approx(18.21, rel=1e-12)
    assert s.required_bw.to("TB/s").magnitude == pytest.approx(0.192, rel=1e-12)


def test_several_devices_are_refused():
    with pytest.raises(ArgumentError, match="tp_size must be 1, one machine is sought; got 2"):
        SynthesisSolver().solve(Models.Llama3_8B, Q_("10 ms"), tp_size=2)
