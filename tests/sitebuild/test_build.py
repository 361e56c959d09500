import json
import re
import threading

import nbformat
import pytest

from sitebuild import build as builder
from sitebuild.build import Settings, build
from sitebuild.report import Report


def told(report):
    return [f"{m.kind}: " + re.sub(r"^/\S*/", "", m.text) for m in report.messages]


# ------------------------------------------------------------------ the demonstration site
def test_the_demonstration_site_is_built_without_complaint(demo):
    _, report, _ = demo
    assert [message.kind for message in report.messages] == ["notice"]
    assert "theme (it has its own, light and dark), website.sidebar.style" in report.text()


def test_a_line_for_each_page_as_it_ends(demo):
    _, _, lines = demo
    assert [line.partition("]")[0] for line in lines] == [f"[{n}/4" for n in range(1, 5)]
    assert {re.fullmatch(r"\[\d/4\] (\S+)  (\d+\.\d s)", line)[1] for line in lines} == {
        "index.qmd",
        "guide.qmd",
        "lessons/01_fall.qmd",
        "lessons/02_bounce.qmd",
    }


def test_files_of_the_demonstration_site(demo):
    site, _, _ = demo
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert found == {
        *("index.html", "guide.html", "fall.html"),
        *(
            "lessons/01_fall.html",
            "lessons/01_fall.ipynb",
            "lessons/02_bounce.html",
            "lessons/02_bounce.ipynb",
        ),
        "lessons/01_fall_files/fig-fall-output-1.svg",
        *("assets/demo.css", "assets/demo.js", "assets/square.svg", "assets/table.csv"),
        *("site_libs/site.css", "site_libs/site.js", "site_libs/search.js"),
    }


def test_what_a_page_with_cells_shows(demo):
    site, _, _ = demo
    page = (site / "lessons/01_fall.html").read_text()
    assert "From 20 m it takes 2.0 s." in page
    assert '<a href="#tbl-times">Table 1</a>' in page
    assert "Table 1: Time of a fall." in page
    assert "Figure 1: Time of a fall against height" in page
    assert "<td class='num'>64</td>" in page
    assert '<a class="tool" href="01_fall.ipynb" download>' in page
    assert re.search(r"Executed \d+ \w+ \d{4} in \d+\.\d s with Python 3\.\d+\.\d+, .*matplotlib \d", page)
    assert '<summary class="callout-title">' in page
    assert "(Williams et al. 2009" not in page
    assert 'href="#ref-williams2009roofline"' in page


