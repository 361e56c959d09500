"""Units: what parses, what it is worth, how it prints, and what is refused."""

import math
import pickle
from decimal import Decimal
from itertools import combinations

import pint
import pytest

from mlsysim import Q_, ArgumentError, UnitError, ureg
from mlsysim.core.constants import si, unit

# One of the unit in the base units second, byte, flop, token, sample, dollar, joule, gram, litre.
WORTH = {
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "minute": 60,
    "min": 60,
    "h": 3600,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "year": 365 * 86_400,
    "bit": 1 / 8,
    "byte": 1,
    "B": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "GB/s": 1e9,
    "TB/s": 1e12,
    "Gbps": 1e9 / 8,
    "FLOP": 1,
    "GFLOP": 1e9,
    "TFLOP": 1e12,
    "TFLOPs": 1e12,
    "TFLOP/s": 1e12,
    "TFLOPs/s": 1e12,
    "TFLOPS": 1e12,
    "PFLOP/s": 1e15,
    "TOP/s": 1e12,
    "TOPS": 1e12,
    "FLOP/B": 1,
    "token": 1,
    "token/s": 1,
    "tokens/s": 1,
    "sample/s": 1,
    "images/s": 1,
    "USD": 1,
    "dollar": 1,
    "$": 1,
    "USD/hour": 1 / 3600,
    "J": 1,
    "W": 1,
    "kW": 1e3,
    "kWh": 3.6e6,
    "g": 1,
    "kg": 1e3,
    "tonne": 1e6,
    "kgCO2": 1e3,
    "g/kWh": 1 / 3.6e6,
    "gCO2/kWh": 1 / 3.6e6,
    "L": 1,
    "L/kWh": 1 / 3.6e6,
    "percent": 0.01,
    "%": 0.01,
}


@pytest.mark.parametrize("spelling", WORTH)
def test_a_spelling_has_its_worth(spelling):
    assert si("x", Q_(1, spelling), spelling) == pytest.approx(WORTH[spelling], rel=1e-12)
    assert Q_(3, spelling).to_base_units().magnitude == pytest.approx(3 * WORTH[spelling], rel=1e-12)
    assert Q_(f"3 {spelling}").to_base_units().magnitude == pytest.approx(3 * WORTH[spelling], rel=1e-12)


@pytest.mark.parametrize("spelling", WORTH)
def test_what_is_printed_can_be_read_again(spelling):
    quantity = Q_(3.5, spelling)
    again = Q_(f"{quantity}")
    assert again.dimensionality == quantity.dimensionality
    assert again.to_base_units().magnitude == pytest.approx(quantity.to_base_units().magnitude, rel=1e-12)


def test_every_kind_of_thing_has_its_own_dimension():
    """A byte is no FLOP, a dollar is no joule: no two of these can be added, nor added to a number."""
    things = [Q_(f"1 {u}") for u in ("s", "B", "FLOP", "token", "sample", "USD", "J", "g", "L")]
    for a, b in combinations([*things, Q_("1")], 2):
        with pytest.raises(pint.DimensionalityError):
            a + b


def test_quantities_print_short_and_keep_the_digits_that_were_asked_for():
    assert f"{Q_('3.35 TFLOPs/s')}" == "3.35 TFLOP/s"
    assert f"{Q_('78.2686 ms'):.1f}" == "78.3 ms"
    assert f"{Q_('3.35 TB/s'):.1f~D}" == "3.4 TB / s"
    assert str(Q_("0.5").to("percent")) == "50.0 %"


def test_a_quantity_needs_no_application_registry_to_pickle():
    quantity = pickle.loads(pickle.dumps(Q_("2 USD/hour")))  # noqa: S301 - our own bytes
    assert quantity == Q_("2 USD/hour")
    assert quantity + Q_("1 USD/hour") == Q_("3 USD/hour")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2 €/hour", "'€' (euro)"),
        ("2 £/hour", "'£' (pound)"),
        ("2 ¥", "'¥' (yen)"),
        ("2 GB # nominal", "'#'"),
        ("1,000 GB", "','"),
        ("20 °C", "'°'"),
        ("1 GB; 2", "';'"),
    ],
)
def test_a_foreign_symbol_is_refused_and_named(text, named):
    with pytest.raises(UnitError) as caught:
        Q_(text)
    assert text in str(caught.value)
    assert named in str(caught.value)


