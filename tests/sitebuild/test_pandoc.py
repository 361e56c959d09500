from pathlib import Path
from textwrap import dedent

import pytest

from sitebuild.errors import SiteError
from sitebuild.pandoc import Snippets, convert, strip

BOOK = "@book{knuth1984, author={Knuth, Donald}, title={The TeXbook}, year={1984}}\n"


@pytest.fixture
def page(tmp_path):
    (tmp_path / "refs.bib").write_text(BOOK)

    def run(markdown, **options):
        told = []
        options = {name.replace("_", "-"): value for name, value in options.items()}
        body = convert(
            dedent(markdown).lstrip("\n"),
            options=options,
            page=tmp_path / "x.qmd",
            root=tmp_path,
            warn=told.append,
        )
        return body, told

    return run


def html(page, markdown, **options):
    body, told = page(markdown, **options)
    assert told == []
    return body.html


# ------------------------------------------------------------------ callouts
def test_a_callout_has_its_kind_as_title(page):
    out = html(page, "::: {.callout-warning}\nText.\n:::")
    assert '<div class="callout callout-warning callout-default"><div class="callout-title">' in out
    assert '<span class="callout-heading">Warning</span>' in out


@pytest.mark.parametrize(
    "opening", ["::: {.callout-tip}\n## A `b` & c\n", '::: {.callout-tip title="A `b` & c"}\n']
)
def test_a_title_of_its_own_is_markdown_and_the_kind_is_said_aloud(page, opening):
    out = html(page, opening + "\nText.\n:::\n")
    assert '<span class="visually-hidden">Tip: </span>A <code>b</code> &amp; c</span>' in out
    assert "<h2" not in out


def test_a_title_may_hold_mathematics(page):
    assert "<math" in html(page, '::: {.callout-tip title="Why $x^2$?"}\nText.\n:::')


def test_a_folded_callout_is_a_details_element(page):
    out = html(page, '::: {#tip-x .callout-tip collapse="true"}\n## S\n\nText.\n:::')
    assert (
        '<details class="callout callout-tip callout-default" id="tip-x"><summary class="callout-title">'
        in out
    )
    assert html(page, '::: {.callout-tip collapse="false"}\nText.\n:::').startswith("<details class")
    assert " open>" in html(page, '::: {.callout-tip collapse="false"}\nText.\n:::')


def test_appearance_and_icon(page):
    out = html(page, '::: {.callout-note appearance="simple" icon=false}\nText.\n:::')
    assert 'class="callout callout-note callout-simple no-icon"' in out
    assert "callout-minimal" in html(page, "::: {.callout-note}\nText.\n:::", callout_appearance="minimal")


def test_a_title_never_holds_the_template_of_the_page(page):
    out = html(page, "::: {.callout-note}\n## T\n\nx\n:::", toc=True)
    assert out.count("T") == 1


# ------------------------------------------------------------------ tabs
def test_tabs(page):
    out = html(page, "::: {.panel-tabset group='g'}\n\n## *One*\n\nA\n\n### Deeper\n\n## Two\n\nB\n\n:::")
    assert '<div class="tabset" data-group="g"><div role="tablist">' in out
    assert out.count('role="tab"') == out.count('role="tabpanel"') == 2
    assert 'aria-controls="panel-1-1" aria-selected="true" tabindex="0"><em>One</em></button>' in out
    assert 'aria-labelledby="tab-1-2" data-title="Two" hidden>' in out
    assert "<h3" in out


def test_two_sets_of_tabs_have_their_own_ids(page):
    one = "::: {.panel-tabset}\n\n## A\n\na\n\n## B\n\nb\n\n:::\n\n"
    out = html(page, one + one)
    assert 'id="tab-1-1"' in out
    assert 'id="tab-2-1"' in out


def test_a_heading_without_an_empty_line_before_it_is_reported(page):
    _, told = page("::: {.panel-tabset}\n## A\na\n## B\nb\n:::")
    assert told == [
        "a .panel-tabset has fewer than two tabs; leave an empty line before each of its headings"
    ]


def test_text_before_the_first_tab_is_reported(page):
    _, told = page("::: {.panel-tabset}\n\nlost\n\n## A\n\na\n\n## B\n\nb\n\n:::")
    assert told == [
        "text before the first heading of a .panel-tabset is lost; each tab begins with a heading"
    ]


