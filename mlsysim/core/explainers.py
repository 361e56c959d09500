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
from textwrap import fill
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Bottleneck, Terms
from mlsysim.core.specs import FrozenMap
from mlsysim.format import html_table, plain, text_table


class Player(StrEnum):
    """What can differ between two configurations."""

    BANDWIDTH = "bandwidth"
    COMPUTE = "compute"
    OVERHEAD = "overhead"
    WORKLOAD = "workload"
    POLICY = "policy"


TERMS: Mapping[Player, tuple[str, ...]] = FrozenMap(
    {
        Player.BANDWIDTH: ("bandwidth", "memory_efficiency"),
        Player.COMPUTE: ("peak", "compute_efficiency"),
        Player.OVERHEAD: ("overhead",),
        Player.WORKLOAD: ("flops", "traffic"),
        Player.POLICY: ("serial_fraction",),
    }
)
"""The terms of the time equation that each player owns."""

_NOTICEABLE = 5e-3
"""Factors nearer to 1 than this are not worth a sentence."""

_MEANING: Mapping[Player, str] = FrozenMap(
    {
        Player.BANDWIDTH: "memory bandwidth",
        Player.COMPUTE: "arithmetic rate",
        Player.OVERHEAD: "fixed overhead",
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
    other_phase
        What the other phase adds: above 1 where it gained more.
    overhead
        What the fixed overhead takes.
    """

    resource: Player
    promised: float
    efficiency: float
    workload: float
    other_phase: float
    overhead: float

    def rows(self) -> list[tuple[str, float]]:
        """Return the links of the chain, in order; they multiply to the speed-up."""
        links = [
            (f"{_MEANING[self.resource]}, datasheet", self.promised),
            ("efficiency reached", self.efficiency),
            ("work of the step", self.workload),
            ("the other phase", self.other_phase),
            ("overhead", self.overhead),
        ]
        always = {links[0][0], "the other phase", "overhead"}
        return [(label, f) for label, f in links if label in always or abs(f - 1) > 1e-12]


def _delivery(a: Terms, b: Terms) -> Delivery:
    memory = a.memory_time >= a.compute_time
    rate, share, amount = (
        ("bandwidth", "memory_efficiency", "traffic") if memory else ("peak", "compute_efficiency", "flops")
    )
    promised = getattr(b, rate) / getattr(a, rate)
    efficiency = getattr(b, share) / getattr(a, share)
    workload = getattr(a, amount) / getattr(b, amount)
    busy = a.busy_time / b.busy_time
    return Delivery(
        resource=Player.BANDWIDTH if memory else Player.COMPUTE,
        promised=promised,
        efficiency=efficiency,
        workload=workload,
        other_phase=busy / (promised * efficiency * workload),
        overhead=(a.latency / b.latency) / busy,
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanation:
    """Why the proposal is faster or slower than the baseline.

    Parameters
    ----------
    baseline, proposal
        The two profiles.
    speedup
        Time of the baseline over time of the proposal; None if either does not fit.
    factors
        One factor for each player; they multiply to the speed-up. Empty without a speed-up.
    delivery
        From the datasheet's promise to what arrives; None without a speed-up.
    """

    baseline: PerformanceProfile
    proposal: PerformanceProfile
    speedup: float | None
    factors: Mapping[Player, float]
    delivery: Delivery | None

    def _regimes(self) -> tuple[Bottleneck, Bottleneck]:
        return self.baseline.bottleneck, self.proposal.bottleneck

    def _misfits(self) -> list[str]:
        sides = (("Baseline", self.baseline), ("Proposal", self.proposal))
        return [f"{side}: {p.model} on {p.hardware} {p.fit}." for side, p in sides if not p.fits]

    def headline(self) -> list[str]:
        """Return the speed-up and the two regimes, a line each."""
        before, after = (
            str(p.bottleneck) if p.fits else "does not fit" for p in (self.baseline, self.proposal)
        )
        ratio = "none" if self.speedup is None else f"{self.speedup:.2f}x"
        return [f"Speedup: {ratio}", f"Baseline Regime: {before}", f"Proposal Regime: {after}"]

    def sentences(self) -> list[str]:
        """Return the analysis, a sentence each; every one holds for these two profiles."""
        if self.speedup is None or self.delivery is None:
            remedy = "Compare on enough devices, with fewer bits or with a smaller batch."
            nothing = "A configuration that does not fit has no time, so nothing is attributed."
            return [*self._misfits(), nothing, remedy]
        return [
            self._verdict(self.speedup),
            self._regime(),
            *self._items(self.speedup),
            *self._promise(self.speedup, self.delivery),
            *self._held_back(self.delivery),
        ]

    def _verdict(self, speedup: float) -> str:
        moved = [p for p, f in self.factors.items() if abs(f - 1) > 1e-9]
        if not moved:
            return "The two configurations take the same time: no term of the time differs."
        largest = max(moved, key=lambda p: abs(math.log(self.factors[p])))
        part = f"{_MEANING[largest]} ({self.factors[largest]:.3g}x)"
        if abs(speedup - 1) < _NOTICEABLE:
            return f"The changes all but cancel; the largest is {part}."
        way = "faster" if speedup > 1 else "slower"
        if (self.factors[largest] > 1) == (speedup > 1):
            return f"The proposal is {way}, mostly through {part}."
        return f"The proposal is {way} all the same, although {part} pulls the other way."

    def _regime(self) -> str:
        before, after = self._regimes()
        if before is after:
            return f"The workload remained {before}."
        return f"The regime shifted from {before} to {after}."

    def _items(self, speedup: float) -> list[str]:
        before, after = self.baseline, self.proposal
        if before.phase is not after.phase:
            return [f"The steps differ in kind: {before.phase} against {after.phase}."]
        ratio = after.work.items / before.work.items
        if ratio == 1:
            return []
        return [f"Its step finishes {ratio:.3g}x as much: {ratio * speedup:.3g}x the throughput."]

    def _promise(self, speedup: float, delivery: Delivery) -> list[str]:
        name = _MEANING[delivery.resource]
        if abs(delivery.promised - 1) < 1e-9:
            return [f"The datasheets show the same {name}."]
        return [f"The datasheets promise {delivery.promised:.3g}x in {name}; {speedup:.3g}x is delivered."]

    def _held_back(self, delivery: Delivery) -> list[str]:
        out = []
        terms = self.proposal.terms
        if abs(delivery.overhead - 1) > _NOTICEABLE:
            effect = "holds back the gain" if delivery.overhead < 1 else "dampens the change"
            out.append(
                f"Overhead, {terms.overhead / terms.latency:.0%} of the proposal's time, "
                f"{effect} ({delivery.overhead:.3g}x)."
            )
        if abs(delivery.other_phase - 1) > _NOTICEABLE:
            memory = delivery.resource is Player.BANDWIDTH
            other = _MEANING[Player.COMPUTE if memory else Player.BANDWIDTH]
            verb = "adds" if delivery.other_phase > 1 else "costs"
            out.append(f"The time that {other} sets {verb} {delivery.other_phase:.3g}x.")
        return out

    def __str__(self) -> str:
        first, *lines = ["📊 Differential Analysis: Proposal vs. Baseline", *self.headline()]
        parts = [
            first,
            *(f"• {line}" for line in lines),
            "",
            "Analysis: " + " ".join(self.sentences()),
        ]
        if self.delivery is not None:
            factors = [(str(p), f"{f:.3f}x") for p, f in self.factors.items()]
            chain = [(label, f"{f:.3f}x") for label, f in self.delivery.rows()]
            parts += ["", text_table(["factor", "speed-up"], factors)]
            parts += ["", text_table(["promised to delivered", ""], chain)]
        return "\n".join(parts)

    __repr__ = __str__

    def to_markdown(self) -> str:
        """Return the explanation as Markdown, for a pull request or a report."""
        out = ["### Differential analysis: proposal vs. baseline", ""]
        out += [f"- **{line.partition(':')[0]}:**{line.partition(':')[2]}" for line in self.headline()]
        out += ["", " ".join(self.sentences())]
        if self.delivery is not None:
            out += ["", "| factor | speed-up |", "|---|---:|"]
            out += [f"| {p} | {f:.3f}x |" for p, f in self.factors.items()]
            out += ["", "| promised to delivered | |", "|---|---:|"]
            out += [f"| {label} | {f:.3f}x |" for label, f in self.delivery.rows()]
        return "\n".join(out)

    def _repr_html_(self) -> str:
        rows = [tuple(line.split(": ", 1)) for line in self.headline()]
        parts = [html_table(["Proposal vs. baseline", ""], rows)]
        parts.append(f"<p>{' '.join(self.sentences())}</p>")
        if self.delivery is not None:
            factors = [(str(p), f"{f:.3f}x") for p, f in self.factors.items()]
            parts.append(html_table(["Factor", "Speed-up"], factors))
            chain = [(label, f"{f:.3f}x") for label, f in self.delivery.rows()]
            parts.append(html_table(["Promised to delivered", "Factor"], chain))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data."""
        before, after = self._regimes()
        return {
            "speedup": self.speedup,
            "baseline_regime": str(before),
            "proposal_regime": str(after),
            "fits": {"baseline": self.baseline.fits, "proposal": self.proposal.fits},
            "factors": plain(self.factors),
            "delivery": {} if self.delivery is None else dict(self.delivery.rows()),
            "analysis": self.sentences(),
        }


class DifferentialExplainer:
    """Compares two profiles and says why their times differ."""

    @staticmethod
    def compare_performance(baseline: PerformanceProfile, proposal: PerformanceProfile) -> Explanation:
        """Explain the speed-up of *proposal* over *baseline*.

        Parameters
        ----------
        baseline, proposal
            Results of ``Engine.solve``.

        Returns
        -------
        Explanation
            Exact for the two profiles. Without factors where either does not fit.

        Raises
        ------
        ArgumentError
            If an argument is no profile.

        Examples
        --------
        >>> from mlsysim import Engine, Hardware, Models
        >>> a, b = (Engine.solve(model=Models.Llama3_8B, hardware=hw)
        ...         for hw in (Hardware.Cloud.A100, Hardware.Cloud.H100))
        >>> why = DifferentialExplainer.compare_performance(baseline=a, proposal=b)
        >>> f"{why.speedup:.2f} = {why.factors['bandwidth']:.3f} x {why.factors['compute']:.3f}"
        '1.39 = 1.345 x 1.036'
        """
        given = Arguments("DifferentialExplainer.compare_performance")
        for name, value in (("baseline", baseline), ("proposal", proposal)):
            if not isinstance(value, PerformanceProfile):
                given.fault(f"{name} must be a profile from Engine.solve; got {value!r}")
        given.close()
        if not (baseline.fits and proposal.fits):
            return Explanation(
                baseline=baseline,
                proposal=proposal,
                speedup=None,
                factors=FrozenMap({}),
                delivery=None,
            )
        a, b = baseline.terms, proposal.terms
        return Explanation(
            baseline=baseline,
            proposal=proposal,
            speedup=a.latency / b.latency,
            factors=FrozenMap(shapley_factors(a, b)),
            delivery=_delivery(a, b),
        )
