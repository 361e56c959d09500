"""What a machine is: frozen, typed, dimensioned. No file is read here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar

from mlsysim.core.constants import Quantity, si, ureg
from mlsysim.core.errors import ArgumentError, MissingSpecError, SpecError, suggestion
from mlsysim.core.precision import PEAKS, Precision, precision

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


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One device: its dense peak rates, its memory, its power.

    Parameters
    ----------
    name
        The maker's name for it.
    peak
        Dense arithmetic rate for each published number format. [FLOP/s]
    bandwidth
        Memory bandwidth. [B/s]
    capacity
        Memory that a program can use. [B]
    tdp
        Thermal design power, where published. [W]
    year
        Year of launch, where published.
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
    bandwidth: Quantity
    capacity: Quantity
    tdp: Quantity | None = None
    year: int | None = None
    vendor: str = ""
    kind: str = ""
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(
        default_factory=lambda: FrozenMap[str, Source]({}), repr=False, compare=False
    )
    peak_si: FrozenMap[str, float] = field(init=False, repr=False, compare=False)
    bandwidth_si: float = field(init=False, repr=False, compare=False)
    capacity_si: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []

        def read(name: str, value: Any, units: str) -> float:
            try:
                return si(name, value, units)
            except ArgumentError as error:
                faults.append(str(error))
                return 1.0

        if not isinstance(self.name, str) or not self.name.strip():
            faults.append(f"name must be a text; got {self.name!r}")
        peaks: dict[str, float] = {}
        if not isinstance(self.peak, Mapping) or not self.peak:
            faults.append("peak must map number formats to rates, as in {'fp16': Q_('312 TFLOP/s')}")
        else:
            for key, value in self.peak.items():
                if key not in PEAKS:
                    faults.append(f"peak.{key} is no number format. {suggestion(str(key), PEAKS)}")
                peaks[key] = read(f"peak.{key}", value, "TFLOP/s")
        bandwidth = read("bandwidth", self.bandwidth, "GB/s")
        capacity = read("capacity", self.capacity, "GB")
        if self.tdp is not None:
            read("tdp", self.tdp, "W")
        if faults:
            msg = f"Accelerator {self.name!r}: " + "; ".join(faults)
            raise SpecError(msg)
        put = object.__setattr__
        put(self, "peak", FrozenMap(self.peak))
        put(self, "peak_si", FrozenMap(peaks))
        put(self, "bandwidth_si", bandwidth)
        put(self, "capacity_si", capacity)

    def __hash__(self) -> int:
        return hash((self.name, self.bandwidth_si, self.capacity_si, self.peak_si))

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
        peaks = ", ".join(f"{k} {v:.4g}" for k, v in self.peak.items())
        return f"<Accelerator {self.name}: {peaks}; {self.bandwidth:.4g}, {self.capacity:.4g}>"
