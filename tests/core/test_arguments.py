"""Arguments: everything wrong with a call is said at once."""

from decimal import Decimal
from fractions import Fraction

import pytest

from mlsysim import Q_, ArgumentError, UnitError
from mlsysim.core.arguments import Arguments
from mlsysim.core.precision import PRECISIONS, precision


@pytest.fixture
def given():
    return Arguments("Oracle.ask")


@pytest.mark.parametrize("value", [1, 7, 2**40])
def test_a_count_comes_back_as_an_int(given, value):
    assert given.count("n", value) == value
    given.close()


def test_a_numpy_integer_is_a_count(given):
    np = pytest.importorskip("numpy")
    assert type(given.count("n", np.int64(4))) is int
    given.close()


@pytest.mark.parametrize("value", [0, -1, 1.0, 1.5, float("nan"), "4", None, True, [4], Decimal(4), Q_("4")])
def test_what_is_no_count_is_refused(given, value):
    given.count("n", value)
    with pytest.raises(ArgumentError, match=r"Oracle.ask\(\): n must be a whole number of at least 1; got "):
        given.close()


def test_the_least_count_is_named_and_accepted(given):
    assert given.count("n", 0, least=0) == 0
    given.count("m", -1, least=0)
    with pytest.raises(ArgumentError, match=r"m must be a whole number of at least 0; got -1"):
        given.close()


def test_a_count_that_no_float_can_hold_is_refused(given):
    """Counts are computed with in floats: from 2**53 on neighbours would be taken for each other."""
    given.count("n", 10**400)
    with pytest.raises(ArgumentError, match="n must be"):
        given.close()


@pytest.mark.parametrize("value", [1, 0.5, Fraction(1, 2), 1e-9])
def test_a_fraction_comes_back_as_a_float(given, value):
    assert given.fraction("x", value) == float(value)
    given.close()


@pytest.mark.parametrize(
    "value", [0, 5, -0.1, float("nan"), float("inf"), "0.5", True, None, Q_("50 percent")]
)
def test_what_is_no_fraction_is_refused(given, value):
    given.fraction("x", value)
    with pytest.raises(ArgumentError, match=r"x must be above 0 and at most 1; got "):
        given.close()


def test_a_quantity_comes_back_in_base_units(given):
    assert given.quantity("t", Q_("50 ms"), "s") == pytest.approx(0.05, rel=1e-12)
    given.close()


def test_all_faults_are_listed_in_one_error(given):
    given.count("n", 0)
    given.quantity("t", 50, "ms")
    given.take(precision, "fp17", PRECISIONS["fp16"])
    given.fault("the moon is full")
    with pytest.raises(ArgumentError) as caught:
        given.close()
    head, *lines = str(caught.value).splitlines()
    assert head == "Oracle.ask():"
    assert [line[:6] for line in lines] == ["  - n ", "  - t ", "  - pr", "  - th"]
    assert not isinstance(caught.value, UnitError)


def test_faults_of_units_alone_make_a_unit_error(given):
    given.quantity("t", 50, "ms")
    given.quantity("u", Q_("1 GB"), "ms")
    with pytest.raises(UnitError):
        given.close()


def test_nothing_wrong_raises_nothing(given):
    given.close()
