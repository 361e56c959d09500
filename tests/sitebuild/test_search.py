import json

from sitebuild.search import entries, script, sections


def test_sections_are_found_at_their_anchors():
    body = (
        '<p>Before.</p><h2 id="a">A <code>b</code></h2><p>One.</p>'
        '<h3 id="c">C</h3><ul><li>x</li><li>y</li></ul>'
    )
    assert sections(body) == [("", "", "Before."), ("a", "A b", "One."), ("c", "C", "x y")]


def test_a_heading_whose_anchor_pandoc_moved_to_the_section():
    assert sections('<section id="a" class="x"><h2>A</h2><p>t</p></section>') == [
        ("", "", ""),
        ("a", "A", "t"),
    ]


def test_scripts_styles_mathematics_and_tools_are_left_out():
    body = (
        "<p>a<script>b()</script><style>.c{}</style><math><mi>d</mi></math> e</p>"
        '<button>f</button><div class="no-search">g<br>h</div>'
        '<a class="footnote-ref" href="#fn1">1</a><span class="visually-hidden">Tip: </span>i'
    )
    assert sections(body) == [("", "", "a e i")]


def test_words_do_not_run_together_and_marks_stay_with_their_word():
    assert (
        sections("<p>one</p><p>two <b>three</b>, four</p><td>5</td><td>6</td>")[0][2]
        == "one two three, four 5 6"
    )


def test_html_that_is_not_closed_does_no_harm():
    assert sections("<p>a<br>b<img src='x'>c<ul><li>d<li>e</ul><h2 id='z'>Z</h2>")[1] == ("z", "Z", "")


def test_entries_of_a_page():
    found = entries("t/a.html", "Title", '<p>x</p><h2 id="s">S</h2><p>y</p>', ["cat"])
    assert [(e.href, e.section, e.text, e.categories) for e in found] == [
        ("t/a.html", "", "x", ["cat"]),
        ("t/a.html#s", "S", "y", []),
    ]


def test_a_page_without_text_is_found_by_its_title():
    assert [e.title for e in entries("a.html", "Title", "")] == ["Title"]


def test_the_index_is_a_script_that_ends_no_script():
    text = script(entries("a.html", "</script>é", "<p>x</p>"))
    assert text.startswith("window.siteSearchIndex = [")
    assert "</" not in text
    rows = json.loads(text.partition(" = ")[2].rstrip(";\n"))
    assert rows[0]["title"] == "</script>é"
