"""What a machine is: frozen, typed, dimensioned. No file is read here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

from mlsysim.core.constants import Quantity, si, ureg
from mlsysim.core.errors import ArgumentError, MissingSpecError, SpecError, suggestion
from mlsysim.core.precision import PEAKS, Precision, precision
from mlsysim.format import text

_FIGURES = {
    "bandwidth": "GB/s",
    "capacity": "GB",
    "tdp": "W",
    "link": "GB/s",
    "price": "USD",
    "clock": "MHz",
}
"""Figures of a device that have a unit, besides its peaks."""

K = TypeVar("K")
V = TypeVar("V")


class FrozenMap(Mapping[K, V], Generic[K, V]):
    """A mapping that cannot be changed, and that hashes, copies and pickles.

    Examples
    --------
    >>> FrozenMap({"a": 1})
    {'a': 1}
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a figure was read.

    Parameters
    ----------
    value, unit
        The figure as the card states it.
    source
        A key of the bibliography.
    place
        Page, table, section or line in that source.
    read
        The day on which it was read.
    confidence
        ``high`` for the maker's own document, ``medium`` for a secondary source.
    note
        What a reader should know: a sparse figure that was halved, a reason for a choice.
    also
        Other published values for the same figure, each with its source.
    accumulate
        Number format of the sum, where it halves the rate of the product.
    """

    value: Any
    unit: str = ""
    source: str
    place: str
    read: date
    confidence: str
    note: str = ""
    also: tuple[FrozenMap[str, Any], ...] = ()
    accumulate: str = ""


class _Readings:
    """Figures in SI, and what was wrong with them."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def read(self, name: str, value: Any, units: str) -> float:
        """Return a figure in SI, or note its fault and return a stand-in."""
        try:
            return si(name, value, units)
        except ArgumentError as error:
            self.faults.append(str(error))
            return 1.0


