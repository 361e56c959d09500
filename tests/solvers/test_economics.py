"""Renting and owning by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    ConvNet,
    Engine,
    Grid,
    Link,
    MissingSpecError,
    Node,
    Price,
    ServingModel,
)
from mlsysim.solvers.economics import Choice, EconomicsModel
from mlsysim.solvers.sustainability import SustainabilityModel

YEAR = Q_("1 year")


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, "tdp": Q_("1 kW"), **changes})


OWNED = {
    "purchase_price": Q_("8760 USD"),
    "lifetime": Q_("4 year"),
    "electricity": Q_("0.1 USD/kWh"),
}


def costs(hardware=None, *args, **options):
    return EconomicsModel().solve(hardware or toy(), *args, **options)


def close(quantity, expected):
    want = Q_(expected)
    assert quantity.to(want.units).magnitude == pytest.approx(want.magnitude, rel=1e-9)


def test_rent_is_due_for_all_of_the_time():
    """10 devices, 100 h, 2 USD: 2,000 USD, busy or not."""
    r = costs(toy(), 10, duration=Q_("100 hour"), price=Q_("2 USD/hour"), utilisation=0.5)
    close(r.rent, "2000 USD")
    assert (r.capex, r.opex, r.tco, r.choice) == (None, None, None, Choice.ONE)


def test_owning_by_hand():
    """Two devices of 8,760 USD over four years: 4,380 USD a year; 10 % upkeep, 1,752; 1 kW for 0.5 of 8,760 h
    at PUE 1.2 and 0.1 USD/kWh, twice: 1,051.2.
    """
    r = costs(toy(), 2, duration=YEAR, utilisation=0.5, pue=1.2, upkeep=0.1, **OWNED)
    close(r.capex, "17520 USD")
    close(r.opex, "2803.2 USD")
    close(r.tco, "7183.2 USD")
    assert r.rent is None


def test_the_rows_name_time_use_and_the_cheaper_way():
    r = costs(duration=Q_("100 hour"), price=Q_("2 USD/hour"), utilisation=0.5)
    rows = dict(r.rows())
    assert (f"{rows['Time']:.0f}", rows["Utilisation"]) == ("100 h", 0.5)
    assert rows["Cheaper"] == "only one way was priced"
    assert r.title == "Cost of 1 x Toy"


def test_over_the_lifetime_everything_is_paid():
    r = costs(duration=Q_("4 year"), **OWNED)
    close(r.tco, f"{8760 + 4 * 876} USD")


@pytest.mark.parametrize(
    ("rate", "expected"), [("1000 token/s", "1 USD/Mtoken"), ("1000 sample/s", "1 USD/Msample")]
)
@pytest.mark.parametrize("busy", [1.0, 0.25])
def test_a_million_by_hand(rate, expected, busy):
    """3.6e6 an hour at 3.60 USD; a quarter of that is four times as dear."""
    r = costs(duration=Q_("1 hour"), throughput=Q_(rate), price=Q_("3.6 USD/hour"), utilisation=busy)
    assert r.per_million(r.rent).magnitude == pytest.approx(1 / busy, rel=1e-12)
    assert r.per_million(r.rent).units == Q_(expected).units
    assert any(label.startswith("Rent per million") for label, _ in r.rows())


def test_time_from_tokens_and_tokens_from_time_agree():
    """7.2e6 tokens at 1,000 a second, busy half of the time: 4 h."""
    options = {"throughput": Q_("1000 token/s"), "price": Q_("1 USD/hour"), "utilisation": 0.5}
    r = costs(tokens=Q_("7.2 Mtoken"), **options)
    close(r.rent, "4 USD")
    assert costs(duration=Q_("4 hour"), **options) == r


def test_a_run_of_known_length_and_known_tokens():
    """1e6 device-hours at 2 USD for 2e12 tokens: 2e6 USD, one dollar for a million."""
    r = costs(duration=Q_("1e6 hour"), tokens=Q_("2e12 token"), price=Q_("2 USD/hour"))
    close(r.rent, "2e6 USD")
    close(r.per_million(r.rent), "1 USD/Mtoken")


def test_break_even_by_hand():
    """8,760 USD over four years are 0.25 USD/h, electricity 0.1 USD/h of work: 0.25 / (0.6 - 0.1) = 0.5."""
    r = costs(duration=YEAR, price=Q_("0.6 USD/hour"), **OWNED)
    assert r.break_even == pytest.approx(0.5, rel=1e-12)
    assert r.choice is Choice.OWN


@pytest.mark.parametrize("hourly", ["0.3 USD/hour", "0.1 USD/hour", "0.05 USD/hour"])
def test_where_renting_is_cheaper_at_full_use_there_is_no_break_even(hourly):
    r = costs(duration=YEAR, price=Q_(hourly), **OWNED)
    assert r.break_even > 1
    assert r.choice is Choice.RENT
    assert ("Break-even utilisation", "none: renting costs less") in r.rows()


@settings(max_examples=25)
@given(share=st.floats(0.01, 1), hourly=st.floats(0.2, 100), years=st.floats(0.5, 10), upkeep=st.floats(0, 1))
def test_at_break_even_owning_costs_what_renting_the_working_hours_does(share, hourly, years, upkeep):
    """Bought for what makes it so: u (r - 0.1 USD/h) an hour are K (1/L + m) a year."""
    bought = share * (hourly - 0.1) * 8760 / (1 / years + upkeep)
    terms = {"purchase_price": Q_(bought, "USD"), "lifetime": Q_(years, "year"), "upkeep": upkeep}
    terms |= {"electricity": Q_("0.1 USD/kWh"), "price": Q_(hourly, "USD/hour")}
    r = costs(duration=YEAR, utilisation=share, **terms)
    assert r.break_even == pytest.approx(share, rel=1e-9)
    assert r.tco.magnitude == pytest.approx(share * r.rent.magnitude, rel=1e-9)


@settings(max_examples=25)
@given(busy=st.floats(0.01, 0.98), more=st.floats(1.001, 1.02))
def test_more_use_makes_a_token_cheaper_and_the_bill_no_smaller(busy, more):
    options = {"duration": YEAR, "throughput": Q_("100 token/s"), "price": Q_("1 USD/hour"), **OWNED}
    less, used = costs(utilisation=busy, **options), costs(utilisation=busy * more, **options)
    assert used.per_million(used.tco) < less.per_million(less.tco)
    assert used.per_million(used.rent) < less.per_million(less.rent)
    assert used.tco >= less.tco
    assert used.rent == less.rent


def test_electricity_is_that_of_the_sustainability_model():
    options = {"duration": YEAR, "utilisation": 0.3, "power_share": 0.7, "pue": 1.3}
    r = costs(toy(), 5, **options, **OWNED)
    energy = SustainabilityModel().solve(toy(), 5, grid=Q_("0 g/kWh"), **options).energy
    close(r.opex, f"{energy.to('kWh').magnitude * 0.1} USD")


def test_a_profile_brings_its_rate_and_its_devices(hand):
    """Two devices share the step, so eight do four of them: a token costs the same."""
    link = Link(name="wire", bandwidth=Q_("1 PB/s"), topology="switched")
    profile = Engine.solve(hand, toy(), tp_size=2, link=link, calibration="ideal")
    r = costs(duration=Q_("1 hour"), throughput=profile, price=Q_("1 USD/hour"))
    assert r.machines.devices == 2
    assert r.items == pytest.approx(3600 * profile.throughput.magnitude, rel=1e-12)
    eight = costs(toy(), 8, duration=Q_("1 hour"), throughput=profile, price=Q_("1 USD/hour"))
    assert eight.items == pytest.approx(4 * r.items, rel=1e-12)
    assert eight.per_million(eight.rent).magnitude == pytest.approx(
        r.per_million(r.rent).magnitude, rel=1e-12
    )


def test_a_serving_result_brings_its_rate(hand):
    run = ServingModel().solve(hand, toy(), prompt=100, output=10)
    r = costs(duration=Q_("1 hour"), throughput=run, price=Q_("1 USD/hour"))
    assert r.items == pytest.approx(3600 * run.throughput.magnitude, rel=1e-12)
    assert r.fit is run.fit


def test_a_network_that_makes_no_tokens_is_priced_by_the_sample():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    r = costs(duration=Q_("1 hour"), throughput=Engine.solve(net, toy()), price=Q_("1 USD/hour"))
    assert f"{r.per_million(r.rent).units:~P}" == "USD/Msample"


def test_what_does_not_fit_is_not_priced_and_says_so_first(hand):
    small = toy(capacity=Q_("100 MB"))
    profile = Engine.solve(hand, small)
    options = {"duration": YEAR, "throughput": profile, "price": Q_("1 USD/hour"), **OWNED}
    r = costs(small, **options)
    assert (r.fits, r.rent, r.tco, r.break_even, r.choice) == (False, None, None, None, Choice.WITHHELD)
    assert r.rows()[0] == ("Memory", str(profile.fit))
    asked = costs(small, price_misfit=True, **options)
    assert asked.rows()[0][1].startswith("does not fit")
    close(asked.rent, "8760 USD")
    assert asked.break_even is not None


def test_an_offer_and_a_grid_may_be_cards():
    offer = Price(name="offer", accelerator=toy(), hourly=Q_("2 USD/hour"), date="2026-07")
    here = Grid(name="here", carbon_intensity=Q_("100 g/kWh"), price=Q_("0.1 USD/kWh"))
    r = costs(duration=YEAR, price=offer, **{**OWNED, "electricity": here})
    close(r.rent, "17520 USD")
    close(r.opex, "876 USD")


def test_a_published_list_price_is_taken_and_can_be_overruled():
    sold = toy(price=Q_("4380 USD"))
    rest = {name: OWNED[name] for name in ("lifetime", "electricity")}
    close(costs(sold, duration=YEAR, **rest).capex, "4380 USD")
    close(costs(sold, duration=YEAR, **OWNED).capex, "8760 USD")


def test_a_node_is_owned_with_its_own_power():
    link = Link(name="wire", bandwidth=Q_("100 GB/s"), topology="switched")
    node = Node(name="Box", accelerator=toy(), devices=8, link=link, power=Q_("10 kW"))
    r = costs(node, duration=YEAR, **OWNED)
    close(r.opex, "8760 USD")
    close(r.capex, "70080 USD")


def test_renting_needs_no_power_and_owning_does():
    dark = toy(tdp=None)
    close(costs(dark, duration=YEAR, price=Q_("1 USD/hour")).rent, "8760 USD")
    with pytest.raises(MissingSpecError, match="Toy has no published tdp"):
        costs(dark, duration=YEAR, **OWNED)


RATE = Q_("1 token/s")
OTHER = Price(name="offer", accelerator=toy(name="Other"), hourly=Q_("1 USD/hour"), date="2026-01")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"duration": None}, "give duration, alone or with tokens or throughput; or tokens and throughput"),
        ({"tokens": Q_("1 token"), "throughput": RATE}, "give duration, alone or with tokens or throughput"),
        ({"duration": None, "tokens": Q_("1 token")}, "give duration, alone or with tokens or throughput"),
        ({"price": None}, "give price, to rent, or lifetime, to own"),
        ({"price": 2}, 'price needs a unit, as in Q_("1 USD/hour")'),
        ({"price": Q_("2 USD")}, "price needs"),
        ({"price": Q_("-2 USD/hour")}, "price must be a finite positive quantity"),
        (
            {"lifetime": Q_("4 year"), "electricity": Q_("1 USD/kWh")},
            "owning needs purchase_price and electr",
        ),
        ({"lifetime": Q_("4 year"), "purchase_price": Q_("1 USD")}, "owning needs purchase_price and electr"),
        ({"upkeep": -0.1}, "upkeep must be at least 0; got -0.1"),
        ({"utilisation": 0}, "utilisation must be above 0 and at most 1; got 0"),
        ({"throughput": 5}, "throughput needs a unit"),
        ({"devices": 0}, "devices must be a whole number of at least 1"),
        ({"hardware": "Toy"}, "hardware must be a device, a Node or a Fleet; got 'Toy'"),
        ({"price": OTHER}, "price is for Other, not for Toy"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    good = {"hardware": toy(), "duration": YEAR, "price": Q_("2 USD/hour")}
    with pytest.raises(ArgumentError) as caught:
        EconomicsModel().solve(**{**good, **wrong})
    assert said in str(caught.value)


def test_a_grid_without_a_price_owns_nothing():
    with pytest.raises(ArgumentError, match="owning needs purchase_price and electricity"):
        costs(duration=YEAR, **{**OWNED, "electricity": Grid(name="g", carbon_intensity=Q_("1 g/kWh"))})


def test_a_run_on_another_device_or_on_another_number_is_refused(hand):
    other = Engine.solve(hand, toy(name="Other"))
    with pytest.raises(ArgumentError, match="throughput is that of Other, not of Toy"):
        costs(duration=YEAR, throughput=other, price=Q_("1 USD/hour"))
    served = ServingModel().solve(hand, toy(name="Other"))
    with pytest.raises(ArgumentError, match="throughput is that of Other, not of Toy"):
        costs(duration=YEAR, throughput=served, price=Q_("1 USD/hour"))
    link = Link(name="wire", bandwidth=Q_("1 TB/s"), topology="switched")
    pair = Engine.solve(hand, toy(), tp_size=2, link=link)
    with pytest.raises(ArgumentError, match="devices must be a multiple of the run's 2; got 3"):
        costs(toy(), 3, duration=YEAR, throughput=pair, price=Q_("1 USD/hour"))


def test_tokens_and_samples_are_not_mixed():
    with pytest.raises(ArgumentError, match="tokens needs"):
        costs(tokens=Q_("1 token"), throughput=Q_("1 sample/s"), price=Q_("1 USD/hour"))


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        costs("Toy", 0, throughput=5, price=2, upkeep=-1, utilisation=2, pue=0)
    for word in ("hardware", "devices", "duration", "throughput", "price", "upkeep", "utilisation", "pue"):
        assert word in str(caught.value)


def test_a_result_cannot_be_changed():
    r = costs(duration=YEAR, price=Q_("1 USD/hour"))
    with pytest.raises(AttributeError):
        r.rental = 0.0
    assert replace(r, rental=1.0).rent == Q_("1 USD")
