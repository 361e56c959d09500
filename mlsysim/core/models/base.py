"""What all networks have: a name, phases, and whole numbers for a shape."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar

from mlsysim.core.errors import SpecError
from mlsysim.core.specs import FrozenMap, Source


class Phase(StrEnum):
    """What a network is doing."""

    DECODE = "decode"
    PREFILL = "prefill"
    FORWARD = "forward"
    TRAIN = "train"


def whole_number(value: Any) -> int | None:
    """Return a whole number of any integer type as an ``int``; None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def no_sources() -> FrozenMap[str, Any]:
    """Return an empty table of sources."""
    return FrozenMap({})


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A network's shape.

    A field that holds a whole number must be positive, or zero where its default is zero.
    """

    name: str
    aliases: tuple[str, ...] = ()
    published: Mapping[str, Any] = field(default_factory=no_sources, repr=False, compare=False)
    sources: Mapping[str, Source] = field(default_factory=no_sources, repr=False, compare=False)

    phases: ClassVar[tuple[Phase, ...]]

    def __post_init__(self) -> None:
        faults = self.faults()
        if faults:
            msg = f"{type(self).__name__} {self.name!r}: " + "; ".join(faults)
            raise SpecError(msg)

    def faults(self) -> list[str]:
        """Return what is wrong with the shape, a line each."""
        faults = []
        if not isinstance(self.name, str) or not self.name.strip():
            faults.append(f"name must be a text; got {self.name!r}")
        for f in fields(self):
            value = getattr(self, f.name)
            if f.type is int:
                whole = whole_number(value)
                if whole is None or whole < (0 if f.default == 0 else 1):
                    faults.append(f"{f.name} must be a whole positive number; got {value!r}")
                else:
                    object.__setattr__(self, f.name, whole)
            if f.type is bool and not isinstance(value, bool):
                faults.append(f"{f.name} must be true or false; got {value!r}")
        return faults

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
