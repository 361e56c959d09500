import pytest

from sitebuild.config import load, merge, read_yaml
from sitebuild.errors import SiteError
from sitebuild.report import Report


def loaded(root):
    report = Report()
    config = load(root, report)
    config.flush_unused()
    return config, [message.text.partition("_quarto.yml: ")[2] for message in report.messages]


# ------------------------------------------------------------------ the file itself
def test_without_quarto_yml_the_error_says_what_to_do(tmp_path):
    with pytest.raises(SiteError, match="no such file; name the directory of the website"):
        load(tmp_path, Report())


def test_invalid_yaml_is_told_with_its_line(project):
    root = project({"_quarto.yml": "project:\n  type: website\n  render: [a\nx: 1\n"})
    with pytest.raises(SiteError, match=r"_quarto.yml:4: this is not valid YAML"):
        load(root, Report())


def test_a_key_that_stands_twice_is_a_mistake(project):
    root = project({"_quarto.yml": "website:\n  title: a\n  title: b\n"})
    with pytest.raises(SiteError, match=r":3: this is not valid YAML: the key title stands twice"):
        read_yaml(root / "_quarto.yml")


def test_a_list_is_not_a_configuration(project):
    with pytest.raises(SiteError, match="expected a mapping"):
        load(project({"_quarto.yml": "- a\n"}), Report())


# ------------------------------------------------------------------ options that are not honoured
def test_every_section_is_checked(project):
    root = project(
        {
            "_quarto.yml": """
                project: {type: website, outputdir: x}
                website:
                  titel: x
                  navbar: {lefty: [], left: [{href: index.qmd, tooltip: x}]}
                  sidebar: {contentz: [], contents: [{section: S, contents: [{hreff: index.qmd}]}]}
                  page-footer: {leftt: x}
                  search: {limits: 3}
                execute: {ecko: false}
                format: {html: {toc-dept: 3}}
                """,
            "index.qmd": "x",
        }
    )
    _, told = loaded(root)
    assert told == [
        "unknown option project.outputdir; did you mean output-dir?",
        "unknown option website.titel; did you mean title?",
        "unknown option format.html.toc-dept; did you mean toc-depth?",
        "unknown option execute.ecko; did you mean echo?",
        "unknown option website.navbar.lefty; did you mean left?",
        "unknown option website.search.limits; did you mean limit?",
        "unknown option website.page-footer.leftt; did you mean left?",
        "unknown option website.navbar.left.tooltip; delete it",
        "unknown option website.sidebar.contentz; did you mean contents?",
        "unknown option website.sidebar.contents.contents.hreff; did you mean href?",
    ]


def test_what_quarto_knows_and_this_builder_does_not_is_told_once_and_together(project):
    root = project(
        {
            "_quarto.yml": """
                website: {google-analytics: G-1, cookie-consent: false}
                format:
                  pdf: default
                  html: {code-tools: true, html-math-method: katex, theme: cosmo}
                execute: {freeze: auto}
                """,
        }
    )
    _, told = loaded(root)
    names = "website.google-analytics, format.pdf, format.html.code-tools, execute.freeze, "
    own = "theme (it has its own, light and dark), html-math-method: katex (it writes MathML)"
    assert told == [f"not honoured by the embedded builder: {names}{own}"]


def test_switches_that_are_off_ask_for_nothing(project):
    root = project({"_quarto.yml": "execute: {freeze: false}\nformat: {html: {lightbox: false}}\n"})
    assert loaded(root)[1] == []


# ------------------------------------------------------------------ which pages
PAGES = dict.fromkeys(("index.qmd", "b.qmd", "t/1.qmd", "t/2.qmd", "_part.qmd", "_d/x.qmd", "README.md"), "x")


