"""Every exercise of every tutorial tells right from wrong, and its printed solution is right.

The cells of a page run here in one namespace, in the order of the page, as a notebook would run them. Claims
are left to the build of the page, and a machine of given speed stands in for the one at hand.
"""

import ast
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pint
import pytest

from mlsysim import Q_, course, measure
from mlsysim.answers import bare, is_number, same
from mlsysim.course import Exercise, Outcome, check
from sitebuild.qmd import Part, parse

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "tutorials").glob("[0-9]*.qmd"))
ASKED = re.compile(r"^\*\*(Exercise \d+)(?:\.|: [^*]+[.?])\*\*", re.MULTILINE)
STARTER = re.compile(r"^my_answer = \.\.\.(?:  # .*)?\ncheck\((\w+), my_answer\)$")
FOLDED = re.compile(
    r'\A\s*^::: \{\.callout-tip collapse="true"\}\n## Solution to exercise \d\n(.*?)^:::$',
    re.DOTALL | re.MULTILINE,
)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`(?!\{python\})([^`\n]+\([^`\n]+)`")


def value_of(source: str, namespace: dict[str, Any], name: str = "cell") -> Any:
    """Run code as a notebook does, and return its last expression."""
    body = ast.parse(source, name).body
    last = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), name, "exec"), namespace)  # noqa: S102 - pages of this repository
    return eval(compile(last, name, "eval"), namespace) if last else None  # noqa: S307


def tries(page: Path) -> list[tuple[str, str, str]]:
    """Return name, starter cell and text below it for each exercise of a page."""
    parts, found = parse(page).parts, []
    for before, cell, after in zip(parts, parts[1:], parts[2:], strict=False):
        if before.kind == after.kind == "markdown" and cell.kind == "code":
            found += [(name, cell.code.strip(), after.text) for name in ASKED.findall(before.text)[-1:]]
    return [entry for entry in found if "my_answer" in entry[1]]


def printed(below: str) -> str:
    """Return the code of a solution: its block, or the first call in its text."""
    text = FOLDED.match(below)[1]
    return "\n".join(PYTHON.findall(text)) or INLINE.search(text)[1]


def runs(part: Part) -> bool:
    return part.kind == "code" and part.options.get("eval", True)


@dataclass
class Try:
    """An exercise of a page, its starter cell and the code of its solution."""

    exercise: Exercise
    starter: str
    solution: str


@dataclass
class Page:
    name: str
    namespace: dict[str, Any]
    tries: list[Try]

    def cases(self) -> list[tuple[Exercise, Any]]:
        """Return every exercise with its right answer."""
        return [(entry.exercise, entry.exercise.answer()) for entry in self.tries]


def clock(_model: Any, batch_sizes: Any, **_options: Any) -> dict[int, pint.Quantity]:
    """Time the network of the laptop page on a machine of given speed, on which packing costs 24 ms."""
    return {n: Q_(16 + 0.9 * n + (24 if n > 1 else 0), "ms") for n in batch_sizes}


@pytest.fixture(scope="module", params=PAGES, ids=[page.stem for page in PAGES])
def page(request):
    """A page, run from top to bottom."""
    namespace = {"__name__": "__main__", "display": lambda *_: None}
    with plt.rc_context({"backend": "agg"}), pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "claim", lambda *_, **__: None)
        patch.setattr(measure, "matmul_rate", lambda *_, **__: Q_("80 GFLOP/s"))
        patch.setattr(measure, "copy_bandwidth", lambda *_, **__: Q_("10 GB/s"))
        patch.setattr(measure, "time_mlp", clock)
        for part in filter(runs, parse(request.param).parts):
            value_of(part.code, namespace, f"{request.param.name}:{part.line}")
        plt.close("all")
    found = []
    for _, starter, below in tries(request.param):
        found.append(Try(namespace[STARTER.match(starter)[1]], starter, printed(below)))
    return Page(request.param.stem, namespace, found)


