"""Registries as tables for the website, and their figures with the places where they were read.

A table is HTML: a heading names the unit, a cell keeps its value in SI for the script that sorts. Sources
are Markdown, because citations are resolved there.
"""

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import pint

from mlsysim import format as fmt
from mlsysim.core.counting import count, kv_bytes_per_token, parameters
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import KINDS, Encoder, Model, Phase, Recommender, StateSpace, Transformer, UNet
from mlsysim.core.precision import precision
from mlsysim.core.specs import Accelerator, Source
from mlsysim.core.systems import Datacenter, Fleet, Grid, Link, Node, Price
from mlsysim.registry import Group, Registry

T = TypeVar("T")

ABSENT = "—"
"""What a cell shows where nothing is published."""

_SCALED = frozenset({"B", "B/s", "FLOP", "FLOP/s", "FLOP/B", "parameters"})
"""Units whose values are shown with a prefix of their own, as in ``3.35 T`` under ``B/s``."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_CONFIDENCE = {"high": "first hand", "medium": "second hand"}


class Entry(NamedTuple, Generic[T]):
    """A card: its group, the name by which it is an attribute, and what it describes."""

    group: str
    stem: str
    item: T


def entries(registry: Registry[T]) -> list[Entry[T]]:
    """Return every card of a registry, group by group.

    Examples
    --------
    >>> from mlsysim import Hardware
    >>> next(e.group for e in entries(Hardware) if e.stem == "H100")
    'Cloud'
    """
    groups = {name: getattr(registry, name) for name in dir(registry)}
    return [
        Entry(name, stem, getattr(group, stem))
        for name, group in groups.items()
        if isinstance(group, Group)
        for stem in dir(group)
    ]


def of_kind(found: Iterable[Entry[Any]], kind: type[T]) -> list[Entry[T]]:
    """Return the cards that describe things of one type."""
    return [Entry(e.group, e.stem, e.item) for e in found if isinstance(e.item, kind)]


# ---------------------------------------------------------------------- what the columns show
def half_precision(device: Accelerator) -> str | None:
    """Return the faster of a device's two 16-bit formats, or None where it publishes neither.

    Examples
    --------
    >>> from mlsysim import Hardware
    >>> half_precision(Hardware.TPU_v5e), half_precision(Hardware.STM32F746)
    ('bf16', None)
    """
    known = [key for key in ("fp16", "bf16") if key in device.peak]
    return max(known, key=device.peak_si.__getitem__, default=None)


def half_rate(device: Accelerator, devices: int = 1) -> float | None:
    """Return the peak rate of *devices* in the format of `half_precision`. [FLOP/s]"""
    key = half_precision(device)
    return devices * device.peak_si[key] if key else None


def ridge_point(device: Accelerator) -> float | None:
    """Return the ridge point in half precision, where peak and bandwidth are published. [FLOP/B]"""
    rate = half_rate(device)
    return None if rate is None or device.bandwidth is None else rate / device.figure("bandwidth")


def attention(model: Model) -> str:
    """Return how a language model attends: MHA, GQA, MQA or MLA; nothing for other networks.

    Examples
    --------
    >>> from mlsysim import Models
    >>> attention(Models.GPT3), attention(Models.Llama3_8B), attention(Models.DeepSeek_V3)
    ('MHA', 'GQA', 'MLA')
    """
    if not isinstance(model, Transformer):
        return ""
    if model.kv_rank:
        return "MLA"
    if model.kv_heads == model.heads:
        return "MHA"
    return "MQA" if model.kv_heads == 1 else "GQA"


def sort_of(model: Model) -> str:
    """Return what sort of network it is, in a few words.

    Examples
    --------
    >>> from mlsysim import Models
    >>> sort_of(Models.Mistral_7B), sort_of(Models.DeepSeek_V3)
    ('decoder, window', 'decoder, 8 of 256 experts')
    """
    words = [next(word for word, made in KINDS.items() if type(model) is made)]
    if isinstance(model, Transformer):
        words += ["window"] if model.window else []
        words += [f"{model.experts_per_token} of {model.experts} experts"] if model.experts else []
    return ", ".join(words)


def item_flops(model: Model) -> float:
    """Return the FLOP that a network spends on one item, as `work_item` names it. [FLOP]"""
    half = precision("fp16")
    if Phase.DECODE in model.phases:
        return float(count(model, Phase.DECODE, half, batch=1.0).flops)
    prompt = model.context if isinstance(model, Encoder) else 0
    return float(count(model, Phase.FORWARD, half, batch=1.0, prompt=prompt).flops)


def work_item(model: Model) -> str:
    """Return what one item is: a token without context before it, a sequence, an input."""
    if Phase.DECODE in model.phases:
        return "token"
    if isinstance(model, Encoder):
        return f"{model.context} tokens"
    return {UNet: "denoising step", Recommender: "sample"}.get(type(model), "input")


def cache_per_token(model: Model) -> float | None:
    """Return the bytes that one more token adds to a sequence's cache in fp16; None without a decoder. [B]"""
    if isinstance(model, Transformer):
        return kv_bytes_per_token(model, precision("fp16"))
    return 0.0 if isinstance(model, StateSpace) else None


