"""Running pages: order, options, failures, the cache, and that two runs are alike."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sitebuild
from sitebuild.drawing import ASIDES
from sitebuild.errors import CellError, SiteError
from sitebuild.execute import Executed, execute
from sitebuild.qmd import parse

PAGE = """\
---
title: Everything
execute:
  warning: false
---

Nothing yet: `{python} "x" in globals()`.

```{python}
import os, sys, numpy
x = 2
os.getcwd(), sys.executable, hash("the same in each run")
```

Two: `{python} x`, as text: `{python} f"{x:.2f}"`, as *HTML*:
`{python} __import__("IPython").display.HTML("<b>2</b>")`, as Markdown
`{python} __import__("IPython").display.Markdown("**2**")`, over
`{python} x +
x` lines.

```
`{python} not_run`
```

```{python}
#| eval: false
x = 3
```

```{python}
#| error: true
#| tags: [nbval-ignore-output]
1 / 0
```

```{python}
#| include: false
x = 5
print("a", flush=True)
print("b\\rc")
print("err", file=sys.stderr)
```

Five: `{python} x`. Five: `{python} x`.

```{python}
import matplotlib.pyplot as plt
import ipywidgets

plt.figure()
plt.plot([1, 2])
plt.show()
ipywidgets.HTML("<b>control</b>")
```
"""


def run(folder: Path, text: str, cache: Path | None = None, salt: str = "", **options) -> Executed:
    path = folder / "page.qmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return execute(parse(path), cache=cache, salt=salt, options=options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder):
    return run(folder, PAGE, cache=folder / "cache")


def test_parts_and_cells_match(page):
    kinds = {"markdown": "markdown", "code": "code"}
    assert [kinds[part.kind] for part in page.document.parts] == [
        cell.cell_type for cell in page.notebook.cells
    ]
    assert page.document.front["title"] == "Everything"
    assert page.defaults == {"warning": False}


def test_inline_values_are_those_of_their_place_in_the_page(page):
    text = [part.text for part in page.document.parts if part.kind == "markdown"]
    assert "Nothing yet: False." in text[0]
    assert "Two: 2, as text: 2.00, as *HTML*:\n`<b>2</b>`{=html}, as Markdown\n**2**" in text[1]
    assert "over\n4 lines" in text[1]
    assert "```\n`{python} not_run`\n```" in text[1]
    assert "Five: 5. Five: 5." in text[-1]
    assert "Five: 5. Five: 5." in page.notebook.cells[-2].source


def test_the_kernel_is_this_python_in_the_pages_folder(page, folder):
    output = page.notebook.cells[1].outputs[0].data["text/plain"]
    assert str(folder) in output
    assert sys.executable in output


def test_options_decide_what_runs(page):
    cells = [cell for cell in page.notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [1, None, 2, 3, 4]
    assert cells[1].metadata.tags == ["skip-execution", "nbval-skip"]
    assert cells[2].metadata.tags == ["nbval-ignore-output", "raises-exception"]
    assert cells[2].outputs[0].ename == "ZeroDivisionError"
    assert "#|" not in "".join(cell.source for cell in cells)


def test_streams_are_joined_and_overwritten_lines_gone(page):
    outputs = page.notebook.cells[-3].outputs
    assert [(out.name, out.text) for out in outputs] == [("stdout", "a\nc\n"), ("stderr", "err\n")]


def test_figures_and_widgets_are_kept(page):
    figure, control = page.notebook.cells[-1].outputs
    assert "image/svg+xml" in figure.data
    assert figure.data["text/plain"] == "<Figure size 640x480 with 1 Axes>"
    state = page.notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    model = control.data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert state[model]["state"]["value"] == "<b>control</b>"


def test_no_metadata_depends_on_the_run(page):
    assert all("execution" not in cell.metadata for cell in page.notebook.cells)
    assert page.notebook.metadata.language_info == {"name": "python"}
    assert set(page.versions) == {"python", "numpy", "matplotlib", "ipywidgets"}
    assert page.executed_at.endswith("+00:00")


def test_a_package_in_its_sources_is_named_with_what_it_requires(tmp_path, monkeypatch):
    """No record of an editable installation tells which modules it has."""
    (tmp_path / "tiny.py").touch()
    info = tmp_path / "tiny-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny\nVersion: 1.5\nRequires-Dist: PyYAML>=6\n"
        "Requires-Dist: jinja2; extra == 'more'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = run(tmp_path, "```{python}\nimport tiny, json\n```\n")

    assert set(done.versions) == {"python", "tiny", "PyYAML"}
    assert done.versions["tiny"] == "1.5"


def test_a_page_may_ask_to_be_run_each_time(folder):
    """It reads what no key knows of."""
    text = "---\ntitle: A\nexecute:\n  cache: false\n---\n" + PAGE.partition("---\n\n")[2]
    for _ in range(2):
        assert not run(folder, text, cache=folder / "fresh").cached
    assert not (folder / "fresh").exists()


def test_the_cache_gives_the_same_page(page, folder):
    again = run(folder, PAGE, cache=folder / "cache")
    assert (again.cached, page.cached, again.warnings) == (True, False, [])
    assert again.notebook == page.notebook
    assert again.document.parts == page.document.parts
    assert (again.seconds, again.executed_at) == (page.seconds, page.executed_at)
    assert [path.suffix for path in (folder / "cache").iterdir()] == [".json"]


def test_a_second_run_prints_the_same(page, folder):
    again = run(folder, PAGE)
    assert not again.cached
    assert [c["id"] for c in again.notebook.cells] == [c["id"] for c in page.notebook.cells]
    assert again.notebook.cells[1].outputs == page.notebook.cells[1].outputs
    drawn = [done.notebook.cells[-1].outputs[0].data["image/svg+xml"] for done in (page, again)]
    assert ASIDES.sub("", drawn[0]) == ASIDES.sub("", drawn[1])


@pytest.mark.usefixtures("page")
def test_the_document_is_left_as_it_was(folder):
    document = parse(folder / "page.qmd")
    assert execute(document, cache=folder / "cache", salt="", options={}).cached
    assert "`{python} x`" in document.parts[2].text


def test_pages_run_side_by_side(tmp_path):
    """Two pages that wait for each other: neither ends unless both run at the same time."""

    def page(name: str, other: str) -> Executed:
        text = (
            "```{python}\nimport pathlib, time\n"
            f"pathlib.Path('../{name}').touch()\n"
            f"while not pathlib.Path('../{other}').exists():\n    time.sleep(0.01)\n"
            f"x = '{name}'\n```\n\n`{{python}} x`\n"
        )
        return run(tmp_path / f"folder-{name}", text, cache=tmp_path / "cache")

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(page, ("one", "two"), ("two", "one")))
    assert [page.document.parts[1].text.strip() for page in done] == ["one", "two"]


def test_ids_come_from_content(tmp_path):
    """A new cell in front changes no other id; equal cells are told apart."""
    cells = "```{python}\n#| eval: false\nx\n```\n\n```{python}\n#| eval: false\nx\n```\n"
    first = run(tmp_path, cells).notebook.cells
    second = run(tmp_path, "New.\n\n" + cells).notebook.cells
    assert [cell["id"] for cell in first] == [cell["id"] for cell in second[1:]]
    assert len({cell["id"] for cell in second}) == 3


# ---------------------------------------------------------------- the key of the cache


def failure(folder: Path, text: str) -> CellError:
    with pytest.raises(CellError) as caught:
        run(folder, text, cache=folder / "cache")
    assert not (folder / "cache").exists()
    return caught.value


def test_a_failing_cell_is_told_by_page_line_and_message(tmp_path):
    text = (
        "A.\n\n```{python}\n#| echo: false\ndef f(d):\n    return d['k']\n```\n\n"
        "```{python}\n#| label: here\nimport json\njson.loads('{')\nf({})\n```\n"
    )
    error = failure(tmp_path, text)
    assert (error.cell, error.line, error.ename) == (2, 12, "JSONDecodeError")
    assert str(error).endswith(
        "page.qmd:12: cell 2 raised JSONDecodeError: Expecting property name enclosed in double "
        "quotes: line 1 column 2 (char 1)"
    )
    assert "json.loads('{')" in error.details
    assert "File " in error.details
    assert "raise JSONDecodeError" not in error.details  # frames of libraries are one line each
    assert "\x1b" not in error.details


def test_a_syntax_error_is_told_with_its_line(tmp_path):
    error = failure(tmp_path, "```{python}\n#| echo: false\nx = 1\ny = (\n```\n")
    assert (error.cell, error.line, error.ename) == (1, 4, "SyntaxError")


def test_a_cell_that_ends_its_kernel_is_told(tmp_path):
    error = failure(tmp_path, "```{python}\nimport os\nos._exit(3)\n```\n")
    assert (error.cell, error.ename) == (1, "DeadKernelError")


def test_a_failing_expression_is_told_by_page_line_and_text(tmp_path):
    (tmp_path / "_part.qmd").write_text("one\n\nhere `{python} 1` and `{python} missing\n+ 1`\n")
    error = failure(tmp_path, "Top.\n\n{{< include _part.qmd >}}\n")
    assert (error.cell, error.line, error.expression) == (None, 3, "missing + 1")
    assert str(error).endswith(
        "_part.qmd:3: the inline expression `missing + 1` raised NameError: name 'missing' is not defined"
    )


def test_a_cell_has_a_time_limit(tmp_path):
    (tmp_path / "page.qmd").write_text("```{python}\nimport time\ntime.sleep(60)\n```\n")
    with pytest.raises(CellError, match="cell 1 raised TimeoutError: the cell ran longer than 1 s"):
        execute(parse(tmp_path / "page.qmd"), cache=None, salt="", options={}, timeout=1)


@pytest.mark.skipif(os.name != "posix", reason="a process is interrupted otherwise there")
def test_an_interrupted_run_ends_its_kernel(tmp_path):
    text = "```{python}\nimport os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n```\n"
    (tmp_path / "page.qmd").write_text(text)
    program = (
        "import pathlib, sitebuild.execute as e, sitebuild.qmd as q\n"
        "try:\n"
        "    e.execute(q.parse(pathlib.Path('page.qmd')), cache=None, salt='', options={})\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    path = str(Path(sitebuild.__path__[0]).parent)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert said == "interrupted\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_kernel_that_does_not_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(SiteError, match=r"page\.qmd: the kernel did not start: .*; check that ipyk"):
        run(tmp_path, "```{python}\n1\n```\n")


# ---------------------------------------------------------------- without a kernel


class RanError(Exception):
    """Raised in place of a run, to see whether the cache was enough."""


@pytest.fixture
def no_kernel(monkeypatch):
    def refuse(*_args, **_options):
        raise RanError

    monkeypatch.setattr("sitebuild.execute.start", refuse)


@pytest.mark.parametrize(
    "text",
    [
        "Words `x` alone.\n",
        "```{python}\n#| eval: false\n1 / 0\n```\n",
        "---\nexecute:\n  eval: false\n---\n```{python}\n1 / 0\n```\n",
        "---\nexecute:\n  enabled: false\n---\n```{python}\n1 / 0\n```\n`{python} x`\n",
        "```{python}\n#| echo: false\n```\n",
    ],
)
@pytest.mark.usefixtures("no_kernel")
def test_a_page_with_nothing_to_run_starts_no_kernel(tmp_path, text):
    done = run(tmp_path, text, cache=tmp_path / "cache")
    assert (done.seconds, done.executed_at, done.versions) == (0, "", {})


@pytest.mark.usefixtures("no_kernel")
def test_defaults_merge_below_the_page_and_the_cell(tmp_path):
    text = "---\nexecute:\n  eval: true\n---\n```{python}\n#| eval: false\n1\n```\n"
    assert run(tmp_path, text, execute={"eval": False, "echo": False}).defaults == {
        "eval": True,
        "echo": False,
    }
    with pytest.raises(RanError):
        run(tmp_path, text.replace("#| eval: false\n", ""), execute={"eval": False})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fig-width": 0}, "fig-width takes a positive number, not 0"),
        ({"fig-dpi": "high"}, "fig-dpi takes a positive number, not 'high'"),
        ({"fig-format": "pdf"}, "fig-format takes svg, retina, png, jpeg, not 'pdf'"),
    ],
)
@pytest.mark.usefixtures("no_kernel")
def test_a_figure_option_without_meaning_is_refused(tmp_path, options, message):
    with pytest.raises(SiteError, match=message):
        run(tmp_path, "```{python}\n1\n```\n", **options)


# ---------------------------------------------------------------- hashes of source trees
