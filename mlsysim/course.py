"""Predict, check, claim: what turns a page into a lesson, and a sentence into a test.

``predict`` asks the reader to commit to a number before a cell computes it. ``check`` tells a right answer to
an exercise from a wrong one, and says what the wrong one suggests. ``claim`` stands in a hidden cell
under a sentence and fails the build when the sentence is untrue.
"""

import html
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pint

from mlsysim.core.errors import ArgumentError
from mlsysim.format import number, text


class ClaimError(AssertionError):
    """A sentence of a page is untrue."""


def claim(sentence: str, actual: Any, expected: Any, *, rel: float = 0.0) -> None:
    """Fail unless *actual* is what the sentence says.

    Parameters
    ----------
    sentence
        The sentence, or the words of it that hold the figure.
    actual
        What the engine computes: a number, a quantity, an enum or a truth value.
    expected
        What the sentence says, cited or derived independently, never the code's own output.
    rel
        Relative tolerance: how far a rounded figure may lie from the computed one.

    Raises
    ------
    ClaimError
        If they differ by more.

    Examples
    --------
    >>> claim("bandwidth matters about 15 times as much", 15.04, 15, rel=0.05)
    >>> claim("bandwidth matters about 15 times as much", 3.2, 15, rel=0.05)
    Traceback (most recent call last):
        ...
    mlsysim.course.ClaimError: 'bandwidth matters about 15 times as much' says 15; computed: 3.2
    """
    if _same(actual, expected, rel):
        return
    msg = f"{sentence!r} says {text(expected)}; computed: {text(actual)}"
    raise ClaimError(msg)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool | Enum)


def _words(value: Any) -> set[str]:
    """Return the spellings of an answer in words: an enum has its value and its print."""
    spellings = {str(value)} | ({str(value.value)} if isinstance(value, Enum) else set())
    return {s.casefold().replace("_", " ").strip() for s in spellings}


def _bare(value: Any) -> Any:
    """Return a dimensionless quantity as a number, anything else as it is."""
    if isinstance(value, pint.Quantity) and value.dimensionless:
        return float(value.to_base_units().magnitude)
    return value


def _ratio(actual: Any, expected: Any) -> float | None:
    """Return actual over expected where both are numbers of one dimension."""
    actual, expected = _bare(actual), _bare(expected)
    if isinstance(actual, pint.Quantity) and isinstance(expected, pint.Quantity):
        if actual.dimensionality != expected.dimensionality:
            return None
        actual, expected = actual.to_base_units().magnitude, expected.to_base_units().magnitude
    if not (_is_number(actual) and _is_number(expected)):
        return None
    if expected == 0:
        return 1.0 if actual == 0 else math.inf
    return float(actual / expected)


def _same(actual: Any, expected: Any, rel: float) -> bool:
    ratio = _ratio(actual, expected)
    if ratio is not None:
        return abs(ratio - 1) <= rel + 1e-12
    if isinstance(actual, pint.Quantity) or isinstance(expected, pint.Quantity):
        return False
    if isinstance(expected, bool) or isinstance(actual, bool):
        return actual is expected
    return bool(_words(actual) & _words(expected))


@dataclass(frozen=True)
class Prediction:
    """What a reader expects, before the engine is asked.

    Parameters
    ----------
    question
        What is asked.
    guess
        The reader's number or word; None before she commits.
    unit
        What the number is in, for print.
    options
        The words to choose from, where the answer is a word.
    """

    question: str
    guess: Any = None
    unit: str = ""
    options: tuple[str, ...] = ()

    @property
    def ident(self) -> str:
        """A name for the question that stays the same from run to run."""
        return f"p{zlib.crc32(self.question.encode()):08x}"

    def reveal(self, answer: Any) -> "Reveal":
        """Compare with what the engine says.

        Examples
        --------
        >>> predict("How much faster is it?", guess=3.2, unit="x").reveal(1.393)
        You said 3.2x, the engine says 1.393x: too high by a factor of 2.297.
        """
        return Reveal(self, answer)

    def shown(self, value: Any) -> str:
        """Return a value with the unit of the question."""
        if _is_number(value):
            joint = "" if self.unit in {"x", "%"} else " "
            return f"{number(value)}{joint}{self.unit}".rstrip()
        return text(value)

    def __repr__(self) -> str:
        ask = f"Predict: {self.question}"
        if self.options:
            ask += f" ({' / '.join(self.options)})"
        if self.guess is None:
            return f"{ask}\n  No guess yet: give guess=… and run this cell before you go on."
        return f"{ask}\n  Your guess: {self.shown(self.guess)}"

    def _repr_html_(self) -> str:
        unit = html.escape(self.unit)
        options = html.escape("|".join(self.options))
        state = (
            "Commit to an answer before you read on."
            if self.guess is None
            else f"Your guess: {html.escape(self.shown(self.guess))}"
        )
        return (
            f'<div class="mls-predict" data-id="{self.ident}" data-unit="{unit}" '
            f'data-options="{options}"><p><strong>Predict.</strong> {html.escape(self.question)}</p>'
            f'<p class="mls-predict-state">{state}</p></div>'
        )