def test_the_download_is_a_notebook_for_readers(demo):
    site, _, _ = demo
    notebook = nbformat.read(site / "lessons/01_fall.ipynb", as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert not any(line.startswith(":::") for cell in notebook.cells for line in cell.source.splitlines())


def test_an_alias_leads_to_its_page(demo):
    site, _, _ = demo
    assert 'content="0; url=lessons/01_fall.html"' in (site / "fall.html").read_text()


def test_the_search_index_holds_every_section(demo):
    site, _, _ = demo
    text = (site / "site_libs/search.js").read_text().partition(" = ")[2].rstrip(";\n")
    found = {row["href"]: row for row in json.loads(text)}
    assert "Press Ctrl+K or / to search" in found["guide.html#lists-and-quotations"]["text"]
    assert found["lessons/01_fall.html"]["categories"] == ["mechanics", "time"]
    assert found["lessons/02_bounce.html"]["title"] == "Why does bounce(n) stop, and does ∑en?"
    assert not any("addEventListener" in row["text"] for row in found.values())


# ------------------------------------------------------------------ what fails, and how
CELL = "---\ntitle: P\n---\n\n```{python}\n%s\n```\n"


def test_every_failing_page_is_reported_with_cell_and_message_and_the_old_site_stays(project):
    root = project({"index.qmd": "old"})
    report = Report()
    site, _ = build(root, settings=Settings(), report=report, say=lambda _: None)
    assert not report.failed
    project(
        {
            "index.qmd": "new",
            "a.qmd": CELL % "x = 1\nx / 0",
            "b.qmd": (CELL % "1") + "\n```{python}\nraise KeyError('k')\n```\n",
        }
    )
    report, lines = Report(), []
    build(root, settings=Settings(jobs=2), report=report, say=lines.append)
    assert sorted(told(report)) == [
        "error: a.qmd:7: cell 1 raised ZeroDivisionError: division by zero",
        "error: b.qmd:10: cell 2 raised KeyError: 'k'",
    ]
    assert all(message.details for message in report.messages)
    assert sum(line.endswith("  failed") for line in lines) == 2
    assert "old" in (site / "index.html").read_text()
    assert [path.name for path in root.iterdir() if path.name.startswith("._site")] == []


def test_a_finished_site_replaces_the_old_one_completely(project):
    root = project({"index.qmd": "x"})
    site, _ = build(root, settings=Settings(), report=Report(), say=lambda _: None)
    (site / "stale.html").write_text("x")
    build(root, settings=Settings(), report=Report(), say=lambda _: None)
    assert not (site / "stale.html").exists()
    assert oct(site.stat().st_mode & 0o777) == "0o755"


def test_a_mistake_in_the_configuration_stops_before_any_page_is_run(project):
    root = project({"_quarto.yml": "website: {sidebar: {contents: [gone.qmd]}}\n", "a.qmd": CELL % "1 / 0"})
    report, lines = Report(), []
    build(root, settings=Settings(), report=report, say=lines.append)
    assert lines == []
    assert [line.partition("; ")[0] for line in told(report)] == [
        "error: _quarto.yml: website.sidebar.contents[0]: no page gone.qmd"
    ]


def test_pages_that_cannot_be_read_are_reported_together(built):
    _, report = built({"a.qmd": "---\ntitle: [\n---\n", "b.qmd": "```{python}\n1\n", "c.qmd": "x"})
    assert [line.split(": ")[1].partition(":")[0] for line in told(report)] == ["a.qmd", "b.qmd"]
    assert report.failed


def test_broken_links_are_errors_listed_together(built):
    site, report = built({"index.qmd": "[a](gone.qmd)\n\n[b](b.qmd#nope)\n\n![c](no.png)\n", "b.qmd": "x"})
    assert told(report) == [
        "error: index.qmd:1: broken link gone.qmd: no such page is rendered",
        "error: index.qmd:3: broken link b.html#nope: no such anchor",
        "error: index.qmd:5: broken link no.png: no such file",
    ]
    assert not site.exists()


UNRESOLVED = {"index.qmd": "One.\n\nSee @nobody and @fig-none and {{< lipsum >}}.\n"}
TOLD = [
    "warning: index.qmd:3: unknown shortcode {{< lipsum >}}",
    "warning: index.qmd:3: unknown cross-reference @fig-none",
    "warning: index.qmd:3: citation @nobody stands where no bibliography is given",
]


def test_what_is_not_resolved_is_a_warning_with_its_line(built):
    site, report = built(UNRESOLVED)
    assert sorted(told(report)) == sorted(TOLD)
    assert not report.failed
    assert site.is_dir()


def test_a_strict_build_ends_without_a_site_for_a_warning(built):
    site, report = built(UNRESOLVED, strict=True)
    assert report.failed
    assert not site.exists()
    assert report.text().count("error: ") == 3


def test_a_strict_build_tells_broken_links_along_with_warnings(built):
    _, report = built({"index.qmd": "See @nobody and [a](gone.qmd).\n"}, strict=True)
    assert len(told(report)) == 2


def test_an_error_of_the_builder_itself_is_told_with_its_page(project, monkeypatch):
    def broken(*_, **__):
        raise KeyError("k")

    monkeypatch.setattr(builder.outputs, "to_markdown", broken)
    report = Report()
    build(project({"index.qmd": "x"}), settings=Settings(), report=report, say=lambda _: None)
    assert told(report) == ["error: index.qmd: sitebuild stopped with KeyError: 'k'"]
    assert "Traceback" in report.text()


# ------------------------------------------------------------------ how
def test_pages_run_side_by_side(project, monkeypatch):
    met = threading.Barrier(2, timeout=20)
    original = builder.execute

    def together(*arguments, **options):
        met.wait()
        return original(*arguments, **options)

    monkeypatch.setattr(builder, "execute", together)
    report = Report()
    root = project({"index.qmd": "x", "b.qmd": "y"})
    build(root, settings=Settings(jobs=2), report=report, say=lambda _: None)
    assert not report.failed


def test_outputs_come_from_the_cache_until_the_salt_changes(project, tmp_path):
    root = project({"index.qmd": CELL % "print('x')", "lib/m.py": "a = 1"})

    def states(salt):
        lines = []
        settings = Settings(cache=tmp_path / "cache", salt=salt)
        build(root, settings=settings, report=Report(), say=lines.append)
        return [line.rsplit("  ", 1)[1] == "cached" for line in lines]

    first = builder.salt_of(root, ["lib"])
    assert states(first) == [False]
    assert states(first) == [True]
    (root / "lib/m.py").write_text("a = 2")
    assert states(builder.salt_of(root, ["lib"])) == [False]


def test_drafts_are_left_out(built):
    site, report = built({"index.qmd": "x", "d.qmd": "---\ndraft: true\n---\nx"})
    assert told(report) == ["notice: d.qmd: a draft, left out"]
    assert not (site / "d.html").exists()


def test_variables_and_metadata_reach_the_shortcodes(built):
    site, report = built(
        {
            "index.qmd": "---\nauthor: Me\n---\n{{< meta author >}} {{< var v.n >}}",
            "_variables.yml": "v: {n: 7}\n",
        }
    )
    assert not report.messages
    assert "<p>Me 7</p>" in (site / "index.html").read_text()


# ------------------------------------------------------------------ files beside the pages
def test_resources_of_the_project_and_of_pages(built):
    site, report = built(
        {
            "_quarto.yml": "project: {resources: ['data/*.csv', '!data/b.csv', one.txt]}\n",
            "index.qmd": "x",
            "t/p.qmd": "---\nresources: [extra, '*.json']\n---\nx",
            "data/a.csv": "",
            "data/b.csv": "",
            "one.txt": "",
            "t/extra/x/y.txt": "",
            "t/q.json": "",
            "q.json": "",
        }
    )
    assert not report.messages
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {name for name in found if not name.endswith((".html", ".css", ".js"))} == {
        *("data/a.csv", "one.txt", "t/extra/x/y.txt", "t/q.json")
    }


def test_a_resource_that_does_not_exist_is_an_error(built):
    _, report = built({"_quarto.yml": "project: {resources: gone.txt}\n", "index.qmd": "x"})
    assert told(report) == ["error: _quarto.yml: resources: no file matches gone.txt"]


def test_files_that_pages_and_style_sheets_refer_to_are_copied(built):
    site, report = built(
        {
            "index.qmd": "---\ncss: s/a.css\n---\n[d](d.txt) ![p](p.png)",
            "d.txt": "",
            "p.png": "",
            "s/a.css": "@import 'b.css';",
            "s/b.css": "a { background: url(c.png) }",
            "s/c.png": "",
            "unused.txt": "",
        }
    )
    assert not report.messages
    assert all((site / name).is_file() for name in ("d.txt", "p.png", "s/a.css", "s/b.css", "s/c.png"))
    assert not (site / "unused.txt").exists()


def test_an_alias_may_not_stand_on_a_page(built):
    _, report = built({"index.qmd": "---\naliases: [b.html]\n---\nx", "b.qmd": "x"})
    assert told(report) == ["error: index.qmd: aliases: b.html is a page already"]


def test_aliases_of_directories(built):
    site, _ = built({"t/p.qmd": "---\naliases: [/old/, gone.html]\n---\nx", "index.qmd": "x"})
    assert "url=../t/p.html" in (site / "old/index.html").read_text()
    assert "url=p.html" in (site / "t/gone.html").read_text()


@pytest.mark.parametrize(("address", "exists"), [("  site-url: https://x.org\n", True), ("", False)])
def test_a_sitemap_needs_an_address(built, address, exists):
    site, _ = built({"_quarto.yml": f"website:\n  title: T\n{address}", "index.qmd": "x"})
    assert (site / "sitemap.xml").exists() is exists
    if exists:
        assert "<loc>https://x.org/index.html</loc>" in (site / "sitemap.xml").read_text()
