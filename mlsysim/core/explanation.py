"""What an explanation says: headline, sentences and tables, as text, Markdown, HTML and data."""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import fill
from typing import Any

from mlsysim.core.attribution import MEANING, Delivery, Player
from mlsysim.core.profile import PerformanceProfile
from mlsysim.format import html_table, plain, text_table

NOTICEABLE = 5e-3
"""Factors nearer to 1 than this are not worth a sentence."""


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

    def _misfits(self) -> list[str]:
        sides = (("Baseline", self.baseline), ("Proposal", self.proposal))
        return [f"{side}: {p.model} on {p.hardware} {p.fit}." for side, p in sides if not p.fits]

    def regimes(self) -> tuple[str, str]:
        """Return the bottleneck of each side in words, or that it does not fit."""
        before, after = (
            str(p.bottleneck) if p.fits else "does not fit" for p in (self.baseline, self.proposal)
        )
        return before, after

    def headline(self) -> list[str]:
        """Return the speed-up and the two regimes, a line each."""
        before, after = self.regimes()
        ratio = "none" if self.speedup is None else f"{self.speedup:.2f}x"
        return [f"Speedup: {ratio}", f"Baseline Regime: {before}", f"Proposal Regime: {after}"]

    def sentences(self) -> list[str]:
        """Return the analysis, a sentence each; every one holds for these two profiles."""
        if self.speedup is None or self.delivery is None:
            remedy = "Compare on a device with more memory, or with fewer bits."
            nothing = "What does not fit does not run on this device, so nothing is attributed."
            return [*self._misfits(), nothing, remedy]
        return [
            self._verdict(self.speedup),
            self._regime(),
            *self._items(self.speedup),
            *self._promise(self.speedup, self.delivery),
            *self._held_back(self.delivery),
        ]

    def _verdict(self, speedup: float) -> str:
        pulls = {p: math.log(f) for p, f in self.factors.items() if abs(f - 1) > 1e-9}
        if not pulls:
            same = self.baseline.terms == self.proposal.terms
            reason = "no term of the time differs" if same else "what differs is not waited for"
            return f"The two configurations take the same time: {reason}."
        largest = max(pulls, key=lambda p: abs(pulls[p]))
        part = f"{MEANING[largest]} ({self.factors[largest]:.3g}x)"
        both_ways = min(pulls.values()) < 0 < max(pulls.values())
        if abs(speedup - 1) < NOTICEABLE:
            start = "The changes all but cancel" if both_ways else "The change hardly shows"
            return f"{start}; the largest is {part}."
        way = "faster" if speedup > 1 else "slower"
        if (pulls[largest] > 0) != (speedup > 1):
            return f"The proposal is {way} all the same, although {part} pulls the other way."
        helpers = sum(x for p, x in pulls.items() if p is not largest and (x > 0) == (speedup > 1))
        if abs(pulls[largest]) > abs(helpers):
            return f"The proposal is {way}, mostly through {part}."
        return f"The proposal is {way} through several changes, the largest in {part}."

    def _regime(self) -> str:
        before, after = self.regimes()
        if before == after:
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
        name = MEANING[delivery.resource]
        if abs(delivery.promised - 1) < 1e-9:
            return [f"The datasheets show the same {name}."]
        promise = f"The datasheets promise {delivery.promised:.3g}x in {name}"
        before, after = self.baseline.work, self.proposal.work
        if before.items == after.items and before.flops == after.flops:
            return [f"{promise}; {speedup:.3g}x is delivered."]
        return [f"{promise}, for a step that asks the same."]

    def _held_back(self, delivery: Delivery) -> list[str]:
        out = []
        before, after = self.baseline.terms, self.proposal.terms
        if before.overhead != after.overhead:
            change = f"{before.overhead * 1e3:.3g} ms to {after.overhead * 1e3:.3g} ms"
            out.append(f"Overhead goes from {change} ({self.factors[Player.OVERHEAD]:.3g}x).")
        elif abs(delivery.overhead - 1) > NOTICEABLE:
            gain = before.busy_time > after.busy_time
            effect = "holds back the gain" if gain else "dampens the loss"
            share = f"{after.overhead / after.latency:.0%} of the proposal's time"
            out.append(f"Overhead, {share}, {effect} ({delivery.overhead:.3g}x).")
        if abs(delivery.overlap - 1) > NOTICEABLE:
            out.append(f"The overlap of compute and memory changes it by {delivery.overlap:.3g}x.")
        if abs(delivery.other_phase - 1) > NOTICEABLE:
            memory = delivery.resource is Player.BANDWIDTH
            other = MEANING[Player.COMPUTE if memory else Player.BANDWIDTH]
            verb = "adds" if delivery.other_phase > 1 else "costs"
            out.append(f"The time that {other} sets {verb} {delivery.other_phase:.3g}x.")
        return out

    def __str__(self) -> str:
        first, *lines = ["📊 Differential Analysis: Proposal vs. Baseline", *self.headline()]
        parts = [
            first,
            *(f"• {line}" for line in lines),
            "",
            fill("Analysis: " + " ".join(self.sentences()), width=76),
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
        parts.append(f"<p>{html.escape(' '.join(self.sentences()))}</p>")
        if self.delivery is not None:
            factors = [(str(p), f"{f:.3f}x") for p, f in self.factors.items()]
            parts.append(html_table(["Factor", "Speed-up"], factors))
            chain = [(label, f"{f:.3f}x") for label, f in self.delivery.rows()]
            parts.append(html_table(["Promised to delivered", "Factor"], chain))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data."""
        before, after = self.regimes()
        return {
            "speedup": self.speedup,
            "baseline_regime": before,
            "proposal_regime": after,
            "fits": {"baseline": self.baseline.fits, "proposal": self.proposal.fits},
            "factors": plain(self.factors),
            "delivery": {} if self.delivery is None else dict(self.delivery.rows()),
            "analysis": self.sentences(),
        }