@dataclass(frozen=True)
class Reveal:
    """A prediction beside the computed answer."""

    prediction: Prediction
    answer: Any

    def __repr__(self) -> str:
        p = self.prediction
        answer = p.shown(self.answer)
        if p.guess is None:
            return f"The engine says {answer}. You made no guess: nothing to compare."
        start = f"You said {p.shown(p.guess)}, the engine says {answer}"
        ratio = _ratio(p.guess, self.answer)
        if ratio is None:
            return f"{start}: {'right' if _same(p.guess, self.answer, 0) else 'not so'}."
        if abs(ratio - 1) <= 0.1:
            return f"{start}: well predicted."
        if ratio <= 0:
            return f"{start}: the sign differs."
        way, factor = ("high", ratio) if ratio > 1 else ("low", 1 / ratio)
        return f"{start}: too {way} by a factor of {number(factor)}."

    def _repr_html_(self) -> str:
        p = self.prediction
        value = self.answer if _is_number(self.answer) else "|".join(sorted(_words(self.answer)))
        answer, note = html.escape(repr(self)), ""
        if p.guess is None:
            answer, _, rest = answer.partition(". ")
            answer, note = f"{answer}.", f'<span class="mls-reveal-note"> {rest}</span>'
        return (
            f'<div class="mls-reveal" data-for="{p.ident}" data-value="{html.escape(str(value))}">'
            f'<p class="mls-reveal-answer">{answer}{note}</p></div>'
        )


def predict(question: str, guess: Any = None, *, unit: str = "", options: Sequence[str] = ()) -> Prediction:
    """Ask the reader for a number or a word before the engine computes it.

    Parameters
    ----------
    question
        What to predict.
    guess
        The reader's answer.
    unit
        What a number is in: ``"x"``, ``"ms"``.
    options
        Words to choose from.

    Returns
    -------
    Prediction
        Shows the question; ``reveal(answer)`` compares.

    Raises
    ------
    ArgumentError
        If a guess is none of the options.

    Examples
    --------
    >>> predict("What limits it?", options=["memory", "compute"], guess="compute").reveal("memory")
    You said compute, the engine says memory: not so.
    """
    if options and guess is not None and not any(_same(guess, o, 0) for o in options):
        msg = f"predict(): guess must be one of {', '.join(options)}; got {guess!r}"
        raise ArgumentError(msg)
    return Prediction(question, guess, unit, tuple(options))


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
    if answer is None or answer is ...:
        return Verdict(exercise.name, Outcome.BLANK)
    right = exercise.answer()
    if _same(answer, right, exercise.rel):
        return Verdict(exercise.name, Outcome.RIGHT)
    fault = _unit_fault(answer, right)
    if fault:
        return Verdict(exercise.name, Outcome.WRONG_UNIT, fault)
    for wrong in exercise.misconceptions:
        if _same(answer, wrong.answer(), exercise.rel):
            return Verdict(exercise.name, Outcome.MISCONCEPTION, wrong.hint)
    return _magnitude(exercise, answer, right)


def _unit_fault(answer: Any, right: Any) -> str:
    answer, right = _bare(answer), _bare(right)
    if isinstance(right, pint.Quantity) and not isinstance(answer, pint.Quantity):
        return f"Give a quantity with its unit, as in Q_(1, '{right.units:~P}')."
    if isinstance(answer, pint.Quantity) and not isinstance(right, pint.Quantity):
        return f"The answer has no unit; yours is in {answer.units}."
    if isinstance(answer, pint.Quantity) and answer.dimensionality != right.dimensionality:
        return f"The answer is in {right.units}, or a unit of the same kind; yours is in {answer.units}."
    return ""


def _magnitude(exercise: Exercise, answer: Any, right: Any) -> Verdict:
    ratio = _ratio(answer, right)
    if ratio is None or not math.isfinite(ratio):
        return Verdict(exercise.name, Outcome.WRONG, exercise.hint)
    if ratio == 0:
        return Verdict(exercise.name, Outcome.WRONG, f"It is not zero. {exercise.hint}".rstrip())
    if ratio < 0:
        return Verdict(exercise.name, Outcome.WRONG, f"The sign is off. {exercise.hint}".rstrip())
    way, factor = ("high", ratio) if ratio > 1 else ("low", 1 / ratio)
    for scale, reason in _SCALES:
        if abs(factor / scale - 1) <= exercise.rel:
            message = f"Too {way} by a factor of {number(scale)}: {reason}."
            return Verdict(exercise.name, Outcome.WRONG_SCALE, message)
    return Verdict(exercise.name, Outcome.WRONG, f"Too {way}. {exercise.hint}".rstrip())