@pytest.mark.parametrize("path", PAGES, ids=[page.stem for page in PAGES])
def test_three_exercises_with_a_starter_cell_and_a_folded_solution(path):
    source = path.read_text("utf-8")
    found = tries(path)

    assert ASKED.findall(source) == [f"Exercise {n}" for n in (1, 2, 3)]
    assert [name for name, _, _ in found] == ASKED.findall(source)
    for name, starter, below in found:
        assert STARTER.match(starter), (name, starter)
        assert FOLDED.match(below), (name, below[:90])
        assert printed(below), name


def test_exercises_are_named_as_on_the_page(page):
    assert [entry.exercise.name for entry in page.tries] == [f"Exercise {n}" for n in (1, 2, 3)]


def test_the_starter_cell_is_blank_and_fails_nothing(page):
    for entry in page.tries:
        verdict = value_of(entry.starter, dict(page.namespace))

        assert verdict.outcome is Outcome.BLANK
        assert repr(verdict) == f"{entry.exercise.name}: not answered yet."


def test_the_right_answer_is_right(page):
    for exercise, right in page.cases():
        assert check(exercise, right).outcome is Outcome.RIGHT, exercise.name


def test_the_printed_solution_is_right(page):
    """What it calls `my_answer`, or its last expression, is the answer."""
    for entry in page.tries:
        scope = {**page.namespace, "my_answer": ...}
        last = value_of(entry.solution, scope)
        answer = last if scope["my_answer"] is ... else scope["my_answer"]

        assert check(entry.exercise, answer).outcome is Outcome.RIGHT, (entry.exercise.name, answer)


def test_each_misconception_gets_its_own_hint(page):
    for exercise, right in page.cases():
        assert exercise.misconceptions, exercise.name
        for wrong in exercise.misconceptions:
            verdict = check(exercise, wrong.answer())

            assert not same(wrong.answer(), right, exercise.rel), (exercise.name, wrong.hint)
            assert (verdict.outcome, verdict.message) == (Outcome.MISCONCEPTION, wrong.hint), exercise.name


def test_hints_are_sentences_that_do_not_tell_the_answer(page):
    for exercise, right in page.cases():
        for hint in (exercise.hint, *(wrong.hint for wrong in exercise.misconceptions)):
            assert re.search(r"[.?!]$", hint), (exercise.name, hint)
            if is_number(right) and abs(right) >= 10:
                assert f"{right:,.0f}" not in hint, (exercise.name, hint)


def test_a_wrong_unit_is_told_from_a_wrong_number(page):
    for exercise, right in page.cases():
        if isinstance(bare(right), pint.Quantity):
            other = "GB" if not right.check("byte") else "s"
            assert check(exercise, right.magnitude).outcome is Outcome.WRONG_UNIT, exercise.name
        else:
            other = "s"
        assert check(exercise, Q_(1, other)).outcome is Outcome.WRONG_UNIT, exercise.name


def test_any_unit_of_the_kind_is_accepted(page):
    for exercise, right in page.cases():
        if isinstance(bare(right), pint.Quantity):
            assert check(exercise, right.to_base_units()).outcome is Outcome.RIGHT, exercise.name


def test_a_thousandfold_answer_is_a_fault_of_scale(page):
    for exercise, right in page.cases():
        if isinstance(right, str | Enum | bool):
            continue
        for factor in (1000, 1 / 1000):
            verdict = check(exercise, right * factor)

            assert verdict.outcome is Outcome.WRONG_SCALE, (exercise.name, verdict)
            assert "thousand" in verdict.message


def test_an_answer_that_is_far_off_gets_the_hint(page):
    """A negative word or number is no known mistake."""
    for exercise, right in page.cases():
        wrong = "none of these" if isinstance(right, str | Enum) else -right
        verdict = check(exercise, wrong)

        assert verdict.outcome is Outcome.WRONG, (exercise.name, verdict)
        assert exercise.hint in verdict.message
