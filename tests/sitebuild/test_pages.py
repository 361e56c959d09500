import datetime as dt
import re

import pytest

from sitebuild.pages import library, slug, with_anchors


@pytest.fixture
def page(built):
    """One page of a site, as HTML, and what was said of it."""

    def make(text, files=(), name="index"):
        site, report = built({"index.qmd": "x", **dict(files), f"{name}.qmd": text})
        told = [message.text for message in report.messages]
        assert not report.failed, told
        return (site / f"{name}.html").read_text()

    return make


def website(yaml):
    return {"_quarto.yml": "project:\n  type: website\nwebsite:\n  title: Site & more\n" + yaml}


# ------------------------------------------------------------------ head
def test_titles_are_escaped_everywhere(page):
    out = page(
        '---\ntitle: "A <b> & *c*"\ndescription: "d \\"e\\" <f>"\n---\nx', website("  description: z\n")
    )
    assert "<title>A &lt;b&gt; &amp; c – Site &amp; more</title>" in out
    assert "<h1>A &lt;b&gt; &amp; <em>c</em></h1>" in out
    assert '<meta name="description" content="d “e” &lt;f&gt;">' in out
    assert "<span>Site &amp; more</span></a>" in out


def test_pagetitle_overrules_the_title_in_the_head_alone(page):
    out = page("---\ntitle: T\npagetitle: P\n---\nx")
    assert "<title>P</title>" in out
    assert "<h1>T</h1>" in out


def test_style_sheets_and_includes(page):
    files = {
        **website("format:\n  html:\n    css: a.css\n    include-in-header: {text: '<meta name=\"m\">'}\n"),
        "a.css": "",
        "t/b.css": "",
        "t/before.html": '<p id="before">{{ not_jinja }}</p>',
        "t/after.html": '<script src="/t/x.js"></script>',
        "t/x.js": "",
    }
    text = """
        ---
        css: b.css
        include-before-body: before.html
        include-after-body:
          - file: after.html
        ---
        x
        """
    out = page(text, files, "t/p")
    sheets = re.findall(r'<link rel="stylesheet" href="([^"?]+)', out)
    assert sheets == ["../site_libs/site.css", "../a.css", "b.css"]
    assert out.index('<meta name="m">') < out.index("</head>")
    assert '<p id="before">{{ not_jinja }}</p>' in out
    assert '<script src="x.js"></script>\n</body>' in out


def test_an_include_that_does_not_exist_is_an_error(built):
    _, report = built({"index.qmd": "---\ninclude-in-header: gone.html\n---\nx"})
    assert "index.qmd: include-in-header: no file gone.html" in report.text()


def test_language_favicon_address_and_social_tags(page):
    out = page(
        "---\ntitle: T\nlang: de\nimage: i.png\n---\nx",
        {
            **website("  favicon: f.png\n  site-url: https://x.org/s/\n  open-graph: true\n"),
            "i.png": "",
            "f.png": "",
        },
    )
    assert '<html lang="de"' in out
    assert '<link rel="icon" href="f.png">' in out
    assert '<link rel="canonical" href="https://x.org/s/index.html">' in out
    assert '<meta property="og:image" content="https://x.org/s/i.png">' in out


# ------------------------------------------------------------------ title block
def test_title_block(page):
    out = page(
        """
        ---
        title: T
        subtitle: "S & *s*"
        author: [{name: A B}, C]
        date: 2025-03-01
        abstract: "One *abstract*."
        categories: [x y, z]
        title-block-banner: true
        ---
        x
        """
    )
    assert '<p class="subtitle">S &amp; <em>s</em></p>' in out
    assert 'A B, C<span class="dot"' in out
    assert '<time datetime="2025-03-01">1 March 2025</time>' in out
    assert "One <em>abstract</em>." in out
    assert "<li><span>x y</span></li><li><span>z</span></li>" in out
    assert "title-banner" in out


def test_categories_lead_to_the_list_that_filters_by_them(page):
    listing = "---\nlisting: {contents: 't/*.qmd', categories: true}\n---\nx"
    out = page("---\ntitle: T\ncategories: [x y]\n---\nx", {"index.qmd": listing}, "t/p")
    assert '<a href="../index.html#category-x-y">x y</a>' in out


def test_a_page_without_a_title_has_no_title_block(page):
    out = page("## Heading\n\nx")
    assert "<h1>" not in out
    assert "<title>Index</title>" in out


def test_repository_links(page):
    repo = "  repo-url: https://x.org/r\n  repo-subdir: docs\n  repo-branch: dev\n"
    repo += "  repo-actions: [edit, issue]\n"
    out = page("x", website(repo))
    assert '<a class="tool" href="https://x.org/r/edit/dev/docs/index.qmd">Edit this page</a>' in out
    assert 'href="https://x.org/r/issues/new"' in out
    assert "View source" not in out
    assert "Edit" not in page("---\nrepo-actions: false\n---\nx", website(repo))