def _node_memory(node: Node) -> float | None:
    one = node.accelerator.figures.get("capacity")
    return None if one is None else node.devices * one


def _year(thing: Any) -> str | None:
    """Return the year of a thing as text, which has no thousands separator."""
    return None if thing.year is None else str(thing.year)


def _rate(key: str) -> "Column":
    return Column(key, "FLOP/s", lambda d: d.peak_si.get(key))


class Column(NamedTuple):
    """One column: its title, the unit of its values, and how a card's value is found."""

    title: str
    unit: str
    of: Callable[[Any], Any]


COLUMNS: Mapping[Any, Sequence[Column]] = {
    Accelerator: (
        Column("Year", "", _year),
        Column("16-bit", "FLOP/s", half_rate),
        Column("Bandwidth", "B/s", lambda d: d.figures.get("bandwidth")),
        Column("Ridge point", "FLOP/B", ridge_point),
        Column("Memory", "B", lambda d: d.figures.get("capacity")),
        Column("TDP", "W", lambda d: d.tdp),
        *map(_rate, ("fp32", "fp8", "int8", "fp4")),
        Column("Link", "B/s", lambda d: d.figures.get("link")),
    ),
    Model: (
        Column("Kind", "", sort_of),
        Column("Attention", "", attention),
        Column("Counted", "parameters", parameters),
        Column("Published", "parameters", lambda m: m.published.get("params")),
        Column("Work", "FLOP", item_flops),
        Column("for each", "", work_item),
        Column("Cache per token", "B", cache_per_token),
        Column("Context", "tokens", lambda m: getattr(m, "context", None)),
    ),
    Link: (
        Column("Bandwidth", "B/s", lambda link: link.bandwidth_si),
        Column("Latency", "us", lambda link: link.latency),
        Column("Topology", "", lambda link: str(link.topology)),
        Column("Ports", "", lambda link: link.ports),
        Column("Maker", "", lambda link: link.vendor),
    ),
    Node: (
        Column("Devices", "", lambda n: n.devices),
        Column("16-bit", "FLOP/s", lambda n: half_rate(n.accelerator, n.devices)),
        Column("Memory", "B", _node_memory),
        Column("Inside", "B/s", lambda n: n.link.bandwidth_si),
        Column("Outside", "B/s", lambda n: n.nic and n.nic.bandwidth_si),
        Column("Power", "kW", lambda n: n.power),
        Column("Link", "", lambda n: n.link.name),
        Column("Year", "", _year),
    ),
    Fleet: (
        Column("Devices", "", lambda f: f.devices),
        Column("Nodes", "", lambda f: f.nodes),
        Column("16-bit", "FLOP/s", lambda f: half_rate(f.node.accelerator, f.devices)),
        Column("Bandwidth", "B/s", lambda f: f.fabric.bandwidth_si),
        Column("Fabric", "", lambda f: f.fabric.name),
        Column("Node", "", lambda f: f.node.name),
    ),
    Grid: (
        Column("Carbon intensity", "g/kWh", lambda g: g.carbon_intensity),
        Column("Price", "USD/kWh", lambda g: g.price),
        Column("Year", "", _year),
    ),
    Datacenter: (
        Column("PUE", "", lambda d: d.pue),
        Column("WUE", "L/kWh", lambda d: d.wue),
        Column("Year", "", _year),
    ),
    Price: (
        Column("Device", "", lambda p: p.accelerator.name),
        Column("Price", "USD/h", lambda p: p.hourly),
        Column("Terms", "", lambda p: p.terms),
        Column("Date", "", lambda p: p.date),
    ),
}
"""What a table shows of each kind of thing, beside its name."""