@pytest.mark.parametrize(
    ("render", "pages"),
    [
        ("", ["b.qmd", "index.qmd", "t/1.qmd", "t/2.qmd"]),
        ("render: [index.qmd, 't/*.qmd']", ["index.qmd", "t/1.qmd", "t/2.qmd"]),
        ("render: ['*.qmd', '!t/2.qmd']", ["b.qmd", "index.qmd", "t/1.qmd"]),
        ("render: ['!t/']", ["b.qmd", "index.qmd"]),
        ("render: [README.md]", ["README.md"]),
        ("render: ['*']", ["b.qmd", "index.qmd", "t/1.qmd", "t/2.qmd"]),
    ],
)
def test_render(project, render, pages):
    root = project({**PAGES, "_quarto.yml": f"project:\n  type: website\n  {render}\n"})
    config, told = loaded(root)
    assert config.pages == pages
    assert told == []


def test_a_page_to_render_that_does_not_exist_is_an_error(project):
    root = project(
        {"_quarto.yml": "project: {render: [gone.qmd, 'no/*.qmd', index.qmd]}\n", "index.qmd": "x"}
    )
    config, told = loaded(root)
    assert told == ["project.render: no page gone.qmd", "project.render: no page matches no/*.qmd"]
    assert [message.kind for message in config.report.messages] == ["error", "warning"]


def test_output_environments_and_other_projects_are_not_searched(project):
    root = project(
        {
            "_quarto.yml": "project: {output-dir: public}\n",
            "index.qmd": "x",
            "public/old.qmd": "x",
            "venv/pyvenv.cfg": "",
            "venv/x.qmd": "x",
            "other/_quarto.yml": "",
            "other/x.qmd": "x",
            ".hidden/x.qmd": "x",
        }
    )
    assert loaded(root)[0].pages == ["index.qmd"]


# ------------------------------------------------------------------ options of a page
def test_a_page_overrules_its_directory_which_overrules_the_site(project):
    root = project(
        {
            "_quarto.yml": """
                lang: de
                format: {html: {toc: true, toc-depth: 2, css: a.css}}
                execute: {echo: false, warning: false}
                """,
            "t/u/_metadata.yml": "toc-depth: 5\n",
            "t/_metadata.yml": "toc-depth: 4\nformat: {html: {css: b.css}}\nexecute: {echo: true}\n",
        }
    )
    config, _ = loaded(root)
    front = {"title": "T", "format": {"html": {"toc": False, "css": ["c.css", "/d.css"]}}}
    options = config.page_options("t/x.qmd", front)
    assert options["lang"] == "de"
    assert options["toc"] is False
    assert options["toc-depth"] == 4
    assert options["css"] == ["/a.css", "/t/b.css", "/t/c.css", "/d.css"]
    assert options["execute"] == {"echo": True, "warning": False}
    assert config.page_options("x.qmd", {})["toc-depth"] == 2
    assert config.page_options("t/u/x.qmd", {})["toc-depth"] == 5


def test_options_of_a_page_are_checked(project):
    config, _ = loaded(project({}))
    config.page_options("x.qmd", {"titel": "T", "toc": 3, "own-field": 1, "format": {"html": {"tocs": True}}})
    assert [m.text.partition("x.qmd: ")[2] for m in config.report.messages] == [
        "unknown option titel; did you mean title?",
        "toc is 3; expected true or false",
        "unknown option format.html.tocs; did you mean toc?",
    ]


def test_includes_keep_their_text_and_resolve_their_files(project):
    config, _ = loaded(project({}))
    options = config.page_options(
        "t/x.qmd", {"include-in-header": [{"text": "<b>"}, {"file": "h.html"}, "i.html"]}
    )
    assert options["include-in-header"] == [{"text": "<b>"}, {"file": "/t/h.html"}, "/t/i.html"]


def test_format_must_be_html(project):
    config, _ = loaded(project({}))
    config.page_options("x.qmd", {"format": ["html"]})
    assert "format is ['html']; expected html" in config.report.text()


def test_merge_does_not_change_its_arguments():
    under = {"execute": {"echo": True}}
    merge(under, {"execute": {"echo": False}})
    assert under == {"execute": {"echo": True}}
