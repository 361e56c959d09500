"""Energy, carbon and water by hand."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Datacenter, Fleet, Grid, Link, MissingSpecError, Node
from mlsysim.solvers.sustainability import PowerBasis, SustainabilityModel

GRID = Q_("500 gCO2/kWh")
HOURS = Q_("1000 hour")


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, "tdp": Q_("400 W"), **changes})


def box(**changes):
    link = Link(name="wire", bandwidth=Q_("100 GB/s"), topology="switched")
    return Node(**{"name": "Box", "accelerator": toy(), "devices": 8, "link": link, **changes})


def footprint(hardware=None, *args, **options):
    chosen = {"grid": GRID, **options}
    if "flops" not in chosen:
        chosen.setdefault("duration", HOURS)
    return SustainabilityModel().solve(hardware or toy(), *args, **chosen)


def close(quantity, expected):
    want = Q_(expected)
    assert quantity.to(want.units).magnitude == pytest.approx(want.magnitude, rel=1e-9)


def test_energy_and_carbon_by_hand():
    """10 devices of 400 W, 1,000 h, half of the power for half of the time, PUE 1.2: 1,200 kWh; 600 kg."""
    r = footprint(toy(), 10, power_share=0.5, utilisation=0.5, pue=1.2)
    close(r.device_time, "10000 hour")
    close(r.energy, "1200 kWh")
    close(r.operational_carbon, "600 kg")
    close(r.carbon, "0.6 tonne")
    assert r.machines.basis is PowerBasis.TDP


def test_embodied_carbon_is_spread_over_the_lifetime():
    """4 devices of 150 kg each, held a year of five: 120 kg, on top of 4 x 3,504 kWh x 0.5 kg."""
    r = footprint(toy(), 4, duration=Q_("1 year"), embodied=Q_("150 kg"), lifetime=Q_("5 year"))
    close(r.embodied_carbon, "120 kg")
    close(r.operational_carbon, "7008 kg")
    close(r.carbon, "7128 kg")


def test_water_of_the_site_goes_with_machine_energy_and_that_of_the_grid_with_site_energy():
    """400 kWh at the machine, 480 from the grid: 2 x 400 + 3 x 480 L."""
    r = footprint(pue=1.2, wue=Q_("2 L/kWh"), grid_water=Q_("3 L/kWh"))
    close(r.water, "2240 L")
    close(footprint(pue=1.2, wue=Q_("2 L/kWh")).water, "800 L")
    close(footprint(pue=1.2, grid_water=Q_("3 L/kWh")).water, "1440 L")
    close(footprint(wue=Q_("0 L/kWh")).water, "0 L")


def test_a_datacenter_brings_overhead_and_water():
    site = Datacenter(name="site", pue=1.5, wue=Q_("2 L/kWh"))
    r = footprint(pue=site)
    close(r.energy, "600 kWh")
    close(r.water, "800 L")
    close(footprint(pue=site, wue=Q_("1 L/kWh")).water, "400 L")


def test_what_is_not_asked_for_is_not_counted_and_says_so():
    r = footprint()
    assert (r.embodied_carbon, r.water, r.per_million(r.energy)) == (None, None, None)
    assert ("Embodied carbon", "not counted") in r.rows()
    assert ("Water", "not counted") in r.rows()


def test_a_million_tokens():
    """400 kWh for 2e9 tokens: 0.2 kWh, and 0.1 kg, for a million."""
    r = footprint(tokens=Q_("2e9 token"))
    close(r.per_million(r.energy), "0.2 kWh/Mtoken")
    close(r.per_million(r.carbon), "0.1 kg/Mtoken")


def test_work_at_a_known_mfu():
    """3.6e23 FLOP on 10 devices at half of 100 TFLOP/s, working for 0.8 of the time: 250,000 h each."""
    r = footprint(toy(), 10, flops=Q_("3.6e23 FLOP"), mfu=0.5, utilisation=0.8)
    close(r.device_time, "2500000 hour")
    close(r.energy, "800000 kWh")


def test_mfu_is_a_share_of_the_peak_of_the_precision():
    device = toy(peak={"fp16": Q_("100 TFLOP/s"), "fp8": Q_("200 TFLOP/s")})
    half, whole = (footprint(device, 1, p, flops=Q_("1e20 FLOP"), mfu=0.4) for p in ("fp8", "fp16"))
    assert whole.seconds == pytest.approx(2 * half.seconds, rel=1e-12)


@pytest.mark.parametrize(("share", "expected"), [(None, "10200 kWh"), (Q_("500 W"), "4000 kWh")])
def test_the_power_of_a_node_is_taken_where_it_is_published(share, expected):
    """10.2 kW for 1,000 h; or eight devices of 500 W."""
    r = footprint(box(power=Q_("10.2 kW")), power=share)
    close(r.energy, expected)
    assert r.machines.basis is (PowerBasis.NODE if share is None else PowerBasis.GIVEN)


def test_a_node_without_published_power_is_its_devices():
    r = footprint(box())
    close(r.energy, "3200 kWh")
    assert r.machines.basis is PowerBasis.TDP


def test_a_fleet_counts_all_nodes():
    fabric = Link(name="fabric", bandwidth=Q_("50 GB/s"), topology="switched")
    close(footprint(Fleet(name="F", node=box(power=Q_("10 kW")), nodes=3, fabric=fabric)).energy, "30000 kWh")
    close(footprint(Fleet(name="F", node=box(), nodes=3, fabric=fabric)).energy, "9600 kWh")


def test_the_grid_may_be_a_card():
    card = Grid(name="here", carbon_intensity=Q_("100 gCO2/kWh"))
    close(footprint(grid=card).carbon, "40 kg")
    close(footprint(grid=Q_("0 gCO2/kWh")).carbon, "0 kg")


def test_a_device_without_published_power_is_refused_and_not_guessed():
    with pytest.raises(MissingSpecError, match="Toy has no published tdp"):
        footprint(toy(tdp=None))
    close(footprint(toy(tdp=None), power=Q_("100 W")).energy, "100 kWh")


def test_the_result_shows_what_the_power_rests_on():
    assert "bounds the devices from above" in repr(footprint())
    assert footprint().to_dict()["energy"] == {"value": pytest.approx(400), "unit": "kWh"}


positive = st.floats(1e-3, 1e3)


@settings(max_examples=25)
@given(hours=positive, factor=positive, share=st.floats(0.01, 1), pue=st.floats(1, 3))
def test_energy_is_linear_in_time_and_power_and_carbon_in_the_grid(hours, factor, share, pue):
    base = footprint(duration=HOURS)
    scaled = footprint(duration=hours * HOURS, power_share=share, pue=pue, grid=factor * GRID)
    ratio = (scaled.energy / base.energy).to("").magnitude
    assert ratio == pytest.approx(hours * share * pue, rel=1e-9)
    assert (scaled.carbon / base.carbon).to("").magnitude == pytest.approx(ratio * factor, rel=1e-9)


@settings(max_examples=25)
@given(hours=positive, devices=st.integers(1, 1000))
def test_only_device_hours_matter(hours, devices):
    many = footprint(toy(), devices, duration=hours * HOURS)
    one = footprint(toy(), duration=devices * hours * HOURS)
    assert many.energy.magnitude == pytest.approx(one.energy.magnitude, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grid": 500}, 'grid needs a unit, as in Q_("1 g/kWh")'),
        ({"grid": Q_("-1 g/kWh")}, "grid must be a finite non-negative quantity"),
        ({"duration": Q_("0 hour")}, "duration must be a finite positive quantity"),
        ({"duration": None}, "give either duration, or flops and mfu together"),
        ({"flops": Q_("1 EFLOP"), "mfu": 0.5, "duration": HOURS}, "give either duration, or flops and mfu"),
        ({"duration": None, "flops": Q_("1 EFLOP")}, "give either duration, or flops and mfu together"),
        ({"duration": HOURS, "mfu": 0.5}, "give either duration, or flops and mfu together"),
        ({"duration": None, "flops": Q_("1 EFLOP"), "mfu": 0}, "mfu must be above 0 and at most 1; got 0"),
        ({"utilisation": 1.5}, "utilisation must be above 0 and at most 1; got 1.5"),
        ({"power_share": 0}, "power_share must be above 0 and at most 1; got 0"),
        ({"pue": 0.9}, "pue must be a Datacenter or at least 1; got 0.9"),
        ({"embodied": Q_("150 kg")}, "embodied and lifetime belong together"),
        ({"lifetime": Q_("5 year")}, "embodied and lifetime belong together"),
        ({"embodied": Q_("1 kg"), "lifetime": Q_("0 year")}, "lifetime must be a finite positive quantity"),
        ({"wue": Q_("2 L")}, "wue needs"),
        ({"tokens": 5}, "tokens needs a unit"),
        ({"devices": 0}, "devices must be a whole number of at least 1; got 0"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"hardware": "Toy"}, "hardware must be a device, a Node or a Fleet; got 'Toy'"),
        ({"hardware": box(), "devices": 4}, "devices is for a single device; Box has 8 already"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        SustainabilityModel().solve(**{"hardware": toy(), "grid": GRID, "duration": HOURS, **wrong})
    assert said in str(caught.value)


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        footprint("Toy", 0, "fp17", grid=5, utilisation=0, pue=0, power=3, wue=1)
    for word in ("hardware", "devices", "fp17", "grid", "utilisation", "pue", "power", "wue"):
        assert word in str(caught.value)


def test_a_result_cannot_be_changed():
    with pytest.raises(AttributeError):
        footprint().seconds = 1.0
    assert replace(footprint(), seconds=2.0).seconds == 2.0
