"""Where the bottleneck changes: the least batch, context or prompt, or why there is none.

The search asks the engine itself. FLOP rise in whole tiles while the cache grows with every sequence, so
the bottleneck may flip back inside a tile: windows of one tile are doubled and bisected, and the window
that holds a change is scanned value by value. Over windows the change is taken to come once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.engine import Engine
from mlsysim.core.models import Encoder, Model, Transformer
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown

LARGEST = 2**20
"""The largest value that is tried where nothing else limits the search."""


class Axis(StrEnum):
    """What is increased."""

    BATCH_SIZE = "batch_size"
    CONTEXT = "context"
    PROMPT = "prompt"


@dataclass(frozen=True, kw_only=True, repr=False)
class CrossoverResult(Shown):
    """The least value at which another resource limits the step.

    Parameters
    ----------
    axis
        What was increased.
    value
        The least value with another bottleneck than at the start; None if there is none.
    before, after
        Profiles at the start and at the crossover (at the largest value tried, if there is none).
    searched_to
        The largest value that was tried.
    """

    axis: Axis
    value: int | None
    before: PerformanceProfile
    after: PerformanceProfile
    searched_to: int

    @property
    def shown(self) -> PerformanceProfile:
        """The profile that the result is about: at the crossover, or at the start if there is none."""
        return self.before if self.value is None else self.after

    @property
    def fits(self) -> bool:
        """Whether the device holds the model at the crossover, or at the start if there is none."""
        return self.shown.fits

    @property
    def reason(self) -> str:
        """What happens at the crossover, or why there is none."""
        name = self.axis.replace("_", " ")
        start, end = self.before.bottleneck, self.after.bottleneck
        if self.value is None:
            return f"{start} from the first {name} to {self.searched_to:,}: no crossover"
        note = "" if self.fits else f"; but it {self.after.fit}"
        return f"{start} below {name} {self.value:,}, {end} at it{note}"

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Crossover of {self.before.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the crossover and the reason."""
        return [
            ("Axis", str(self.axis)),
            ("Crossover", "none" if self.value is None else self.value),
            ("Reason", self.reason),
            ("Calibration", self.after.calibration.name),
            ("Memory", str(self.shown.fit)),
        ]


class CrossoverSolver:
    """Answers: at which batch, context or prompt does another resource become the limit?"""

    def solve(
        self,
        model: Model,
        hardware: Accelerator,
        *args: Any,
        axis: str | Axis = Axis.BATCH_SIZE,
        **options: Any,
    ) -> CrossoverResult:
        """Return the least value of *axis* at which the bottleneck changes.

        Parameters
        ----------
        model, hardware
            As for ``Engine.solve``, and so are all other arguments.
        axis
            What is increased, from its least value: ``batch_size``, ``context`` or ``prompt``.

        Returns
        -------
        CrossoverResult
            Exact for the engine. "Does not fit" is a field: the crossover may lie beyond the memory.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or *axis* is given a value too.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> CrossoverSolver().solve(model=Models.Llama3_8B, hardware=Hardware.Cloud.A100).value
        41
        """
        given = Arguments("CrossoverSolver.solve")
        if not isinstance(axis, str) or axis not in set(Axis):
            given.fault(f"axis must be one of {', '.join(Axis)}; got {axis!r}")
        elif axis in options:
            given.fault(f"{axis} is what the crossover is looked for in: leave its value out")
        given.close()
        chosen = Axis(axis)

        def at(value: int) -> PerformanceProfile:
            return Engine.solve(model, hardware, *args, **{**options, str(chosen): value})

        first = 0 if chosen is Axis.CONTEXT else 1
        before = at(first)
        limit = LARGEST
        if chosen is not Axis.BATCH_SIZE and isinstance(model, Transformer | Encoder):
            limit = model.context
        value = self._least(at, first, limit, before.calibration.tile)
        return CrossoverResult(
            axis=chosen,
            value=value,
            before=before,
            after=at(limit if value is None else value),
            searched_to=limit,
        )

    @staticmethod
    def _least(at: Callable[[int], PerformanceProfile], first: int, limit: int, window: int) -> int | None:
        """Return the least value with another bottleneck than *first*, by windows of *window* values."""
        start = at(first).bottleneck

        def change(k: int) -> int | None:
            values = range(first + k * window, min(first + (k + 1) * window, limit + 1))
            return next((v for v in values if at(v).bottleneck is not start), None)

        last = (limit - first) // window
        low, high = -1, 0
        while change(min(high, last)) is None:
            if high >= last:
                return None
            low, high = high, 2 * high + 1
        high = min(high, last)
        while high - low > 1:
            middle = (low + high) // 2
            if change(middle) is None:
                low = middle
            else:
                high = middle
        return change(high)
