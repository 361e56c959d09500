"""Registries as tables, and their sources as Markdown."""

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest

from mlsysim import Hardware, Infrastructure, Models, Systems, catalogue
from mlsysim.catalogue import Entry
from mlsysim.core.constants import Q_
from mlsysim.core.errors import ArgumentError
from mlsysim.core.specs import Accelerator, FrozenMap, Source
from mlsysim.core.systems import Datacenter, Fleet, Grid, Link, Node, Price

REGISTRIES = {"hardware": Hardware, "models": Models, "systems": Systems, "infrastructure": Infrastructure}
KINDS = {Systems: (Link, Node, Fleet), Infrastructure: (Grid, Datacenter, Price)}


class Table(HTMLParser):
    """Rows of a table: for each cell its text and its attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, dict[str, str | None]]]] = []
        self.links: list[str] = []
        self._open = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(("", dict(attrs)))
            self._open = True
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open:
            text, attributes = self.rows[-1][-1]
            self.rows[-1][-1] = text + data, attributes

    def cell(self, name: str, title: str) -> tuple[str, dict[str, str | None]]:
        at = next(i for i, (text, _) in enumerate(self.rows[0]) if text.startswith(title))
        return next(row[at] for row in self.rows[1:] if row[0][0] == name)


def all_tables() -> list[list[Entry[Any]]]:
    found = []
    for registry in REGISTRIES.values():
        entries = catalogue.entries(registry)
        kinds = KINDS.get(registry)
        found += [catalogue.of_kind(entries, kind) for kind in kinds] if kinds else [entries]
    return found


@pytest.fixture
def card() -> Entry[Accelerator]:
    other = FrozenMap({"value": 2, "unit": "TB/s", "source": "other-key", "place": "p. 3"})
    bandwidth = Source(
        value=1.95, unit="TB/s", source="a-key", place="table_2 [top] @ *", read=date(2026, 1, 31),
        confidence="medium", note="the other is rounded", also=(other,),
    )  # fmt: skip
    peak = Source(
        value=1000.0, unit="TFLOP/s", source="a-key", place="p. 1", read=date(2026, 1, 31),
        confidence="medium", accumulate="fp32",
    )  # fmt: skip
    year = Source(value=2024, source="maker", place="title", read=date(2026, 1, 31), confidence="high")
    device = Accelerator(
        name="A & B <1>", peak={"bf16": Q_("1 PFLOP/s")}, bandwidth=Q_("1.95 TB/s"), year=2024,
        sources=FrozenMap({"bandwidth": bandwidth, "peak.bf16": peak, "year": year}),
    )  # fmt: skip
    return Entry("Cloud", "AB", device)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)
def test_entries_are_the_whole_registry(registry: Any) -> None:
    found = catalogue.entries(registry)
    assert [e.item for e in found] == list(registry)
    assert all(getattr(getattr(registry, e.group), e.stem) is e.item for e in found)


def test_every_thing_is_in_a_table() -> None:
    assert sum(map(len, all_tables())) == sum(map(len, REGISTRIES.values()))


@pytest.mark.parametrize("found", all_tables(), ids=lambda found: type(found[0].item).__name__)
def test_every_row_is_whole_and_sortable(found: list[Entry[Any]]) -> None:
    table = Table(catalogue.table(found, "all", "Everything"))
    head, *rows = table.rows
    assert [row[0][0] for row in rows] == [str(e.item) for e in found]
    assert all(len(row) == len(head) for row in rows)
    for row in rows:
        for (title, at_head), (text, attributes) in zip(head[1:], row[1:], strict=True):
            assert text, f"{row[0][0]}: nothing under {title}"
            assert (attributes.get("class") == "num") == (at_head.get("class") == "num")
            if attributes.get("class") == "num" and text != catalogue.ABSENT:
                float(attributes.get("data-v") or text)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)
def test_every_link_has_its_card(registry: Any) -> None:
    found = catalogue.entries(registry)
    cards = re.findall(r"^::: \{#(\S+) \.zoo-card\}$", catalogue.sources(found), re.MULTILINE)
    assert cards == [catalogue.anchor(e) for e in found]
    assert len(set(cards)) == len(cards)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES)
def test_sources_show_every_figure_and_cite_every_source(registry: Any) -> None:
    found = catalogue.entries(registry)
    text = catalogue.sources(found)
    cited = set(re.findall(r"@([\w.:-]+?)(?=[\s\]])", text))
    wanted = [s for e in found for s in e.item.sources.values()]
    assert cited == {s.source for s in wanted} | {o["source"] for s in wanted for o in s.also}
    assert len(re.findall(r"(?<!^)\*\*[\w ]+\*\* ", text, re.MULTILINE)) == len(wanted)


def test_a_table_shows_values_with_prefixes_and_keeps_them(card: Entry[Accelerator]) -> None:
    table = Table(catalogue.table([card], "one", "One & only"))
    assert table.cell("A & B <1>", "Bandwidth") == ("1.95\xa0T", {"class": "num", "data-v": "1.95e+12"})
    assert table.cell("A & B <1>", "16-bit")[0] == "1\xa0P"
    assert table.cell("A & B <1>", "Ridge point")[0] == "512.8"  # 1e15 / 1.95e12
    assert table.cell("A & B <1>", "Year") == ("2024", {})
    assert table.links == ["#card-AB"]


def test_a_column_of_nothing_and_a_single_group_are_left_out(card: Entry[Accelerator]) -> None:
    titles = [text for text, _ in Table(catalogue.table([card], "one", "One")).rows[0]]
    assert not [t for t in titles if t.startswith(("TDP", "int8", "Group"))]
    other = card._replace(group="Edge")
    titles = [text for text, _ in Table(catalogue.table([card, other], "two", "Two")).rows[0]]
    assert titles[:2] == ["Name", "Group"]


def test_names_lead_to_another_page(card: Entry[Accelerator]) -> None:
    other = card._replace(group="Other")
    pages = {card.group: "s.html"}

    assert Table(catalogue.table([card, other], "two", "Two", pages)).links == ["s.html#card-AB", "#card-AB"]


def test_markup_is_escaped(card: Entry[Accelerator]) -> None:
    markup = catalogue.table([card], "one", "One & <only>")
    assert "One &amp; &lt;only&gt;" in markup
    assert "<1>" not in markup


@pytest.mark.parametrize("found", [[], [Entry("Cloud", "x", "a text")]])
def test_what_has_no_table_is_refused(found: list[Entry[Any]]) -> None:
    with pytest.raises(ArgumentError, match=r"catalogue\.table\(\): no table for .*; things needs cards"):
        catalogue.table(found, "things", "Things")


def test_a_card_groups_figures_by_source(card: Entry[Accelerator]) -> None:
    text = catalogue.sources([card])
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert lines == [
        (
            "- @a-key (second hand, 2026-01-31): **bandwidth** 1.95 TB/s "
            "(table&#95;2 &#91;top&#93; &#64; &#42;) "
            "*the other is rounded*; elsewhere 2 TB/s [@other-key] (p. 3); "
            "**bf16** 1,000 TFLOP/s with fp32 sums (p. 1)"
        ),
        "- @maker (first hand, 2026-01-31): **year** 2024 (title)",
    ]
    assert "Cloud: 1 card, 3 figures" in text
    assert "**A &#38; B &#60;1&#62;**" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (206141652992, "206,141,652,992"),
        (1307.4, "1,307.4"),
        (8.0, "8"),
        (True, "yes"),
        ([3, 224, 224], "3, 224, 224"),
        ([{"op": "conv"}, {"op": "linear"}], "2 operations"),
        ("2026-04", "2026-04"),
    ],
)
def test_a_source_states_its_value_unrounded(card: Entry[Accelerator], value: Any, shown: str) -> None:
    source = Source(value=value, source="k", place="p", read=date(2026, 1, 1), confidence="high")
    device = Accelerator(name="x", peak={"fp16": Q_("1 TFLOP/s")}, sources=FrozenMap({"capacity": source}))
    assert f"**capacity** {shown} (p)" in catalogue.sources([card._replace(item=device)])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1\xa0k"),
        (9.9e11, "990\xa0G"),
        (3e20, "300\xa0E"),
        (5e22, "50,000\xa0E"),
    ],
)
def test_prefixes(value: float, shown: str) -> None:
    assert catalogue.prefixed(value) == shown


def test_the_faster_half_precision_is_taken() -> None:
    # The Gaudi 3 white paper gives 1,677 TFLOP/s in bf16 and 459 in fp16.
    assert catalogue.half_precision(Hardware.Gaudi3) == "bf16"
    assert catalogue.half_rate(Hardware.Gaudi3, 8) == pytest.approx(8 * 1677e12)
    assert catalogue.ridge_point(Hardware.RP2040) is None


def test_work_of_one_item() -> None:
    # Two FLOP for each matmul parameter: 8.03 billion parameters, less a table of 128256 x 4096.
    llama = 2 * (8.030e9 - 128256 * 4096)
    assert catalogue.item_flops(Models.Llama3_8B) == pytest.approx(llama, rel=1e-3)
    assert catalogue.work_item(Models.Llama3_8B) == "token"
    assert catalogue.work_item(Models.BERT_Base) == "512 tokens"
    assert catalogue.work_item(Models.ResNet50) == "input"
    assert catalogue.item_flops(Models.ResNet50) == pytest.approx(2 * 4.09e9, rel=0.01)  # 4.09 GMAC


def test_cache_of_one_token() -> None:
    assert catalogue.cache_per_token(Models.Llama3_8B) == 2 * 32 * 8 * 128 * 2
    assert catalogue.cache_per_token(Models.Mamba_2_8B) == 0
    assert catalogue.cache_per_token(Models.ResNet50) is None
    assert catalogue.attention(Models.Falcon_7B) == "MQA"
    assert catalogue.sort_of(Models.ResNet50) == "convnet"
    assert catalogue.attention(Models.ResNet50) == ""
