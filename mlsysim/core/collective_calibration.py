"""How far real links fall short of their datasheet when devices exchange tensors: a few factors, with source.

The devices of a node and the nodes of a fleet each have a hop and a share of the bandwidth that is reached;
a switch that adds has both of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mlsysim.core.arguments import Arguments
from mlsysim.core.collectives import Level
from mlsysim.core.constants import Q_, Quantity, si
from mlsysim.core.errors import ArgumentError, suggestion
from mlsysim.core.specs import FrozenMap
from mlsysim.core.systems import Link

_NO_TIME = Q_("0 us")
_TIMES: Final = ("launch", "link_latency", "network_latency", "switch_latency")
_SHARES: Final = ("link_efficiency", "network_efficiency", "switch_efficiency")


@dataclass(frozen=True, kw_only=True)
class CollectiveCalibration:
    """Times and shares of a collective library, under one name.

    Parameters
    ----------
    name, source
        What it is called, and what it was fitted to.
    launch
        Time of a call before anything is sent. [s]
    link_latency, network_latency, switch_latency
        Time of a hop inside a node, of one between nodes, and of one in which a switch adds. A link whose
        card states a latency keeps its own. [s]
    link_efficiency, network_efficiency, switch_efficiency
        Share of the bandwidth that is reached inside a node, between nodes, and where a switch adds.
    adding_switches
        Names of the links whose switches can add.
    band
        10th and 90th percentile of measured over predicted time, over runs that the fit did not see.

    Examples
    --------
    >>> IDEAL.link_efficiency, preset("nccl").name
    (1.0, 'nccl')
    """

    name: str
    source: str
    launch: Quantity = _NO_TIME
    link_latency: Quantity = _NO_TIME
    network_latency: Quantity = _NO_TIME
    switch_latency: Quantity = _NO_TIME
    link_efficiency: float = 1.0
    network_efficiency: float = 1.0
    switch_efficiency: float = 1.0
    adding_switches: tuple[str, ...] = ()
    band: tuple[float, float] | None = None
    seconds: Mapping[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = Arguments(f"CollectiveCalibration {self.name!r}")
        seconds = {n: given.quantity(n, getattr(self, n), "us", positive=False) for n in _TIMES}
        for name in _SHARES:
            given.fraction(name, getattr(self, name))
        if self.band is not None and not 0 < self.band[0] <= self.band[1]:
            given.fault(f"band must be two positive ratios, low first; got {self.band!r}")
        given.close()
        object.__setattr__(self, "seconds", FrozenMap(seconds))

    @property
    def launch_seconds(self) -> float:
        """Time of a call before anything is sent. [s]"""
        return self.seconds["launch"]

    def level(self, link: Link, devices: int, *, between_nodes: bool = False) -> Level:
        """Return a link between *devices* as the time equation takes it.

        Parameters
        ----------
        link
            What joins them.
        devices
            How many it joins.
        between_nodes
            Whether it joins nodes.

        Examples
        --------
        >>> link = Link(name="wire", bandwidth=Q_("100 GB/s"), topology="switched")
        >>> IDEAL.level(link, 4).rate
        100000000000.0
        """
        side = "network" if between_nodes else "link"
        hop = self.seconds[f"{side}_latency"]
        if link.latency is not None:
            hop = si("latency", link.latency, "us")
        return Level(
            devices=devices,
            bandwidth=link.bandwidth_si,
            latency=hop,
            efficiency=self.network_efficiency if between_nodes else self.link_efficiency,
            switch_latency=self.seconds["switch_latency"],
            switch_efficiency=self.switch_efficiency if link.name in self.adding_switches else None,
        )

    def levels(self, parts: Iterable[tuple[Link, int]]) -> tuple[Level, ...]:
        """Return links and how many each joins, the first inside a node, as the time equation takes them."""
        return tuple(self.level(link, n, between_nodes=i > 0) for i, (link, n) in enumerate(parts))

    def __str__(self) -> str:
        return self.name


_NVSWITCH: Final = ("NVIDIA NVLink 4", "NVIDIA NVLink 4, H800", "NVIDIA NVLink 5")
"""Links whose switches add: NCCL's own model gives Hopper and Blackwell an efficiency, earlier ones none."""

IDEAL: Final = CollectiveCalibration(
    name="ideal",
    source=(
        "The bounds of NVIDIA, Performance reported by NCCL tests, and of Patarasuk and Yuan, J. Parallel "
        "Distrib. Comput. 69(2), 2009: every link fully used, no latency"
    ),
    adding_switches=_NVSWITCH,
)
"""Every link fully used, nothing else costs time: a lower bound for each algorithm."""

NCCL: Final = CollectiveCalibration(
    name="nccl",
    source=(
        "Fitted to NCCL's all-reduces and one all-gather on A100, H200 and B200, NVLink inside a node and "
        "EFA between nodes, 1 MiB to 16 GiB (data/measurements.csv, category 6), the hops inside a node as "
        "in NCCL's own cost model (src/graph/tuning.cc, version 2.28.3): 34 rows, median error 4.2 %, "
        "11.5 % with each hardware left out; from 256 MiB on (24 rows) 9.1 % with each hardware left out, at "
        "most 16.3 %"
    ),
    launch=Q_("27 us"),
    link_latency=Q_("3.4 us"),
    network_latency=Q_("88 us"),
    switch_latency=Q_("25 us"),
    link_efficiency=0.77,
    network_efficiency=0.78,
    switch_efficiency=0.67,
    adding_switches=_NVSWITCH,
    band=(0.87, 1.22),
)
"""NCCL on NVLink inside a node and EFA between nodes: the default.

At 16 to 64 MiB a line is too fast: the worst are two nodes over EFA v1 at 16 MiB (540 µs are missing, a
factor of 1.8) and B200 at 64 MiB (90 µs, 1.5). What is missing is the pipeline that chunks must fill.
"""

PRESETS: Final = {c.name: c for c in (IDEAL, NCCL)}
"""Calibrations by name."""


def preset(value: "str | CollectiveCalibration") -> CollectiveCalibration:
    """Return the calibration of that name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(value, CollectiveCalibration):
        return value
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    known = suggestion(str(value), PRESETS)
    msg = f"calibration must be a CollectiveCalibration or the name of a preset; got {value!r}. {known}"
    raise ArgumentError(msg)
