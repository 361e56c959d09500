import pytest

from sitebuild.links import check, css_addresses, localise, references, target
from sitebuild.report import Report

PAGES = {"index.qmd", "t/a.qmd", "t/b.qmd"}


# ------------------------------------------------------------------ addresses on a page
@pytest.mark.parametrize(
    ("address", "page", "out"),
    [
        ("b.qmd", "t/a.qmd", "b.html"),
        ("b.qmd#x", "t/a.qmd", "b.html#x"),
        ("b.qmd?q=1#x", "t/a.qmd", "b.html?q=1#x"),
        ("../index.qmd", "t/a.qmd", "../index.html"),
        ("/t/a.qmd", "index.qmd", "t/a.html"),
        ("/t/a.qmd", "t/a.qmd", "a.html"),
        ("/assets/x.js", "t/a.qmd", "../assets/x.js"),
        ("/", "t/a.qmd", "../index.html"),
        ("t/", "index.qmd", "t/index.html"),
        ("pic.png", "t/a.qmd", "pic.png"),
        ("gone.qmd", "t/a.qmd", "gone.qmd"),
        ("#x", "t/a.qmd", "#x"),
        ("", "t/a.qmd", ""),
        ("mailto:a@b.c", "t/a.qmd", "mailto:a@b.c"),
        ("data:,", "t/a.qmd", "data:,"),
        ("https://x.org/b.qmd", "t/a.qmd", "https://x.org/b.qmd"),
        ("//x.org/b.qmd", "t/a.qmd", "//x.org/b.qmd"),
    ],
)
def test_target(address, page, out):
    assert target(address, page, PAGES) == out


def test_addresses_in_tags_alone_are_changed():
    given = (
        '<a class="x>y" href="/t/a.qmd">b.qmd</a><!-- <a href="/t/a.qmd"> -->'
        "<img alt='' src='/x.png'><script src=\"/x.js\">let s = '<a href=\"/t/a.qmd\">';</script>"
        '<p data="/t/a.qmd" title="/t/a.qmd">&lt;a href="/t/a.qmd"&gt;</p>'
        '<style>a { background: url("/x.png") }</style>'
    )
    out = localise(given, "t/b.qmd", PAGES)
    assert '<a class="x>y" href="a.html">b.qmd</a><!-- <a href="/t/a.qmd"> -->' in out
    assert 'src="../x.png"' in out
    assert '<script src="../x.js">let s = \'<a href="/t/a.qmd">\';</script>' in out
    assert '<p data="/t/a.qmd" title="/t/a.qmd">&lt;a href="/t/a.qmd"&gt;</p>' in out


def test_special_characters_in_addresses_survive():
    assert (
        localise('<a href="/t/a.qmd?x=1&amp;y=2">', "index.qmd", PAGES) == '<a href="t/a.html?x=1&amp;y=2">'
    )


def test_references_tell_what_is_loaded_from_what_is_followed():
    found = references(
        '<link rel="canonical" href="c"><link rel="stylesheet" href="s.css"><a href="a" id="i">'
        '<img src="p.png" srcset="q.png 2x"><p style="background:url(r.png)"><style>@import "t.css";</style>'
    )
    assert list(found.followed) == ["c", "a"]
    assert list(found.loaded) == ["s.css", "p.png", "q.png", "r.png", "t.css"]
    assert dict(found.anchors) == {"i": 1}


def test_addresses_in_style_sheets():
    text = "@import 'a.css'; b { background: url( \"c.png\" ) } d { src: url(data:x) }"
    assert list(css_addresses(text)) == ["a.css", "c.png"]


# ------------------------------------------------------------------ the check of a site
@pytest.fixture
def checked(tmp_path):
    def run(files, sources=()):
        for name, text in files.items():
            path = tmp_path / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        report = Report()
        check(tmp_path / "site", dict(sources), report)
        return [message.text.replace(f"{tmp_path}/site/", "") for message in report.messages]

    return run


def test_a_site_whose_links_all_lead_somewhere(checked):
    assert (
        checked(
            {
                "index.html": '<a href="t/a.html#x">a</a><a href="#top">t</a><a href="t/">i</a>'
                '<a href="https://example.org">o</a><img src="p%20q.png?v=1"><a href="t/a.html#%C3%A9">é</a>',
                "t/a.html": '<h2 id="x">X</h2><h2 id="é">E</h2><a href="../index.html">i</a>',
                "t/index.html": "",
                "p q.png": "",
                "a.css": "a { background: url(t/index.html) }",
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        ('<a href="gone.html">', "broken link gone.html: no such file"),
        ('<a href="gone.qmd">', "broken link gone.qmd: no such page is rendered"),
        ('<a href="#gone">', "broken link #gone: no such anchor"),
        ('<a href="../up.html">', "broken link ../up.html: it leaves the site"),
        ('<img src="gone.png">', "broken link gone.png: no such file"),
        ('<img src="https://x.org/p.png">', "the page loads https://x.org/p.png from another host"),
        ('<script src="//x.org/p.js"></script>', "the page loads //x.org/p.js from another host"),
        ('<link rel="preconnect" href="https://x.org">', "the page loads https://x.org from another host"),
        (
            "<style>@import 'https://x.org/a.css';</style>",
            "the page loads https://x.org/a.css from another host",
        ),
        ('<i id="x"></i><i id="x"></i>', "the id x stands 2 times"),
    ],
)
def test_what_is_wrong_with_a_page(checked, markup, message):
    assert checked({"index.html": markup}) == [f"index.html: {message}"]


def test_style_sheets_are_checked(checked):
    assert checked({"a.css": "a { src: url(https://x.org/f.woff) } b { background: url(gone.png) }"}) == [
        "a.css: the style sheet loads https://x.org/f.woff from another host",
        "a.css: broken address gone.png: no such file",
    ]


def test_a_broken_link_is_told_at_its_line_in_the_source(checked, tmp_path):
    source = tmp_path / "a.qmd"
    source.write_text("Text.\n\n[x](gone.qmd)\n")
    told = checked({"a.html": '<a href="gone.qmd">x</a>'}, {"a.html": source})
    assert told == [f"{source}:3: broken link gone.qmd: no such page is rendered"]
