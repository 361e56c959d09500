import pytest

from sitebuild.settings import NOT_HONOURED, TABLES, inspect

NEEDED = {
    "project": "type output-dir render resources",
    "website": """title description site-url repo-url favicon navbar sidebar page-footer search
        page-navigation back-to-top-navigation reader-mode""",
    "html": """theme css toc toc-depth toc-title code-fold code-copy code-line-numbers
        include-in-header include-before-body include-after-body fig-width fig-height fig-dpi fig-format
        number-sections html-math-method link-external-newwindow bibliography csl lang""",
    "page": """title subtitle description categories listing toc sidebar format image date author
        aliases execute jupyter page-layout title-block-banner""",
}


@pytest.mark.parametrize(("section", "names"), NEEDED.items())
def test_what_the_course_needs_is_honoured(section, names):
    assert set(names.split()) <= set(TABLES[section])


def test_no_honoured_option_of_a_page_is_called_unused():
    assert not NOT_HONOURED & set(TABLES["page"])


@pytest.mark.parametrize(
    ("mapping", "section", "found"),
    [
        ({"toc": True, "toc-depth": 2, "css": ["a.css"]}, "html", []),
        ({"toc": "yes please"}, "html", [("error", "toc is 'yes please'", "expected true or false")]),
        ({"toc-depth": True}, "html", [("error", "toc-depth is True", "expected a number")]),
        (
            {"outputdir": "x"},
            "project",
            [("warning", "unknown option outputdir", "did you mean output-dir?")],
        ),
        ({"zzz": 1}, "project", [("warning", "unknown option zzz", "delete it")]),
        ({"my-own-metadata": 1}, "page", []),
        ({"google-analytics": "G-1", "comments": False}, "website", [("unused", "google-analytics", None)]),
        ({"page-layout": "custom"}, "page", [("unused", "page-layout: custom", None)]),
        ({"type": "book"}, "project", [("error", "type is 'book'", "expected website or default")]),
        ({"code-fold": "show"}, "page", []),
        ({"toc": None}, "page", []),
    ],
)
def test_findings(mapping, section, found):
    assert [(f.kind, f.message, f.remedy) for f in inspect(mapping, section)] == found
