"""Choosing by figures, and tables of figures."""

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Hardware,
    Infrastructure,
    Models,
    Systems,
    UnitError,
    selection,
)
from mlsysim.core.errors import UnknownNameError


def device(name, **figures):
    given = {"bandwidth": "1 TB/s", "capacity": "64 GB", "fp16": "100 TFLOP/s"} | figures
    peak = {"fp16": Q_(given.pop("fp16"))}
    year, vendor = given.pop("year", None), given.pop("vendor", "")
    rest = {k: Q_(v) for k, v in given.items()}
    return Accelerator(name=name, peak=peak, year=year, vendor=vendor, **rest)


ZOO = [
    device("slow", bandwidth="500 GB/s", year=2018, vendor="Acme"),
    device("fast", bandwidth="3 TB/s", fp16="1 PFLOP/s", year=2022, vendor="Acme", tdp="700 W"),
    device("other", vendor="Umbrella"),
]


@pytest.mark.parametrize(
    ("bounds", "names"),
    [
        ({}, ["slow", "fast", "other"]),
        ({"bandwidth": ">= 1 TB/s"}, ["fast", "other"]),
        ({"bandwidth": "> 1000 GB/s"}, ["fast"]),
        ({"bandwidth": ("0.5 TB/s", "1 TB/s")}, ["slow", "other"]),
        ({"bandwidth": (None, Q_("600 GB/s"))}, ["slow"]),
        ({"bandwidth": Q_("1 TB/s")}, ["other"]),
        ({"year": "< 2020"}, ["slow"]),
        ({"year": 2022}, ["fast"]),
        ({"vendor": "acme"}, ["slow", "fast"]),
        ({"vendor": "!= Acme"}, ["other"]),
        ({"peak__fp16": ">= 1 PFLOP/s"}, ["fast"]),
        ({"peak.fp16": "< 1 PFLOP/s", "vendor": "Acme"}, ["slow"]),
        ({"tdp": "> 1 W"}, ["fast"]),
        ({"name": lambda name: "o" in name}, ["slow", "other"]),
    ],
)
def test_bounds_select(bounds, names):
    assert [hw.name for hw in selection.where(ZOO, bounds)] == names


@pytest.mark.parametrize(
    ("bounds", "error", "said"),
    [
        ({"bandwith": ">= 1 TB/s"}, UnknownNameError, "no field 'bandwith'. Did you mean 'bandwidth'?"),
        ({"bandwidth": ">= 1 TB"}, UnitError, "bandwidth is in TB/s"),
        ({"bandwidth": ">= 1 parsec/s"}, UnitError, "unknown unit 'parsec'"),
        ({"year": "> soon"}, ArgumentError, "year is a number"),
    ],
)
def test_a_bound_that_cannot_be_met_is_refused(bounds, error, said):
    with pytest.raises(error) as caught:
        selection.where(ZOO[1:], bounds)
    assert said in str(caught.value)


def test_figures_have_dotted_names():
    found = selection.figures(ZOO[1])

    assert found["peak.fp16"] == Q_("1 PFLOP/s")
    assert found["name"] == "fast"
    assert "price" not in found


@pytest.mark.parametrize("registry", [Hardware, Infrastructure, Models, Systems])
def test_every_registry_becomes_a_table(registry):
    pytest.importorskip("pandas")
    table = registry.to_pandas()

    assert len(table) == len(registry)
    assert table.index.is_unique
    assert not any("sources" in column for column in table.columns)


def test_units_stand_in_the_headings():
    pytest.importorskip("pandas")
    table = selection.to_pandas(ZOO)

    assert table.loc["fast", "bandwidth [GB/s]"] == pytest.approx(3000)
    assert table.loc["slow", "bandwidth [GB/s]"] == 500
    assert table["tdp [W]"].isna().sum() == 2


def test_registries_select():
    assert {hw.vendor for hw in Hardware.where(vendor="Google")} == {"Google"}
    assert all(m.experts for m in Models.where(experts="> 1"))
    clean = {g.name.split()[0] for g in Infrastructure.where(carbon_intensity="< 60 g/kWh")}
    assert clean >= {"Sweden", "Norway"}


def test_a_card_of_ones_own_is_loaded(tmp_path):
    card = tmp_path / "mine.toml"
    source = 'source = "me"\nplace = "here"\nread = 2026-01-31\nconfidence = "high"\n'
    card.write_text(
        'name = "Mine"\nkind = "gpu"\n'
        f'[peak.fp16]\nvalue = 100\nunit = "TFLOP/s"\n{source}'
        f'[bandwidth]\nvalue = 1\nunit = "TB/s"\n{source}[capacity]\nvalue = 64\nunit = "GB"\n{source}'
    )
    assert Hardware.load(card).bandwidth_si == 1e12
