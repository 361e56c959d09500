"""Where specifications come from: one TOML card for each thing, read on first use.

A registry is a tree of groups. ``Hardware.Cloud.A100`` reads one card; ``Hardware.A100`` finds it in
any group; ``Hardware["A100 SXM 80GB"]`` finds it by any of its names.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Generic, TypeVar

from mlsysim.core.constants import Q_, factor
from mlsysim.core.errors import ArgumentError, SpecError, UnknownNameError, suggestion
from mlsysim.core.models import KINDS, Model
from mlsysim.core.specs import Accelerator, FrozenMap, Source

T = TypeVar("T")

_DATA = files("mlsysim") / "data"
_IDENTITY = ("name", "vendor", "kind", "aliases")
_LEAF = frozenset({"value", "unit", "source", "place", "read", "confidence", "note", "also", "accumulate"})
_CONFIDENCE = ("high", "medium")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


@cache
def _card(folder: str, group: str, stem: str) -> dict[str, Any]:
    path = f"data/{folder}/{group}/{stem}.toml"
    try:
        card = tomllib.loads((_DATA / folder / group / f"{stem}.toml").read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML ({error})"
        raise SpecError(msg) from None
    if not _is_text(card.get("name")):
        msg = f'{path}: name is missing; write it as in name = "NVIDIA A10 24GB"'
        raise SpecError(msg)
    aliases = card.get("aliases", [])
    if not isinstance(aliases, list) or not all(map(_is_text, aliases)):
        msg = f"{path}: aliases must be a list of names; got {aliases!r}"
        raise SpecError(msg)
    return card


def _leaf(where: str, leaf: Any) -> Source:
    """Return a leaf with its source, or say what it lacks."""
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


def _quantity(where: str, leaf: Source) -> Any:
    if not leaf.unit:
        return leaf.value
    if isinstance(leaf.value, bool) or not isinstance(leaf.value, int | float):
        msg = f"{where}: a value with a unit must be a number; got {leaf.value!r}"
        raise SpecError(msg)
    try:
        factor(leaf.unit)
        return Q_(leaf.value, leaf.unit)
    except ArgumentError as error:
        msg = f"{where}: {error}"
        raise SpecError(msg) from None


def _flatten(card: dict[str, Any], where: str, nested: str) -> tuple[dict[str, Any], dict[str, Source]]:
    """Split a card into constructor arguments and the source of each."""
    values: dict[str, Any] = {k: card[k] for k in _IDENTITY if k in card}
    values["aliases"] = tuple(values.get("aliases", ()))
    sources: dict[str, Source] = {}
    for key, leaf in card.items():
        if key in _IDENTITY:
            continue
        if key == nested:
            if not isinstance(leaf, dict):
                msg = f"{where}: {key} must hold a table for each figure, as in [{key}.…]; got {leaf!r}"
                raise SpecError(msg)
            for sub, inner in leaf.items():
                sources[f"{key}.{sub}"] = _leaf(f"{where}: {key}.{sub}", inner)
            values[key] = {sub: _quantity(f"{where}: {key}.{sub}", sources[f"{key}.{sub}"]) for sub in leaf}
        else:
            sources[key] = _leaf(f"{where}: {key}", leaf)
            values[key] = _quantity(f"{where}: {key}", sources[key])
    return values, sources


def _construct(kind: type[T], values: dict[str, Any], sources: dict[str, Source], where: str) -> T:
    """Build a specification from a card's values, or name the field that is wrong."""
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


def _accelerator(card: dict[str, Any], where: str) -> Accelerator:
    values, sources = _flatten(card, where, "peak")
    return _construct(Accelerator, values, sources, where)


def _model(card: dict[str, Any], where: str) -> Model:
    values, sources = _flatten(card, where, "published")
    kind = values.pop("kind", None)
    if kind not in KINDS:
        msg = f"{where}: kind {kind!r} is unknown. {suggestion(str(kind), KINDS)}"
        raise SpecError(msg)
    values["published"] = FrozenMap(values.get("published", {}))
    return _construct(KINDS[kind], values, sources, where)


