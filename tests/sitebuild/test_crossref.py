"""Numbers of figures, tables, equations and the rest, and the references to them."""

import pytest

from sitebuild.crossref import Labels, resolve


def resolved(markdown: str) -> str:
    warnings = []
    text = resolve(markdown, warnings.append)
    assert warnings == []
    return text


def told(markdown: str) -> list[str]:
    warnings = []
    resolve(markdown, warnings.append)
    return warnings


def test_numbers_follow_the_page_and_the_kind():
    text = resolved(
        "![A](a.png){#fig-a}\n\n![B](b.png){#fig-b width=5}\n\n"
        "| x |\n|---|\n| 1 |\n\n: T {#tbl-t}\n\nSee @fig-b, @fig-a and @tbl-t.\n"
    )
    assert "![Figure 1: A](a.png){#fig-a}" in text
    assert "![Figure 2: B](b.png){#fig-b width=5}" in text
    assert ": Table 1: T {#tbl-t}" in text
    assert "See [Figure 2](#fig-b), [Figure 1](#fig-a) and [Table 1](#tbl-t)." in text


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("@fig-a.", "[Figure 1](#fig-a)."),
        ("@Fig-a", "[Figure 1](#fig-a)"),
        ("[@fig-a]", "[Figure 1](#fig-a)"),
        ("[-@fig-a]", "[1](#fig-a)"),
        ("[Fig. @fig-a]", "[Fig. 1](#fig-a)"),
        ("[@fig-a; @fig-b]", "[Figure 1](#fig-a), [Figure 2](#fig-b)"),
        ("[@fig-a, left]", "[Figure 1](#fig-a), left"),
        ("(@fig-a)", "([Figure 1](#fig-a))"),
        ("`@fig-a`", "`@fig-a`"),
        (r"\@fig-a", r"\@fig-a"),
        ("me@fig-a.org", "me@fig-a.org"),
        ("@smith2020 and [@jones]", "@smith2020 and [@jones]"),
        ("@Figueroa-2020 and [@Secord-1999]", "@Figueroa-2020 and [@Secord-1999]"),
        ("@sec-why", "[Section “Why *now*?”](#sec-why)"),
        ("@eq-t", "[Equation 1](#eq-t)"),
        ("@lst-l", "[Listing 1](#lst-l)"),
        ("@tip-x", "[Tip 1](#tip-x)"),
    ],
)
def test_forms_of_references(reference, shown):
    labels = (
        "![A](a.png){#fig-a}\n\n![B](b.png){#fig-b}\n\n# Why *now*? {#sec-why}\n\n$$t$$ {#eq-t}\n\n"
        '```{#lst-l .python lst-cap="L"}\nx\n```\n\n::: {#tip-x .callout-tip}\nx\n:::\n\n'
    )
    assert resolved(f"{labels}See {reference}\n").split("See ")[1] == f"{shown}\n"


def test_code_is_left_alone():
    text = "```\n![A](a.png){#fig-a} @fig-a $$x$$ {#eq-a}\n::: {#fig-b}\n```\n"
    assert resolved(text) == text


def test_an_equation_carries_its_number():
    text = resolved("Before\n$$\na\n= b\n$$ {#eq-long}\nand in line $$c$$ {#eq-c}.\n")
    assert "[$$\na\n= b \\qquad(1)$$]{#eq-long .equation}" in text
    assert "[$$c \\qquad(2)$$]{#eq-c .equation}." in text


def test_a_figure_div_ends_with_its_caption():
    text = resolved("::: {#fig-d .quarto-figure}\n\n| a |\n|---|\n\nThe\ncaption `x`.\n\n:::\n")
    assert "::: {.figure-caption}\nFigure 1: The caption `x`.\n:::\n\n:::" in text


def test_a_table_div_begins_with_its_caption():
    text = resolved("::: {#tbl-d}\n\n```{=html}\n<table></table>\n```\n\nThe caption.\n\n:::\n")
    opened, caption, table = (text.index(s) for s in ("{#tbl-d}", "Table 1: The", "<table>"))
    assert opened < caption < table
    assert "::: {.table-caption}" in text
    assert text.count("The caption.") == 1


@pytest.mark.parametrize("inside", ["![](a.png)", "| a |\n|---|", "```\nx\n```", "::: a\nx\n:::"])
def test_a_div_without_a_caption_is_given_none(inside):
    text = f"::: {{#fig-d}}\n\n{inside}\n\n:::\n"
    assert resolved(text) == text


def test_parts_of_a_figure_have_letters():
    text = resolved(
        "::: {#fig-all layout-ncol=2}\n\n![L](l.png){#fig-l}\n\n![R](r.png){#fig-r}\n\nBoth.\n\n:::"
        "\n\n![N](n.png){#fig-n}\n\n@fig-all @fig-r @fig-n\n"
    )
    assert "![(a) L](l.png){#fig-l}" in text
    assert "Figure 1: Both." in text
    assert "[Figure 1](#fig-all) [Figure 1 (b)](#fig-r) [Figure 2](#fig-n)" in text


def test_a_listing_has_a_caption_and_keeps_its_attributes():
    text = resolved('  ```{.python #lst-l .cell-code lst-cap="Add, then # hash"}\n  x\n  ```\n')
    assert "  ::: {#lst-l .quarto-listing}\n" in text
    assert "  Listing 1: Add, then # hash\n" in text
    assert "  ```{.python .cell-code }\n  x\n  ```\n  :::" in text


def test_a_caption_may_be_empty():
    assert "![Figure 1](a.png){#fig-a}" in resolved("![](a.png){#fig-a}\n")


def test_what_cannot_be_resolved_is_reported():
    assert told("@fig-none\n") == ["unknown cross-reference @fig-none"]
    assert told("![A](a){#fig-a}\n\n![B](b){#fig-a}\n") == ["the label fig-a is given twice"]
    assert "**?\\@fig-none**" in resolve("@fig-none", lambda _: None)


def test_a_label_may_come_after_its_reference():
    assert resolved("@fig-a\n\n![A](a){#fig-a}\n").startswith("[Figure 1](#fig-a)")


def test_labels_are_known_without_resolving():
    assert Labels.of("![A](a){#fig-a}\n\n# T {#sec-t}\n").numbers == {"fig-a": "1", "sec-t": "T"}