# ------------------------------------------------------------------ around the text
NAVIGATION = """
  page-navigation: true
  back-to-top-navigation: true
  reader-mode: true
  page-footer: {left: "Foot *note*", right: [{text: R, href: b.qmd}]}
  navbar: {left: [{href: index.qmd, text: Home}], title: Bar, logo: l.png, logo-alt: Logo}
  sidebar:
    header: "Head **er**"
    contents:
      - index.qmd
      - {section: S, contents: [b.qmd]}
      - "---"
      - {section: C, contents: [{section: D, contents: [c.qmd]}]}
"""
PAGES = {"index.qmd": "---\ntitle: A\n---\nx", "b.qmd": "---\ntitle: B\n---\nx", "c.qmd": "x", "l.png": ""}


def test_navigation_of_a_page(page):
    files = {**website(NAVIGATION), **PAGES}
    out = page(PAGES["b.qmd"], files, "b")
    assert '<a href="b.html" aria-current="page">B</a>' in out
    assert out.count("<details open>") == 2
    assert "<details><summary><span>D</span>" in out
    assert (
        '<nav class="breadcrumbs" aria-label="Breadcrumbs"><ol><li>S</li><li aria-current="page">B</li>'
        in out
    )
    assert '<a class="previous" rel="prev" href="index.html"><small>Previous</small><span>A</span></a>' in out
    assert '<a class="next" rel="next" href="c.html">' in out
    assert "Foot <em>note</em>" in out
    assert '<div class="sidebar-note">Head <strong>er</strong></div>' in out
    assert '<img src="l.png" alt="Logo" class="no-card"><span>Bar</span>' in out
    assert "reader-toggle" in out
    assert "back-to-top" in out


def test_a_page_may_do_without_any_of_it(page):
    own = "---\ntitle: B\nsidebar: false\nback-to-top-navigation: false\nsearch: false\n---\nx"
    out = page(own, {**website(NAVIGATION), **PAGES}, "b")
    assert 'class="sidebar"' not in out
    assert "breadcrumbs" not in out
    assert 'rel="prev"' not in out
    assert "back-to-top" not in out
    assert "has-sidebar" not in out


def test_search_may_be_off_or_in_the_sidebar(page):
    assert "search-dialog" not in page("x", website("  search: false\n"))
    out = page("x", website("  search: {location: sidebar, limit: 5, keyboard-shortcut: [s, '/']}\n"))
    assert out.count('class="search-open"') == 1
    assert out.index('id="drawer"') < out.index('class="search-open"')
    assert 'data-limit="5" data-keys="s /"' in out


def test_a_list_of_sections_needs_two(page):
    two, one = "---\ntoc: true\ntoc-title: Here\n---\n\n## A\n\n## B\n", "---\ntoc: true\n---\n\n## A\n"
    assert '<nav aria-label="Here"><h2>Here</h2><ul>' in page(two)
    assert 'class="toc"' not in page(one)


def test_options_become_classes_of_the_body(page):
    out = page("---\npage-layout: full\ncode-copy: false\ncode-overflow: wrap\nbody-classes: mine\n---\nx")
    assert '<body class="layout-full copy-never code-wrap mine">' in out


# ------------------------------------------------------------------ text
def test_headings_get_anchors():
    body = '<h2 id="a">A</h2><section id="b">\n<h3>B</h3></section><h2>None</h2>'
    out = with_anchors(body)
    assert 'A<a class="anchor" href="#a"' in out
    assert 'B<a class="anchor" href="#b"' in out
    assert out.count("anchor") == 2


def test_anchors_may_be_off(page):
    assert "anchor" not in page("---\nanchor-sections: false\n---\n## A").partition("<main")[2]


def test_lists_of_pages(page):
    listing = """
        ---
        listing:
          - id: one
            contents: "t/*.qmd"
            type: %s
            fields: [title, order, date, note, image]
            categories: true
        ---
        Before

        ::: {#one}
        :::

        After
        """
    front = 'title: "T & *t*"\norder: 3\ndate: 2025-03-01\nnote: N\nimage: i.png\ncategories: [\'q"x\']\n'
    other = {"t/p.qmd": f"---\n{front}---\nx", "t/i.png": ""}
    for kind in ("default", "grid", "table"):
        out = page(listing % kind, other)
        text = out[out.index("Before") : out.index("After")]
        assert f"listing-{kind}" in text
        assert '<a href="t/p.html">T &amp; <em>t</em></a>' in text
        assert "1 March 2025" in text
        assert '<img src="t/i.png"' in text
        assert 'data-categories="[&#34;q\\&#34;x&#34;]"' in text
    assert '<td class="num">3</td>' in page(listing % "table", other)


def test_the_table_of_executions(page):
    files = {"run.qmd": '---\ntitle: "R & S"\n---\n\n```{python}\n#| eval: false\n1\n```\n'}
    out = page("::: {#execution-status}\nHere.\n:::\n", files)
    assert '<a href="run.html">R &amp; S</a>' in out
    assert "Here." not in out


def test_slugs():
    assert slug("Größe & 2 more!") == "größe-2-more"


def test_the_theme_asks_no_other_host():
    files = library()
    assert set(files) == {"site.css", "site.js"}
    for text in files.values():
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
        assert "@import" not in text


def test_dates_are_words():
    from sitebuild.pages import date_text

    assert date_text(dt.datetime(2025, 3, 1, tzinfo=dt.UTC)) == "1 March 2025"
    assert date_text("spring") == "spring"
