r"""How long do devices need to exchange a tensor, by which algorithm, and which link limits?

.. math:: T(S) = \min_a \left( \alpha_a + \frac{S}{\beta_a} \right)

with the latency :math:`\alpha_a` [s] and the rate :math:`\beta_a` [B/s] of each algorithm :math:`a` (ring,
tree, in-switch reduction, direct messages, hierarchical) for a tensor of :math:`S` bytes: what each device
holds before an all-reduce, a reduce-scatter or an all-to-all, and after an all-gather. NCCL's tests report

.. math:: \mathrm{algbw} = S/T, \qquad \mathrm{busbw} = k\,\mathrm{algbw}

where :math:`k` is :math:`2(n-1)/n` for an all-reduce over :math:`n` devices, :math:`(n-1)/n` for an
all-gather, a reduce-scatter and an all-to-all, and 1 otherwise. ``mlsysim.core.collectives`` has the lines.

Limits: one exchange at a time, all devices start together, no other traffic. The default calibration rests
on all-reduces over NVLink and EFA; other links, and an all-to-all, are extrapolation. A bus bandwidth above
the link's means that a switch adds, or that a node's sum crosses its boundary once.

References
----------
.. [nccl-tests-performance] NVIDIA, "Performance reported by NCCL tests".
"""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core import collective_calibration as calibrations
from mlsysim.core import collectives
from mlsysim.core.arguments import Arguments
from mlsysim.core.collective_calibration import CollectiveCalibration
from mlsysim.core.collectives import Algorithm, Collective, Plan
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.systems import Fleet, Link, Node
from mlsysim.format import Banded, Shown, text


class CollectiveLimit(Enum):
    """What most of the time of a collective goes into."""

    LATENCY = "latency"
    BANDWIDTH = "bandwidth"

    def __str__(self) -> str:
        return f"{self.value.capitalize()} Bound"


@dataclass(frozen=True, kw_only=True, repr=False)
class CollectiveResult(Shown):
    """One exchange of a tensor between devices.

    Parameters
    ----------
    collective, calibration
        What was asked.
    size
        The whole tensor on each device. [B]
    parts
        Each link, the innermost first, and how many it joins.
    plan
        The algorithm that was used: the fastest, where none was asked for.
    candidates
        Every algorithm that does it here.
    """

    collective: Collective
    calibration: CollectiveCalibration
    size: float
    parts: tuple[tuple[Link, int], ...]
    plan: Plan
    candidates: tuple[Plan, ...]

    @property
    def devices(self) -> int:
        """Devices that take part."""
        return math.prod(members for _, members in self.parts)

    @property
    def seconds(self) -> float:
        """Time of the exchange. [s]"""
        return float(self.plan.time(self.size))

    @property
    def time(self) -> Quantity:
        """Time of the exchange."""
        return ureg.Quantity(self.seconds * 1e3, unit("ms"))

    @property
    def time_band(self) -> tuple[Quantity, Quantity] | None:
        """Where eight of ten measured times lie, by errors on runs that the fit did not see."""
        if self.calibration.band is None:
            return None
        low, high = (ureg.Quantity(self.seconds * 1e3 * r, unit("ms")) for r in self.calibration.band)
        return low, high

    @property
    def latency(self) -> Quantity:
        """Time that it would take without content."""
        return ureg.Quantity(self.plan.latency * 1e6, unit("us"))

    @property
    def algbw(self) -> Quantity:
        """Algorithm bandwidth: the tensor over the time."""
        return ureg.Quantity(self.size / self.seconds / 1e9, unit("GB/s"))

    @property
    def busbw(self) -> Quantity:
        """Bus bandwidth: what each device would send per second if point-to-point messages did it."""
        factor = collectives.bus_factor(self.collective, self.devices)
        return ureg.Quantity(factor * self.algbw.magnitude, unit("GB/s"))

    @property
    def binding_link(self) -> Link:
        """The link whose level takes longest."""
        return self.parts[self.plan.binding][0]

    @property
    def limit(self) -> CollectiveLimit:
        """Whether latency or bandwidth takes more of the time; a tie goes to bandwidth."""
        content = self.size * self.plan.seconds_per_byte
        return CollectiveLimit.LATENCY if self.plan.latency > content else CollectiveLimit.BANDWIDTH

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"{str(self.collective).capitalize()} over {self.devices} devices"

    def rows(self) -> list[tuple[str, Any]]:
        """Return what was asked and what came out, the best of each algorithm last, fastest first."""
        band, units = self.time_band, "GiB" if self.size >= 2**30 else "MiB"
        best: dict[str, float] = {}
        for plan in sorted(self.candidates, key=lambda plan: plan.time(self.size)):
            best.setdefault(plan.algorithm, plan.time(self.size) * 1e3)
        ways = [f"{name} {text(ureg.Quantity(time, unit('ms')))}" for name, time in best.items()]
        return [
            ("Size", ureg.Quantity(self.size, unit("B")).to(units)),
            ("Links", ", ".join(f"{n} on {link}" for link, n in self.parts if n > 1)),
            ("Calibration", self.calibration.name),
            ("Algorithm", str(self.plan)),
            ("Time", Banded(self.time, *band) if band else self.time),
            ("Latency", self.latency),
            ("Algorithm bandwidth", self.algbw),
            ("Bus bandwidth", self.busbw),
            ("Limit", self.limit),
            ("Slowest link", str(self.binding_link)),
            ("Candidates", "; ".join(ways)),
        ]


