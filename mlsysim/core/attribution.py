r"""Why one configuration is faster than another: the log of the speed-up, split fairly.

Each term of the time equation belongs to one player: bandwidth, compute, overhead, workload,
policy. For a set :math:`S` of players let :math:`v(S) = \ln T` with the terms of :math:`S` taken from
the proposal and the others from the baseline. The Shapley value :math:`\phi_i` averages what a player
adds over all orders in which the players can change sides; its factor is :math:`e^{-\phi_i}`, and the
factors multiply to the speed-up.

References
----------
.. [shapley1953] L. S. Shapley, "A value for n-person games", in Contributions to the Theory of
   Games II, Princeton University Press, 1953.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from mlsysim.core.roofline import Terms
from mlsysim.core.specs import FrozenMap


class Player(StrEnum):
    """What can differ between two configurations."""

    BANDWIDTH = "bandwidth"
    COMPUTE = "compute"
    OVERHEAD = "overhead"
    DEVICES = "devices"
    WORKLOAD = "workload"
    POLICY = "policy"


TERMS: Mapping[Player, tuple[str, ...]] = FrozenMap(
    {
        Player.BANDWIDTH: ("bandwidth", "memory_efficiency"),
        Player.COMPUTE: ("peak", "compute_efficiency"),
        Player.OVERHEAD: ("overhead",),
        Player.DEVICES: ("devices", "link_traffic", "link_bandwidth", "link_latency"),
        Player.WORKLOAD: ("flops", "traffic"),
        Player.POLICY: ("serial_fraction",),
    }
)
"""The terms of the time equation that each player owns."""

MEANING: Mapping[Player, str] = FrozenMap(
    {
        Player.BANDWIDTH: "memory bandwidth",
        Player.COMPUTE: "arithmetic rate",
        Player.OVERHEAD: "fixed overhead",
        Player.DEVICES: "number of devices and their communication",
        Player.WORKLOAD: "FLOP and bytes of the step",
        Player.POLICY: "overlap of compute and memory",
    }
)


def _log_time(baseline: Terms, proposal: Terms, players: frozenset[Player]) -> float:
    swapped = {name: getattr(proposal, name) for p in players for name in TERMS[p]}
    return math.log(replace(baseline, **swapped).latency)


def shapley_factors(baseline: Terms, proposal: Terms) -> dict[Player, float]:
    """Split a speed-up into one factor for each player.

    Parameters
    ----------
    baseline, proposal
        Terms of the two configurations.

    Returns
    -------
    dict of Player to float
        Exact; above 1 where the player's change makes the proposal faster. They multiply to
        the speed-up.

    Examples
    --------
    >>> slow = Terms(flops=1.0, traffic=8.0, peak=1.0, bandwidth=1.0, compute_efficiency=1.0,
    ...              memory_efficiency=1.0, serial_fraction=0.0, overhead=0.0)
    >>> round(shapley_factors(slow, replace(slow, bandwidth=2.0))[Player.BANDWIDTH], 12)
    2.0
    """
    players = tuple(Player)
    n = len(players)
    value = {
        frozenset(group): _log_time(baseline, proposal, frozenset(group))
        for size in range(n + 1)
        for group in combinations(players, size)
    }
    factors = {}
    for player in players:
        others = [p for p in players if p is not player]
        phi = 0.0
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            for group in combinations(others, size):
                before = frozenset(group)
                phi += weight * (value[before | {player}] - value[before])
        factors[player] = math.exp(-phi)
    return factors


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """From the datasheet's promise to the speed-up that arrives.

    Parameters
    ----------
    resource
        The resource of the baseline's longer phase, which the promise is about.
    promised
        Its ratio on the datasheets.
    efficiency
        What a change of the reached share does to it; 1 under one calibration.
    workload
        What a change of the step's FLOP or bytes does to it; 1 for the same step.
    devices
        What a change of the number of devices does to it; 1 for the same number.
    other_phase
        What the other phase adds: above 1 where it gained more.
    overlap
        What a change of the overlap between the phases does; 1 under one calibration.
    overhead
        What the fixed overhead, and communication between devices, take.
    """

    resource: Player
    promised: float
    efficiency: float
    workload: float
    devices: float
    other_phase: float
    overlap: float
    overhead: float

    def rows(self) -> list[tuple[str, float]]:
        """Return the links of the chain, in order; they multiply to the speed-up."""
        links = [
            (f"{MEANING[self.resource]}, datasheet", self.promised),
            ("efficiency reached", self.efficiency),
            ("work of the step", self.workload),
            ("number of devices", self.devices),
            ("the other phase", self.other_phase),
            ("overlap of the phases", self.overlap),
            ("overhead", self.overhead),
        ]
        always = {links[0][0], "the other phase", "overhead"}
        return [(label, f) for label, f in links if label in always or abs(f - 1) > 1e-12]


def deliver(a: Terms, b: Terms) -> Delivery:
    """Follow the speed-up from *a* to *b* from the datasheets to what arrives."""
    memory = a.memory_time >= a.compute_time
    rate, share, amount = (
        ("bandwidth", "memory_efficiency", "traffic") if memory else ("peak", "compute_efficiency", "flops")
    )
    promised = getattr(b, rate) / getattr(a, rate)
    efficiency = getattr(b, share) / getattr(a, share)
    workload = getattr(a, amount) / getattr(b, amount)
    devices = b.devices / a.devices
    alike = replace(b, serial_fraction=a.serial_fraction)
    phases = a.busy_time / alike.busy_time
    overlap = alike.busy_time / b.busy_time
    return Delivery(
        resource=Player.BANDWIDTH if memory else Player.COMPUTE,
        promised=promised,
        efficiency=efficiency,
        workload=workload,
        devices=devices,
        other_phase=phases / (promised * efficiency * workload * devices),
        overlap=overlap,
        overhead=(a.latency / b.latency) / (phases * overlap),
    )
