"""Quarto's Markdown in the form that Jupyter shows."""

import pytest

from sitebuild.crossref import Labels
from sitebuild.plain import Translator

LABELS = (
    "![A](a.png){#fig-a}\n\n# Why {#sec-why}\n\n$$t$$ {#eq-t}\n\n: T {#tbl-t}\n\n```{#lst-l .python}\n```\n"
)


@pytest.fixture
def translate(tmp_path):
    (tmp_path / "_quarto.yml").touch()
    warnings = []
    page, cite = tmp_path / "tutorials/page.qmd", "<{}>".format
    translator = Translator(page, Labels.of(LABELS), warnings.append, cite)
    yield translator
    assert warnings == []


@pytest.mark.parametrize(
    ("quarto", "jupyter"),
    [
        ("plain *text*", "plain *text*"),
        ("a limit of [50 ms]{.given}", "a limit of 50 ms"),
        ("[[a]{.x} and [b](u)]{.y}", "a and [b](u)"),
        ('[site]{.content-visible when-format="html"} all', " all"),
        ('[here]{.content-hidden when-format="html"}', "here"),
        ("## Title {#sec-why .unnumbered}", "## Title"),
        ("see @fig-a and [-@eq-t], [@tbl-t]", "see Figure 1 and 1, Table 1"),
        ("in @sec-why", "in Section “Why”"),
        ("![Cap](a.png){#fig-a width=50%}", "![Figure 1: Cap](a.png)"),
        ("| x |\n|---|\n| 1 |\n\n: Cap {#tbl-t}", "| x |\n|---|\n| 1 |\n\n*Table 1: Cap*"),
        ("| x |\n|---|\n| 1 |\n\n: Cap", "| x |\n|---|\n| 1 |\n\n*Cap*"),
        ("Term\n: its definition", "Term\n: its definition"),
        ("$$t$$ {#eq-t}", r"$$t \tag{1}$$"),
        ("as [@smith2020]", "as <[@smith2020]>"),
        ("as [see @a, p. 3; -@b]", "as <[see @a, p. 3; -@b]>"),
        ("@smith:2020. And @jones, too", "<@smith:2020>. And <@jones>, too"),
        ("@{https://x.org/a}", "<@{https://x.org/a}>"),
        ("me@home.org and `@dataclass` and $x@y$", "me@home.org and `@dataclass` and $x@y$"),
        (r"\@not", r"\@not"),
        ("$a~b~ (@k)$ and $$c^2^ @k$$", "$a~b~ (@k)$ and $$c^2^ @k$$"),
        ("CO~2~, 10^3^, $a^2 b^2$, ~~out~~", "CO<sub>2</sub>, 10<sup>3</sup>, $a^2 b^2$, ~~out~~"),
        (
            "[next](01_wall.qmd#part) and [index](./index.qmd)",
            "[next](01_wall.ipynb) and [index](index.ipynb)",
        ),
        ("[glossary](../glossary.qmd), [root](/math.qmd)", "glossary, root"),
        ("[web](https://x.org/a.qmd)", "[web](https://x.org/a.qmd)"),
        ("[same](/tutorials/b.qmd)", "[same](b.ipynb)"),
        ("[x](u){target=_blank}", "[x](u)"),
        ("value `<b>3</b>`{=html}, `tex`{=latex}", "value <b>3</b>, "),
        ("`code`{.python}", "`code`"),
        ("a <!-- note\nto self --> b `<!-- kept -->`", "a  b `<!-- kept -->`"),
        ("```{.python filename='a.py'}\nx = '@y'\n```", "```python\nx = '@y'\n```"),
        ("```{mermaid}\ngraph\n```", "```mermaid\ngraph\n```"),
        ("```{{python}}\nx\n```", "```python\nx\n```"),
        ("```{=html}\n<b>x</b>\n```\nafter", "<b>x</b>\nafter"),
        ("a\n\n```{=latex}\nx\n```\n\nb", "a\n\nb"),
        ('```{#lst-l .python lst-cap="L"}\nx\n```', "*Listing 1: L*\n\n```python\nx\n```"),
        ("a\n\n{{< pagebreak >}}\n\nb", "a\n\nb"),
        ("{{< video https://x.org/v >}}", "[Video: https://x.org/v](https://x.org/v)"),
    ],
)
def test_translations(translate, quarto, jupyter):
    assert translate(quarto) == jupyter


def test_a_reference_in_vain_is_reported(tmp_path):
    warnings = []
    Translator(tmp_path / "page.qmd", Labels.of(""), warnings.append, str)("@fig-none")
    assert warnings == ["unknown cross-reference @fig-none"]
