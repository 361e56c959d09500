import pytest
import yaml

from sitebuild.config import load
from sitebuild.navigation import Item, Navigation
from sitebuild.report import Report

FRONTS = {
    "index.qmd": {"title": "Home"},
    "about.qmd": {"title": "About *us*"},
    "t/02_b.qmd": {"title": "B"},
    "t/01_a.qmd": {"title": "A"},
    "t/10_z.qmd": {"title": "Z", "order": 1},
    "t/deep/x.qmd": {},
    "u/index.qmd": {"title": "Unit"},
    "u/one.qmd": {"title": "One"},
}


@pytest.fixture
def navigation(project):
    def make(website, fronts=FRONTS):
        root = project({"_quarto.yml": yaml.safe_dump({"website": website}), **dict.fromkeys(fronts, "x")})
        config = load(root, Report())
        config.report.messages.clear()
        return Navigation(config, fronts)

    return make


def outline(items):
    return [
        (item.text, outline(item.children)) if item.children else item.page or item.text for item in items
    ]


def sidebar(navigation, contents, **others):
    made = navigation({"sidebar": {"contents": contents, **others}})
    return made, outline(made.sidebars[0].items)


def messages(navigation):
    return [m.text.partition("_quarto.yml: ")[2] for m in navigation.config.report.messages]


# ------------------------------------------------------------------ contents of the sidebar
def test_a_pattern_in_place_of_a_list_is_ordered_by_order_then_file_name(navigation):
    _, items = sidebar(navigation, "t/*.qmd")
    assert items == ["t/10_z.qmd", "t/01_a.qmd", "t/02_b.qmd"]


def test_a_section_takes_a_pattern(navigation):
    _, items = sidebar(navigation, ["index.qmd", {"section": "Lessons", "contents": "t/*.qmd"}])
    assert items == ["index.qmd", ("Lessons", ["t/10_z.qmd", "t/01_a.qmd", "t/02_b.qmd"])]


def test_a_pattern_may_stand_in_a_list(navigation):
    _, items = sidebar(navigation, ["about.qmd", "t/0*.qmd"])
    assert items == ["about.qmd", "t/01_a.qmd", "t/02_b.qmd"]


@pytest.mark.parametrize("given", ["auto", ["auto"], {"auto": True}, [{"auto": True}]])
def test_auto_takes_all_pages_with_a_section_for_each_directory(navigation, given):
    _, items = sidebar(navigation, given)
    assert items == [
        "about.qmd",
        ("T", ["t/10_z.qmd", "t/01_a.qmd", "t/02_b.qmd", ("Deep", ["t/deep/x.qmd"])]),
        ("Unit", ["u/one.qmd"]),
    ]


def test_auto_takes_a_directory(navigation):
    made, items = sidebar(navigation, [{"auto": "u"}])
    assert items == [("Unit", ["u/one.qmd"])]
    assert made.sidebars[0].items[0].page == "u/index.qmd"


def test_a_section_whose_directory_has_an_index_leads_to_it(navigation):
    made, _ = sidebar(navigation, [{"section": "Unit one", "contents": "u/*"}])
    assert (made.sidebars[0].items[0].text, made.sidebars[0].items[0].page) == ("Unit one", "u/index.qmd")


def test_a_section_may_be_a_page(navigation):
    made, _ = sidebar(navigation, [{"section": "about.qmd", "contents": ["t/01_a.qmd"]}])
    assert made.sidebars[0].items[0] == Item("About *us*", "/about.qmd", children=(Item("A", "/t/01_a.qmd"),))


def test_lines_and_links_elsewhere(navigation):
    given = [
        "index.qmd",
        "---",
        {"text": "---"},
        {"text": "Out", "href": "https://example.org", "target": "_blank"},
    ]
    made, _ = sidebar(navigation, given)
    assert made.sidebars[0].items[1:] == (
        Item(""),
        Item(""),
        Item("Out", "https://example.org", target="_blank"),
    )


# ------------------------------------------------------------------ mistakes
def test_a_missing_page_is_an_error_that_names_key_and_path(navigation):
    made, _ = sidebar(navigation, ["index.qmd", {"section": "S", "contents": ["t/01_aa.qmd"]}])
    assert messages(made) == [
        "website.sidebar.contents[1].contents[0]: no page t/01_aa.qmd; did you mean t/01_a.qmd?"
    ]
    assert made.config.report.failed