class CollectiveModel:
    """Answers: how long does an exchange take, by which algorithm, and what limits it?"""

    def solve(
        self,
        collective: str | Collective,
        size: Quantity,
        fleet: Fleet | Node | None = None,
        *,
        devices: int | None = None,
        link: Link | None = None,
        algorithm: str | Algorithm | None = None,
        calibration: str | CollectiveCalibration | None = None,
    ) -> CollectiveResult:
        """Return the time of one exchange.

        Parameters
        ----------
        collective
            ``all-reduce``, ``all-gather``, ``reduce-scatter``, ``all-to-all``, ``broadcast`` or
            ``point-to-point`` (each device to one other, across the outermost link).
        size
            The whole tensor on each device, as NCCL counts it. [B]
        fleet
            Where it happens: a fleet, or one node.
        devices
            How many take part, at least 2: of a fleet part of one node, or whole nodes; all if left out.
        link
            What joins them, in place of a fleet; it counts as inside a node. [B/s]
        algorithm
            ``ring``, ``tree``, ``nvls``, ``direct`` or ``hierarchical``; the fastest if left out.
        calibration
            How far links fall short: a preset's name or a ``CollectiveCalibration``; ``nccl`` if left out.

        Returns
        -------
        CollectiveResult
            An estimate; under ``calibration="ideal"`` a lower bound for each algorithm.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Link, Q_
        >>> wire = Link(name="wire", bandwidth=Q_("100 GB/s"), topology="switched")
        >>> r = CollectiveModel().solve("all-reduce", Q_("1 GB"), devices=8, link=wire, calibration="ideal")
        >>> f"{r.time:.1f}", f"{r.busbw:.0f}", str(r.plan)
        ('17.5 ms', '100 GB/s', 'ring')
        """
        given = Arguments("CollectiveModel.solve")
        kind = given.take(collectives.parse_collective, collective, Collective.ALL_REDUCE)
        content = given.quantity("size", size, "GB")
        if algorithm is not None:
            algorithm = given.take(collectives.parse_algorithm, algorithm, Algorithm.RING)
        preset = calibrations.NCCL
        if calibration is not None:
            preset = given.take(calibrations.preset, calibration, preset)
        parts = _parts(given, fleet, devices, link)
        known: tuple[Plan, ...] = ()
        if not given.faults:
            known = collectives.plans(kind, preset.levels(parts), launch=preset.launch_seconds)
        able = [plan for plan in known if algorithm in {None, plan.algorithm}]
        if known and not able:
            names = ", ".join(dict.fromkeys(plan.algorithm for plan in known))
            where = ", ".join(f"{n} on {joint}" for joint, n in parts if n > 1)
            given.fault(f"algorithm {str(algorithm)!r} does no {kind} over {where}. Able: {names}.")
        given.close()
        return CollectiveResult(
            collective=kind,
            calibration=preset,
            size=content,
            parts=parts,
            plan=min(able, key=lambda plan: plan.time(content)),
            candidates=known,
        )


def _parts(given: Arguments, fleet: Any, devices: Any, link: Any) -> tuple[tuple[Link, int], ...]:
    """Return each link and how many it joins, or note why there is none."""
    before = len(given.faults)
    if (fleet is None) == (link is None):
        given.fault("give either fleet, such as Systems.Nodes.DGX_H100, or link with devices")
    elif not isinstance(link, Link | None):
        given.fault(f"link must be a Link such as Systems.Fabrics.NVLink4; got {link!r}")
    elif not isinstance(fleet, Fleet | Node | None):
        given.fault(f"fleet must be a fleet or a node such as Systems.Nodes.DGX_H100; got {fleet!r}")
    if len(given.faults) > before:
        return ()
    most = fleet.devices if fleet else None
    members = given.count("devices", most if devices is None else devices, least=2)
    if most is not None and members > most:
        given.fault(f"devices, {members:,}, exceed those of {fleet}, {most:,}")
    if isinstance(fleet, Fleet) and members > (each := fleet.node.devices):
        if members % each:
            given.fault(f"devices, {members:,}, must be whole nodes of {each}, or part of one node")
        return (fleet.node.link, each), (fleet.fabric, members // each)
    inside: Link = link or (fleet.node.link if isinstance(fleet, Fleet) else fleet.link)
    return ((inside, members),)
