"""Outputs as Markdown: what is shown, in which form, and which picture is written where."""

from pathlib import Path

import pytest

from sitebuild import cells
from sitebuild.execute import Executed, execute
from sitebuild.outputs import STATE, WIDGET, to_markdown
from sitebuild.qmd import parse

STDOUT = {"output_type": "stream", "name": "stdout", "text": "said\n"}
STDERR = {"output_type": "stream", "name": "stderr", "text": "\x1b[31mwarned\x1b[0m\n"}
PNG = "iVBORw0KGgo="


def data(metadata: dict | None = None, **mimes: object) -> dict:
    bundle = {name.replace("_", "/", 1).replace("svg", "svg+xml"): v for name, v in mimes.items()}
    return {"output_type": "display_data", "metadata": metadata or {}, "data": bundle}


@pytest.fixture
def render(tmp_path):
    """Return the Markdown of one cell with the given options and outputs, without a kernel."""

    def made(options: str, *outputs: dict, code: str = "x = 1", widgets=None, **defaults) -> str:
        path = tmp_path / "page.qmd"
        lines = "".join(f"#| {line}\n" for line in options.split("\n") if line)
        path.write_text(f"```{{python}}\n{lines}{code}\n```\n")
        document = parse(path)
        assert document.warnings == []
        cell = cells.code(code)
        cell["outputs"] = [cells.node(output) for output in outputs]
        notebook = cells.notebook([cell])
        if widgets:
            notebook.metadata["widgets"] = cells.node({STATE: {"state": widgets}})
        made.page = Executed(document, notebook, 0, False, "", {})
        return to_markdown(made.page, figures=tmp_path / "files", href="files", defaults=defaults)

    return made


def test_code_and_streams(render):
    text = render("", STDOUT, STDERR)
    assert "::: {.cell}\n\n```{.python .cell-code}\nx = 1\n```" in text
    assert "::: {.cell-output .cell-output-stdout}\n```\nsaid\n```\n:::" in text
    assert "::: {.cell-output .cell-output-stderr}\n```\nwarned\n```\n:::" in text


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        ("echo: false", ["said", "warned"], ["x = 1"]),
        ("output: false", ["x = 1"], ["said", "warned"]),
        ("warning: false", ["x = 1", "said"], ["warned"]),
        ("include: false", [], ["x = 1", "said", "warned", ":::"]),
        ("echo: fenced", ["```{python}\nx = 1\n```", "{.markdown .cell-code}"], ["echo"]),
        ("output: asis\necho: false", ["\nsaid\n"], ["cell-output-stdout"]),
    ],
)
def test_options_decide_what_is_shown(render, options, present, absent):
    text = render(options, STDOUT, STDERR)
    assert [word for word in present if word not in text] == []
    assert [word for word in absent if word in text] == []


def test_a_cells_options_go_above_those_of_the_site(render):
    assert "x = 1" not in render("", echo=False)
    assert "x = 1" in render("echo: true", echo=False)


def test_attributes_of_code(render):
    text = render('code-fold: true\ncode-summary: A "b"\nfilename: a.py\nclasses: wide')
    assert '```{.python .cell-code code-fold="true" code-summary="A \\"b\\"" filename="a.py"}' in text
    assert "::: {.cell .wide}" in text


def test_a_fence_is_longer_than_any_inside(render):
    text = render("", {**STDOUT, "text": "````\n"}, code="s = '```'")
    assert "````{.python .cell-code}\ns = '```'\n````" in text
    assert "`````\n````\n`````" in text


def test_a_label_that_numbers_nothing_stays_on_the_cell(render):
    assert "::: {#setup .cell}" in render("label: setup")


def test_a_figure_carries_label_caption_and_alternative(render, tmp_path):
    text = render(
        'label: fig-a\nfig-cap: A *cap*\nfig-alt: "Two \\"lines\\""\nout-width: 80%',
        data(text_plain="<Figure>", image_svg="<?xml version='1'?>\n<svg><metadata>\nx</metadata>"),
    )
    image = '![A *cap*](files/fig-a-output-1.svg){#fig-a fig-alt="Two \\"lines\\"" width="80%"}'
    assert image in text
    assert "::: {.cell}" in text
    assert (tmp_path / "files/fig-a-output-1.svg").read_text() == "<svg>"


def test_a_png_has_the_size_that_its_metadata_says(render, tmp_path):
    text = render("", data({"image/png": {"width": 300}}, image_png=PNG))
    assert '![](files/cell-1-output-1.png){width="300"}' in text
    assert (tmp_path / "files/cell-1-output-1.png").read_bytes().startswith(b"\x89PNG")


