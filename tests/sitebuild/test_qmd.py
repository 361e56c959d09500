"""Reading pages: front matter, parts, includes, options, and what is said about mistakes."""

import pickle
from pathlib import Path

import pytest

from sitebuild.errors import CellError, SiteError
from sitebuild.qmd import Document, Part, fences, inline_expressions, parse

PAGE = """\
---
title: A page
execute:
  echo: false
---

Before.

```{python}
#| label: fig-a
#| fig-cap: "A: caption"
x = 1
```

Between.

````{python}
text = '''
```
'''
````
"""


def write(folder: Path, text: str, name: str = "page.qmd") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Document:
    return parse(write(folder, text))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SiteError) as caught:
        read(folder, text)
    return str(caught.value).replace(str(folder) + "/", "")


def test_a_page_is_split_at_its_cells(tmp_path):
    page = read(tmp_path, PAGE)
    assert page.front == {"title": "A page", "execute": {"echo": False}}
    assert page.raw_front.startswith("---\ntitle")
    assert [(part.kind, part.line) for part in page.parts] == [
        ("markdown", 6),
        ("code", 10),
        ("markdown", 14),
        ("code", 18),
    ]
    assert page.parts[1].options == {"label": "fig-a", "fig-cap": "A: caption"}
    assert page.parts[1].code == "x = 1"
    assert page.parts[1].option_lines == 2
    assert page.warnings == []


def test_a_longer_fence_holds_shorter_ones(tmp_path):
    assert read(tmp_path, PAGE).parts[3].text == "text = '''\n```\n'''"


def test_a_cell_shown_inside_a_plain_fence_is_no_cell(tmp_path):
    page = read(tmp_path, "````markdown\n```{python}\n1 / 0\n```\n````\n~~~\n```{python}\n~~~\n")
    assert [part.kind for part in page.parts] == ["markdown"]


def test_a_cell_in_a_list_loses_its_indent(tmp_path):
    page = read(tmp_path, "1. one\n\n   ```{python}\n   #| echo: false\n   if x:\n       y\n   ```\n")
    cell = page.parts[1]
    assert (cell.indent, cell.code, cell.options) == ("   ", "if x:\n    y", {"echo": False})


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path):
    path = tmp_path / "page.qmd"
    path.write_bytes(b"\xef\xbb\xbf" + PAGE.replace("\n", "\r\n").encode())
    assert [part.text for part in parse(path).parts] == [p.text for p in read(tmp_path, PAGE).parts]


def test_includes_keep_their_own_file_and_lines(tmp_path):
    write(tmp_path, "---\ntitle: dropped\n---\n\nA.\n\n```{python}\ny = 2\n```\n", "parts/_a.qmd")
    page = read(tmp_path, "Top.\n\n{{< include parts/_a.qmd >}}\n\nEnd.\n")
    assert [part.kind for part in page.parts] == ["markdown", "code", "markdown"]
    assert "title" not in page.parts[0].text
    cell = page.parts[1]
    assert (cell.file, cell.line) == ((tmp_path / "parts/_a.qmd").resolve(), 8)
    assert page.parts[0].place(0) == (tmp_path / "page.qmd", 1)
    assert page.parts[2].place(1) == (tmp_path / "page.qmd", 5)