class Group(Generic[T]):
    """The cards of one group, as attributes.

    Examples
    --------
    >>> Hardware.Cloud.A100.name
    'NVIDIA A100 SXM4 80GB'
    >>> Hardware.Cloud.A10O
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.UnknownNameError: Hardware.Cloud has no 'A10O'. Did you mean 'A10' or 'A100'?
    """

    def __init__(
        self, label: str, folder: str, group: str, build: Callable[[dict[str, Any], str], T]
    ) -> None:
        self._label = f"{label}.{group.title()}"
        self._folder, self._group, self._build = folder, group, build
        self._built: dict[str, T] = {}

    @cached_property
    def _stems(self) -> tuple[str, ...]:
        names = (p.name for p in (_DATA / self._folder / self._group).iterdir())
        return tuple(sorted(n.removesuffix(".toml") for n in names if n.endswith(".toml")))

    def __getattr__(self, name: str) -> T:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._built:
            return self._built[name]
        if name not in self._stems:
            msg = f"{self._label} has no {name!r}. {suggestion(name, self._stems)}"
            raise UnknownNameError(msg)
        where = f"data/{self._folder}/{self._group}/{name}.toml"
        return self._built.setdefault(name, self._build(_card(self._folder, self._group, name), where))

    def __dir__(self) -> list[str]:
        return list(self._stems)

    def __iter__(self) -> Iterator[T]:
        return (getattr(self, stem) for stem in self._stems)

    def __len__(self) -> int:
        return len(self._stems)

    def __repr__(self) -> str:
        return f"<{self._label}: {', '.join(self._stems)}>"


class Registry(Generic[T]):
    """Groups of cards, found by attribute or by any name.

    Examples
    --------
    >>> Models.Llama3_70B is Models.Language.Llama3_70B
    True
    >>> Hardware["H100 SXM 80GB"] is Hardware.Cloud.H100
    True
    """

    def __init__(self, label: str, folder: str, build: Callable[[dict[str, Any], str], T]) -> None:
        self._label, self._folder, self._build = label, folder, build

    @cached_property
    def _groups(self) -> dict[str, Group[T]]:
        names = sorted(p.name for p in (_DATA / self._folder).iterdir() if p.is_dir())
        return {n.title(): Group(self._label, self._folder, n, self._build) for n in names}

    @cached_property
    def _aliases(self) -> dict[str, tuple[str, str]]:
        """Every spelling of every card, folded; read once, when a name is looked up."""
        found: dict[str, tuple[str, str]] = {}
        for title, group in self._groups.items():
            for stem in dir(group):
                card = _card(self._folder, title.lower(), stem)
                for name in (stem, card["name"], *card.get("aliases", ())):
                    if found.setdefault(_fold(name), (title, stem)) != (title, stem):
                        other = ".".join(found[_fold(name)])
                        msg = f"data/{self._folder}: {name!r} names both {other} and {title}.{stem}"
                        raise SpecError(msg)
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._groups:
            return self._groups[name]
        for group in self._groups.values():
            if name in dir(group):
                return getattr(group, name)
        msg = f"{self._label} has no {name!r}. {suggestion(name, dir(self))}"
        raise UnknownNameError(msg)

    def __getitem__(self, name: str) -> T:
        found = self._aliases.get(_fold(name)) if isinstance(name, str) else None
        if found is None:
            msg = f"{self._label} has no {name!r}. {suggestion(str(name), self._names())}"
            raise UnknownNameError(msg)
        title, stem = found
        item: T = getattr(self._groups[title], stem)
        return item

    def _names(self) -> list[str]:
        return [stem for group in self._groups.values() for stem in dir(group)]

    def __dir__(self) -> list[str]:
        return [*self._groups, *self._names(), "list"]

    def __iter__(self) -> Iterator[T]:
        return (item for group in self._groups.values() for item in group)

    def __len__(self) -> int:
        return sum(len(group) for group in self._groups.values())

    def list(self) -> "list[T]":
        """Return everything in the registry, group by group."""
        return [*self]

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._groups.values()))


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum() or c == ".")


Hardware: Registry[Accelerator] = Registry("Hardware", "hardware", _accelerator)
"""Accelerators, by group: ``Hardware.Cloud.H100``."""

Models: Registry[Model] = Registry("Models", "models", _model)
"""Networks, by group: ``Models.Language.Llama3_8B``."""
