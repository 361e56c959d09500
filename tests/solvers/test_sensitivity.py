"""Elasticities by hand, and the constraint that binds."""

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Bottleneck,
    Calibration,
    Engine,
    SensitivitySolver,
)
from mlsysim.core.models import Phase
from mlsysim.solvers.sensitivity import Lever


@pytest.fixture
def even():
    """Half of peak, nothing padded, half of the shorter phase in sight, 200 µs a step."""
    return Calibration(
        name="even",
        source="invented here",
        compute_efficiency={Phase.DECODE: 0.5},
        memory_efficiency=1.0,
        serial_fraction=0.5,
        step_overhead=Q_("200 us"),
        layer_overhead=Q_("0 s"),
        tile=1,
    )


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def test_under_the_textbook_one_resource_has_all_the_say(hand):
    """Memory bound: T = 190e6/bw. Exact −1; by ±10 %: (1/1.1 − 1/0.9)/0.2 = −1/0.99 = −1.0101."""
    r = SensitivitySolver().solve(hand, toy(), calibration="ideal")
    assert dict(r.exact) == {"peak_flops": 0, "memory_bandwidth": -1, "overhead": 0}
    assert r.sensitivities["memory_bandwidth"] == pytest.approx(-1 / 0.99, rel=1e-12)
    assert r.sensitivities["peak_flops"] == 0
    assert r.binding_constraint == "memory_bandwidth"


def test_with_overlap_and_overhead_the_shares_are_the_elasticities(hand, even):
    """Batch 30: compute 30·190e6/(0.5e14) = 114 µs, memory 190 µs; 190 + 57 + 200 = 447 µs.

    Exact: −190/447, −57/447, +200/447. By ±10 % the first two are divided by 0.99, as 1/x is.
    """
    r = SensitivitySolver().solve(hand, toy(), 30, calibration=even)
    assert r.baseline_latency.to("us").magnitude == pytest.approx(447, rel=1e-12)
    assert dict(r.exact) == pytest.approx(
        {"memory_bandwidth": -190 / 447, "peak_flops": -57 / 447, "overhead": 200 / 447}, rel=1e-12
    )
    assert r.sensitivities["memory_bandwidth"] == pytest.approx(-190 / 447 / 0.99, rel=1e-9)
    assert r.sensitivities["peak_flops"] == pytest.approx(-57 / 447 / 0.99, rel=1e-9)
    assert r.sensitivities["overhead"] == pytest.approx(200 / 447, rel=1e-9)
    assert r.binding_constraint is Lever.OVERHEAD


@pytest.mark.parametrize("width", [1e-3, 0.1, 5, 10, 50])
def test_a_narrower_perturbation_comes_nearer_to_the_exact_one(hand, width):
    """Textbook and memory bound: −1/(1 − d²) for ±d."""
    r = SensitivitySolver().solve(hand, toy(), calibration="ideal", perturbation_pct=width)
    assert r.sensitivities["memory_bandwidth"] == pytest.approx(-1 / (1 - (width / 100) ** 2), rel=1e-9)
    assert r.perturbation_pct == width


LEVER = {
    Bottleneck.MEMORY: "memory_bandwidth",
    Bottleneck.COMPUTE: "peak_flops",
    Bottleneck.OVERHEAD: "overhead",
}


@pytest.mark.parametrize(
    ("batch", "bandwidth", "limit"),
    [
        (1, "100 GB/s", Bottleneck.MEMORY),
        (400, "1 TB/s", Bottleneck.COMPUTE),
        (1, "1 TB/s", Bottleneck.OVERHEAD),
    ],
)
def test_the_binding_constraint_agrees_with_the_bottleneck(hand, even, batch, bandwidth, limit):
    """Memory 1,900 of 2,101.9 µs; compute 1,520 of 1,815 µs; overhead 200 of 391.9 µs."""
    r = SensitivitySolver().solve(hand, toy(bandwidth=Q_(bandwidth)), batch, calibration=even)
    assert r.profile.bottleneck is limit
    assert r.binding_constraint == LEVER[limit]


