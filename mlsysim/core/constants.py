"""Units: one small registry in which bytes, FLOPs, tokens and dollars are dimensions.

The registry is this package's own. It is built from ``units.txt`` beside this file, it is not
pint's application registry, and quantities of other registries are refused by pint itself.
"""

import math
import numbers
import re
import tokenize
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

import pint

from mlsysim.core.errors import ArgumentError, UnitError, suggestion

_FOREIGN = re.compile(r"[^\w\s.+\-*/^()%$µμ·²³⁻¹]")
_CURRENCIES = {"€": "euro", "£": "pound", "¥": "yen"}


def _refuse_foreign_symbols(text: str) -> str:
    """Refuse what pint's parser would drop in silence; read ``$`` as USD."""
    bad = sorted(set(_FOREIGN.findall(text)) | (set(text) & set(_CURRENCIES)))
    if bad:
        named = ", ".join(f"{c!r} ({_CURRENCIES[c]})" if c in _CURRENCIES else repr(c) for c in bad)
        msg = f"{text!r} has a symbol that is no unit here: {named}. Money is in USD ('2 USD/hour')."
        raise UnitError(msg)
    return text.replace("$", " USD ")


_PARSE_ERRORS = (
    pint.PintError,
    AssertionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)
"""What pint and the tokenizer that it calls raise on text that is no quantity."""


