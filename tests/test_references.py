"""The reference notebooks are today's pages, executed: nothing is left out of the comparison."""

from pathlib import Path

import nbformat
import pytest

from sitebuild.qmd import parse

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "tutorials").glob("[0-9]*.qmd"))
NOTEBOOKS = ROOT / "tests" / "notebooks"
IGNORED: dict[str, set[str]] = {
    "13_roofline_your_laptop": {
        'machine = measure.this_machine("This core")',
        'ridge, a_ridge = (d.ridge_point("fp32").m_as("FLOP/B") for d in (machine, a100))',
        'turn = CrossoverSolver().solve(network, machine, precision="fp32",',
        'measured = measure.time_mlp(network, sizes, budget=Q_("3 s"))',
        "two = forward(2)",
        'curves = {"ideal": [ideal[n].latency.m_as("ms") for n in sizes],',
        "control(forward, batch_size=sizes,",
    },
}
"""Cells whose output may differ from run to run, by notebook: the first line of each."""

pages = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def reference(page):
    return nbformat.read(NOTEBOOKS / f"{page.stem}.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stripped(source):
    """A cell without its option lines."""
    return "\n".join(line for line in source.strip().split("\n") if not line.startswith("#|")).strip()


def test_every_tutorial_has_a_reference_and_no_reference_is_left_over():
    assert [page.stem for page in PAGES] == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


@pages
def test_the_reference_comes_from_todays_page(page):
    """`make bless` writes them anew after a page has changed."""
    cells = [part for part in parse(page).parts if part.kind == "code" and part.options.get("eval", True)]

    assert [stripped(cell.source) for cell in code(reference(page)) if cell.execution_count] == [
        stripped(cell.text) for cell in cells
    ]


@pages
def test_every_cell_was_run_and_none_failed(page):
    """A cell without a count would pass whatever it prints."""
    for cell in code(reference(page)):
        assert isinstance(cell.execution_count, int), cell.source
        assert [o for o in cell.outputs if o.output_type == "error"] == []


@pages
def test_outputs_hold_no_picture_and_no_warning(page):
    """Pictures are not compared, so they are left out; a warning is a fault of the page."""
    for cell in code(reference(page)):
        for output in cell.outputs:
            assert not any(kind.startswith("image/") for kind in output.get("data", {})), cell.source
            assert output.get("name") != "stderr", output


@pages
def test_figures_print_what_they_show(page):
    """A reversed plot would pass: the data stand in a line of text."""
    figures = [part for part in parse(page).parts if str(part.options.get("label", "")).startswith("fig-")]
    printed = {
        stripped(cell.source): [o for o in cell.outputs if o.output_type == "stream"]
        for cell in code(reference(page))
    }

    assert figures, "each tutorial has a figure"
    assert all(printed[stripped(part.text)] for part in figures)
    assert all({"fig-cap", "fig-alt"} <= part.options.keys() for part in figures)


@pages
def test_only_listed_cells_are_ignored(page):
    tags = {"nbval-ignore-output", "nbval-skip", "nbval-test-listed", "raises-exception"}
    found = {
        stripped(cell.source).split("\n")[0]
        for cell in code(reference(page))
        if tags & set(cell.metadata.get("tags", []))
    }

    assert found == IGNORED.get(page.stem, set())
