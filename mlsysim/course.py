"""Predict, check, claim: what turns a page into a lesson, and a sentence into a test.

``predict`` asks the reader to commit to a number before a cell computes it. ``check`` tells a right answer to
an exercise from a wrong one, and says what the wrong one suggests. ``claim`` stands in a hidden cell
under a sentence and fails the build when the sentence is untrue.
"""

import html
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlsysim.answers import is_number, ratio, same, words
from mlsysim.core.errors import ArgumentError
from mlsysim.exercises import Exercise, Misconception, Outcome, Progress, Verdict, check, progress
from mlsysim.format import number, text

__all__ = [
    "ClaimError",
    "Exercise",
    "Misconception",
    "Outcome",
    "Prediction",
    "Progress",
    "Reveal",
    "Verdict",
    "check",
    "claim",
    "predict",
    "progress",
]


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
    if same(actual, expected, rel):
        return
    msg = f"{sentence!r} says {text(expected)}; computed: {text(actual)}"
    raise ClaimError(msg)


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
        if is_number(value):
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
            "Commit before you read on: give guess=… in the call above, and run it again."
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
        share = ratio(p.guess, self.answer)
        if share is None:
            return f"{start}: {'right' if same(p.guess, self.answer, 0) else 'not so'}."
        if abs(share - 1) <= 0.1:
            return f"{start}: well predicted."
        if share <= 0:
            return f"{start}: the sign differs."
        way, factor = ("high", share) if share > 1 else ("low", 1 / share)
        return f"{start}: too {way} by a factor of {number(factor)}."

    def _repr_html_(self) -> str:
        p = self.prediction
        numeric = is_number(self.answer)  # nine digits: more would be the noise of one machine
        value = f"{self.answer:.9g}" if numeric else "|".join(sorted(words(self.answer)))
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
    if options and guess is not None and not any(same(guess, o, 0) for o in options):
        msg = f"predict(): guess must be one of {', '.join(options)}; got {guess!r}"
        raise ArgumentError(msg)
    return Prediction(question, guess, unit, tuple(options))