@dataclass(frozen=True, kw_only=True)
class MemoryLevel:
    """A further memory of a device: a cache, an SRAM, a flash.

    Parameters
    ----------
    capacity, bandwidth
        Each where published. [B, B/s]
    """

    capacity: Quantity | None = None
    bandwidth: Quantity | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Accelerator:
    """One device: its dense peak rates, its memory, its power.

    Parameters
    ----------
    name
        The maker's name for it.
    peak
        Dense arithmetic rate for each published number format. [FLOP/s]
    bandwidth
        Bandwidth of the memory that holds the weights, where published. [B/s]
    capacity
        Memory that a program can use, where published. [B]
    tdp
        Thermal design power, where published. [W]
    year
        Year of launch, where published.
    link, link_name
        What one device can send to its peers, in one direction, and over what. [B/s]
    price
        List price, where the maker published one. [USD]
    clock, cores
        Of processors and microcontrollers. [Hz]
    level
        Further memories, by name.
    vendor, kind, aliases
        Who makes it, what it is (``gpu``, ``tpu``), and other names for it.
    sources
        Where each figure was read, by field.

    Raises
    ------
    SpecError
        If a figure has no unit, the wrong dimension, or is not positive; all faults at once.

    Examples
    --------
    A machine that nobody sells, in three lines:

    >>> from mlsysim.core.constants import Q_
    >>> mine = Accelerator(name="Mine", peak={"fp16": Q_("100 TFLOP/s")},
    ...                    bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB"))
    >>> f"{mine.ridge_point('fp16'):.0f}"
    '100 FLOP/B'
    """

    name: str
    peak: Mapping[str, Quantity]
    bandwidth: Quantity | None = None
    capacity: Quantity | None = None
    tdp: Quantity | None = None
    year: int | None = None
    link: Quantity | None = None
    link_name: str = ""
    price: Quantity | None = None
    clock: Quantity | None = None
    cores: int | None = None
    level: Mapping[str, MemoryLevel] = field(default_factory=lambda: FrozenMap[str, MemoryLevel]({}))
    vendor: str = ""
    kind: str = ""
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(
        default_factory=lambda: FrozenMap[str, Source]({}), repr=False, compare=False
    )
    peak_si: FrozenMap[str, float] = field(init=False, repr=False, compare=False)
    figures: FrozenMap[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        readings = _Readings()
        peaks = self._read_peaks(readings)
        figures = {
            name: readings.read(name, getattr(self, name), units)
            for name, units in _FIGURES.items()
            if getattr(self, name) is not None
        }
        self._check_rest(readings)
        if readings.faults:
            msg = f"Accelerator {self.name!r}: " + "; ".join(readings.faults)
            raise SpecError(msg)
        put = object.__setattr__
        put(self, "peak", FrozenMap(self.peak))
        put(self, "level", FrozenMap(self.level))
        put(self, "peak_si", FrozenMap(peaks))
        put(self, "figures", FrozenMap(figures))

    def _read_peaks(self, readings: "_Readings") -> dict[str, float]:
        if not isinstance(self.peak, Mapping) or not self.peak:
            readings.faults.append("peak must map number formats to rates, as in {'fp16': Q_('312 TFLOP/s')}")
            return {}
        for key in self.peak:
            if key not in PEAKS:
                known = suggestion(str(key), PEAKS)
                readings.faults.append(f"peak.{key} is no number format. {known}")
        return {k: readings.read(f"peak.{k}", v, "TFLOP/s") for k, v in self.peak.items()}

    def _check_rest(self, readings: "_Readings") -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            readings.faults.append(f"name must be a text; got {self.name!r}")
        if isinstance(self.aliases, str) or not all(isinstance(a, str) for a in self.aliases):
            readings.faults.append(f"aliases must be a list of names; got {self.aliases!r}")
        for name in ("year", "cores"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                readings.faults.append(f"{name} must be a whole positive number; got {value!r}")
        if not isinstance(self.level, Mapping) or not all(
            isinstance(level, MemoryLevel) for level in self.level.values()
        ):
            readings.faults.append(f"level must map names to MemoryLevel(...); got {self.level!r}")
            return
        for name, level in self.level.items():
            for part, units in (("capacity", "GB"), ("bandwidth", "GB/s")):
                if getattr(level, part) is not None:
                    readings.read(f"level.{name}.{part}", getattr(level, part), units)

    def _key(self) -> tuple[Any, ...]:
        """Name and figures, rounded past what a change of unit does to a float."""
        figures = {**self.figures, **{f"peak.{k}": v for k, v in self.peak_si.items()}}
        return self.name, frozenset((k, f"{v:.12g}") for k, v in figures.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Accelerator) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def figure(self, name: str) -> float:
        """Return a figure in SI, or say that it is not published.

        Parameters
        ----------
        name
            ``bandwidth``, ``capacity``, ``tdp``, ``link``, ``price`` or ``clock``.

        Raises
        ------
        MissingSpecError
            If the device has no such figure.
        """
        try:
            return self.figures[name]
        except KeyError:
            msg = (
                f"{self.name} has no published {name}, and nothing is substituted. "
                f"Where you know it, build the device with it: dataclasses.replace(device, {name}=…)."
            )
            raise MissingSpecError(msg) from None

    @property
    def bandwidth_si(self) -> float:
        """Memory bandwidth in bytes per second; refuses where it is not published."""
        return self.figure("bandwidth")

    @property
    def capacity_si(self) -> float:
        """Memory capacity in bytes; refuses where it is not published."""
        return self.figure("capacity")

    def peak_at(self, number_format: str | Precision) -> Quantity:
        """Return the dense peak that a precision uses; never that of a neighbour.

        Raises
        ------
        MissingSpecError
            If the maker publishes none.
        """
        key = precision(number_format).compute
        self.require_peak(key)
        return self.peak[key]

    def require_peak(self, key: str) -> float:
        """Return the dense peak of the arithmetic unit *key* in FLOP/s, or refuse."""
        try:
            return self.peak_si[key]
        except KeyError:
            msg = (
                f"{self.name} has no published {key} peak (it has {', '.join(self.peak)}), "
                f"and nothing is substituted. Choose a precision that computes in one of these."
            )
            raise MissingSpecError(msg) from None

    def ridge_point(self, number_format: str | Precision) -> Quantity:
        """Return the arithmetic intensity at which compute and memory take equally long."""
        key = precision(number_format).compute
        return ureg.Quantity(self.require_peak(key) / self.bandwidth_si, "FLOP/B")

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        peaks = ", ".join(f"{k} {text(v)}" for k, v in self.peak.items())
        memory = [text(q) for q in (self.bandwidth, self.capacity) if q is not None]
        return f"<Accelerator {self.name}: {'; '.join(filter(None, [peaks, ', '.join(memory)]))}>"
