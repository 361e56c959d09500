"""Regions under a carbon price, by hand and against brute force."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError, Datacenter, Grid, Infrastructure
from mlsysim.solvers.placement import LeftOut, PlacementOptimizer, Region

MEGAWATT_HOUR = Q_("1 MWh")


def grid(name, carbon, price=0.1):
    paid = None if price is None else Q_(price, "USD/kWh")
    return Grid(name=name, carbon_intensity=Q_(carbon, "gCO2/kWh"), price=paid)


CHEAP, MIDDLE, CLEAN = grid("cheap", 800.0, 0.05), grid("middle", 400.0, 0.06), grid("clean", 100.0, 0.12)


def place(*regions, price="0 USD/tCO2", **options):
    chosen = {"energy": MEGAWATT_HOUR, "carbon_price": Q_(price), **options}
    return PlacementOptimizer().solve(regions, **chosen)


def names(result):
    return [str(site) for site in result.ranked]


def test_cost_and_carbon_by_hand():
    """1 MWh at PUE 1.2: 60 USD and 0.96 t where it is cheap; at 50 USD/t 108 USD in all."""
    r = place(CHEAP, pue=1.2, price="50 USD/tCO2")
    assert r.best.cost.magnitude == pytest.approx(60, rel=1e-12)
    assert r.best.carbon.to("kg").magnitude == pytest.approx(960, rel=1e-12)
    assert dict(r.rows())["Total"].magnitude == pytest.approx(108, rel=1e-12)


@pytest.mark.parametrize(
    ("price", "order"),
    [
        ("0 USD/tCO2", ["cheap", "middle", "clean"]),
        ("24 USD/tCO2", ["cheap", "middle", "clean"]),
        ("26 USD/tCO2", ["middle", "cheap", "clean"]),
        ("199 USD/tCO2", ["middle", "clean", "cheap"]),
        ("201 USD/tCO2", ["clean", "middle", "cheap"]),
    ],
)
def test_the_order_by_hand(price, order):
    """50 + 0.8 p, 60 + 0.4 p and 120 + 0.1 p: cheap and middle meet at 25 USD/t, middle and clean at 200."""
    assert names(place(CLEAN, CHEAP, MIDDLE, price=price)) == order


def test_where_the_best_changes():
    r = place(CHEAP, MIDDLE, CLEAN, price="100 USD/tCO2")
    assert str(r.flip_above.winner) == "clean"
    assert r.flip_above.carbon_price.to("USD/tCO2").magnitude == pytest.approx(200, rel=1e-9)
    assert str(r.flip_below.winner) == "cheap"
    assert r.flip_below.carbon_price.to("USD/tCO2").magnitude == pytest.approx(25, rel=1e-9)


def test_a_region_that_is_cheapest_and_cleanest_is_never_overtaken():
    r = place(grid("best", 1.0, 0.01), CHEAP, CLEAN)
    assert (r.flip_above, r.flip_below) == (None, None)
    assert ("Flips above", None) in r.rows()


def test_below_zero_no_carbon_price_flips_anything():
    """Dirtier and dearer: it would take a reward for carbon."""
    r = place(CLEAN, grid("worse", 900.0, 0.2), price="10 USD/tCO2")
    assert r.flip_below is None


def test_the_runner_up_is_told_why():
    """At 100 USD/t: middle 100, clean 130, cheap 130 with more carbon."""
    r = place(CHEAP, MIDDLE, CLEAN, price="100 USD/tCO2")
    assert names(r) == ["middle", "clean", "cheap"]
    assert r.why(r.ranked[1]) == "clean: +30 USD, +60 without carbon, -30 for carbon"
    assert ("Runner-up", r.why(r.ranked[1])) in r.rows()


def test_the_title_names_the_carbon_price():
    assert place(CHEAP, price="25 USD/tCO2").title == "Placement at a carbon price of 25 USD/t"


def test_one_region_has_no_runner_up():
    assert ("Runner-up", "none") in place(CHEAP).rows()


def test_those_without_figures_are_counted_by_reason():
    far = Region(grid=grid("far", 10.0, 0.01), latency=Q_("80 ms"))
    near = Region(grid=grid("near", 10.0, 0.09), latency=Q_("8 ms"), egress=Q_("0.01 USD/GB"))
    mute = Region(grid=grid("mute", 10.0, 0.01), latency=Q_("8 ms"))
    r = place(
        grid("dark", 5.0, None), CHEAP, MIDDLE, far, near, mute, latency_limit=Q_("20 ms"), data=Q_("1 TB")
    )
    assert names(r) == ["near"]
    counts = {LeftOut.NO_PRICE: 1, LeftOut.NO_LATENCY: 2, LeftOut.TOO_FAR: 1, LeftOut.NO_EGRESS: 1}
    assert r.counts == counts
    assert len(r.ranked) + len(r.left_out) == 6
    for reason, count in counts.items():
        assert (f"Left out: {reason.value}", count) in r.rows()


def test_a_latency_at_the_limit_is_within_it():
    at = Region(grid=CHEAP, latency=Q_("20 ms"))
    assert names(place(at, latency_limit=Q_("0.02 s"))) == ["cheap"]


def test_data_that_leaves_costs_without_carbon():
    """1 TB at 0.02 USD/GB: 20 USD on top of 50."""
    r = place(Region(grid=CHEAP, egress=Q_("0.02 USD/GB")), data=Q_("1 TB"))
    assert r.best.cost.magnitude == pytest.approx(70, rel=1e-12)
    assert r.best.carbon.magnitude == pytest.approx(800, rel=1e-12)


def test_a_region_may_bring_its_data_centre():
    good = Region(grid=CHEAP, datacenter=Datacenter(name="good", pue=1.1))
    r = place(good, pue=Datacenter(name="usual", pue=1.5))
    assert r.best.cost.magnitude == pytest.approx(55, rel=1e-12)
    assert place(CHEAP, pue=Datacenter(name="usual", pue=1.5)).best.cost.magnitude == pytest.approx(
        75, rel=1e-12
    )


def test_nothing_left_is_an_outcome():
    r = place(grid("dark", 5.0, None))
    assert r.best is None
    assert r.rows() == [
        ("Best", "none: every region was left out"),
        (f"Left out: {LeftOut.NO_PRICE.value}", 1),
    ]


def test_the_zoo_is_ranked_or_left_out_whole():
    grids = Infrastructure.where(kind="grid")
    r = PlacementOptimizer().solve(iter(grids), energy=MEGAWATT_HOUR, carbon_price=Q_("50 USD/tCO2"))
    assert len(r.ranked) + sum(r.counts.values()) == len(grids)
    assert set(r.counts) == {LeftOut.NO_PRICE}


figures = st.lists(st.tuples(st.floats(0, 1000), st.floats(0.01, 0.5)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(rows=figures, price=st.floats(0, 1000))
def test_the_best_is_the_least_by_brute_force_up_to_the_flip(rows, price):
    regions = [grid(f"g{i}", carbon, paid) for i, (carbon, paid) in enumerate(rows)]
    totals = {f"g{i}": 1000 * paid + carbon * price / 1e3 for i, (carbon, paid) in enumerate(rows)}
    r = place(*regions, price=f"{price!r} USD/tCO2")
    assert totals[str(r.best)] == pytest.approx(min(totals.values()), rel=1e-9)
    for flip in (r.flip_above, r.flip_below):
        if flip is None:
            continue
        there = place(*regions, price=f"{flip.carbon_price.to('USD/tonne').magnitude!r} USD/tCO2")
        rate = there.rate
        assert flip.winner.total(rate) == pytest.approx(there.best.total(rate), rel=1e-6)
        assert r.best.total(rate) == pytest.approx(there.best.total(rate), rel=1e-6)


@settings(max_examples=25)
@given(low=st.floats(0, 500), more=st.floats(0, 500))
def test_a_higher_carbon_price_never_picks_a_dirtier_region(low, more):
    first, then = (place(CHEAP, MIDDLE, CLEAN, price=f"{x!r} USD/tCO2") for x in (low, low + more))
    assert then.best.grams <= first.best.grams


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"regions": []}, "regions must list Grids or Regions, at least one; got []"),
        ({"regions": 5}, "regions must list Grids or Regions"),
        ({"regions": [CHEAP, "there"]}, "regions must list Grids or Regions"),
        ({"regions": [Region(grid="there")]}, "regions must list Grids or Regions"),
        ({"energy": 5}, "energy needs a unit"),
        ({"energy": Q_("0 kWh")}, "energy must be a finite positive quantity"),
        ({"carbon_price": 50}, "carbon_price needs a unit"),
        ({"carbon_price": Q_("-1 USD/tCO2")}, "carbon_price must be a finite non-negative quantity"),
        ({"pue": 0.5}, "pue must be a Datacenter or at least 1; got 0.5"),
        ({"latency_limit": 5}, "latency_limit needs a unit"),
        ({"data": Q_("1 GFLOP")}, "data needs"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    good = {"regions": [CHEAP], "energy": MEGAWATT_HOUR, "carbon_price": Q_("50 USD/tCO2")}
    with pytest.raises(ArgumentError) as caught:
        PlacementOptimizer().solve(**{**good, **wrong})
    assert said in str(caught.value)


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        PlacementOptimizer().solve([], energy=5, carbon_price=5, pue=0, latency_limit=1, data=1)
    for word in ("regions", "energy", "carbon_price", "pue", "latency_limit", "data"):
        assert word in str(caught.value)


def test_a_region_names_its_faults():
    with pytest.raises(ArgumentError) as caught:
        Region(grid=CHEAP, latency=5, egress=Q_("1 USD"))
    assert "Region cheap" in str(caught.value)
    assert "latency" in str(caught.value)
    assert "egress" in str(caught.value)


def test_a_result_cannot_be_changed():
    r = place(CHEAP)
    with pytest.raises(AttributeError):
        r.rate = 1.0
    assert replace(r, rate=1.0).rate == 1.0
    assert r.to_dict()["best"] == "cheap"
