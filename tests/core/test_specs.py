"""Machines: what an Accelerator accepts, refuses, and keeps."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, MissingSpecError
from mlsysim.core.errors import SpecError
from mlsysim.core.specs import FrozenMap


def build(**changes):
    fields = {
        "name": "Toy",
        "peak": {"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TOP/s")},
        "bandwidth": Q_("1 TB/s"),
        "capacity": Q_("64 GB"),
    }
    return Accelerator(**{**fields, **changes})


@pytest.fixture
def toy():
    return build()


def test_figures_are_kept_in_base_units(toy):
    assert toy.peak_si == {"fp16": 1e14, "int8": 2e14}
    assert (toy.bandwidth_si, toy.capacity_si) == (1e12, 64e9)


def test_the_ridge_point_is_peak_over_bandwidth(toy):
    """100 TFLOP/s over 1 TB/s is 100 FLOP/B; weight-only int4 computes in fp16, W8A8 in int8."""
    assert toy.ridge_point("fp16") == Q_("100 FLOP/B")
    assert toy.ridge_point("int4") == Q_("100 FLOP/B")
    assert toy.ridge_point("int8") == Q_("200 FLOP/B")


def test_no_peak_stands_in_for_another(toy):
    for ask in (toy.peak_at, toy.ridge_point):
        for name in ("fp8", "bf16", "fp32"):
            with pytest.raises(MissingSpecError) as caught:
                ask(name)
            assert f"Toy has no published {name} peak (it has fp16, int8)" in str(caught.value)


def test_one_published_peak_is_enough():
    lonely = build(peak={"fp64": Q_("1 TFLOP/s")})
    assert dict(lonely.peak_si) == {"fp64": 1e12}
    with pytest.raises(MissingSpecError, match="it has fp64"):
        lonely.peak_at("fp16")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "name must be a text"),
        ({"name": 5}, "name must be a text"),
        ({"peak": {}}, "peak must map number formats to rates"),
        ({"peak": Q_("1 TFLOP/s")}, "peak must map number formats to rates"),
        ({"peak": {"fp17": Q_("1 TFLOP/s")}}, "peak.fp17 is no number format. Did you mean 'fp16'?"),
        ({"peak": {16: Q_("1 TFLOP/s")}}, "peak.16 is no number format"),
        ({"peak": {"fp16": 3e14}}, "peak.fp16 needs a unit"),
        ({"peak": {"fp16": Q_("312 TFLOP")}}, "peak.fp16 needs [work] / [time]"),
        ({"bandwidth": 2e12}, "bandwidth needs a unit"),
        ({"bandwidth": "2 TB/s"}, "bandwidth needs a unit"),
        ({"bandwidth": Q_("2 TB")}, "bandwidth needs [data] / [time]"),
        ({"bandwidth": Q_("-2 TB/s")}, "bandwidth must be a finite positive quantity"),
        ({"bandwidth": Q_("nan TB/s")}, "bandwidth must be a finite positive quantity"),
        ({"bandwidth": Q_("inf TB/s")}, "bandwidth must be a finite positive quantity"),
        ({"capacity": Q_("0 GB")}, "capacity must be a finite positive quantity; got 0 GB"),
        ({"capacity": 64}, "capacity needs a unit"),
        ({"tdp": 400}, "tdp needs a unit"),
        ({"tdp": Q_("0 W")}, "tdp must be a finite positive quantity"),
        ({"year": "soon"}, "year"),
        ({"year": 20.5}, "year"),
        ({"aliases": "toy"}, "aliases"),
    ],
)
def test_a_wrong_figure_is_named(wrong, said):
    with pytest.raises(SpecError) as caught:
        build(**wrong)
    assert str(caught.value).startswith("Accelerator ")
    assert said in str(caught.value)


def test_all_wrong_figures_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        build(peak={"zz": 1}, bandwidth=0, capacity=Q_("1 s"), tdp=Q_("-1 W"))
    for word in ("peak.zz", "bandwidth", "capacity", "tdp"):
        assert word in str(caught.value)


def test_a_figure_that_is_no_single_number_is_a_spec_error():
    np = pytest.importorskip("numpy")
    for capacity in (Q_(np.array([1, 2]), "GB"), Q_(1 + 2j, "GB")):
        with pytest.raises(SpecError, match="capacity"):
            build(capacity=capacity)


@pytest.mark.parametrize("name", ["bandwidth", "capacity"])
def test_a_figure_that_is_not_published_is_missing_and_never_made_up(name):
    bare = build(**{name: None})
    with pytest.raises(MissingSpecError) as caught:
        getattr(bare, f"{name}_si")
    assert f"Toy has no published {name}, and nothing is substituted" in str(caught.value)
    assert repr(bare).startswith("<Accelerator Toy")


@pytest.mark.parametrize("level", [5, {"l2": 5}, {"l2": Q_("50 MB")}])
def test_further_memories_are_checked_too(level):
    with pytest.raises(SpecError, match="level"):
        build(level=level)


def test_replacing_a_figure_checks_and_recomputes(toy):
    assert replace(toy, bandwidth=Q_("2 TB/s")).bandwidth_si == 2e12
    assert replace(toy, peak={"fp8": Q_("1 PFLOP/s")}).peak_si == {"fp8": 1e15}
    with pytest.raises(SpecError, match="bandwidth needs a unit"):
        replace(toy, bandwidth=2e12)


def test_a_machine_cannot_be_changed(toy):
    with pytest.raises(FrozenInstanceError):
        toy.bandwidth = Q_("2 TB/s")
    with pytest.raises((TypeError, AttributeError)):
        toy.peak["fp16"] = Q_("2 PFLOP/s")


def test_a_machine_does_not_follow_the_mapping_it_was_built_from():
    peaks = {"fp16": Q_("100 TFLOP/s")}
    toy = build(peak=peaks)
    peaks["fp16"] = Q_("1 TFLOP/s")
    assert toy.peak["fp16"] == Q_("100 TFLOP/s")
    assert toy.peak_si["fp16"] == 1e14


def test_units_make_no_difference_to_equality(toy):
    """1,000 GB/s is 1 TB/s: the same machine, whatever floats pint makes of it."""
    again = build(bandwidth=Q_("1000 GB/s"), capacity=Q_("0.064 TB"))
    assert again == toy
    assert hash(again) == hash(toy)
    assert replace(toy, bandwidth=Q_("2 TB/s")) != toy


def test_copies_and_pickles_are_equal(toy):
    pickled = pickle.loads(pickle.dumps(toy))  # noqa: S301 - our own bytes
    for again in (copy.deepcopy(toy), pickled, copy.copy(toy)):
        assert again == toy
        assert again.peak_si == toy.peak_si


def test_exact_numbers_are_accepted(toy):
    assert build(capacity=Q_(Fraction(64), "GB")).capacity_si == 64e9
    assert toy.capacity == Q_(64, "GB")


def test_the_short_form_names_the_figures(toy):
    assert repr(toy).startswith("<Accelerator Toy: fp16 100 TFLOP/s, int8 200 TFLOP/s; 1 TB/s")
    assert "64 GB" in repr(toy)
    assert str(toy) == "Toy"


def test_a_frozen_map_reads_like_a_dict_and_cannot_be_written():
    m = FrozenMap({"a": 1, "b": 2})
    assert dict(m) == {"a": 1, "b": 2} == m
    assert (len(m), m.get("c", 0), list(m), repr(m)) == (2, 0, ["a", "b"], "{'a': 1, 'b': 2}")
    assert hash(m) == hash(FrozenMap({"b": 2, "a": 1}))
    with pytest.raises(TypeError):
        m["a"] = 3
    assert copy.deepcopy(m) == m
    assert pickle.loads(pickle.dumps(m)) == m  # noqa: S301 - our own bytes


def test_errors_of_figures_are_value_errors_too():
    assert issubclass(SpecError, ValueError)
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(MissingSpecError, LookupError)
