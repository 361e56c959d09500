"""Where specifications come from: one card for each thing, read on first use.

A registry is a tree of groups. ``Hardware.Cloud.A100`` reads one card; ``Hardware.A100`` finds it in any
group;
``Hardware["A100 SXM 80GB"]`` finds it by any of its names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from mlsysim import cards, huggingface, selection, system_cards
from mlsysim.core.errors import SpecError, UnknownNameError, suggestion
from mlsysim.core.models import Model
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Datacenter, Fleet, Grid, Link, Node, Price

if TYPE_CHECKING:
    from pandas import DataFrame

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
        for group in self._groups.values():
            if name in dir(group):
                return cast(T, getattr(group, name))
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
        return [*self._groups, *self._names(), "list", "load", "to_pandas", "where"]

    def __iter__(self) -> Iterator[T]:
        return (item for group in self._groups.values() for item in group)

    def __len__(self) -> int:
        return sum(len(group) for group in self._groups.values())

    def list(self) -> Sequence[T]:
        """Return everything in the registry, group by group."""
        return [*self]

    def where(self, **bounds: Any) -> Sequence[T]:
        """Return what meets every bound on its figures.

        Parameters
        ----------
        **bounds
            Bound by field, ``peak__fp16`` for a nested one: a comparison such as ``">= 2 TB/s"``, a pair
            of lowest and highest, a function, or a value that must be equal.

        Raises
        ------
        UnknownNameError
            If nothing in the registry has such a field.

        Examples
        --------
        >>> [hw.name for hw in Hardware.where(vendor="AMD", bandwidth=("3 TB/s", "6 TB/s"), year="< 2023")]
        ['AMD Instinct MI250X 128GB (two GCDs)']
        """
        return selection.where(self, bounds)

    def to_pandas(self) -> "DataFrame":
        """Return everything as a table, one thing a row, units in the headings."""
        return selection.to_pandas(self)

    def load(self, path: str | Path) -> T:
        """Return the specification that a card of your own describes.

        Parameters
        ----------
        path
            A TOML file in the format of this registry's cards.

        Raises
        ------
        SpecError
            With file, field and remedy.
        """
        return self._build(cards.read(Path(path), str(path)), str(path))

    def __repr__(self) -> str:
        return "\n".join(map(repr, self._groups.values()))


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum() or c == ".")


Hardware: Registry[Accelerator] = Registry("Hardware", "hardware", cards.accelerator)
"""Accelerators, by group: ``Hardware.Cloud.H100``."""


class ModelRegistry(Registry[Model]):
    """Networks, from cards and from configurations that others publish."""

    @staticmethod
    def from_hf_config(
        source: str | Path | Mapping[str, Any], name: str | None = None, *, context: int | None = None
    ) -> Model:
        """Return the network that a Hugging Face ``config.json`` describes.

        Parameters
        ----------
        source
            The file, a folder that holds it, or its content.
        name
            What to call the network.
        context
            Longest context, where the configuration does not state one. [token]

        Raises
        ------
        SpecError
            If the architecture is unknown, or the configuration lacks a field: with file and remedy.

        Examples
        --------
        >>> tiny = {"model_type": "gpt2", "n_layer": 2, "n_head": 4, "n_embd": 64, "vocab_size": 1000,
        ...         "n_positions": 128}
        >>> Models.from_hf_config(tiny, name="Tiny").layers
        2
        """
        return huggingface.from_hf_config(source, name, context=context)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), "from_hf_config"]


Models = ModelRegistry("Models", "models", cards.model)
"""Networks, by group: ``Models.Language.Llama3_8B``."""


def _kind(card: dict[str, Any], where: str, kinds: tuple[str, ...]) -> str:
    kind = card.get("kind")
    if kind not in kinds:
        msg = f"{where}: kind {kind!r} is unknown. {suggestion(str(kind), kinds)}"
        raise SpecError(msg)
    return str(kind)


def _system(card: dict[str, Any], where: str) -> Link | Node | Fleet:
    kind = _kind(card, where, ("fleet", "link", "node"))
    if kind == "link":
        return system_cards.link(card, where)
    if kind == "node":
        return system_cards.node(card, where, Hardware, Systems)
    return system_cards.fleet(card, where, Systems)


def _site(card: dict[str, Any], where: str) -> Grid | Datacenter | Price:
    kind = _kind(card, where, ("datacenter", "grid", "price"))
    if kind == "grid":
        return system_cards.grid(card, where)
    if kind == "datacenter":
        return system_cards.datacenter(card, where)
    return system_cards.price(card, where, Hardware)


Systems: Registry[Link | Node | Fleet] = Registry("Systems", "systems", _system)
"""Links, nodes and fleets, by group: ``Systems.Nodes.DGX_H100``."""

Infrastructure: Registry[Grid | Datacenter | Price] = Registry("Infrastructure", "infrastructure", _site)
"""Grids, data centres and prices, by group: ``Infrastructure.Grids.France``."""
