"""Choosing among specifications by their figures, and laying them out as a table."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pint

from mlsysim.core.constants import Q_
from mlsysim.core.errors import ArgumentError, UnitError, UnknownNameError, suggestion

if TYPE_CHECKING:
    from pandas import DataFrame

T = TypeVar("T")

_HIDDEN = frozenset({"sources", "figures", "peak_si", "bandwidth_si"})
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def figures(item: Any) -> dict[str, Any]:
    """Return the fields of a specification, nested ones by dotted names; absent ones are left out.

    Examples
    --------
    >>> from mlsysim import Hardware
    >>> figures(Hardware.Cloud.A100)["peak.fp16"]
    <Quantity(312, 'teraflop / second')>
    """
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if value is None or value in ("", ()):
            return
        if is_dataclass(value) and not isinstance(value, type) and path and hasattr(value, "name"):
            found[path] = value.name
        elif is_dataclass(value) and not isinstance(value, type):
            for f in fields(value):
                if f.name not in _HIDDEN:
                    walk(getattr(value, f.name), f"{path}.{f.name}".lstrip("."))
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                walk(inner, f"{path}.{key}")
        else:
            found[path] = value

    walk(item, "")
    return found


def where(items: Iterable[T], bounds: Mapping[str, Any]) -> list[T]:
    """Return the specifications that meet every bound.

    Parameters
    ----------
    items
        What to choose from.
    bounds
        Bound by field. A nested field is written ``peak__fp16``. A bound is a text with a comparison
        (``">= 2 TB/s"``), a pair of lowest and highest (None is open), a function, or a value that must
        be equal. What has no such figure does not meet a bound on it.

    Raises
    ------
    UnknownNameError
        If no item has a field of that name.
    UnitError
        If a bound has another dimension than the figure.

    Examples
    --------
    >>> from mlsysim import Hardware
    >>> [hw.name for hw in where(Hardware.Workstation, {"bandwidth": ">= 1.5 TB/s", "vendor": "nvidia"})]
    ['NVIDIA GeForce RTX 5090 32GB', 'NVIDIA RTX PRO 6000 Blackwell Workstation Edition 96GB']
    """
    table = [(item, figures(item)) for item in items]
    known = {name for _, row in table for name in row}
    wanted = {name.replace("__", "."): bound for name, bound in bounds.items()}
    for name in wanted:
        if name not in known:
            msg = f"where(): no field {name!r}. {suggestion(name, known)}"
            raise UnknownNameError(msg)
    return [
        item
        for item, row in table
        if all(name in row and _meets(name, row[name], bound) for name, bound in wanted.items())
    ]


def _meets(name: str, value: Any, bound: Any) -> bool:
    if callable(bound):
        return bool(bound(value))
    if isinstance(bound, tuple) and len(bound) == 2 and not isinstance(value, tuple):
        low, high = (None if b is None else _like(name, value, b) for b in bound)
        return (low is None or value >= low) and (high is None or value <= high)
    if isinstance(bound, str):
        for sign, compare in _COMPARE.items():
            if bound.startswith(sign):
                return bool(compare(value, _like(name, value, bound.removeprefix(sign).strip())))
    if isinstance(value, str) and isinstance(bound, str):
        return value.casefold() == bound.casefold()
    return bool(value == _like(name, value, bound))


def _like(name: str, value: Any, bound: Any) -> Any:
    """Return a bound as a value that compares with the figure."""
    if isinstance(value, pint.Quantity):
        quantity = Q_(bound)
        if quantity.dimensionality != value.dimensionality:
            msg = f"where(): {name} is in {value.units}; the bound {bound!r} is not"
            raise UnitError(msg)
        return quantity
    if isinstance(value, int | float) and isinstance(bound, str):
        try:
            return float(bound)
        except ValueError:
            msg = f"where(): {name} is a number; the bound {bound!r} is not"
            raise ArgumentError(msg) from None
    return bound


def to_pandas(items: Iterable[Any]) -> "DataFrame":
    """Return specifications as a table, one a row; a column's unit stands in its heading.

    Parameters
    ----------
    items
        Specifications with a name.

    Returns
    -------
    pandas.DataFrame
        Indexed by name; absent figures are missing values.
    """
    import pandas as pd  # noqa: PLC0415 - only where a table is asked for

    rows = [figures(item) for item in items]
    units: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, pint.Quantity):
                units.setdefault(name, value.units)

    def heading(name: str) -> str:
        return f"{name} [{units[name]:~P}]" if name in units else name

    plain = [
        {heading(k): v.to(units[k]).magnitude if k in units else v for k, v in row.items()} for row in rows
    ]
    return pd.DataFrame(plain).set_index("name")
