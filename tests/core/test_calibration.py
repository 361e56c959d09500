"""Calibrations: what a preset is, what one may hold, and what is refused."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from mlsysim import Q_, ArgumentError, Calibration, Models, UnitError
from mlsysim.core.calibration import IDEAL, PRESETS, SERVING, default, preset
from mlsysim.core.models import Phase


def build(**changes):
    fields = {
        "name": "mine",
        "source": "invented here",
        "compute_efficiency": {Phase.DECODE: 0.5},
        "memory_efficiency": 0.9,
        "serial_fraction": 0.1,
        "step_overhead": Q_("1 ms"),
        "layer_overhead": Q_("5 us"),
        "tile": 4,
    }
    return Calibration(**{**fields, **changes})


def test_the_textbook_has_no_losses():
    assert set(IDEAL.compute_efficiency.values()) == {1.0}
    assert (IDEAL.memory_efficiency, IDEAL.serial_fraction, IDEAL.tile) == (1, 0, 1)
    assert (IDEAL.step_seconds, IDEAL.layer_seconds) == (0, 0)


def test_serving_is_what_the_table_says():
    """decode 0.275, prefill 0.58, memory 1, overlap 0.35, 2.2 ms a step, 42 µs a layer, tiles of 8."""
    assert SERVING.efficiency(Phase.DECODE) == 0.275
    assert SERVING.efficiency(Phase.PREFILL) == 0.58
    assert (SERVING.memory_efficiency, SERVING.serial_fraction, SERVING.tile) == (1, 0.35, 8)
    assert SERVING.step_seconds == pytest.approx(2.2e-3, rel=1e-12)
    assert SERVING.layer_seconds == pytest.approx(42e-6, rel=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_name_and_a_source(name):
    assert preset(name) is PRESETS[name]
    assert PRESETS[name].name == name == str(PRESETS[name])
    assert len(PRESETS[name].source) > 20


def test_language_models_are_served_by_default():
    assert default(Models.Llama3_8B, Phase.DECODE) is SERVING


def test_a_calibration_of_ones_own_is_taken_as_it_is():
    mine = build()
    assert preset(mine) is mine
    assert (mine.step_seconds, mine.layer_seconds) == pytest.approx((1e-3, 5e-6), rel=1e-12)


def test_a_phase_that_is_not_covered_is_an_error_with_a_remedy():
    with pytest.raises(ArgumentError) as caught:
        build().efficiency(Phase.FORWARD)
    assert "'mine' covers decode, not forward" in str(caught.value)
    assert "ideal" in str(caught.value)


@pytest.mark.parametrize("wrong", ["idael", "Ideal", 5, None, ["ideal"], Q_("1 ms")])
def test_what_is_no_preset_is_refused(wrong):
    with pytest.raises(ArgumentError, match="calibration must be a Calibration or the name of a preset"):
        preset(wrong)


def test_a_misspelt_preset_gets_the_nearest():
    with pytest.raises(ArgumentError, match="Did you mean 'serving'"):
        preset("servng")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"compute_efficiency": {Phase.DECODE: 0}},
            "compute_efficiency[decode] must be above 0 and at most 1",
        ),
        ({"compute_efficiency": {Phase.DECODE: 1.01}}, "compute_efficiency[decode] must be above 0"),
        ({"compute_efficiency": {Phase.DECODE: float("nan")}}, "compute_efficiency[decode] must be above 0"),
        ({"compute_efficiency": {Phase.DECODE: "high"}}, "compute_efficiency[decode] must be above 0"),
        ({"compute_efficiency": {"decod": 0.5}}, "decod"),
        ({"compute_efficiency": {}}, "compute_efficiency"),
        ({"compute_efficiency": 0.5}, "compute_efficiency"),
        ({"memory_efficiency": 1.1}, "memory_efficiency must be above 0 and at most 1"),
        ({"memory_efficiency": 0}, "memory_efficiency must be above 0 and at most 1"),
        ({"serial_fraction": 1.5}, "serial_fraction must be from 0 to 1"),
        ({"serial_fraction": -0.1}, "serial_fraction must be from 0 to 1"),
        ({"serial_fraction": True}, "serial_fraction must be from 0 to 1"),
        ({"step_overhead": Q_("-1 ms")}, "step_overhead must be a finite non-negative quantity"),
        ({"layer_overhead": Q_("nan us")}, "layer_overhead must be a finite non-negative quantity"),
        ({"tile": 0}, "tile must be a whole number of at least 1"),
        ({"tile": 8.0}, "tile must be a whole number of at least 1"),
    ],
)
def test_a_wrong_factor_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        build(**wrong)
    assert "'mine'" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("wrong", [0, 2.2e-3, "2 ms", Q_("1 GB")])
def test_overheads_are_times(wrong):
    with pytest.raises(UnitError, match="step_overhead needs"):
        build(step_overhead=wrong)


def test_all_wrong_factors_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        build(memory_efficiency=0, serial_fraction=2, tile=0, step_overhead=3)
    for word in ("memory_efficiency", "serial_fraction", "tile", "step_overhead"):
        assert word in str(caught.value)


def test_a_calibration_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        SERVING.tile = 1
    with pytest.raises(TypeError):
        SERVING.compute_efficiency[Phase.DECODE] = 1.0


def test_a_calibration_does_not_follow_the_mapping_it_was_built_from():
    shares = {Phase.DECODE: 0.5}
    mine = build(compute_efficiency=shares)
    shares[Phase.DECODE] = 0.1
    assert mine.efficiency(Phase.DECODE) == 0.5


def test_copies_and_pickles_are_equal():
    assert copy.deepcopy(SERVING) == SERVING
    assert pickle.loads(pickle.dumps(SERVING)) == SERVING  # noqa: S301 - our own bytes
    assert hash(replace(SERVING)) == hash(SERVING)
    assert replace(SERVING, tile=1) != SERVING
