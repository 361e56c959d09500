"""The page on accuracy: it runs, and it does not run with a worst row that nobody explains."""

import re
from pathlib import Path

import pytest

from mlsysim.course import ClaimError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "accuracy.qmd").read_text("utf-8")
CELLS = re.findall(r"^```\{python\}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def run(cells):
    names = {}
    for cell in cells:
        exec(cell, names)  # noqa: S102 - the repository's own page
    return names


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.usefixtures("at_root")
def test_each_of_the_worst_rows_has_an_explanation(capsys):
    names = run(CELLS)

    assert len(names["worst"]) == 10
    assert {names["cause"][row.id] for row in names["worst"]} <= {name for name, *_ in names["CAUSES"]}
    assert "within a factor of two" in capsys.readouterr().out


@pytest.mark.usefixtures("at_root")
def test_a_worst_row_without_an_explanation_fails_the_build():
    planted = [cell.replace("\nCAUSES = (", "\nCAUSES = () and (") for cell in CELLS]
    assert planted != CELLS

    with pytest.raises(ClaimError, match="each of the worst ten rows has an explanation"):
        run(planted)
