"""Otter splits each set, and grades a blank, a right and a wrong submission of it.

Needs otter-grader, which is heavy and comes with an extra of its own: `make test-problems`.
"""

import json
import subprocess
import sys

import nbformat
import pytest

from problems.build import SETS, assign, build, read

pytest.importorskip("otter", reason="otter-grader is not installed; run: make test-problems")


@pytest.fixture(scope="module", params=SETS, ids=[path.stem for path in SETS])
def split(request, tmp_path_factory):
    """A set, and the folder into which otter split it; its tests passed on the solutions."""
    return read(request.param), assign(build(request.param, tmp_path_factory.mktemp("problems")))


def student(split):
    found, folder = split
    return nbformat.read(folder / "student" / f"{found.name}.ipynb", as_version=4)


def grade(split, answers, folder):
    """Hand in the student's notebook with some answers filled in; points and output of each question."""
    found, made = split
    notebook = student(split)
    for cell in notebook.cells:
        for name, answer in answers.items():
            if cell.cell_type == "code" and cell.source.strip() == f"{name} = ...":
                cell.source = answer
    nbformat.write(notebook, folder / f"{found.name}.ipynb")
    (archive,) = (made / "autograder").glob("*.zip")
    command = [
        sys.executable,
        "-m",
        "otter",
        "run",
        "-a",
        archive,
        "-o",
        folder,
        folder / f"{found.name}.ipynb",
    ]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tests = json.loads((folder / "results.json").read_text("utf-8"))["tests"]
    points, output = dict.fromkeys((question.name for question in found.graded), 0), {}
    for test in tests:
        for name in points:
            if test["name"].split()[0].rstrip(":") == name:
                points[name] += test.get("score", 0)
                output[name] = output.get(name, "") + test.get("output", "")
    return points, output


def test_students_get_dots_and_no_solution(split):
    found, _ = split
    notebook = student(split)
    whole = json.dumps(notebook)
    code = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]

    for question in found.graded:
        assert f"{question.name} = ..." in code
        assert question.solution.split("\n")[-1].split(" = ", 1)[1] not in whole, question.name
    assert found.questions[-1].solution[:60] not in whole
    assert "Misconception(" not in whole


def test_a_blank_submission_earns_nothing(split, tmp_path):
    points, output = grade(split, {}, tmp_path)

    assert set(points.values()) == {0}
    assert set(output) == set(points)
    assert all(f"{name}: not answered yet" in text for name, text in output.items())


def test_a_right_submission_earns_all(split, tmp_path):
    found, _ = split
    points, _ = grade(split, {q.name: q.solution for q in found.graded}, tmp_path)

    assert points == {question.name: question.points for question in found.graded}


def test_a_wrong_submission_earns_nothing_and_hears_why(split, tmp_path):
    found, _ = split
    points, output = grade(split, {q.name: q.wrong for q in found.graded}, tmp_path)

    assert set(points.values()) == {0}
    assert set(output) == set(points)
    assert all("a common misconception" in text for text in output.values()), output


def test_points_are_given_question_by_question(split, tmp_path):
    found, _ = split
    first, *rest = found.graded
    points, _ = grade(split, {first.name: first.solution, **{q.name: q.wrong for q in rest}}, tmp_path)

    assert points == {question.name: question.points if question is first else 0 for question in found.graded}
