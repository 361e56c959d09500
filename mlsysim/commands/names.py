"""Names of the zoo's cards, read from the folders alone: fast enough for a shell that waits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

REGISTRIES: Final = ("hardware", "models", "systems", "infrastructure")
"""Folders of cards, each a registry of the same name."""

_DATA: Final = Path(__file__).parents[1] / "data"


class Card(NamedTuple):
    """Where a card stands, and its name."""

    folder: str
    group: str
    stem: str


def cards(where: str) -> Iterator[Card]:
    """Yield the cards of a registry, or of one of its groups, in the order of their names.

    Parameters
    ----------
    where
        A registry such as ``models``, or a group such as ``systems/fabrics``.

    Examples
    --------
    >>> "H100" in {card.stem for card in cards("hardware")}
    True
    """
    folder, _, group = where.partition("/")
    for card in sorted((_DATA / folder).glob(f"{group or '*'}/*.toml")):
        yield Card(folder, card.parent.name, card.stem)
