"""The notebook that nbval compares with, and the notebook that readers work in."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import nbformat
import pytest

from sitebuild import notebooks, pandoc
from sitebuild.errors import SiteError
from sitebuild.execute import Executed, execute
from sitebuild.notebooks import reference
from sitebuild.qmd import parse

RUNS = """\
---
title: "Two *phases*"
subtitle: One request
---

The answer is `{python} 6 * 7`.

```{python}
#| echo: false
import matplotlib.pyplot as plt
import ipywidgets
import pandas as pd
```

```{python}
#| label: fig-line
#| fig-cap: A line, see @tbl-t
plt.plot([1, 2])
plt.show()
print("from 1 to 2")
```

```{python}
#| label: tbl-t
#| tbl-cap: Two numbers
pd.DataFrame({"a": [1, 2]})
```

```{python}
slider = ipywidgets.IntSlider(value=3, description="batch")
said = ipywidgets.HTML("<b>3</b>")
slider.observe(lambda change: None, "value")
ipywidgets.VBox([slider, said])
```

```{python}
#| error: true
1 / 0
```

```{python}
object()
```

```{python}
#| eval: false
pip install x
```

```{python}
#| tags: [nbval-ignore-output]
import time
time.time()
```

See @fig-line.
"""


def run(folder: Path, text: str, **options) -> Executed:
    path = folder / "page.qmd"
    path.write_text(text, encoding="utf-8")
    return execute(parse(path), cache=None, salt="", options=options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def executed(folder):
    return run(folder, RUNS, **{"fig-width": 5})


@pytest.fixture(scope="module")
def compared(executed):
    return reference(executed)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# ---------------------------------------------------------------- reference


def test_every_code_cell_of_a_reference_has_a_count(compared):
    nbformat.validate(compared)
    assert [cell.execution_count for cell in code(compared)] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_cell_that_does_not_run_is_markdown_in_a_reference(compared):
    assert "```python\npip install x\n```" in [cell.source for cell in compared.cells]


def test_a_reference_keeps_the_text_beside_pictures_and_controls(compared):
    mimes = {m for cell in code(compared) for out in cell.outputs for m in out.get("data", {})}
    assert mimes == {"text/plain", "text/html"}
    figure, summary = code(compared)[2].outputs
    assert figure.data == {"text/plain": "<Figure size 500x480 with 1 Axes>"}
    assert summary.text == "from 1 to 2\n"
    (control,) = code(compared)[4].outputs
    assert control.data["text/plain"].startswith("VBox(children=(IntSlider(value=3")
    assert "widgets" not in compared.metadata


def test_inline_values_stand_in_a_reference(compared):
    assert compared.cells[1].source == "The answer is 42."


def test_tags_stay_in_a_reference(compared):
    assert code(compared)[-1].metadata.tags == ["nbval-ignore-output"]
    assert code(compared)[5].metadata.tags == ["raises-exception"]


def test_a_traceback_in_a_reference_is_its_last_line(compared):
    assert code(compared)[5].outputs[0].traceback == ["ZeroDivisionError: division by zero"]


def test_two_runs_give_the_same_bytes(executed, compared, folder):
    """All but the cell that says what time it is, which is tagged for that."""
    again = reference(run(folder, RUNS, **{"fig-width": 5}))
    for notebook in (again, compared):
        assert code(notebook)[-1].outputs[0].output_type == "execute_result"
    first, second = (nbformat.from_dict(json.loads(json.dumps(nb))) for nb in (again, compared))
    for notebook in (first, second):
        code(notebook)[-1].outputs = []
    assert nbformat.writes(first) == nbformat.writes(second)
    assert reference(executed) == compared


def test_a_reference_says_nothing_of_the_machine(compared, folder):
    text = nbformat.writes(compared)
    assert str(folder) not in text
    assert sys.prefix not in text


def nbval(notebook, folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "page.ipynb")
    sanitize = folder / "sanitize.cfg"
    sanitize.write_text("[addresses]\nregex: 0x[0-9a-f]+\nreplace: ADDRESS\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(sanitize)]
    plugins = ["-p", "no:cacheprovider", "-p", "no:randomly"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", "pytest.ini", *plugins, *options]
    return subprocess.run([*command, "page.ipynb"], cwd=folder, capture_output=True, text=True, check=False)


def test_nbval_accepts_a_reference_with_figure_table_and_control(compared, tmp_path):
    done = nbval(compared, tmp_path / "same")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_nbval_notices_a_changed_number(compared, tmp_path):
    """A value in a table, in the text of a control, and in a printed line: three cells fail."""
    changed = nbformat.from_dict(json.loads(json.dumps(compared)))
    code(changed)[2].source = code(changed)[2].source.replace("from 1", "from 0")
    code(changed)[3].source = code(changed)[3].source.replace("[1, 2]", "[1, 3]")
    code(changed)[4].source = code(changed)[4].source.replace("value=3", "value=4")
    done = nbval(changed, tmp_path / "changed")
    assert "3 failed, 5 passed" in done.stdout


def test_a_picture_shown_as_such_is_compared(tmp_path):
    """nbval compares SVG, so only what matplotlib draws in another format there is left out."""
    text = "```{python}\nfrom IPython.display import SVG\nSVG('<svg></svg>')\n```\n"
    (cell,) = reference(run(tmp_path, text)).cells
    assert "image/svg+xml" in cell.outputs[0].data


def test_no_figure_settings_no_setup_cell(tmp_path):
    page = "```{python}\n1\n```\n"
    assert len(reference(run(tmp_path, page, **{"fig-width": 5})).cells) == 1


# ---------------------------------------------------------------- reader


def reader(executed: Executed, **options):
    """A reader's notebook, by default of a page without a bibliography."""
    page = executed.document.path
    cite = partial(pandoc.cited, options=options, page=page, root=page.parent)
    return notebooks.reader(executed, cite)