# ---------------------------------------------------------------------- tables
def prefixed(value: float) -> str:
    """Return a number with a decimal prefix and a no-break space before it.

    Examples
    --------
    >>> [prefixed(x).split() for x in (3.35e12, 256e6, 80)]
    [['3.35', 'T'], ['256', 'M'], ['80']]
    """
    step = 0
    while step + 1 < len(_PREFIXES) and abs(value) >= 1000 ** (step + 1):
        step += 1
    return f"{fmt.number(value / 1000**step)}\N{NO-BREAK SPACE}{_PREFIXES[step]}".rstrip()


def _cell(unit: str, value: Any) -> tuple[str, str]:
    """Return what a cell shows, and the value by which it sorts where that cannot be read from it."""
    if value is None or value == "":
        return ABSENT, ""
    if isinstance(value, str):
        return html.escape(value), ""
    if isinstance(value, pint.Quantity):
        value = value.to(unit).magnitude
    shown = prefixed(value) if unit in _SCALED else fmt.number(value)
    shown = shown.replace("G", "B") if unit == "parameters" else shown  # billions, as the field says
    return (shown, "") if shown.replace(".", "").isdigit() else (shown, f' data-v="{value:.6g}"')


def table(
    found: Sequence[Entry[Any]], label: str, caption: str, pages: Mapping[str, str] | None = None
) -> str:
    """Return cards of one kind as an HTML table that can be sorted and filtered, as a Markdown block.

    A name leads to the card's sources. A column in which nothing is published is left out, and so is the
    group where there is but one.

    Parameters
    ----------
    found
        One card for each row.
    label
        Identifier of the table on its page, ``zoo-`` before it.
    caption
        The line above it.
    pages
        Address of the page that has the sources of a group, where it is another one.

    Raises
    ------
    ArgumentError
        If there is no card, or no table for things of this kind.
    """
    first = found[0].item if found else None
    columns = next((columns for made, columns in COLUMNS.items() if isinstance(first, made)), None)
    if columns is None:
        msg = f"catalogue.table(): no table for {first!r}; {label} needs cards of a registry"
        raise ArgumentError(msg)
    values = {column: [column.of(entry.item) for entry in found] for column in columns}
    if len({entry.group for entry in found}) > 1:
        values = {Column("Group", "", str): [entry.group for entry in found], **values}
    heads, rows = (
        ['<th scope="col">Name</th>'],
        [[_name(entry, (pages or {}).get(entry.group, ""))] for entry in found],
    )
    for column, cells in values.items():
        said = [cell for cell in cells if cell not in (None, "")]
        if not said:
            continue
        mark = "" if isinstance(said[0], str) else ' class="num"'
        unit = f" <small>{column.unit}</small>" if column.unit else ""
        heads.append(f'<th scope="col"{mark}>{column.title}{unit}</th>')
        for row, (shown, key) in zip(rows, (_cell(column.unit, cell) for cell in cells), strict=True):
            whole = ' class="word"' if not mark and "-" in shown and " " not in shown else mark  # a date
            row.append(f"<td{whole}{key}>{shown}</td>")
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return _raw(
        f'<div class="zoo-table" id="zoo-{label}">\n'
        f'<p class="zoo-caption" id="zoo-{label}-caption">{html.escape(caption)}</p>\n'
        f'<div class="zoo-scroll" role="region" tabindex="0" aria-labelledby="zoo-{label}-caption">\n'
        f'<table class="table" data-quarto-disable-processing="true" aria-labelledby="zoo-{label}-caption">\n'
        f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>\n</div>"
    )


