"""Number formats: bytes of weights, activations and cache, and the unit that computes."""

import pytest

from mlsysim import ArgumentError, Precision
from mlsysim.core.precision import PEAKS, PRECISIONS, precision

# name: bytes of a weight, arithmetic unit, bytes of a cache element
CONVENTION = {
    "fp32": (4, "fp32", 4),
    "tf32": (4, "tf32", 4),
    "bf16": (2, "bf16", 2),
    "fp16": (2, "fp16", 2),
    "fp8": (1, "fp8", 1),
    "int8": (1, "int8", 2),
    "w8a16": (1, "fp16", 2),
    "int4": ((4 + 16 / 128) / 8, "fp16", 2),
    "int4-g32": ((4 + 16 / 32) / 8, "fp16", 2),
}


@pytest.mark.parametrize("name", CONVENTION)
def test_a_format_stores_and_computes_as_the_convention_says(name):
    weight, compute, cache = CONVENTION[name]
    p = precision(name)
    assert (p.weight_bytes, p.compute, p.kv_bytes) == (weight, compute, cache)
    assert str(p) == name


def test_every_named_format_is_in_the_convention():
    assert set(PRECISIONS) == set(CONVENTION)


def test_weight_only_formats_keep_their_activations_in_sixteen_bits():
    assert {precision(n).activation_bytes for n in ("w8a16", "int4", "int4-g32")} == {2}
    assert {precision(n).activation_bytes for n in ("fp8", "int8")} == {1}


def test_a_format_of_ones_own_is_taken_as_it_is():
    mine = Precision("w2", 2.5, "int8", 8, 4)
    assert precision(mine) is mine
    assert mine.weight_bytes == 2.5 / 8
    assert mine.compute in PEAKS


@pytest.mark.parametrize(("wrong", "hint"), [("fp17", "'fp16'"), ("FP16", "'fp16'"), ("int-4", "'int4'")])
def test_a_misspelt_format_gets_the_nearest(wrong, hint):
    with pytest.raises(ArgumentError, match=f"precision '{wrong}' is unknown. Did you mean.*{hint}"):
        precision(wrong)


@pytest.mark.parametrize("wrong", [16, None, ["fp16"], 2.0, True])
def test_what_is_no_format_is_refused(wrong):
    with pytest.raises(ArgumentError, match="precision must be a name such as 'fp16'"):
        precision(wrong)


@pytest.mark.parametrize("bits", [0, -4, float("nan"), float("inf"), "16", None, True])
@pytest.mark.parametrize("field", ["weight_bits", "activation_bits", "kv_bits"])
def test_bits_are_positive_numbers(field, bits):
    fields = {"weight_bits": 16, "activation_bits": 16, "kv_bits": 16, field: bits}
    with pytest.raises(ArgumentError, match="bits"):
        Precision(name="odd", compute="fp16", **fields)


@pytest.mark.parametrize("compute", ["fp17", "w8a16", 16, ["fp16"], None])
def test_the_arithmetic_unit_is_one_that_vendors_publish(compute):
    with pytest.raises(ArgumentError, match="compute"):
        Precision("odd", 16, compute, 16, 16)
