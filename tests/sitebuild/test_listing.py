import datetime as dt

import pytest

from sitebuild import listing
from sitebuild.config import load
from sitebuild.report import Report

FRONTS = {
    "index.qmd": {"title": "Home"},
    "t/a.qmd": {"title": "Ten 10", "order": 2, "date": "2025-01-02", "categories": ["x", "y"], "author": "Z"},
    "t/b.qmd": {
        "title": "Ten 9",
        "order": 1,
        "date": dt.date(2024, 5, 6),
        "categories": ["x"],
        "image": "b.png",
    },
    "t/c.qmd": {"title": "All", "description": "one two three four", "draft-note": "n"},
    "u/d.qmd": {"categories": "z"},
}


@pytest.fixture
def read(project):
    def run(spec, page="index.qmd"):
        config = load(project(dict.fromkeys(FRONTS, "x")), Report())
        found = listing.read(spec, page, config, FRONTS)
        return found, [message.text.partition(": ")[2] for message in config.report.messages]

    return run


def pages(read, **spec):
    found, told = read(spec)
    assert told == []
    return [entry.href.removeprefix("/t/").removesuffix(".qmd") for entry in found[0].entries]


# ------------------------------------------------------------------ contents
@pytest.mark.parametrize(
    ("contents", "hrefs"),
    [
        ("t/*.qmd", ["/t/b.qmd", "/t/a.qmd", "/t/c.qmd"]),
        ("t", ["/t/b.qmd", "/t/a.qmd", "/t/c.qmd"]),
        (["t/*.qmd", "!t/b.qmd"], ["/t/a.qmd", "/t/c.qmd"]),
        (["u/d.qmd", "t/a.qmd"], ["/t/a.qmd", "/u/d.qmd"]),
        ("*.qmd", ["/t/b.qmd", "/t/a.qmd", "/t/c.qmd", "/u/d.qmd"]),
    ],
)
def test_contents(read, contents, hrefs):
    found, told = read({"contents": contents})
    assert [entry.href for entry in found[0].entries] == hrefs
    assert told == []


def test_patterns_count_from_the_directory_of_the_page(read):
    found, _ = read({"contents": "*.qmd"}, "t/c.qmd")
    assert [entry.href for entry in found[0].entries] == ["/t/b.qmd", "/t/a.qmd"]


def test_entries_may_stand_in_the_page_itself(read):
    found, _ = read({"contents": [{"title": "Out", "path": "https://example.org", "description": "D"}]})
    assert found[0].entries[0].href == "https://example.org"
    assert found[0].entries[0].values["description"] == "D"


def test_a_pattern_that_finds_nothing_is_an_error(read):
    assert read({"contents": "gone/*.qmd"})[1] == ["listing.contents: no page matches gone/*.qmd"]


@pytest.mark.parametrize(
    ("condition", "chosen"),
    [
        ({"include": {"category": "x"}}, ["b", "a"]),
        ({"include": {"category": ["y", "none"]}}, ["a"]),
        ({"include": {"category": "x", "title": "*10"}}, ["a"]),
        ({"include": [{"title": "all"}, {"author": "z"}]}, ["a", "c"]),
        ({"exclude": {"category": "x"}}, ["c"]),
    ],
)
def test_include_and_exclude(read, condition, chosen):
    assert pages(read, contents="t/*.qmd", **condition) == chosen


# ------------------------------------------------------------------ order
@pytest.mark.parametrize(
    ("sort", "chosen"),
    [
        (None, ["b", "a", "c"]),
        (False, ["a", "b", "c"]),
        ("title", ["c", "b", "a"]),
        ("title desc", ["a", "b", "c"]),
        ("order desc", ["a", "b", "c"]),
        ("date", ["b", "a", "c"]),
        ("date desc", ["a", "b", "c"]),
        ("filename desc", ["c", "b", "a"]),
        (["author", "title desc"], ["a", "b", "c"]),
        (["author desc", "title asc"], ["a", "c", "b"]),
    ],
)
def test_sort(read, sort, chosen):
    assert pages(read, contents="t/*.qmd", **({} if sort is None else {"sort": sort})) == chosen


@pytest.mark.parametrize(
    ("sort", "message"),
    [
        ("title down", "listing.sort: 'title down' is not a field and asc or desc"),
        ("orderr", "listing.sort: no page of the list has orderr"),
    ],
)
def test_a_key_that_sorts_nothing_is_an_error(read, sort, message):
    assert read({"contents": "t/*.qmd", "sort": sort})[1] == [message]


# ------------------------------------------------------------------ what is shown
def test_fields_are_those_that_pages_have(read):
    found, _ = read({"contents": "t/*.qmd"})
    assert found[0].fields == ["image", "date", "title", "author", "description", "categories"]
    assert read({"contents": "t/*.qmd", "type": "table"})[0][0].fields == [
        "date",
        "title",
        "author",
        "description",
    ]


def test_fields_of_ones_own(read):
    given = {
        "contents": "t/*.qmd",
        "fields": ["title", "draft-note"],
        "field-display-names": {"title": "Page"},
    }
    found, told = read(given)
    assert found[0].names == {"title": "Page", "draft-note": "Draft Note"}
    assert told == []


def test_a_field_that_no_page_has_is_reported(read):
    _, told = read({"contents": "t/*.qmd", "fields": ["title", "descripton"]})
    assert told == ["listing.fields: no page of the list has descripton"]


def test_a_required_field_that_is_missing_is_an_error_of_that_page(read):
    _, told = read({"contents": "t/*.qmd", "field-required": ["description"]})
    assert told == ["no description; the listing of index.qmd requires it"] * 2


def test_values(read):
    found, _ = read({"contents": "t/*.qmd", "max-description-length": 10, "image-placeholder": "/none.png"})
    values = {entry.href: entry.values for entry in found[0].entries}
    assert values["/t/a.qmd"]["date"] == dt.date(2025, 1, 2)
    assert values["/t/b.qmd"]["image"] == "/t/b.png"
    assert values["/t/c.qmd"]["image"] == "/none.png"
    assert values["/t/c.qmd"]["description"] == "one two…"


def test_categories_are_counted_when_they_are_asked_for(read):
    given = {"contents": "*.qmd", "categories": True}
    assert read(given)[0][0].categories == [("x", 2), ("y", 1), ("z", 1)]
    assert read({"contents": "*.qmd"})[0][0].categories == []


def test_several_lists_on_one_page(read):
    found, told = read([{"id": "one", "contents": "t/a.qmd"}, {"contents": "t/*.qmd", "max-items": 2}])
    assert [(one.ident, len(one.entries)) for one in found] == [("one", 1), ("listing-2", 2)]
    assert told == []


def test_options_of_a_list_are_checked(read):
    assert read({"contents": "t/*.qmd", "typ": "grid", "grid-columns": "two", "feed": True})[1] == [
        "unknown option listing.typ; did you mean type?",
        "listing.grid-columns is 'two'; expected a number",
    ]


def test_names_of_authors():
    assert listing.names([{"name": {"given": "Ada", "family": "Lovelace"}}, "B"]) == ["Ada Lovelace", "B"]
    assert listing.names(None) == []