def _name(entry: Entry[Any], page: str) -> str:
    return f'<th scope="row"><a href="{page}#{anchor(entry)}">{html.escape(str(entry.item))}</a></th>'


def _raw(markup: str) -> str:
    """Return HTML as a block that Markdown leaves alone."""
    return f"\n```{{=html}}\n{markup}\n```\n"


# ---------------------------------------------------------------------- sources
def anchor(entry: Entry[Any]) -> str:
    """Return the identifier under which a card's sources stand on its page."""
    return f"card-{entry.stem}"


def sources(found: Iterable[Entry[Any]]) -> str:
    """Return every figure of the cards with the place where it was read, folded by group, as Markdown.

    Citations are keys of the bibliography.
    """
    groups: dict[str, list[Entry[Any]]] = {}
    for entry in found:
        groups.setdefault(entry.group, []).append(entry)
    return "\n".join(_fold(group, cards) for group, cards in groups.items())


def _fold(group: str, cards: Sequence[Entry[Any]]) -> str:
    figures = sum(len(entry.item.sources) for entry in cards)
    head = f"{group}: {len(cards)} {'card' if len(cards) == 1 else 'cards'}, {fmt.number(figures)} figures"
    body = "\n".join(_card(entry) for entry in cards)
    start = f'<details class="zoo-sources no-search"><summary>{head}</summary>'
    return f"{_raw(start)}\n{body}\n{_raw('</details>')}"


def _card(entry: Entry[Any]) -> str:
    """Return the figures of one card, those of one source together."""
    read: dict[tuple[str, str, str], list[str]] = {}
    for field, source in entry.item.sources.items():
        key = source.source, _CONFIDENCE[source.confidence], f"{source.read}"
        read.setdefault(key, []).append(_figure(field, source))
    lines = [f"- @{key} ({hand}, {day}): {'; '.join(figures)}" for (key, hand, day), figures in read.items()]
    head = f"::: {{#{anchor(entry)} .zoo-card}}\n**{plain(str(entry.item))}**\n"
    return "\n".join(["", head, *lines, ":::", ""])


def _figure(field: str, source: Source) -> str:
    """Return one figure, the place where it stands, and what a reader should know of it."""
    name = field.removeprefix("peak.").replace(".", " ").replace("_", " ")
    sums = f" with {source.accumulate} sums" if source.accumulate else ""
    note = f" *{plain(source.note)}*" if source.note else ""
    others = "".join(
        f"; elsewhere {_value(field, o['value'])} {o.get('unit', '')} [@{o['source']}] ({plain(o['place'])})"
        for o in source.also
    )
    value = f"{_value(field, source.value)} {plain(source.unit)}".rstrip()
    return f"**{name}** {value}{sums} ({plain(source.place)}){note}{others}"


def _value(field: str, value: Any) -> str:
    """Return a value as the card states it, unrounded."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value) if field == "year" else f"{value:,}".removesuffix(".0")
    if isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        return f"{len(value)} operations"
    return plain(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def plain(text: str) -> str:
    """Return a text so that Markdown takes no character of it for a sign of its own.

    Examples
    --------
    >>> plain("n_head * 2 @ fp16")
    'n&#95;head &#42; 2 &#64; fp16'
    """
    return "".join(c if c.isalnum() or c in " .,;:()-+/=%" or c > "~" else f"&#{ord(c)};" for c in text)
