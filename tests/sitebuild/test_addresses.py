"""What a site with an address has, and filters that a project brings."""

import re
import xml.etree.ElementTree as ET

import pytest

PUBLIC = "website:\n  title: T\n  site-url: https://x.org/course/\n"
LOST = {
    "index.qmd": "x",
    "a/b.qmd": "x",
    "404.qmd": "---\ntitle: Lost\n---\n[b](a/b.qmd#x) [out](https://y.org)",
}


def test_the_page_for_lost_addresses_counts_from_the_address_of_the_site(built):
    site, report = built({"_quarto.yml": PUBLIC, **LOST, "a/b.qmd": "# B {#x}"})
    page = (site / "404.html").read_text()

    assert not report.messages
    assert 'href="/course/a/b.html#x"' in page
    assert 'data-root="/course/"' in page
    assert 'href="/course/site_libs/site.css?' in page
    assert 'href="#main"' in page
    assert 'href="https://y.org"' in page
    assert "canonical" not in page
    assert "404" not in (site / "sitemap.xml").read_text()


def test_without_an_address_the_page_for_lost_addresses_is_like_any_other(built):
    site, _ = built({**LOST, "a/b.qmd": "# B {#x}"})

    assert 'href="a/b.html#x"' in (site / "404.html").read_text()


def test_a_broken_link_on_the_page_for_lost_addresses_is_found(built):
    _, report = built({"_quarto.yml": PUBLIC, "index.qmd": "x", "404.qmd": "[b](gone.qmd)"})

    assert "broken link /course/gone.qmd" in report.text()


FEED = {
    "index.qmd": "---\ntitle: Lessons & more\nlisting: {contents: 't/*.qmd', feed: true}\n---\n",
    "t/a.qmd": "---\ntitle: A *bold* <step>\ndescription: What is 1 < 2?\ndate: 2025-03-01\n---\nx",
    "t/b.qmd": "---\ntitle: B\n---\nx",
}


def test_a_list_has_a_feed_where_the_site_has_an_address(built):
    site, report = built({"_quarto.yml": PUBLIC, **FEED})
    (channel,) = ET.parse(site / "index.xml").getroot()  # noqa: S314  our own file
    items = [{field.tag: field.text for field in item} for item in channel.iter("item")]

    assert not report.messages
    assert channel.findtext("title") == "Lessons & more"
    assert items[0] == {
        "title": "A bold <step>",
        "link": "https://x.org/course/t/a.html",
        "guid": "https://x.org/course/t/a.html",
        "description": "What is 1 < 2?",
        "pubDate": "Sat, 01 Mar 2025 00:00:00 +0000",
    }
    assert "pubDate" not in items[1]
    assert 'type="application/rss+xml"' in (site / "index.html").read_text()


def test_a_feed_needs_an_address(built):
    site, report = built(FEED)

    assert not report.messages
    assert not (site / "index.xml").exists()
    assert "rss" not in (site / "index.html").read_text()


@pytest.mark.parametrize(
    ("website", "links"),
    [
        ("", []),
        (
            "  repo-url: https://r.org/x\n",
            ["https://r.org/x/edit/main/index.qmd", "https://r.org/x/issues/new"],
        ),
        ("  issue-url: https://i.org\n", ["https://i.org"]),
    ],
)
def test_links_to_edit_and_to_report_need_an_address(built, website, links):
    site, report = built(
        {
            "_quarto.yml": f"website:\n  repo-actions: [edit, issue]\n{website}",
            "index.qmd": "---\ntitle: I\n---\n",
        }
    )
    page = (site / "index.html").read_text()

    assert not report.messages
    assert re.findall(r'<a class="tool" href="([^"]+)"', page) == links


UPPER = """
return {{Str = function(s) if s.text == 'up' then return pandoc.Str(os.getenv('QUARTO_PROJECT_DIR')) end end}}
"""


def test_a_filter_of_the_project_runs_and_knows_the_project(built):
    site, report = built(
        {"_quarto.yml": "filters: [f/a.lua]\n", "f/a.lua": UPPER, "index.qmd": "look up now", "t/p.qmd": "up"}
    )

    assert not report.messages
    assert str(site.parent) in (site / "index.html").read_text()
    assert str(site.parent) in (site / "t/p.html").read_text()


def test_a_filter_reads_settings_of_ones_own(built):
    own = "return {{Meta = function(m) assert(m.mine == false) end}}"
    _, report = built({"f.lua": own, "index.qmd": "---\nmine: false\nfilters: [f.lua]\n---\nx"})

    assert not report.messages


def test_other_filters_are_not_run_and_missing_ones_are_errors(built):
    _, report = built({"index.qmd": "---\nfilters: [lightbox]\n---\nx"})
    assert "filters: lightbox is not run, only Lua filters of the project are" in report.text()

    _, report = built({"index.qmd": "---\nfilters: [gone.lua]\n---\nx"})
    assert "filters: no file gone.lua" in report.text()


def test_notes_beside_links_can_be_turned_off(built):
    site, _ = built({"index.qmd": "---\ncitations-hover: false\n---\nx", "b.qmd": "x"})

    assert 'data-citations="off"' in (site / "index.html").read_text()
    assert "data-citations" not in (site / "b.html").read_text()