@pytest.fixture(scope="module")
def read(executed):
    return reader(executed)


def test_a_readers_notebook_has_no_outputs(read):
    nbformat.validate(read)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code(read))
    assert "widgets" not in read.metadata


def test_title_inline_values_and_captions_are_filled(read):
    text = [cell.source for cell in read.cells if cell.cell_type == "markdown"]
    assert text[0] == "# Two *phases*\n\n*One request*\n\nThe answer is 42."
    assert text[1:] == [
        "*Figure 1: A line, see Table 1*",
        "*Table 1: Two numbers*",
        "See Figure 1.",
    ]


def test_a_hidden_cell_runs_and_stays_out_of_sight(read):
    first, second = code(read)[:2]
    assert first.metadata.jupyter == {"source_hidden": True}
    assert first.source.startswith("# The page hides this cell: run it, and read on.\nimport matplotlib")
    assert "jupyter" not in second.metadata
    assert "#|" not in nbformat.writes(read)


def test_a_cell_that_does_not_run_is_the_readers_to_run(read):
    (cell,) = [cell for cell in code(read) if "pip" in cell.source]
    assert cell.metadata.tags == ["raises-exception"]
    assert all("nbval" not in tag for c in code(read) for tag in c.metadata.get("tags", []))


def still(folder: Path, text: str) -> Executed:
    """A page as if it had run, without a kernel."""
    return run(folder, f"---\nexecute:\n  enabled: false\n---\n\n{text}")


def shape(notebook) -> list[str]:
    return [("" if c.cell_type == "markdown" else ">>> ") + c.source for c in notebook.cells]


SOLUTION = """\
::: {.callout-tip collapse="true" title="Solution: `f`"}
Work it out:

```python
x = 1
```

```{python}
#| label: solved
answer = 42
```

```{python}
#| echo: false
hidden = 1
```

Done.
:::
"""


def test_a_folded_callout_has_no_cell_to_run(tmp_path):
    (text,) = shape(reader(still(tmp_path, SOLUTION)))
    assert text == (
        "<details>\n<summary>Solution: <code>f</code></summary>\n\nWork it out:\n\n"
        "```python\nx = 1\n```\n\n```python\nanswer = 42\n```\n\nDone.\n\n</details>\n\n<br>"
    )


def test_a_callout_around_cells_leaves_no_colons(tmp_path):
    page = still(
        tmp_path,
        "Before.\n\n::: {.callout-note}\n## Exercise 1\n\nComplete it.\n\n```{python}\nx = ...\n```"
        "\n\nThen check.\n\n" + SOLUTION + ":::\n\nAfter.\n",
    )
    texts = shape(reader(page))
    assert texts[0] == "Before.\n\n> **Exercise 1**\n>\n> Complete it."
    assert texts[1] == ">>> x = ..."
    assert texts[2].startswith("> Then check.\n\n<details>\n<summary>Solution")
    assert texts[2].endswith("</details>\n\n<br>\n\nAfter.")
    assert ":::" not in "".join(texts)