# ------------------------------------------------------------------ code
CELL = "``` {.python .cell-code%s}\nx = 1\n```\n"


def test_code_of_a_cell_folds_as_the_page_or_the_cell_says(page):
    assert '<details class="code-fold"><summary>Code</summary>' in html(page, CELL % ' code-fold="true"')
    assert '<details class="code-fold" open><summary>Show</summary>' in html(
        page, CELL % "", code_fold="show", code_summary="Show"
    )
    assert "details" not in html(page, CELL % ' code-fold="false"', code_fold=True)
    assert "details" not in html(page, "``` python\nx = 1\n```\n", code_fold=True)


def test_no_option_of_a_cell_is_left_on_the_block(page):
    out = html(page, CELL % ' code-fold="true" code-summary="S" code-line-numbers="true" filename="a.py"')
    assert "data-code" not in out
    assert "data-filename" not in out
    assert '<div class="code-filename">a.py</div>' in out
    assert "numberSource" in out


def test_diagrams_and_annotations_are_reported(page):
    assert page("``` {.mermaid}\na\n```")[1] == ["mermaid diagrams are shown as text by the embedded builder"]
    assert page("``` python\nx = 1  # <1>\n```")[1] == [
        "code annotations such as # <1> are shown as they stand"
    ]


# ------------------------------------------------------------------ figures, tables, mathematics
def test_the_alternative_text_is_not_the_caption(page):
    out = html(page, '![A *cap*](a.png){#fig-a fig-alt="Alt & text"}')
    assert '<figure id="fig-a">' in out
    assert 'alt="Alt &amp; text"' in out
    assert "<figcaption>A <em>cap</em></figcaption>" in out


def test_a_picture_without_any_text_is_reported(page):
    _, told = page("![](a.png)")
    assert told == ["the picture a.png has no alternative text; give it fig-alt or a caption"]


def test_a_table_scrolls_in_its_own_box_and_keeps_its_caption(page):
    out = html(page, "| a | b |\n|---|--:|\n| 1 | 2 |\n\n: Cap {#tbl-a tbl-colwidths='[20,80]'}\n")
    assert '<div class="table-wrap">\n<table id="tbl-a" class="table"' in out
    assert '<col style="width: 20%"' in out
    assert "colwidths" not in out


def test_mathematics_is_mathml(page):
    out = html(page, "$x$ and\n\n$$\n\\frac{a}{b}\n$$\n")
    assert out.count("<math ") == 2
    assert '<span class="math-block"><math display="block"' in out


def test_mathematics_that_cannot_be_shown_is_reported(page):
    _, told = page(r"$\nosuch{x}$")
    assert told == [r"this mathematics cannot be shown: $\nosuch{x}$ (unexpected control sequence \nosuch)"]


def test_layouts(page):
    three = "![a](a.png)\n\n![b](b.png)\n\n![c](c.png)\n"
    assert "--columns: repeat(3, minmax(0, 1fr))" in html(page, f"::: {{layout-ncol=3}}\n{three}:::")
    assert "--columns: repeat(2, minmax(0, 1fr))" in html(page, f"::: {{layout-nrow=2}}\n{three}:::")
    assert "minmax(0, 70fr) minmax(0, 30fr)" in html(page, f'::: {{layout="[70,30]"}}\n{three}:::')
    assert page(f'::: {{layout="[[1,1],[1]]"}}\n{three}:::')[1] == [
        'layout="[[1,1],[1]]" is not supported; give layout-ncol or one row of widths'
    ]


def test_conditional_content(page):
    out = html(
        page,
        """
        ::: {.content-visible when-format="html"}
        yes
        :::

        ::: {.content-hidden unless-format="pdf"}
        no
        :::

        [inline]{.content-visible when-format="pdf"}
        """,
    )
    assert "yes" in out
    assert "no" not in out
    assert "inline" not in out


# ------------------------------------------------------------------ sections and links
def test_sections_are_numbered_from_the_highest_level_there_is(page):
    out, _ = page("## A\n\n### B\n\n## C {.unnumbered}\n\n## D\n", number_sections=True, toc=True)
    numbers = '<span class="header-section-number">'
    assert f"{numbers}1</span> A" in out.html
    assert f"{numbers}1.1</span> B" in out.html
    assert ">C<" in out.html
    assert f"{numbers}2</span> D" in out.html
    assert f"{numbers}1.1</span> B" in out.toc
    assert "1.1" not in html(page, "## A\n\n### B\n", number_sections=True, number_depth=2)