class _Quantity(pint.UnitRegistry.Quantity):  # type: ignore[type-arg]
    """A quantity of this package's registry; it pickles without the application registry."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.magnitude, str(self.units))

    def __format__(self, spec: str) -> str:
        """Print short unit symbols ('3.35 TB/s') unless *spec* asks pint for another style."""
        return str(super().__format__(spec if set(spec) & set("DPLHC~") else spec + "~P"))


class _Registry(pint.UnitRegistry[Any]):
    Quantity: TypeAlias = _Quantity


Quantity: TypeAlias = pint.Quantity[Any]
ureg: Final = _Registry(
    files(__package__).joinpath("units.txt").read_text("utf-8").splitlines(),
    cache_folder=None,
    preprocessors=[_refuse_foreign_symbols],
)
ureg.formatter.default_format = "~P"


def _restore(magnitude: Any, units: str) -> Quantity:
    return ureg.Quantity(magnitude, unit(units))


def unit(text: str) -> Any:
    """Return the unit that *text* spells, parsed once.

    Raises
    ------
    UnitError
        If the text names no known unit.

    Examples
    --------
    >>> unit("TB/s").dimensionality == unit("Gbps").dimensionality
    True
    """
    if not isinstance(text, str):
        msg = f"a unit is a text such as 'TB/s'; got {text!r}"
        raise UnitError(msg)
    return _parsed(text)


@cache
def _parsed(text: str) -> Any:
    spelled = _refuse_foreign_symbols(text)
    try:
        return ureg.Unit(spelled)
    except pint.UndefinedUnitError as error:
        raise _unknown(error, text) from None
    except _PARSE_ERRORS as error:
        msg = f"{text!r} is not a unit ({error}). Write it as in 'TB/s'."
        raise UnitError(msg) from None


def _unknown(error: pint.UndefinedUnitError, text: str) -> UnitError:
    names = error.unit_names
    wrong = names if isinstance(names, str) else next(iter(names))
    common = ("ms", "us", "s", "h", "day", "year", "B", "MB", "GB", "TB", "GiB", "GB/s", "TB/s",
              "Gbps", "FLOP", "GFLOP", "TFLOP", "TFLOPs", "PFLOP", "TOP", "token", "sample", "USD",
              "W", "kWh", "J", "g", "kg", "tonne", "L", "percent")  # fmt: skip
    return UnitError(f"unknown unit {wrong!r} in {text!r}. {suggestion(wrong, common)}")


def Q_(value: Any, units: str | None = None) -> Quantity:  # noqa: N802 - the field's usual name
    """Return a quantity: a number with its unit.

    Parameters
    ----------
    value
        A number, or text that holds number and unit.
    units
        The unit, where *value* is a number.

    Returns
    -------
    Quantity
        A pint quantity of this package's registry.

    Raises
    ------
    UnitError
        If the unit is unknown or holds a foreign symbol.

    Examples
    --------
    >>> Q_("3.35 TB/s").to("GB/s")
    <Quantity(3350.0, 'gigabyte / second')>
    >>> f"{Q_(50, 'ms'):.1f}"
    '50.0 ms'
    >>> Q_("1 GB") + Q_("1 GFLOP")
    Traceback (most recent call last):
        ...
    pint.errors.DimensionalityError: Cannot convert from 'gigabyte' ([data]) to 'gigaflop' ([work])
    """
    if isinstance(value, pint.Quantity) and value._REGISTRY is ureg:  # noqa: SLF001
        return value if units is None else value.to(unit(units))
    if units is not None:
        return ureg.Quantity(_number(value), unit(units))
    if not isinstance(value, str):
        return ureg.Quantity(_number(value))
    try:
        return ureg.Quantity(value)
    except UnitError:
        raise
    except pint.UndefinedUnitError as error:
        raise _unknown(error, value) from None
    except _PARSE_ERRORS as error:
        msg = f"{value!r} is not a quantity ({error}). Write a number and a unit, as in '50 ms'."
        raise UnitError(msg) from None


def _number(value: Any) -> Any:
    """Return a number or an array of numbers, and refuse everything else."""
    if (isinstance(value, numbers.Number) and not isinstance(value, bool)) or hasattr(value, "dtype"):
        return value
    if isinstance(value, list) and all(isinstance(x, numbers.Real) for x in value):
        return value
    msg = f"{value!r} is not a number. Write a number and a unit, as in '50 ms'."
    raise UnitError(msg)


@cache
def _measure(units: Any) -> tuple[Any, float]:
    """Return the dimension of a unit and its value in SI; pint takes long over both."""
    return units.dimensionality, float(ureg.Quantity(1.0, units).to_base_units().magnitude)


def si(name: str, value: Any, units: str, *, positive: bool = True) -> float:
    """Return *value* as a float in SI (bytes, seconds, FLOP), or say what is wrong with it.

    Parameters
    ----------
    name
        The argument's name, for the message.
    value
        A quantity.
    units
        A unit of the dimension that is wanted, used as the example in the message.
    positive
        Refuse zero and negative values.

    Raises
    ------
    UnitError
        If *value* carries no unit or one of another dimension.
    ArgumentError
        If the number is not finite, or not positive where it must be.

    Examples
    --------
    >>> si("bandwidth", Q_("2 TB/s"), "GB/s")
    2000000000000.0
    >>> si("bandwidth", 2e12, "GB/s")
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.UnitError: bandwidth needs a unit, as in Q_("1 GB/s"); got the bare \
2000000000000.0
    """
    if not isinstance(value, pint.Quantity):
        msg = f'{name} needs a unit, as in Q_("1 {units}"); got the bare {value!r}'
        raise UnitError(msg)
    if value._REGISTRY is not ureg:  # noqa: SLF001 - pint offers no public accessor
        msg = f"{name} belongs to another unit registry; build it with mlsysim.Q_"
        raise UnitError(msg)
    dimensionality, scale = _measure(value.units)
    if dimensionality != _measure(unit(units))[0]:
        wanted = unit(units).dimensionality
        msg = f"{name} needs {wanted}, as in {units}; got {value} ({value.dimensionality})"
        raise UnitError(msg)
    expected = f"a finite {'positive' if positive else 'non-negative'} quantity"
    try:
        number = float(value.magnitude) * scale
    except TypeError:
        msg = f"{name} must be {expected}, one number; got {value}"
        raise ArgumentError(msg) from None
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        msg = f"{name} must be {expected}; got {value}"
        raise ArgumentError(msg)
    return number
