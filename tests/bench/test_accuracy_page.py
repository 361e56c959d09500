"""The page on accuracy: it runs, and it does not run with a worst row that nobody explains."""

import re
from pathlib import Path

import pytest

from bench import worst_rows
from mlsysim.course import ClaimError
from mlsysim.validation import validate

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


@pytest.fixture(scope="module")
def scored():
    return [row for row in validate(worst_rows.TABLE).rows if row.predicted is not None]


@pytest.mark.usefixtures("at_root")
def test_each_of_the_worst_rows_has_an_explanation(capsys):
    names = run(CELLS)

    assert len(names["worst"]) == 10
    assert {row.id for row in names["worst"]} == set(names["cause"])
    assert capsys.readouterr().out.count("within a factor of two") == 2


@pytest.mark.usefixtures("at_root")
def test_a_worst_row_without_an_explanation_fails_the_build(monkeypatch):
    monkeypatch.setattr(worst_rows, "CAUSES", worst_rows.CAUSES[1:])

    with pytest.raises(ClaimError, match="each of the worst rows has an explanation"):
        run(CELLS)


@pytest.mark.usefixtures("at_root")
def test_every_scored_category_has_a_name_and_every_row_a_panel():
    """A category that comes to be scored must not fail the build in a formatted cell, or be left out."""
    names = run(CELLS[:1] + [cell for cell in CELLS if "def panel" in cell])

    assert set(names["shown"]) <= set(names["names"])
    assert all(names["panel"](row).endswith("]") for row in names["scored"])


@pytest.mark.parametrize("cause", worst_rows.CAUSES, ids=lambda cause: cause.name)
def test_a_cause_holds_for_rows_that_it_can_explain(cause, scored):
    """One that holds for no row of the table would be a dead one."""
    worst = sorted(scored, key=lambda row: -row.error)[:12]
    rows = [row for row in worst if cause.holds(row, worst_rows.stated()[row.id])]

    assert rows
    text = cause.why(rows)
    assert "nan" not in text
    assert re.search(r"\d", text)


def test_stated_hours_come_to_the_utilisation_that_they_imply(scored):
    """Llama 3.1 8B: 15e12 tokens of 5.0e10 FLOP in 1.46e6 hours of an H100 are a seventh of its peak."""
    (row,) = [r for r in scored if r.id == "7-llama-3-1-8b-h100-sxm-80gb-b-pretraining-gpu-hours"]

    assert worst_rows.of_peak(row) == pytest.approx(15e12 * 5.147e10 / (1.46e6 * 3600 * 989e12), rel=0.01)


def test_what_has_no_arithmetic_has_no_share_of_the_peak(scored):
    row = next(r for r in scored if r.metric == "pretraining_emissions")

    assert worst_rows.of_peak(row) != worst_rows.of_peak(row)  # not a number


def test_what_training_misses_is_shown_by_rows_and_closes_the_gap(scored):
    """Each text ends with a ratio nearer to one, or with a library that was that much faster."""
    library, parts, exchanges = worst_rows.training_gaps(scored)

    assert (library[1], parts[1]) == (2, 2)
    assert exchanges[1] >= 4
    assert re.search(r"2\.9 times as fast with NeMo 26\.04\.01, MBS 4 as with NeMo 25\.11, MBS 1", library[3])
    assert parts[2] < "0.80" < re.findall(r"\d\.\d\d", parts[3])[0] < "1.10"
    assert exchanges[2] < "0.75" < re.findall(r"\d\.\d\d", exchanges[3])[0]