def test_the_list_of_sections(page):
    body, _ = page("## A\n\n### B\n\n#### C\n", toc=True, toc_depth=3)
    assert '<a href="#a">A</a>' in body.toc
    assert "C" not in body.toc
    assert "id=" not in body.toc
    assert page("## A\n")[0].toc == ""


def test_links_elsewhere_open_as_the_page_says(page):
    assert 'target="_blank" rel="noopener"' in html(page, "[a](https://b.c)", link_external_newwindow=True)
    assert "target" not in html(page, "[a](b.qmd)", link_external_newwindow=True)
    assert 'class="external"' in html(page, "[a](https://b.c)", link_external_icon=True)


def test_a_block_that_is_never_closed_is_reported(page):
    assert page("::: {.x}\ntext\n")[1] == ["a ::: block is never closed"]


# ------------------------------------------------------------------ citations
def test_citations_and_the_list_of_works(page):
    out = html(page, "See [@knuth1984, p. 3].\n", bibliography=["/refs.bib"])
    assert '(<a href="#ref-knuth1984" role="doc-biblioref">Knuth 1984, 3</a>)' in out
    assert '<h2 class="unnumbered" id="references">References</h2>' in out
    assert "The TeXbook" in out


def test_a_list_under_a_heading_of_its_own_gets_no_second_one(page):
    out = html(page, "@knuth1984\n\n## Works\n", bibliography=["/refs.bib"])
    assert "References" not in out
    placed = html(page, "@knuth1984\n\n::: {#refs}\n:::\n\nAfter.\n", bibliography=["/refs.bib"])
    assert placed.index("TeXbook") < placed.index("After")
    assert "References" not in placed


def test_a_page_that_cites_nothing_has_no_list(page):
    assert "References" not in html(page, "Text.\n", bibliography=["/refs.bib"])


def test_an_unknown_citation_is_reported_and_is_no_link(page):
    body, told = page("See @nobody2000.\n", bibliography=["/refs.bib"])
    assert told == ["unknown citation @nobody2000"]
    assert "href" not in body.html


def test_a_citation_without_a_bibliography_is_reported(page):
    assert page("See @knuth1984.\n")[1] == ["citation @knuth1984 stands where no bibliography is given"]


def test_a_bibliography_that_does_not_exist_is_an_error(page):
    with pytest.raises(SiteError, match=r"x\.qmd: bibliography: no file gone\.bib"):
        page("x", bibliography=["/gone.bib"])


# ------------------------------------------------------------------ short texts
@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("Plain & simple", "Plain &amp; simple"),
        ("1. Not a list", "1. Not a list"),
        ("# Not a heading", "# Not a heading"),
        ("a <script>alert(1)</script>", "a &lt;script&gt;alert(1)&lt;/script&gt;"),
        ("`x` and *y*", "<code>x</code> and <em>y</em>"),
        ("It's", "It’s"),
        ("_x_ of snake_case", "<em>x</em> of snake_case"),
        ("Why C#", "Why C#"),
        ("wait -- what", "wait – what"),
        ("@handle", "@handle"),
        ("{.class}", "{.class}"),
        ("", ""),
    ],
)
def test_titles(text, markup):
    assert Snippets().inline(text) == markup


def test_many_titles_keep_their_order():
    snippets = Snippets()
    texts = [f"*title* {n}" for n in range(20)]
    snippets.prepare(texts)
    assert [snippets.inlines[text] for text in texts] == [f"<em>title</em> {n}" for n in range(20)]


def test_text_of_a_title_is_for_the_head_of_the_page():
    assert Snippets().plain("$x^2$ & `y`") == "x2 & y"
    assert strip("<b>a</b>\n b") == "a b"


def test_longer_texts_may_hold_html():
    assert Snippets().block("a <b>c</b>") == "a <b>c</b>"
    assert Snippets().block("a\n\nb") == "<p>a</p>\n<p>b</p>"


def test_the_filter_stands_where_it_is_looked_for():
    assert (Path(convert.__code__.co_filename).parent / "filter.lua").is_file()
