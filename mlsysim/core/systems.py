"""What devices are joined to and stand in: links, nodes, fleets; grids, data centres and prices.

Frozen and dimensioned; no file is read here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from mlsysim.core.constants import Quantity, si, ureg
from mlsysim.core.errors import ArgumentError, SpecError, suggestion
from mlsysim.core.specs import Accelerator, FrozenMap, Source

_ISO = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")


class Topology(StrEnum):
    """How the ends of a link are joined."""

    POINT_TO_POINT = "point-to-point"
    ALL_TO_ALL = "all-to-all"
    SWITCHED = "switched"
    TORUS_2D = "2d-torus"
    TORUS_3D = "3d-torus"


@dataclass(frozen=True, kw_only=True)
class _Thing:
    """What all of them have: a name, figures with a source, and rules for the figures."""

    name: str
    vendor: str = ""
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(
        default_factory=lambda: FrozenMap[str, Source]({}), repr=False, compare=False
    )

    positive: ClassVar[Mapping[str, str]] = FrozenMap({})
    """Fields that must be positive quantities, each with a unit of its dimension; None is allowed."""
    not_negative: ClassVar[Mapping[str, str]] = FrozenMap({})
    """Fields that may be zero besides."""
    counts: ClassVar[Mapping[str, str]] = FrozenMap({})
    """Fields that must be whole positive numbers, each with a remark for the message."""

    def __post_init__(self) -> None:
        faults = [*self._quantities(), *self._counts(), *self.faults()]
        if faults:
            msg = f"{type(self).__name__} {self.name!r}: " + "; ".join(faults)
            raise SpecError(msg)

    def _quantities(self) -> list[str]:
        faults = []
        for rules, positive in ((self.positive, True), (self.not_negative, False)):
            for name, units in rules.items():
                value = getattr(self, name)
                try:
                    if value is not None:
                        si(name, value, units, positive=positive)
                except ArgumentError as error:
                    faults.append(str(error))
        return faults

    def _counts(self) -> list[str]:
        return [
            f"{name} must be a whole positive number{remark}; got {getattr(self, name)!r}"
            for name, remark in self.counts.items()
            if isinstance(getattr(self, name), bool)
            or not isinstance(getattr(self, name), int)
            or getattr(self, name) < 1
        ]

    def faults(self) -> list[str]:
        """Return what else is wrong, a line each."""
        return []

    def _kinds(self, **kinds: type) -> list[str]:
        """Return the fields that hold something of another kind."""
        return [
            f"{name} must be {_A[kind]}; got {getattr(self, name)!r}"
            for name, kind in kinds.items()
            if not isinstance(getattr(self, name), kind)
        ]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Link(_Thing):
    """A connection between devices or nodes.

    Parameters
    ----------
    name, vendor, aliases, sources
        What it is called, who makes it, and where its figures were read.
    bandwidth
        What one device can send, summed over its ports, in one direction. [B/s]
    topology
        How the ends are joined.
    latency
        Time of a message without content, where a source gives it. [s]
    ports
        Ports of one device that the bandwidth is summed over.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> Link(name="NDR", bandwidth=Q_("400 Gbps"), topology="switched").bandwidth_si
    50000000000.0
    """

    bandwidth: Quantity
    topology: Topology
    latency: Quantity | None = None
    ports: int = 1
    kind: str = "link"

    positive: ClassVar[Mapping[str, str]] = FrozenMap({"bandwidth": "GB/s", "latency": "us"})
    counts: ClassVar[Mapping[str, str]] = FrozenMap({"ports": ""})

    def faults(self) -> list[str]:
        """Return what is wrong with the topology."""
        if self.topology not in set(Topology):
            return [f"topology {self.topology!r} is unknown. {suggestion(str(self.topology), Topology)}"]
        object.__setattr__(self, "topology", Topology(self.topology))
        return []

    @property
    def bandwidth_si(self) -> float:
        """Bandwidth in bytes per second."""
        return si("bandwidth", self.bandwidth, "GB/s")


@dataclass(frozen=True, kw_only=True)
class Node(_Thing):
    """Devices that share a fast link: a server, or a rack that acts as one.

    Parameters
    ----------
    name, vendor, aliases, sources
        As for a Link.
    accelerator
        The device.
    devices
        How many of them.
    link
        What joins them.
    nic
        What joins each device to other nodes, where the node is sold with it.
    power
        Power of the whole node under load, where published. [W]
    year
        Year of launch, where published.
    """

    accelerator: Accelerator
    devices: int
    link: Link
    nic: Link | None = None
    power: Quantity | None = None
    year: int | None = None
    kind: str = "node"

    positive: ClassVar[Mapping[str, str]] = FrozenMap({"power": "kW"})
    counts: ClassVar[Mapping[str, str]] = FrozenMap({"devices": ""})

    def faults(self) -> list[str]:
        """Return which parts are of another kind."""
        return self._kinds(accelerator=Accelerator, link=Link, **({} if self.nic is None else {"nic": Link}))

    @property
    def capacity(self) -> Quantity:
        """Memory of all devices."""
        return ureg.Quantity(self.devices * self.accelerator.capacity_si / 1e9, "GB")


@dataclass(frozen=True, kw_only=True)
class Fleet(_Thing):
    """Nodes on a fabric.

    Parameters
    ----------
    name, vendor, aliases, sources
        As for a Link.
    node
        What it is made of.
    nodes
        How many of them.
    fabric
        What joins them: the bandwidth is that of one device.
    """

    node: Node
    nodes: int
    fabric: Link
    kind: str = "fleet"

    counts: ClassVar[Mapping[str, str]] = FrozenMap({"nodes": ", an empty fleet has none"})

    def faults(self) -> list[str]:
        """Return which parts are of another kind."""
        return self._kinds(node=Node, fabric=Link)

    @property
    def devices(self) -> int:
        """Devices in all nodes."""
        return self.nodes * self.node.devices


@dataclass(frozen=True, kw_only=True)
class Grid(_Thing):
    """Where electricity comes from: what a kilowatt-hour emits, and costs.

    Parameters
    ----------
    name, vendor, aliases, sources
        As for a Link.
    carbon_intensity
        Emissions of a unit of the region's electricity, as the source accounts for them. [gCO2/kWh]
    price
        What industry pays, where published. [USD/kWh]
    year
        The year that the figures describe.
    """

    carbon_intensity: Quantity
    price: Quantity | None = None
    year: int | None = None
    kind: str = "grid"

    not_negative: ClassVar[Mapping[str, str]] = FrozenMap({"carbon_intensity": "g/kWh", "price": "USD/kWh"})


@dataclass(frozen=True, kw_only=True)
class Datacenter(_Thing):
    """What a data centre adds to the power of its machines.

    Parameters
    ----------
    name, vendor, aliases, sources
        As for a Link.
    pue
        Power usage effectiveness: energy of the site over energy of its machines, at least 1.
    wue
        Water usage effectiveness: water evaporated for each unit of machine energy. [L/kWh]
    year
        The year that the figures describe.
    """

    pue: float
    wue: Quantity | None = None
    year: int | None = None
    kind: str = "datacenter"

    not_negative: ClassVar[Mapping[str, str]] = FrozenMap({"wue": "L/kWh"})

    def faults(self) -> list[str]:
        """Return what is wrong with the power usage effectiveness."""
        if isinstance(self.pue, bool) or not isinstance(self.pue, int | float) or not 1 <= self.pue < 10:
            return [f"pue must be a number of at least 1; got {self.pue!r}"]
        return []


@dataclass(frozen=True, kw_only=True)
class Price(_Thing):
    """What a cloud charges for one device for an hour.

    Parameters
    ----------
    name, vendor, aliases, sources
        As for a Link.
    accelerator
        The device.
    hourly
        Price of one device. [USD/hour]
    date
        The day, or the month, in which the price was listed, in ISO form.
    terms
        On demand, spot, or reserved and for how long.
    """

    accelerator: Accelerator
    hourly: Quantity
    date: str
    terms: str = "on-demand"
    kind: str = "price"

    positive: ClassVar[Mapping[str, str]] = FrozenMap({"hourly": "USD/hour"})

    def faults(self) -> list[str]:
        """Return what is wrong with the device or the date."""
        faults = self._kinds(accelerator=Accelerator)
        if not isinstance(self.date, str) or not _ISO.fullmatch(self.date):
            faults.append(f"date must be a day or a month such as 2026-07-28 or 2026-07; got {self.date!r}")
        return faults


_A: Mapping[type, str] = FrozenMap({Accelerator: "a device", Link: "a Link", Node: "a Node"})
"""What each kind is called in a message."""
