"""Make the notebook of a problem set that ``otter assign`` splits into a student's and a solved one.

A set is a ``.qmd`` file. A heading ``## Title {#q1 points=2 kind="USD"}`` opens a question. The kind is a
unit, ``number`` or ``word``; a question without one is read and graded by a person. A cell has one tag:

``given``
    Imports and names that students and tests share.
``solution``
    Its last line assigns to the name of the question; ``q1 = ...`` is all that students see of it.
``answer``
    Makes the ``exercise`` that a hidden test checks the answer with: no answer is stored, all are computed.
``wrong``
    An answer that is wrong by a misconception. It stands in no notebook; the tests of the set hand it in.

A model answer to a written question stands in a div ``::: {.solution}``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from sitebuild import cells
from sitebuild.errors import SiteError
from sitebuild.qmd import Part, parse

HERE = Path(__file__).parent
SETS = tuple(sorted(HERE.glob("*.qmd")))
HEADING = re.compile(r"^## (?P<title>.+?) \{#(?P<name>\w+) (?P<attributes>[^}]*)\}\n", re.MULTILINE)
ATTRIBUTE = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')
GIVEN = re.compile(r"\[([^\]\n]*)\]\{\.given\}")
WRITTEN = re.compile(r"^::: \{\.solution\}\n(.*?)^:::\n?", re.DOTALL | re.MULTILINE)
TAGS = frozenset({"given", "solution", "answer", "wrong"})
CONFIG = """# ASSIGNMENT CONFIG
name: {name}
export_cell:
    pdf: false
    instructions: Save the notebook first. Hand in the file that this cell writes.
generate:
    show_stdout: true
    show_hidden: true
tests:
    ok_format: false
show_question_points: true
"""
KIND = {
    "number": 'assert is_number(bare({name})), f"{name} is to be a plain number; got {{{name}!r}}"',
    "word": 'assert isinstance({name}, str), f"{name} is to be a word in quotes; got {{{name}!r}}"',
}
UNIT = """assert getattr({name}, "dimensionality", None) == Q_(1, "{kind}").dimensionality, (
    "{name} is to be a quantity, as in Q_(1, '{kind}')"
)"""
PUBLIC = """def test_{name}_is_of_the_right_kind({name}):
    from mlsysim import Q_
    from mlsysim.answers import bare, is_number

    assert {name} is not ..., "{name}: not answered yet"
{kind}
"""
HIDDEN = """def test_{name}({name}):
    from mlsysim.course import Exercise, Misconception, Outcome, check

{given}

{answer}
    verdict = check(exercise, {name})
    assert verdict.outcome is Outcome.RIGHT, repr(verdict)
