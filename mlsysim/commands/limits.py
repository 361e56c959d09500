"""Limits on what is answered: read from a text, and judged."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import pint

from mlsysim.core.constants import Q_
from mlsysim.core.errors import ArgumentError, UnitError, UnknownNameError, suggestion
from mlsysim.format import number, plain, text

_SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION: Final = re.compile(r"\s*([A-Za-z]\w*)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
_QUANTITY: Final = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*[A-Za-zµμ$%/·²³⁻¹0-9 ]*")
_RATIO: Final = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*[x×]")
_WORDS: Final = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class Limit:
    """A comparison of one figure with a value.

    Parameters
    ----------
    where
        Where it was said, for messages.
    figure, sign, value
        What is compared, how, and with what, as written.
    fails
        Whether it is broken when the comparison holds; else when it does not.
    """

    where: str
    figure: str
    sign: str
    value: str
    fails: bool = False

    def __str__(self) -> str:
        return f"{self.figure} {self.sign} {self.value}"

    @property
    def ratio(self) -> float | None:
        """The factor, where it is one of the base's figure: 1.1 of ``1.1x``."""
        found = _RATIO.fullmatch(self.value)
        return None if found is None else float(found.group(1))


@dataclass(frozen=True)
class Verdict:
    """A limit, what it was compared with, and what came out.

    Parameters
    ----------
    limit
        The limit.
    value
        The figure; None where nothing was answered.
    met
        Whether the limit is kept.
    says
        What a reader should know, in a sentence without a full stop.
    """

    limit: Limit
    value: Any
    met: bool
    says: str

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data."""
        limit = self.limit
        return {
            "limit": str(limit),
            "rule": "fails if" if limit.fails else "holds",
            "value": plain(self.value),
            "met": self.met,
            "says": self.says,
        }


def asserted(figure: str, value: str | bool, where: str) -> Limit:
    """Return a limit of ``[assert]``: a comparison that must hold, or true or false."""
    if isinstance(value, bool):
        return Limit(where, figure, "==", text(value))
    sign = next(s for s in _SIGNS if value.strip().startswith(s))
    return Limit(where, figure, sign, value.strip().removeprefix(sign).strip())


def failing(condition: str, where: str) -> Limit:
    """Return a condition that must not hold.

    Raises
    ------
    ArgumentError
        If it is no comparison.

    Examples
    --------
    >>> failing("latency > 1.1x", "--fail-if").ratio
    1.1
    """
    found = _CONDITION.fullmatch(condition)
    if found is None:
        msg = f"{where} must be a comparison, as in 'latency > 1.1x' or 'ttft > 300 ms'; got {condition!r}"
        raise ArgumentError(msg)
    figure, sign, value = found.groups()
    return Limit(where, figure, sign, value, fails=True)


def judge(
    limits: Iterable[Limit],
    figures: Mapping[str, Any],
    base: Mapping[str, Any] | None = None,
    *,
    why: str = "",
) -> tuple[Verdict, ...]:
    """Return a verdict on every limit.

    Parameters
    ----------
    limits
        What to judge.
    figures
        What was answered, by name; None where nothing was.
    base
        The figures of the base, for limits such as ``1.1x``.
    why
        Why there is no answer, where a figure is None.

    Raises
    ------
    UnknownNameError
        If there is no such figure.
    ArgumentError
        If figure and limit cannot be compared.
    """
    return tuple(_judge(limit, figures, base, why) for limit in limits)


def _judge(limit: Limit, figures: Mapping[str, Any], base: Mapping[str, Any] | None, why: str) -> Verdict:
    if limit.figure not in figures:
        near = suggestion(limit.figure, figures)
        msg = f"{limit.where}: {limit.figure!r} is no figure of this answer. {near}"
        raise UnknownNameError(msg)
    value = figures[limit.figure]
    if limit.ratio is not None and base is None:
        msg = f"{limit.where}: {limit} compares two scenarios, and only `mlsysim compare` has two"
        raise ArgumentError(msg)
    if value is None:
        return Verdict(limit, None, met=False, says=f"{limit.figure} has no value: {why}")
    shown = f"{limit.figure} is {text(value)}"
    if limit.ratio is not None and base is not None:
        before = base[limit.figure]
        if before is None:
            return Verdict(limit, value, met=True, says=f"{shown}; the base has no value to compare with")
        ratio = _ratio(limit, value, before)
        holds = _SIGNS[limit.sign](ratio, limit.ratio)
        shown += f", {number(ratio)}x of the base's"
    else:
        holds = _SIGNS[limit.sign](*_pair(limit, value))
    rule = "it fails if" if limit.fails else "the limit is"
    return Verdict(
        limit, value, met=holds is not limit.fails, says=f"{shown}; {rule} {limit.sign} {limit.value}"
    )


def _ratio(limit: Limit, value: Any, before: Any) -> float:
    if isinstance(value, pint.Quantity):
        value, before = value.magnitude, before.to(value.units).magnitude
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"{limit.where}: {limit.figure} is no number, so {limit.value} of it means nothing"
        raise ArgumentError(msg)
    if before == 0:
        return 1.0 if value == 0 else float("inf")
    return float(value / before)


def compares(limit: Limit, value: bool) -> bool:
    """Return whether a limit on yes or no holds."""
    return bool(_SIGNS[limit.sign](*_pair(limit, value)))


def threshold(limit: Limit, units: str) -> tuple[Callable[[Any, Any], Any], float]:
    """Return the comparison of a limit and its number in a unit, for arrays.

    Raises
    ------
    UnitError
        If the limit has another dimension.
    ArgumentError
        If it is no number.
    """
    if limit.ratio is not None:
        msg = f"{limit.where}: {limit} compares two scenarios, and only `mlsysim compare` has two"
        raise ArgumentError(msg)
    like = Q_(1.0, units) if units else 1.0
    return _SIGNS[limit.sign], float(_pair(limit, like)[1])


def _pair(limit: Limit, value: Any) -> tuple[Any, Any]:
    """Return figure and limit as two things that compare.

    Raises
    ------
    UnitError
        If the limit has another dimension.
    ArgumentError
        If it is of another kind.
    """
    if isinstance(value, bool):
        if limit.value.casefold() in _WORDS and limit.sign in {"==", "!="}:
            return value, _WORDS[limit.value.casefold()]
        msg = f"{limit.where}: {limit.figure} is yes or no, as in '== yes'; got '{limit.sign} {limit.value}'"
        raise ArgumentError(msg)
    if isinstance(value, pint.Quantity):
        if not _QUANTITY.fullmatch(limit.value):
            msg = f"{limit.where}: {limit.value!r} is no quantity. Write a number and a unit, as in '50 ms'"
            raise UnitError(msg)
        wanted = Q_(limit.value)
        if wanted.dimensionality != value.dimensionality:
            msg = f"{limit.where}: {limit.figure} is in {value.units}; the limit {limit.value!r} is not"
            raise UnitError(msg)
        return value.magnitude, wanted.to(value.units).magnitude
    if isinstance(value, int | float):
        try:
            return value, float(limit.value)
        except ValueError:
            msg = f"{limit.where}: {limit.figure} is a bare number; the limit {limit.value!r} is not"
            raise ArgumentError(msg) from None
    if limit.sign not in {"==", "!="}:
        msg = f"{limit.where}: {limit.figure} is a word, which compares with == and != alone"
        raise ArgumentError(msg)
    said = {str(value).casefold(), str(value.value if isinstance(value, Enum) else value).casefold()}
    wanted_word = limit.value.strip("'\"").casefold()
    return (wanted_word if wanted_word in said else min(said)), wanted_word
