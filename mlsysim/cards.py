"""Cards: TOML files, each figure with its source, turned into specifications.

A figure is a table with ``value``, ``unit``, ``source`` (a key of the bibliography), ``place``,
``read`` and ``confidence``. Figures may be grouped in further tables (``peak.fp16``,
``level.sram.capacity``). What names a thing (name, vendor, kind, aliases) is no figure and has no source.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from mlsysim.core.constants import Q_
from mlsysim.core.errors import ArgumentError, SpecError, suggestion
from mlsysim.core.models import KINDS, Model
from mlsysim.core.specs import Accelerator, FrozenMap, MemoryLevel, Source

T = TypeVar("T")

IDENTITY = ("name", "vendor", "kind", "aliases", "link_name", "topology", "terms")
"""Keys of a card that name the thing or say what sort it is."""

REFERENCES = ("accelerator", "link", "nic", "node", "fabric")
"""Keys of a card that name another card."""

GROUPS = {"peak": 1, "published": 1, "level": 2}
"""Tables of a card that hold figures, or further tables of figures, by their depth."""

_CONFIDENCE = ("high", "medium")
_LEAF = frozenset(f.name for f in fields(Source))


def read(path: Path | Traversable, where: str) -> dict[str, Any]:
    """Return the tables of a card.

    Parameters
    ----------
    path
        The file.
    where
        What to call it in messages.

    Raises
    ------
    SpecError
        If there is no such file, it is no TOML, or the thing has no name.
    """
    try:
        card = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        msg = f"{where}: there is no such file"
        raise SpecError(msg) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{where}: not valid TOML ({error})"
        raise SpecError(msg) from None
    if not _is_text(card.get("name")):
        msg = f'{where}: name is missing; write it as in name = "NVIDIA A10 24GB"'
        raise SpecError(msg)
    aliases = card.get("aliases", [])
    if not isinstance(aliases, list) or not all(map(_is_text, aliases)):
        msg = f"{where}: aliases must be a list of names; got {aliases!r}"
        raise SpecError(msg)
    return card


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _leaf(where: str, leaf: Any) -> Source:
    """Return a figure with its source, or say what it lacks."""
    if not isinstance(leaf, dict) or "value" not in leaf:
        msg = f"{where} must be a table with value, source, place, read and confidence"
        raise SpecError(msg)
    if extra := set(leaf) - _LEAF:
        msg = f"{where} has unknown keys {sorted(extra)}. {suggestion(min(extra), _LEAF)}"
        raise SpecError(msg)
    if missing := [k for k in ("source", "place", "read", "confidence") if leaf.get(k, "") == ""]:
        msg = f"{where} lacks {', '.join(missing)}: every figure says where it was read"
        raise SpecError(msg)
    if not isinstance(leaf["read"], date):
        msg = f"{where}: read must be a date, as in read = 2026-01-31; got {leaf['read']!r}"
        raise SpecError(msg)
    if leaf["confidence"] not in _CONFIDENCE:
        msg = f"{where}: confidence must be high or medium; got {leaf['confidence']!r}"
        raise SpecError(msg)
    also = leaf.get("also", [])
    if not isinstance(also, list) or not all(
        isinstance(other, dict) and {"value", "source", "place"} <= set(other) for other in also
    ):
        msg = f"{where}: also must list tables with value, source and place; got {also!r}"
        raise SpecError(msg)
    return Source(**{**leaf, "also": tuple(FrozenMap(other) for other in also)})


def _value(where: str, leaf: Source) -> Any:
    if not leaf.unit:
        return leaf.value
    if isinstance(leaf.value, bool) or not isinstance(leaf.value, int | float):
        msg = f"{where}: a value with a unit must be a number; got {leaf.value!r}"
        raise SpecError(msg)
    try:
        return Q_(leaf.value, leaf.unit)
    except ArgumentError as error:
        msg = f"{where}: {error}"
        raise SpecError(msg) from None


def flatten(card: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Source]]:
    """Split a card into values, nested as the card nests them, and the source of each figure.

    Raises
    ------
    SpecError
        If a figure lacks its source, or has an unknown unit or key.
    """
    sources: dict[str, Source] = {}

    def walk(table: Any, path: str) -> dict[str, Any]:
        if not isinstance(table, dict):
            key = path.rstrip(".")
            msg = f"{where}: {key} must hold a table for each figure, as in [{key}.…]; got {table!r}"
            raise SpecError(msg)
        values: dict[str, Any] = {}
        for key, item in table.items():
            at = f"{path}{key}"
            if at.partition(".")[0] in GROUPS and at.count(".") < GROUPS[at.partition(".")[0]]:
                values[key] = walk(item, f"{at}.")
            else:
                sources[at] = _leaf(f"{where}: {at}", item)
                values[key] = _value(f"{where}: {at}", sources[at])
        return values

    names = {k: v for k, v in card.items() if k in IDENTITY}
    names |= {k: v for k, v in card.items() if k in REFERENCES and isinstance(v, str)}
    values = walk({k: v for k, v in card.items() if k not in names}, "")
    aliases = tuple(names.get("aliases", ()))
    return {**names, **values, "aliases": aliases}, sources


def construct(kind: type[T], values: Mapping[str, Any], sources: Mapping[str, Source], where: str) -> T:
    """Build a specification from a card's values, or name the field that is wrong.

    Raises
    ------
    SpecError
        If a field is unknown, missing, or refused by the specification.
    """
    known = {f.name: f for f in fields(kind) if f.init}  # type: ignore[arg-type]
    if extra := set(values) - set(known):
        msg = f"{where}: {kind.__name__} has no field {min(extra)!r}. {suggestion(min(extra), known)}"
        raise SpecError(msg)
    needed = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    if missing := needed - set(values):
        msg = f"{where}: {', '.join(sorted(missing))} missing; a {kind.__name__} needs each"
        raise SpecError(msg)
    try:
        return kind(**{**values, "sources": FrozenMap(sources)})
    except SpecError as error:
        msg = f"{where}: {error}"
        raise SpecError(msg) from None


def accelerator(card: dict[str, Any], where: str) -> Accelerator:
    """Build a device from its card."""
    values, sources = flatten(card, where)
    levels = {
        name: _level(level, f"{where}: level.{name}") for name, level in values.pop("level", {}).items()
    }
    return construct(Accelerator, {**values, "level": levels}, sources, where)


def _level(values: dict[str, Any], where: str) -> MemoryLevel:
    """Build a memory level from its part of a card."""
    known = {f.name for f in fields(MemoryLevel)}
    if extra := set(values) - known:
        msg = f"{where} has no field {min(extra)!r}. {suggestion(min(extra), known)}"
        raise SpecError(msg)
    return MemoryLevel(**values)


def model(card: dict[str, Any], where: str) -> Model:
    """Build a network from its card."""
    values, sources = flatten(card, where)
    kind = values.pop("kind", None)
    if kind not in KINDS:
        msg = f"{where}: kind {kind!r} is unknown. {suggestion(str(kind), KINDS)}"
        raise SpecError(msg)
    values["published"] = FrozenMap(values.get("published", {}))
    return construct(KINDS[kind], values, sources, where)
