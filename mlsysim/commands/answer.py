"""An answer to a scenario: the figures that limits and comparisons name, and what a reader sees."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mlsysim.commands.limits import judge
from mlsysim.commands.page import Facts, Page, figures_table
from mlsysim.commands.scenario import Scenario
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import FrozenMap
from mlsysim.format import Shown, plain

ALWAYS: Final = frozenset({"fits", "memory_required", "kv_cache", "max_concurrency"})
"""Figures that a configuration has although it does not fit."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a scenario comes to.

    Parameters
    ----------
    scenario
        The question.
    shown
        Results, as they show themselves.
    figures
        By name; None where the configuration does not fit, and so has none.
    time
        Name of the figure that a speed-up compares.
    steps
        The engine's steps that it rests on, by what they do.
    misfit
        Why it does not fit; empty where it does.
    """

    scenario: Scenario
    shown: tuple[Shown, ...]
    figures: Mapping[str, Any]
    time: str
    steps: Mapping[str, PerformanceProfile] = field(default_factory=lambda: FrozenMap({}))
    misfit: str = ""

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return self.scenario.title or self.shown[0].title

    def page(self, command: str) -> Page:
        """Return the answer as a page, with the limits judged."""
        first, *others = self.shown
        named = self.scenario.title and [("Configuration", first.title)]
        return Page(
            title=self.title,
            parts=[
                Facts([*(named or []), *first.rows()]),
                *(Facts(other.rows(), other.title) for other in others),
            ],
            data={
                "command": command,
                "scenario": self.scenario.where,
                "title": self.title,
                "figures": plain(self.figures),
                "results": [{"title": each.title, **each.to_dict()} for each in self.shown],
            },
            records=figures_table(self.figures),
            verdicts=judge(self.scenario.limits, self.figures, why=self.misfit),
        )


def figures_of(result: Any, names: tuple[str, ...], *, fits: bool) -> dict[str, Any]:
    """Return figures of a result, by name; None where there is none because it does not fit."""
    return {name: getattr(result, name) if fits or name in ALWAYS else None for name in names}
