"""`zoo`: what there is, what it can do, and where that was read."""

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pint

from mlsysim.catalogue import COLUMNS, Entry, entries, prefixed
from mlsysim.commands.names import REGISTRIES
from mlsysim.commands.page import Facts, Page, Part, Table
from mlsysim.core.errors import ArgumentError, UnknownNameError, suggestion
from mlsysim.format import number, plain
from mlsysim.registry import Hardware, Infrastructure, Models, Registry, Systems
from mlsysim.selection import figures, where

_REGISTRY: Final[dict[str, Registry[Any]]] = {
    "hardware": Hardware,
    "models": Models,
    "systems": Systems,
    "infrastructure": Infrastructure,
}
_WORDS: Final = {"yes": True, "true": True, "no": False, "false": False}
_BOUND: Final = re.compile(r"\s*([A-Za-z][\w.]*)\s*(<=|>=|==|!=|=|<|>)\s*([^\s*^][^*^]*?)\s*")


def zoo(given: Namespace) -> Page:
    """Answer what the zoo holds: a count, a list, or one card.

    Raises
    ------
    ArgumentError
        If a bound is no comparison, or there is nothing that it bounds.
    UnknownNameError
        If there is no such card, or no such figure.
    """
    if given.registry is None:
        if given.where:
            msg = f"--where needs a registry: one of {', '.join(REGISTRIES)}"
            raise ArgumentError(msg)
        return _overview()
    found = entries(_REGISTRY[given.registry])
    if given.card is not None:
        return _one(given.registry, given.card)
    if given.where:
        bounds = dict(_bound(text) for text in given.where)
        kept = {id(item) for item in where((entry.item for entry in found), bounds)}
        found = [entry for entry in found if id(entry.item) in kept]
    return _listed(given.registry, found)


def _bound(text: str) -> tuple[str, str | bool]:
    """Return the field and the bound of a text such as ``bandwidth>=2 TB/s``."""
    match = _BOUND.fullmatch(text)
    if match is None:
        msg = f"--where takes a comparison, as in vendor=AMD or 'bandwidth>=2 TB/s'; got {text!r}"
        raise ArgumentError(msg)
    field, sign, value = match.groups()
    if sign == "=" and value.casefold() in _WORDS:
        return field, _WORDS[value.casefold()]
    return field, value if sign == "=" else f"{sign} {value}"


def _overview() -> Page:
    counts = [
        (name, group, many, ", ".join(sorted(e.stem for e in found if e.group == group)[:4]) + ", …")
        for name, registry in _REGISTRY.items()
        for found in [entries(registry)]
        for group, many in Counter(entry.group for entry in found).items()
    ]
    table = Table(("registry", "group", "cards", "for example"), counts)
    data = {name: {group: many for n, group, many, _ in counts if n == name} for name in _REGISTRY}
    return Page(title="The zoo", parts=[table], data=data, records=table)


def _listed(registry: str, found: Sequence[Entry[Any]]) -> Page:
    """Return a table for each kind of thing, and every figure as a record."""
    title = f"{registry.capitalize()}: {len(found)} cards"
    tables: list[Part] = []
    for kind, columns in COLUMNS.items():
        kept = [entry for entry in found if isinstance(entry.item, kind)]
        values = {column: [column.of(entry.item) for entry in kept] for column in columns}
        shown = {c: cells for c, cells in values.items() if any(map(_says, cells))}
        heads = ["name", "group", *(f"{c.title} [{c.unit}]" if c.unit else c.title for c in shown)]
        rows = [
            [entry.stem, entry.group, *(_cell(c.unit, cells[i]) for c, cells in shown.items())]
            for i, entry in enumerate(kept)
        ]
        if rows:
            tables.append(Table(heads, rows))
    return Page(title=title, parts=tables, data=_data(registry, found), records=_records(found))


def _says(cell: Any) -> bool:
    """Return whether a cell holds anything."""
    return not (cell is None or (isinstance(cell, str) and not cell))


def _cell(unit: str, value: Any) -> Any:
    """Return a value with a decimal prefix where the unit takes one."""
    if not _says(value):
        return None
    if isinstance(value, pint.Quantity):
        value = value.to(unit).magnitude
    if isinstance(value, str):
        return value
    if unit in {"B", "B/s", "FLOP", "FLOP/s", "FLOP/B", "parameters"}:
        return prefixed(value).replace("\N{NO-BREAK SPACE}", " ")
    return number(value)


def _data(registry: str, found: Sequence[Entry[Any]]) -> dict[str, Any]:
    cards = [
        {"name": entry.stem, "group": entry.group, "figures": plain(figures(entry.item))} for entry in found
    ]
    return {"registry": registry, "cards": cards}


def _records(found: Sequence[Entry[Any]]) -> Table:
    """Return every figure of every card; a column's unit stands in its heading."""
    rows = [figures(entry.item) for entry in found]
    units: dict[str, Any] = {}
    names: dict[str, None] = {}
    for row in rows:
        for name, value in row.items():
            names.setdefault(name)
            if isinstance(value, pint.Quantity):
                units.setdefault(name, value.units)
    heads = [f"{name} [{units[name]:~P}]" if name in units else name for name in names]
    cells = [[_plain(row.get(name), units.get(name)) for name in names] for row in rows]
    return Table(
        ("card", "group", *heads), [(e.stem, e.group, *line) for e, line in zip(found, cells, strict=True)]
    )


def _plain(value: Any, unit: Any) -> Any:
    if isinstance(value, pint.Quantity):
        return value.to(unit).magnitude
    if value is None or isinstance(value, bool | int | float):
        return value
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _one(registry: str, name: str) -> Page:
    """Return all figures of one card, with their sources."""
    item = _REGISTRY[registry][name]
    entry = next((e for e in entries(_REGISTRY[registry]) if e.item is item), None)
    if entry is None:
        msg = f"{registry} has no {name!r}. {suggestion(name, dir(_REGISTRY[registry]))}"
        raise UnknownNameError(msg)
    said = figures(item)
    read = [(field, s.source, s.place, str(s.read), s.confidence) for field, s in item.sources.items()]
    heads = ("figure", "source", "place", "read", "confidence")
    shown = [("card", f"{entry.group}.{entry.stem}"), *((n, v) for n, v in said.items() if n != "name")]
    sources = {field: dict(zip(heads[1:], rest, strict=True)) for field, *rest in read}
    return Page(
        title=str(item),
        parts=[Facts(shown), *([Table(heads, read, "Where that was read")] if read else [])],
        data={**_data(registry, [entry])["cards"][0], "sources": sources},
        records=_records([entry]),
    )
