"""Where specifications come from: one card for each thing, read on first use.

A registry is a tree of groups. ``Hardware.Cloud.A100`` reads one card; ``Hardware.A100`` finds it in any
group;
``Hardware["A100 SXM 80GB"]`` finds it by any of its names.
"""

from collections.abc import Callable, Iterator
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Generic, TypeVar

from mlsysim import cards
from mlsysim.core.errors import SpecError, UnknownNameError, suggestion
from mlsysim.core.models import Model
from mlsysim.core.specs import Accelerator

T = TypeVar("T")

_DATA = files("mlsysim") / "data"


@cache
def _card(folder: str, group: str, stem: str) -> dict[str, Any]:
    return cards.read(_DATA / folder / group / f"{stem}.toml", _where(folder, group, stem))


def _where(folder: str, group: str, stem: str) -> str:
    return f"data/{folder}/{group}/{stem}.toml"


class Group(Generic[T]):
    """The cards of one group, as attributes.

    Examples
    --------
    >>> Hardware.Cloud.A100.name
    'NVIDIA A100 SXM4 80GB'
    >>> Hardware.Cloud.A10O  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.UnknownNameError: Hardware.Cloud has no 'A10O'. Did you mean ...?
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
        card = _card(self._folder, self._group, name)
        return self._built.setdefault(name, self._build(card, _where(self._folder, self._group, name)))

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


Hardware: Registry[Accelerator] = Registry("Hardware", "hardware", cards.accelerator)
"""Accelerators, by group: ``Hardware.Cloud.H100``."""

Models: Registry[Model] = Registry("Models", "models", cards.model)
"""Networks, by group: ``Models.Language.Llama3_8B``."""
