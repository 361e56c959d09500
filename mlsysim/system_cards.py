"""Cards of links, nodes, fleets, grids, data centres and prices, turned into specifications."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from mlsysim.cards import construct, flatten
from mlsysim.core.errors import SpecError, UnknownNameError
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Datacenter, Fleet, Grid, Link, Node, Price

System = Link | Node | Fleet

KINDS: Mapping[str, type] = {
    "accelerator": Accelerator,
    "link": Link,
    "nic": Link,
    "node": Node,
    "fabric": Link,
}
"""What each key that names another card must find."""

T = TypeVar("T")
Found_co = TypeVar("Found_co", covariant=True)


class Lookup(Protocol[Found_co]):
    """What finds a specification by any of its names: a registry."""

    def __getitem__(self, name: str) -> Found_co: ...


def link(card: dict[str, Any], where: str) -> Link:
    """Build a connection from its card."""
    return _build(Link, card, where, {})


def node(card: dict[str, Any], where: str, hardware: Lookup[Accelerator], systems: Lookup[System]) -> Node:
    """Build a node from its card, which names its device, link and adapter.

    Raises
    ------
    SpecError
        If a card that it names does not exist or is of another kind, or the card itself is wrong.
    """
    return _build(Node, card, where, {"accelerator": hardware, "link": systems, "nic": systems})


def fleet(card: dict[str, Any], where: str, systems: Lookup[System]) -> Fleet:
    """Build a fleet from its card, which names its node and fabric.

    Raises
    ------
    SpecError
        If a card that it names does not exist or is of another kind, or the card itself is wrong.
    """
    return _build(Fleet, card, where, {"node": systems, "fabric": systems})


def grid(card: dict[str, Any], where: str) -> Grid:
    """Build a region's electricity from its card."""
    return _build(Grid, card, where, {})


def datacenter(card: dict[str, Any], where: str) -> Datacenter:
    """Build a data centre from its card."""
    return _build(Datacenter, card, where, {})


def price(card: dict[str, Any], where: str, hardware: Lookup[Accelerator]) -> Price:
    """Build a price from its card, which names its device.

    Raises
    ------
    SpecError
        If there is no such device, or the card itself is wrong.
    """
    return _build(Price, card, where, {"accelerator": hardware})


def _build(kind: type[T], card: dict[str, Any], where: str, references: Mapping[str, Lookup[Any]]) -> T:
    """Build a specification of *kind*, each name of another card replaced by what it names."""
    wanted = kind.__name__.lower()
    if card.get("kind", wanted) != wanted:
        msg = f"{where}: kind is {card['kind']!r}; a card in this folder has kind = {wanted!r}"
        raise SpecError(msg)
    values, sources = flatten(card, where)
    named = {key: values[key] for key in references if key in values}
    found = {k: _find(references[k], k, name, where) for k, name in named.items()}
    return construct(kind, {**values, **found}, sources, where)


def _find(registry: Lookup[Any], key: str, name: Any, where: str) -> Any:
    """Return what a card names under *key*, or say why it cannot be that."""
    wanted = KINDS[key].__name__
    if not isinstance(name, str):
        msg = f"{where}: {key} must be the name of a card ({wanted}); got {name!r}"
        raise SpecError(msg)
    try:
        found = registry[name]
    except UnknownNameError as error:
        msg = f"{where}: {key}: {error}"
        raise SpecError(msg) from None
    if not isinstance(found, KINDS[key]):
        msg = f"{where}: {key} must name a card of {wanted}; {name!r} is of {type(found).__name__}"
        raise SpecError(msg)
    return found