def test_an_include_from_the_project_root(tmp_path):
    write(tmp_path, "project:\n", "_quarto.yml")
    write(tmp_path, "shared", "_s.qmd")
    path = write(tmp_path, "{{< include /_s.qmd >}}\n", "deep/page.qmd")
    assert parse(path).parts[0].text == "shared"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n```{python}\nx\n", "page.qmd:2: this cell is never closed; add ``` after its last"),
        ("---\ntitle: [a\n---\n", "page.qmd:3: malformed YAML"),
        ("---\ntitle: a\ntitle: b\n---\n", "page.qmd:3: malformed YAML: the key 'title' is given"),
        ("---\ntitle: a\n\ntext\n", "page.qmd:1: the front matter is never closed"),
        ("---\n- a\n---\n", "page.qmd:2: expected 'key: value' lines"),
        ("---\nexecute: no\n---\n", "page.qmd:2: execute takes 'key: value' lines"),
        ("---\nexecute:\n  echo: maybe\n---\n", "page.qmd:3: execute: echo takes true or false"),
        ("```{python}\n#| eval: maybe\n```\n", "page.qmd:2: eval takes true or false, and it is"),
        ("```{python}\n#| tags: one\n```\n", "page.qmd:2: tags takes a list"),
        ("```{python}\n#| layout-ncol: true\n```\n", "page.qmd:2: layout-ncol takes a whole"),
        ("```{python}\n#| echo\n```\n", "page.qmd:2: expected 'key: value' lines"),
        ("\n{{< include none.qmd >}}\n", "page.qmd:2: there is no file"),
        ("a {{< include none.qmd >}}\n", "page.qmd:1: this include is not understood"),
        ("{{< include page.qmd >}}\n", "page.qmd:1: page.qmd includes itself"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, message):
    assert refused(tmp_path, text).startswith(message)


def test_a_missing_page_is_told(tmp_path):
    with pytest.raises(SiteError, match=r"there is no file .*absent\.qmd"):
        parse(tmp_path / "absent.qmd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{python}\nx\n#| echo: false\n```\n", "3: #| lines count only at the top of a cell"),
        ("```{python}\n#| eco: false\n```\n", "2: the cell option eco is not honoured; did you"),
        ("```{python}\n#| fig-width: 3\n```\n", "2: the cell option fig-width is not honoured"),
        ("```{python}\n#| fig-cap: '`{python} x`'\n```\n", "2: inline code in fig-cap is not"),
        ("```{python, echo=FALSE}\n```\n", "1: ', echo=FALSE' beside {python} is ignored"),
        ("\n```{r}\n1\n```\n", "2: a cell in r is shown and not run"),
        ("---\nexecute:\n  cache: true\n---\n", "3: execute: cache is not honoured"),
        ("---\nengine: knitr\n---\n", "2: engine: knitr is not run"),
        ("---\njupyter: julia-1.9\n---\n", "2: jupyter: julia-1.9 is not used"),
    ],
)
def test_what_is_not_honoured_is_reported(tmp_path, text, message):
    (warning,) = read(tmp_path, text).warnings
    assert warning.replace(str(tmp_path) + "/", "").startswith(f"page.qmd:{message}")


def test_what_is_honoured_is_not_reported(tmp_path):
    page = read(
        tmp_path,
        "---\nengine: jupyter\njupyter: python3\nexecute:\n  freeze: false\n  enabled: true\n---\n"
        "```{python}\n#| output: asis\n#| echo: fenced\n#| code-fold: show\n#| tags: [a]\n```\n"
        "```{mermaid}\ngraph TD\n```\n",
    )
    assert page.warnings == []


def test_inline_expressions_are_found_in_prose_alone():
    text = "`{python} a` and ``{python} no` `` `{{python}} no`\n```\n`{python} no`\n```\n`{python} b\nc`"
    assert [match[1] for match in inline_expressions(text)] == ["a", "b\nc"]


def test_a_line_below_the_last_is_counted_on():
    assert Part("code", "", 5).place(2) == (None, 7)


def test_a_fence_that_is_never_closed_reaches_the_end():
    text = "a\n```\nb"
    assert [text[start:end] for start, end in fences(text)] == ["```\nb"]


def test_errors_survive_the_way_between_processes():
    error = CellError("x.qmd", 8, 2, "ValueError", "bad\nmore", "the traceback", None)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (made one line above)
    assert str(copy) == "x.qmd:8: cell 2 raised ValueError: bad"
    assert (copy.cell, copy.evalue, copy.details) == (2, "bad\nmore", "the traceback")
    plain = pickle.loads(pickle.dumps(SiteError("x.qmd", None, "wrong", "do this")))  # noqa: S301
    assert str(plain) == "x.qmd: wrong; do this"


def test_a_page_is_named_as_its_author_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(SiteError(tmp_path / "a" / "x.qmd", 3, "wrong")) == "a/x.qmd:3: wrong"
