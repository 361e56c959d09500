"""`zoo`: what there is, chosen by figures, and one card with its sources."""

import csv
import io

import pytest

from mlsysim import Q_, Hardware, Infrastructure, Models, Systems
from mlsysim.commands.names import REGISTRIES

WHOLE = dict(zip(REGISTRIES, (Hardware, Models, Systems, Infrastructure), strict=True))


def test_the_overview_counts_every_card(run):
    data = run("zoo")

    assert {name: sum(groups.values()) for name, groups in data.items()} == {
        name: len(registry) for name, registry in WHOLE.items()
    }


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_registry_lists_every_card_in_every_format(name, run):
    many = len(WHOLE[name])
    cards = run("zoo", name)["cards"]
    head, *rows = csv.reader(io.StringIO(run("zoo", name, output="csv")))
    text = run("zoo", name, output="text")

    assert len({card["name"] for card in cards}) == len(cards) == len(rows) == many
    assert head[:3] == ["card", "group", "name"]
    assert text.startswith(f"{name.capitalize()}: {many} cards\n")
    assert all(f"\n{card['name']} " in text for card in cards)


def test_csv_has_units_in_its_headings(run):
    rows = csv.DictReader(io.StringIO(run("zoo", "hardware", output="csv")))
    (h100,) = (row for row in rows if row["card"] == "H100")

    figures = {}
    for heading, value in h100.items():
        name, _, unit = heading.removesuffix("]").partition(" [")
        figures[name] = Q_(float(value), unit) if unit and value else value

    assert figures["bandwidth"].to("TB/s").magnitude == pytest.approx(3.35)
    assert figures["peak.fp16"].to("TFLOP/s").magnitude == pytest.approx(989)
    assert h100["group"] == "Cloud"


@pytest.mark.parametrize(
    ("registry", "bounds", "chosen"),
    [
        ("hardware", ["vendor=AMD", "year<2023"], {"vendor": "AMD", "year": "< 2023"}),
        ("hardware", ["bandwidth>=3 TB/s"], {"bandwidth": ">= 3 TB/s"}),
        ("hardware", ["bandwidth=>=3 TB/s"], {"bandwidth": ">= 3 TB/s"}),
        ("hardware", ["peak.fp8 > 1 PFLOP/s"], {"peak__fp8": "> 1 PFLOP/s"}),
        ("models", ["experts >= 8"], {"experts": ">= 8"}),
        ("models", ["tied=yes"], {"tied": True}),
        ("systems", ["kind=fleet"], {"kind": "fleet"}),
        ("infrastructure", ["carbon_intensity<50 g/kWh"], {"carbon_intensity": "< 50 g/kWh"}),
    ],
)
def test_where(registry, bounds, chosen, run):
    cards = run("zoo", registry, "--where", *bounds)["cards"]
    expected = WHOLE[registry].where(**chosen)

    assert 0 < len(cards) < len(WHOLE[registry])
    assert {card["figures"]["name"] for card in cards} == {item.name for item in expected}


def test_where_may_be_repeated(run):
    once = run("zoo", "hardware", "--where", "vendor=NVIDIA", "year>=2024")
    twice = run("zoo", "hardware", "--where", "vendor=NVIDIA", "--where", "year>=2024")

    assert once == twice


def test_nothing_may_be_left(run):
    assert run("zoo", "hardware", "--where", "bandwidth>1 EB/s")["cards"] == []
    assert run("zoo", "hardware", "--where", "bandwidth>1 EB/s", output="text") == "Hardware: 0 cards\n"


def test_one_card_with_its_sources(run):
    data = run("zoo", "hardware", "H100 SXM 80GB")

    assert (data["name"], data["group"]) == ("H100", "Cloud")
    assert set(data["sources"]) == set(Hardware.H100.sources)
    assert data["sources"]["bandwidth"]["source"] == Hardware.H100.sources["bandwidth"].source
    text = run("zoo", "hardware", "H100", output="text")
    assert text.startswith("NVIDIA H100 SXM5 80GB\n")
    assert "Where that was read" in text
