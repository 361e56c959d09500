"""Exercises that check themselves: right, wrong by a known misconception, wrong unit, or not answered yet."""

import html
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import pint

from mlsysim.answers import bare, ratio, same
from mlsysim.format import Shown, number


class Outcome(Enum):
    """What an answer turned out to be."""

    BLANK = "not answered yet"
    RIGHT = "right"
    WRONG_UNIT = "wrong unit"
    MISCONCEPTION = "a common misconception"
    WRONG_SCALE = "wrong scale"
    WRONG = "not right"


@dataclass(frozen=True, kw_only=True)
class Misconception:
    """A wrong answer that many give, and what to say to it.

    Parameters
    ----------
    answer
        Computes the wrong answer, with the engine.
    hint
        What to think about again.
    """

    answer: Callable[[], Any]
    hint: str


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A question whose right answer the engine computes when it is checked.

    Parameters
    ----------
    name
        As it is called on the page: "Exercise 1".
    answer
        Computes the right answer.
    rel
        Relative tolerance.
    hint
        What to say to an unexplained wrong answer.
    misconceptions
        Wrong answers that have a known reason.
    """

    name: str
    answer: Callable[[], Any]
    rel: float = 0.02
    hint: str = ""
    misconceptions: tuple[Misconception, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check, with a sentence for the reader."""

    exercise: str
    outcome: Outcome
    message: str = field(default="")

    def __repr__(self) -> str:
        return f"{self.exercise}: {self.outcome.value}.{' ' + self.message if self.message else ''}"

    def _repr_html_(self) -> str:
        kind = self.outcome.name.lower().replace("_", "-")
        return f'<div class="mls-check mls-check-{kind}"><p>{html.escape(repr(self))}</p></div>'


_SCALES = (
    (1000.0, "a prefix is off by a thousand"),
    (1e6, "a prefix is off by a million"),
    (8.0, "bits and bytes are mixed up"),
    (100.0, "a percentage and a fraction are mixed up"),
)


_LAST: Final[dict[str, Verdict]] = {}
"""The last verdict on each exercise of this session."""


@dataclass(frozen=True, repr=False)
class Progress(Shown):
    """How far a reader is.

    Parameters
    ----------
    verdicts
        The last verdict on each exercise, in the order in which they were first tried.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def right(self) -> int:
        """Exercises that are right."""
        return sum(verdict.outcome is Outcome.RIGHT for verdict in self.verdicts)

    @property
    def title(self) -> str:
        """How many are right."""
        return f"{self.right} of {len(self.verdicts)} exercises right"

    def rows(self) -> list[tuple[str, Any]]:
        """Return what became of each."""
        return [(verdict.exercise, verdict.outcome.value) for verdict in self.verdicts]


def progress() -> Progress:
    """Return which exercises of this session are right, by their last check.

    Examples
    --------
    >>> _ = check(Exercise(name="Exercise 7", answer=lambda: 2), 2)
    >>> "Exercise 7" in dict(progress().rows())
    True
    """
    return Progress(tuple(_LAST.values()))


def check(exercise: Exercise, answer: Any = None) -> Verdict:
    """Tell a right answer from a wrong one.

    Parameters
    ----------
    exercise
        The question.
    answer
        The reader's answer: a number, a quantity in any unit, or a word. ``None`` or ``...`` is blank.

    Returns
    -------
    Verdict
        A blank or wrong answer is a verdict, never an exception.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> ex = Exercise(name="Exercise 1", answer=lambda: Q_("50 ms"))
    >>> check(ex, Q_("0.05 s"))
    Exercise 1: right.
    >>> check(ex, Q_("50 GB"))
    Exercise 1: wrong unit. The answer is in ms, or a unit of the same kind; yours is in GB.
    >>> check(ex, Q_("50 s"))
    Exercise 1: wrong scale. Too high by a factor of 1,000: a prefix is off by a thousand.
    >>> check(ex)
    Exercise 1: not answered yet.
    """
    verdict = _judge(exercise, answer)
    _LAST[exercise.name] = verdict
    return verdict


def _judge(exercise: Exercise, answer: Any) -> Verdict:
    if answer is None or answer is ...:
        return Verdict(exercise.name, Outcome.BLANK)
    right = exercise.answer()
    if same(answer, right, exercise.rel):
        return Verdict(exercise.name, Outcome.RIGHT)
    fault = _unit_fault(answer, right)
    if fault:
        return Verdict(exercise.name, Outcome.WRONG_UNIT, fault)
    for wrong in exercise.misconceptions:
        if same(answer, wrong.answer(), exercise.rel):
            return Verdict(exercise.name, Outcome.MISCONCEPTION, wrong.hint)
    return _magnitude(exercise, answer, right)


def _unit_fault(answer: Any, right: Any) -> str:
    answer, right = bare(answer), bare(right)
    if isinstance(right, pint.Quantity) and not isinstance(answer, pint.Quantity):
        return f"Give a quantity with its unit, as in Q_(1, '{right.units:~P}')."
    if isinstance(answer, pint.Quantity) and not isinstance(right, pint.Quantity):
        return f"The answer has no unit; yours is in {answer.units}."
    if isinstance(answer, pint.Quantity) and answer.dimensionality != right.dimensionality:
        return f"The answer is in {right.units}, or a unit of the same kind; yours is in {answer.units}."
    return ""


def _magnitude(exercise: Exercise, answer: Any, right: Any) -> Verdict:
    share = ratio(answer, right)
    if share is None or not math.isfinite(share):
        return Verdict(exercise.name, Outcome.WRONG, exercise.hint)
    if share == 0:
        return Verdict(exercise.name, Outcome.WRONG, f"It is not zero. {exercise.hint}".rstrip())
    if share < 0:
        return Verdict(exercise.name, Outcome.WRONG, f"The sign is off. {exercise.hint}".rstrip())
    way, factor = ("high", share) if share > 1 else ("low", 1 / share)
    for scale, reason in _SCALES:
        if abs(factor / scale - 1) <= exercise.rel:
            message = f"Too {way} by a factor of {number(scale)}: {reason}."
            return Verdict(exercise.name, Outcome.WRONG_SCALE, message)
    return Verdict(exercise.name, Outcome.WRONG, f"Too {way}. {exercise.hint}".rstrip())