"""


@dataclass
class Question:
    """A question of a set: what is asked, what solves it, and what checks it."""

    name: str
    title: str
    points: float
    kind: str
    prompt: str
    solution: str = ""
    answer: str = ""
    wrong: str = ""

    def cells(self, given: str) -> list[NotebookNode]:
        """Return the cells of the question, between the marks that otter reads."""
        manual = "" if self.kind else "\nmanual: true"
        ask = cells.markdown(f"## {self.title}\n\n{self.prompt}")
        solution = cells.code(self.marked()) if self.kind else cells.markdown(self.solution)
        tests = self.tests(given) if self.kind else []
        return [
            _raw(f"# BEGIN QUESTION\nname: {self.name}\npoints: {self.points:g}{manual}"),
            ask,
            *(_raw("# BEGIN SOLUTION"), solution, _raw("# END SOLUTION")),
            *([_raw("# BEGIN TESTS"), *tests, _raw("# END TESTS")] if tests else []),
            _raw("# END QUESTION"),
        ]

    def marked(self) -> str:
        """Return the solution with the marks by which otter takes it away: ``q1 = ...`` is left."""
        *steps, last = self.solution.split("\n")
        before = ["# BEGIN SOLUTION NO PROMPT", *steps, "# END SOLUTION"] if steps else []
        return "\n".join([*before, f"{last}  # SOLUTION"])

    def tests(self, given: str) -> list[NotebookNode]:
        """Return what students may run, for nothing, and what earns the points."""
        kind = KIND.get(self.kind, UNIT).format(name=self.name, kind=self.kind)
        public = PUBLIC.format(name=self.name, kind=_indented(kind))
        hidden = HIDDEN.format(name=self.name, given=_indented(given), answer=_indented(self.answer))
        return [
            _test(public, hidden=False, points=0),
            _test(hidden, hidden=True, points=self.points),
        ]


@dataclass
class ProblemSet:
    """A set: its introduction, the names it gives, and its questions in order."""

    name: str
    title: str
    opening: list[NotebookNode] = field(default_factory=list)
    given: str = ""
    questions: list[Question] = field(default_factory=list)

    @property
    def graded(self) -> list[Question]:
        """Questions that a program grades."""
        return [question for question in self.questions if question.kind]

    def notebook(self) -> NotebookNode:
        """Return the notebook that ``otter assign`` reads."""
        head = [_raw(CONFIG.format(name=self.name)), cells.markdown(f"# {self.title}"), *self.opening]
        return cells.notebook(
            [*head, *(c for question in self.questions for c in question.cells(self.given))]
        )


def read(path: Path) -> ProblemSet:
    """Read a problem set.

    Raises
    ------
    SiteError
        A cell has no tag or stands before its question, or a question lacks what it needs.
    """
    page = parse(path)
    found = ProblemSet(path.stem, str(page.front["title"]))
    for part in page.parts:
        if part.kind == "code":
            _take(found, part, path)
            continue
        before, *rest = HEADING.split(part.text)
        if before.strip() and found.questions:
            found.questions[-1].prompt += f"\n\n{before.strip()}"
        elif before.strip():
            found.opening.append(cells.markdown(_plain(before)))
        found.questions += [_question(*rest[k : k + 4]) for k in range(0, len(rest), 4)]
    for question in found.questions:
        _complete(question, path)
    return found


def build(path: Path, out: Path) -> Path:
    """Write the notebook of a set to a folder of its own, and return it."""
    found = read(path)
    target = out / found.name / f"{found.name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found.notebook(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return target


def assign(notebook: Path) -> Path:
    """Split a notebook with otter, whose tests have to pass on the solutions; return the folder of both."""
    target = notebook.parent / "dist"
    command = [sys.executable, "-m", "otter", "assign", notebook.name, target.name]
    done = subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stdout}\n{done.stderr}")
    return target


def _question(title: str, name: str, attributes: str, text: str) -> Question:
    given = {key: quoted or plain for key, quoted, plain in ATTRIBUTE.findall(attributes)}
    return Question(name, title, float(given["points"]), given.get("kind", ""), text.strip())


def _take(found: ProblemSet, part: Part, path: Path) -> None:
    tags = TAGS & set(part.options.get("tags", []))
    if len(tags) != 1:
        raise SiteError(path, part.line, f"a cell has one tag of {', '.join(sorted(TAGS))}")
    (tag,) = tags
    if tag == "given":
        found.given += f"{part.code.strip()}\n"
        found.opening.append(cells.code(part.code))
    elif not found.questions:
        raise SiteError(path, part.line, f"a cell tagged {tag} stands below a question")
    else:
        setattr(found.questions[-1], tag, part.code.strip())


def _complete(question: Question, path: Path) -> None:
    """Check that a question has all that it needs, and take a model answer out of its prompt."""
    if not question.kind and (written := WRITTEN.search(question.prompt)):
        question.solution = written[1].strip()
    question.prompt = _plain(WRITTEN.sub("", question.prompt + "\n"))
    needed = ("prompt", "solution", *(("answer", "wrong") if question.kind else ()))
    for name in needed:
        if not getattr(question, name):
            raise SiteError(path, None, f"question {question.name} has no {name}")
    if question.kind and not question.solution.split("\n")[-1].startswith(f"{question.name} ="):
        raise SiteError(
            path, None, f"the solution of {question.name} has no {question.name} = … as its last line"
        )


def _plain(text: str) -> str:
    """Return Markdown without the marks of givens."""
    return GIVEN.sub(r"\1", text).strip()


def _indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.strip().split("\n"))


def _raw(source: str) -> NotebookNode:
    return cells.node({"cell_type": "raw", "metadata": {}, "source": source})


def _test(source: str, *, hidden: bool, points: float) -> NotebookNode:
    config = f"hidden: {str(hidden).lower()}\npoints: {points:g}"
    return cells.code(f'""" # BEGIN TEST CONFIG\n{config}\n""" # END TEST CONFIG\n{source}')


def main() -> None:
    """Write the notebooks of all sets, and split them where otter is installed and asked for."""
    parser = argparse.ArgumentParser(prog="python -m problems.build", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/problems"), help="folder to write to")
    parser.add_argument("--assign", action="store_true", help="split into student and solution with otter")
    given = parser.parse_args()
    for path in SETS:
        notebook = build(path, given.out)
        print(assign(notebook) if given.assign else notebook)


if __name__ == "__main__":
    main()