def test_several_pictures_share_one_label(render):
    picture = data(image_png=PNG)
    text = render("label: fig-a\nfig-cap: Both\nlayout-ncol: 2", picture, picture)
    assert text.count("#fig-a") == 1
    assert "::: {#fig-a .quarto-figure}\n\n::: {layout-ncol=2}" in text
    assert ":::\n\nBoth\n\n:::" in text
    parts = render("label: fig-a\nfig-cap: Both\nfig-subcap: [L, R]", picture, picture)
    assert "![L](files/fig-a-output-1.png){#fig-a-1}" in parts
    assert "![R](files/fig-a-output-2.png){#fig-a-2}" in parts


def test_a_caption_without_a_label_is_kept(render):
    assert "![Cap](files/cell-1-output-1.png)\n" in render("fig-cap: Cap", data(image_png=PNG))
    table = render("tbl-cap: Cap", data(text_html="<table></table>"))
    assert "::: {.table-caption}\n\nCap\n\n:::" in table


def test_a_table_div_holds_label_and_caption(render):
    text = render("label: tbl-a\ntbl-cap: Cap", data(text_html="<table></table>", text_plain="t"))
    assert "::: {#tbl-a .quarto-table}" in text
    assert "```{=html}\n<table></table>\n```" in text
    assert ":::\n\nCap\n\n:::" in text


def test_a_listing_label_goes_on_the_code(render):
    assert '```{#lst-a .python .cell-code lst-cap="C"}' in render("lst-label: lst-a\nlst-cap: C")


@pytest.mark.parametrize(
    ("bundle", "shown"),
    [
        ({"text_markdown": "**m**", "text_plain": "p"}, "\n**m**\n"),
        ({"text_latex": "$$x$$", "text_plain": "p"}, "\n$$x$$\n"),
        ({"text_plain": "p"}, "```\np\n```"),
    ],
)
def test_the_richest_form_is_shown(render, bundle, shown):
    assert shown in render("", data(**bundle))


def test_an_error_shows_the_cell_and_the_message(render):
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "bad",
        "traceback": ["----", "Cell In[1], line 1\n----> 1 x", "File /else/where.py:3"],
    }
    text = render("error: true", error)
    assert "Cell In[1], line 1\n----> 1 x\nValueError: bad" in text
    assert "where.py" not in text


def test_an_output_that_no_page_can_show_is_reported(render):
    bundle = {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": ""}}
    render("", bundle)
    (warning,) = render.page.warnings
    assert warning.endswith("page.qmd:2: an output (application/javascript) cannot be shown on a page")


def test_a_control_stands_still_with_its_values(render):
    def model(name: str, **state: object) -> dict:
        return {"state": {"_model_name": name, **state}}

    widgets = {
        "box": model("VBoxModel", children=[f"IPY_MODEL_{k}" for k in "abcdefg"]),
        "a": model("IntSliderModel", value=8, description="Batch:"),
        "b": model("HTMLModel", value="<b>3 ms</b>", description=""),
        "c": model("DropdownModel", _options_labels=["A", "B"], index=1, description="GPU"),
        "d": model("CheckboxModel", value=True, description="ideal"),
        "e": model("OutputModel", outputs=[STDOUT]),
        "f": model("LabelModel", value="a < b"),
        "g": model("IntRangeSliderModel", value=[1, 2], description="r"),
    }
    view = {**data(text_plain="VBox()"), "data": {"text/plain": "VBox()", WIDGET: {"model_id": "box"}}}
    text = render("", view, widgets=widgets)
    shown = [
        "<span>Batch</span> <output>8</output>",
        "<div><b>3 ms</b></div>",
        "<span>GPU</span> <output>B</output>",
        "<span>ideal</span> <output>on</output>",
        "<pre>said\n</pre>",
        "<p>a &lt; b</p>",
        "<output>1 to 2</output>",
        "The control moves when you run this page in Jupyter.",
    ]
    assert [word for word in shown if word not in text] == []
    assert "VBox()" not in text


def markdown(folder: Path, text: str) -> str:
    (folder / "page.qmd").write_text(text)
    page = execute(parse(folder / "page.qmd"), cache=None, salt="", options={})
    return to_markdown(page, figures=folder / "files", href="files", defaults={})


def test_prose_is_passed_on(tmp_path):
    assert markdown(tmp_path, "A *b*.\n\n::: {.x}\nc\n:::\n") == "A *b*.\n\n::: {.x}\nc\n:::\n"
    assert not (tmp_path / "files").exists()


def test_diagrams_and_literal_cells(tmp_path):
    text = markdown(tmp_path, "```{mermaid}\ngraph\n```\n\n```{{python}}\nx\n```\n\n`{{python}} x`\n")
    assert "``` {.mermaid}\ngraph\n```" in text
    assert "````{.markdown}\n```{python}\nx\n```\n````" in text
    assert text.endswith("`{python} x`\n")


def test_a_cell_in_a_list_keeps_its_indent(tmp_path):
    text = markdown(tmp_path, "1. one\n\n   ```{python}\n   #| eval: false\n   x\n   ```\n\n   two\n")
    assert "\n   ::: {.cell}\n\n   ```{.python .cell-code}\n   x\n   ```\n\n   :::\n" in text
