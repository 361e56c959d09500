"""What devices are joined to: links, nodes and fleets. Frozen, dimensioned; no file is read here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

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


def _no_sources() -> FrozenMap[str, Any]:
    return FrozenMap({})


def _check(kind: str, name: str, faults: list[str]) -> None:
    if faults:
        msg = f"{kind} {name!r}: " + "; ".join(faults)
        raise SpecError(msg)


@dataclass(frozen=True, kw_only=True)
class Link:
    """A connection between devices or nodes.

    Parameters
    ----------
    name
        What it is called.
    bandwidth
        What one device can send, summed over its ports, in one direction. [B/s]
    latency
        Time of a message without content, where a source gives it. [s]
    topology
        How the ends are joined.
    ports
        Ports of one device that the bandwidth is summed over.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> Link(name="NDR", bandwidth=Q_("400 Gbps"), topology="switched").bandwidth_si
    50000000000.0
    """

    name: str
    bandwidth: Quantity
    topology: Topology
    latency: Quantity | None = None
    ports: int = 1
    vendor: str = ""
    kind: str = "link"
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)
    bandwidth_si: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        try:
            object.__setattr__(self, "bandwidth_si", si("bandwidth", self.bandwidth, "GB/s"))
            if self.latency is not None:
                si("latency", self.latency, "us")
        except ArgumentError as error:
            faults.append(str(error))
        if self.topology not in set(Topology):
            faults.append(
                f"topology {self.topology!r} is unknown. {suggestion(str(self.topology), Topology)}"
            )
        else:
            object.__setattr__(self, "topology", Topology(self.topology))
        if isinstance(self.ports, bool) or not isinstance(self.ports, int) or self.ports < 1:
            faults.append(f"ports must be a whole positive number; got {self.ports!r}")
        _check("Link", self.name, faults)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Node:
    """Devices that share a fast link: a server, or a rack that acts as one.

    Parameters
    ----------
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
    """

    name: str
    accelerator: Accelerator
    devices: int
    link: Link
    nic: Link | None = None
    power: Quantity | None = None
    year: int | None = None
    vendor: str = ""
    kind: str = "node"
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        if not isinstance(self.accelerator, Accelerator):
            faults.append(f"accelerator must be a device; got {self.accelerator!r}")
        if not isinstance(self.link, Link):
            faults.append(f"link must be a Link; got {self.link!r}")
        if self.nic is not None and not isinstance(self.nic, Link):
            faults.append(f"nic must be a Link; got {self.nic!r}")
        if self.power is not None:
            try:
                si("power", self.power, "kW")
            except ArgumentError as error:
                faults.append(str(error))
        if isinstance(self.devices, bool) or not isinstance(self.devices, int) or self.devices < 1:
            faults.append(f"devices must be a whole positive number; got {self.devices!r}")
        _check("Node", self.name, faults)

    @property
    def capacity(self) -> Quantity:
        """Memory of all devices."""
        return ureg.Quantity(self.devices * self.accelerator.capacity_si / 1e9, "GB")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Nodes on a fabric.

    Parameters
    ----------
    node
        What it is made of.
    nodes
        How many of them.
    fabric
        What joins them: the bandwidth is that of one device.
    """

    name: str
    node: Node
    nodes: int
    fabric: Link
    kind: str = "fleet"
    vendor: str = ""
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        if not isinstance(self.node, Node):
            faults.append(f"node must be a Node; got {self.node!r}")
        if not isinstance(self.fabric, Link):
            faults.append(f"fabric must be a Link; got {self.fabric!r}")
        if isinstance(self.nodes, bool) or not isinstance(self.nodes, int) or self.nodes < 1:
            faults.append(
                f"nodes must be a whole positive number, an empty fleet has none; got {self.nodes!r}"
            )
        _check("Fleet", self.name, faults)

    @property
    def devices(self) -> int:
        """Devices in all nodes."""
        return self.nodes * self.node.devices

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where electricity comes from: what a kilowatt-hour emits, and costs.

    Parameters
    ----------
    carbon_intensity
        Emissions of a unit of the region's electricity, as the source accounts for them. [gCO2/kWh]
    price
        What industry pays, where published. [USD/kWh]
    year
        The year that the figures describe.
    """

    name: str
    carbon_intensity: Quantity
    price: Quantity | None = None
    year: int | None = None
    vendor: str = ""
    kind: str = "grid"
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        for name, units in (("carbon_intensity", "g/kWh"), ("price", "USD/kWh")):
            value = getattr(self, name)
            if value is not None:
                try:
                    si(name, value, units, positive=False)
                except ArgumentError as error:
                    faults.append(str(error))
        _check("Grid", self.name, faults)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Datacenter:
    """What a data centre adds to the power of its machines.

    Parameters
    ----------
    pue
        Power usage effectiveness: energy of the site over energy of its machines, at least 1.
    wue
        Water usage effectiveness: water evaporated for each unit of machine energy. [L/kWh]
    year
        The year that the figures describe.
    """

    name: str
    pue: float
    wue: Quantity | None = None
    year: int | None = None
    vendor: str = ""
    kind: str = "datacenter"
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        if isinstance(self.pue, bool) or not isinstance(self.pue, int | float) or not 1 <= self.pue < 10:
            faults.append(f"pue must be a number of at least 1; got {self.pue!r}")
        if self.wue is not None:
            try:
                si("wue", self.wue, "L/kWh", positive=False)
            except ArgumentError as error:
                faults.append(str(error))
        _check("Datacenter", self.name, faults)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a cloud charges for one device for an hour.

    Parameters
    ----------
    accelerator
        The device.
    hourly
        Price of one device. [USD/hour]
    date
        The day, or the month, in which the price was listed, in ISO form.
    terms
        On demand, spot, or reserved and for how long.
    """

    name: str
    accelerator: Accelerator
    hourly: Quantity
    date: str
    terms: str = "on-demand"
    vendor: str = ""
    kind: str = "price"
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=_no_sources, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults: list[str] = []
        if not isinstance(self.accelerator, Accelerator):
            faults.append(f"accelerator must be a device; got {self.accelerator!r}")
        if not isinstance(self.date, str) or not _ISO.fullmatch(self.date):
            faults.append(f"date must be a day or a month such as 2026-07-28 or 2026-07; got {self.date!r}")
        try:
            si("hourly", self.hourly, "USD/hour")
        except ArgumentError as error:
            faults.append(str(error))
        _check("Price", self.name, faults)

    def __str__(self) -> str:
        return self.name