@pytest.mark.parametrize(
    ("quarto", "jupyter"),
    [
        ("::: {.callout-warning}\nA.\n\n- b\n:::\n", "> **Warning**\n>\n> A.\n>\n> - b"),
        ('::: {.callout-tip title="T *i*"}\nA.\n:::\n', "> **T *i***\n>\n> A."),
        ('::: {.callout-note collapse="false"}\nA.\n:::\n', "> **Note**\n>\n> A."),
        ("::: {.column-margin}\nA.\n:::\n", "A."),
        (":::: {.columns}\n::: column\nA.\n:::\n::: column\nB.\n:::\n::::\n", "A.\n\nB."),
        (
            "::: {.panel-tabset}\n## One\n\nA.\n\n### Sub\n\n## Two\n\nB.\n:::\n",
            "**One**\n\nA.\n\n### Sub\n\n**Two**\n\nB.",
        ),
        ('::: {.content-visible when-format="html"}\nA.\n:::\nB.', "B."),
        ('::: {.content-hidden when-format="html"}\nA.\n:::\n', "A."),
        ("::: {.hidden}\nA.\n:::\nB.", "B."),
        ("::: {#fig-d}\n\n![](a.png)\n\nCap.\n:::\n\n@fig-d", None),
        ("```\n::: {.callout-note}\n```\n", "```\n::: {.callout-note}\n```"),
        ("A [@key], @eq-e: $$x$$ {#eq-e}", "A [key], Equation 1: $$x \\tag{1}$$"),
        ("[see @a, p. 3; -@b] and @{https://x.org/a}", "[see a, p. 3; b] and [https://x.org/a]"),
    ],
)
def test_divs_and_prose(tmp_path, quarto, jupyter):
    (text,) = shape(reader(still(tmp_path, quarto)))
    assert text == (jupyter or "![](a.png)\n\n*Figure 1: Cap.*\n\nFigure 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n\n```\n:::\n```\n\n::: {.x}\nb\n", "page.qmd:12: this ::: block is never closed"),
        ("a\n\n:::\n", "page.qmd:8: ::: closes nothing"),
    ],
)
def test_colons_that_do_not_match_are_an_error(tmp_path, text, message):
    with pytest.raises(SiteError, match=message):
        reader(still(tmp_path, text))


def test_local_images_are_attached(tmp_path):
    (tmp_path / "a b.svg").write_text("<svg/>")
    (tmp_path / "x.png").write_bytes(b"png")
    page = still(tmp_path, "![A](a%20b.svg) ![W](https://x.org/b.svg)\n\n```\n![A](x.png)\n```\n")
    (cell,) = reader(page).cells
    assert "![A](attachment:a b.svg) ![W](https://x.org/b.svg)" in cell.source
    assert "```\n![A](x.png)\n```" in cell.source
    assert cell.attachments == {"a b.svg": {"image/svg+xml": "PHN2Zy8+"}}


def test_a_reference_in_vain_is_reported_once(tmp_path):
    page = still(tmp_path, "@fig-none and @fig-none\n")
    reader(page)
    (warning,) = page.warnings
    assert warning.endswith("page.qmd: unknown cross-reference @fig-none")


BOOKS = """\
@article{roofs, title = {Roofs of {GPUs}}, author = {Ann Lee and Bo Wu}, year = 2009, journal = {Letters}}
@book{walls, title = {Walls}, author = {Cy Poe}, year = 1995, publisher = {Press}}
"""

CITING = """\
The maximum [@roofs] has walls [see @walls, p. 3; @roofs].

```python
@roofs
```

As @walls says.
"""


def test_citations_are_text_and_the_works_stand_at_the_end(tmp_path):
    (tmp_path / "books.bib").write_text(BOOKS)
    (text,) = shape(reader(still(tmp_path, CITING), bibliography="/books.bib"))

    assert text == (
        "The maximum (Lee and Wu 2009) has walls (see Poe 1995, 3; Lee and Wu 2009).\n\n"
        "```python\n@roofs\n```\n\nAs Poe (1995) says.\n\n## References\n\n"
        "Lee, Ann, and Bo Wu. 2009. “Roofs of GPUs.” <em>Letters</em>.\n\n"
        "Poe, Cy. 1995. <em>Walls</em>. Press."
    )
