"""The problem sets: solutions are right, the wrong answers are known mistakes, and students see neither."""

import textwrap
from functools import cache

import pytest

from mlsysim.course import Exercise, Misconception, Outcome, check
from problems.build import SETS, read
from sitebuild.errors import SiteError

sets = pytest.mark.parametrize("path", SETS, ids=[path.stem for path in SETS])


@cache
def given(code):
    """Run the cell that a set gives, once."""
    scope = {"Exercise": Exercise, "Misconception": Misconception}
    exec(code, scope)  # noqa: S102 - sources of this repository
    return scope


def outcomes(found, kind):
    """Check the answer that each question has for *kind*."""
    for question in found.graded:
        scope = dict(given(found.given))
        exec(getattr(question, kind), scope)  # noqa: S102
        exec(question.answer, scope)  # noqa: S102
        yield question, scope["exercise"], check(scope["exercise"], scope[question.name])


def test_there_are_three():
    assert len(SETS) == 3


@sets
def test_solutions_are_right(path):
    found = list(outcomes(read(path), "solution"))

    assert len(found) >= 5
    for question, exercise, verdict in found:
        assert verdict.outcome is Outcome.RIGHT, (question.name, verdict)
        assert exercise.name == f"Question {question.name[1:]}"


@sets
def test_wrong_answers_are_known_mistakes(path):
    for question, exercise, verdict in outcomes(read(path), "wrong"):
        assert verdict.outcome is Outcome.MISCONCEPTION, (question.name, verdict)
        for mistake in exercise.misconceptions:
            assert check(exercise, mistake.answer()).message == mistake.hint, (question.name, mistake.hint)


@sets
def test_wrong_answers_stand_in_no_notebook(path):
    found = read(path)
    source = "\n".join(cell.source for cell in found.notebook().cells)

    for question in found.graded:
        assert question.wrong not in source.replace(question.solution, ""), question.name


@sets
def test_every_set_ends_with_a_written_question(path):
    found = read(path)

    assert [q.name for q in found.questions if not q.kind] == [found.questions[-1].name]
    assert ".given" not in "".join(q.prompt for q in found.questions)


def cell(tag):
    return f"```{{python}}\n#| tags: [{tag}]\nx = 1\n```\n\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("```{python}\nx = 1\n```\n", "one tag of"),
        ("```{python}\n#| tags: [solution]\nx = 1\n```\n", "stands below a question"),
        ("## A {#q1 points=2 kind=number}\n\nHow many?\n", "question q1 has no solution"),
        (
            "## A {#q1 points=2 kind=number}\n\nHow?\n\n" + cell("solution") + cell("answer") + cell("wrong"),
            "its last line",
        ),
        ("## A {#q1 points=2}\n\nWhy?\n", "question q1 has no solution"),
    ],
)
def test_a_faulty_set_is_refused(tmp_path, body, words):
    path = tmp_path / "faulty.qmd"
    path.write_text(textwrap.dedent(f'---\ntitle: "T"\n---\n\n{body}'), "utf-8")

    with pytest.raises(SiteError, match=words):
        read(path)