def test_a_speedup_is_solved_again_and_no_slope(hand, even):
    """Twice the bandwidth at batch 30: compute is the longer one now, 114 + 47.5 + 200 = 361.5 µs."""
    r = SensitivitySolver().solve(hand, toy(), 30, calibration=even)
    assert r.speedup("memory_bandwidth", 2) == pytest.approx(447 / 361.5, rel=1e-12)
    assert r.speedup(Lever.OVERHEAD, 0.5) == pytest.approx(447 / 347, rel=1e-12)
    assert r.speedup("peak_flops", 1) == 1


@pytest.mark.parametrize("lever", ["bandwidth", "memory_capacity", None, 5, ["overhead"]])
def test_a_lever_that_is_none_is_refused(hand, lever):
    r = SensitivitySolver().solve(hand, toy())
    with pytest.raises(ArgumentError, match="lever must be one of peak_flops, memory_bandwidth, overhead"):
        r.speedup(lever, 2)


@pytest.mark.parametrize("change", [0, -1, float("nan"), float("inf"), "2", True, None])
def test_a_change_that_is_no_factor_is_refused(hand, change):
    r = SensitivitySolver().solve(hand, toy())
    with pytest.raises(ArgumentError, match="change must be a factor above 0"):
        r.speedup("overhead", change)


def test_capacity_has_no_slope_where_it_suffices_and_no_number_where_it_does_not(hand):
    fits = SensitivitySolver().solve(hand, toy())
    assert fits.sensitivities["memory_capacity"] == 0
    tight = SensitivitySolver().solve(hand, toy(capacity=Q_("150 MB")))
    assert "memory_capacity" not in tight.sensitivities
    assert not tight.fits
    assert "does not fit: needs 0.2 GB, has 0.15 GB" in repr(tight)
    assert tight.sensitivities["overhead"] == fits.sensitivities["overhead"]


def test_it_takes_every_argument_of_the_engine(hand):
    r = SensitivitySolver().solve(hand, toy(), 4, "w8a16", context=100, efficiency=0.4)
    assert r.profile == Engine.solve(hand, toy(), 4, "w8a16", context=100, efficiency=0.4)
    r = SensitivitySolver().solve(hand, toy(), phase="prefill", prompt=100, calibration="ideal")
    assert r.profile.phase is Phase.PREFILL


@pytest.mark.parametrize("width", [0, -1, 100, 200, float("nan"), float("inf"), "10", None, True])
def test_a_perturbation_that_is_none_is_refused(hand, width):
    with pytest.raises(ArgumentError, match="perturbation_pct must be above 0 and below 100; got "):
        SensitivitySolver().solve(hand, toy(), perturbation_pct=width)


@pytest.mark.parametrize("width", [1e-300, 1e-14, 1e-11])
def test_a_perturbation_that_drowns_in_rounding_is_refused_or_right(hand, width):
    """Below about 1e-6 % the difference of two times is rounding noise: no elasticity may come of it."""
    try:
        r = SensitivitySolver().solve(hand, toy(), calibration="ideal", perturbation_pct=width)
    except ArgumentError as error:
        assert "perturbation_pct" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert r.sensitivities["memory_bandwidth"] == pytest.approx(-1, rel=1e-3)


def test_the_levers_are_named_as_the_course_names_them(hand):
    r = SensitivitySolver().solve(hand, toy())
    assert list(r.sensitivities) == ["peak_flops", "memory_bandwidth", "memory_capacity", "overhead"]
    assert f"{r.binding_constraint}" == "overhead"


def test_plain_data_holds_the_elasticities_as_numbers(hand):
    """`to_dict` promises plain data, unrounded: a text of four digits is neither."""
    r = SensitivitySolver().solve(hand, toy())
    flat = str(r.to_dict())
    for value in r.exact.values():
        assert repr(value) in flat