def test_a_dollar_sign_is_a_dollar():
    assert Q_("2 $/hour") == Q_("2 USD/hour")
    assert Q_(2, "$/hour") == Q_("2 USD/hour")


def test_a_foreign_symbol_is_refused_on_every_way_in():
    for way in (ureg, ureg.Quantity, ureg.Unit, unit, lambda t: Q_(2, t), Q_("2 USD").to):
        with pytest.raises(UnitError, match="euro"):
            way("€")
    with pytest.raises(UnitError) as caught:
        Q_(2, "€")
    assert str(caught.value).count("is not a unit") == 0, "one message, not one inside another"


@pytest.mark.parametrize(
    ("text", "hint"), [("5 GBs/s", "GB"), ("5 TFLOPz", "TFLOP"), ("5 gb", "GB"), ("5 toke/s", "token")]
)
def test_a_misspelt_unit_gets_the_nearest(text, hint):
    with pytest.raises(UnitError, match=f"Did you mean.*'{hint}"):
        Q_(text)


def test_a_wild_unit_gets_the_known_ones():
    with pytest.raises(UnitError, match=r"unknown unit 'zebra' in '5 zebra'. Known: .*TB/s.*"):
        Q_("5 zebra")


@pytest.mark.parametrize("value", ["", "   ", None, True, {}, "50 ms ("])
def test_what_is_no_quantity_is_refused(value):
    with pytest.raises(UnitError, match="50 ms"):
        Q_(value)


@pytest.mark.parametrize("value", [b"1 GB", object(), (1, "GB"), pint.UnitRegistry(None).Quantity(1)])
def test_a_value_that_is_no_number_makes_no_quantity(value):
    with pytest.raises(UnitError):
        Q_(value)


@pytest.mark.parametrize("value", ["x", "5 GB", None, True, b"1", object()])
def test_a_value_that_is_no_number_takes_no_unit(value):
    with pytest.raises(UnitError):
        Q_(value, "GB")


@pytest.mark.parametrize("units", ["GB/", "2 GB", "GB GB /", 5, ["GB"]])
def test_a_unit_that_is_none_is_refused(units):
    with pytest.raises(UnitError):
        Q_(1, units)


def test_a_quantity_can_be_given_a_unit_again():
    assert Q_(Q_("5 GB"), "MB") == Q_("5000 MB")


def test_si_gives_a_float_in_base_units():
    assert si("x", Q_("3.35 TB/s"), "GB/s") == 3.35e12
    assert isinstance(si("x", Q_(Decimal(5), "GB"), "B"), float)
    assert si("x", Q_("0 ms"), "s", positive=False) == 0.0


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (5, UnitError, 'needs a unit, as in Q_("1 ms"); got the bare 5'),
        ("5 ms", UnitError, "got the bare '5 ms'"),
        (Q_("5 GB"), UnitError, "needs [time], as in ms; got 5 GB ([data])"),
        (Q_("5"), UnitError, "needs [time], as in ms"),
        (Q_("0 ms"), ArgumentError, "must be a finite positive quantity; got 0 ms"),
        (Q_("-1 ms"), ArgumentError, "got -1 ms"),
        (Q_("nan ms"), ArgumentError, "got nan ms"),
        (Q_("inf ms"), ArgumentError, "got inf ms"),
        (Q_(1 + 2j, "ms"), ArgumentError, "finite positive"),
    ],
)
def test_si_says_what_is_wrong(value, error, said):
    with pytest.raises(error) as caught:
        si("patience", value, "ms")
    assert str(caught.value).startswith("patience ")
    assert said in str(caught.value)


def test_si_takes_one_number_and_no_array():
    np = pytest.importorskip("numpy")
    with pytest.raises(ArgumentError, match="patience"):
        si("patience", Q_(np.array([1.0, 2.0]), "ms"), "ms")


@pytest.mark.parametrize("units", ["second", "gigabyte"])
def test_a_quantity_of_another_registry_is_called_that(units):
    """Bytes have no dimension in pint's own registry: the registry is the fault, not the dimension."""
    foreign = pint.UnitRegistry().Quantity(1, units)
    with pytest.raises(UnitError, match="another unit registry"):
        si("x", foreign, {"second": "s", "gigabyte": "GB"}[units])


def test_infinity_and_nan_are_numbers_until_they_are_used():
    assert math.isinf(Q_("inf GB").magnitude)
    assert math.isnan(Q_("nan GB").magnitude)