def test_a_page_that_is_not_rendered_is_told_from_one_that_does_not_exist(navigation):
    made = navigation({"navbar": {"left": [{"href": "about.qmd"}]}}, {"index.qmd": {}})
    assert messages(made) == ["website.navbar.left[0].href: no page about.qmd; create it or take it out"]
    (made.config.root / "about.qmd").write_text("x")
    again = Navigation(made.config, made.fronts)
    assert "about.qmd is not rendered; project.render leaves it out" in messages(again)[-1]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("nowhere/*.qmd", "website.sidebar.contents: no page matches nowhere/*.qmd; correct the pattern"),
        (
            [{"auto": "nowhere"}],
            "website.sidebar.contents[0].auto: no page matches nowhere; correct the pattern",
        ),
        ([3], "website.sidebar.contents[0] is 3; expected a page or a mapping"),
        ([{"icon": "x"}], "website.sidebar.contents[0] has neither text nor href; give one of them"),
        (3, "website.sidebar.contents is 3; give a list"),
    ],
)
def test_other_mistakes(navigation, contents, message):
    made, _ = sidebar(navigation, contents)
    assert message in messages(made)


def test_an_unknown_sidebar_is_an_error(navigation):
    made = navigation(
        {"sidebar": {"id": "main", "contents": ["index.qmd"]}}, {"index.qmd": {"sidebar": "mein"}}
    )
    assert made.sidebar("index.qmd") is None
    assert "index.qmd: no sidebar mein; known: main" in made.config.report.text()


# ------------------------------------------------------------------ navbar and footer
def test_navbar_with_a_menu(navigation):
    made = navigation(
        {
            "navbar": {
                "left": ["index.qmd", {"text": "More", "menu": ["about.qmd", "---", {"text": "Head"}]}],
                "right": [{"href": "t/01_a.qmd#x", "aria-label": "First", "icon": "star"}],
                "tools": [{"text": "Code", "href": "https://example.org"}],
            }
        }
    )
    assert outline(made.left) == ["index.qmd", ("More", ["about.qmd", "", "Head"])]
    assert made.right == (
        Item("First", "/t/01_a.qmd#x", label="First"),
        Item("Code", "https://example.org"),
    )
    assert messages(made) == []
    assert list(made.config.unused) == ["icons in the navigation (an item shows its text)"]


def test_footer_as_text_and_as_list(navigation):
    assert navigation({"page-footer": "All of it"}).footer == {"left": "All of it"}
    made = navigation({"page-footer": {"left": "L", "right": ["about.qmd"], "border": False}})
    assert made.footer == {"left": "L", "right": (Item("About *us*", "/about.qmd"),)}


# ------------------------------------------------------------------ what a page asks
def test_neighbours_follow_the_sidebar_through_its_sections(navigation):
    made, _ = sidebar(
        navigation, ["index.qmd", {"section": "T", "contents": ["t/01_a.qmd", "t/02_b.qmd"]}, "about.qmd"]
    )
    before, after = made.neighbours("t/02_b.qmd")
    assert (before.page, after.page) == ("t/01_a.qmd", "about.qmd")
    assert made.neighbours("index.qmd")[0] is None
    assert made.neighbours("about.qmd")[1] is None
    assert made.neighbours("u/one.qmd") == (None, None)


def test_trail_of_a_page(navigation):
    made, _ = sidebar(
        navigation, [{"section": "T", "contents": [{"section": "In", "contents": ["t/01_a.qmd"]}]}]
    )
    assert [item.text for item in made.sidebars[0].trail("t/01_a.qmd")] == ["T", "In"]


def test_the_sidebar_of_a_page(navigation):
    two = [{"id": "a", "contents": ["index.qmd"]}, {"id": "b", "contents": ["about.qmd"]}]
    made = navigation(
        {"sidebar": two}, {**FRONTS, "u/one.qmd": {"sidebar": "b"}, "t/02_b.qmd": {"sidebar": False}}
    )
    assert made.sidebar("about.qmd").ident == "b"
    assert made.sidebar("u/one.qmd").ident == "b"
    assert made.sidebar("t/02_b.qmd") is None
    assert made.sidebar("t/01_a.qmd") is None


def test_a_page_without_a_title_is_called_by_its_file_name(navigation):
    assert navigation({}).title("t/deep/x.qmd") == "X"
