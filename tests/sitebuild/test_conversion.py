"""A page that has not changed is not converted again, and all that Pandoc reads counts."""

import pytest

from sitebuild import pandoc
from sitebuild.conversion import Conversion
from sitebuild.pandoc import Body

BOOK = "@book{walls, title = {Walls}, author = {Cy Poe}, year = 1995}\n"
FILTER = """\
local file = io.open(os.getenv("QUARTO_PROJECT_DIR") .. "/words.txt")
local word = file:read("a")
file:close()
function Str(el) if el.text == "WORD" then return pandoc.Str(word) end end
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "books.bib").write_text(BOOK)
    (tmp_path / "words.txt").write_text("first")
    (tmp_path / "words.lua").write_text(FILTER)
    (tmp_path / "page.qmd").touch()
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """The calls of Pandoc."""
    calls, run = [], pandoc._run

    def counted(arguments, text, *rest):
        calls.append(text)
        return run(arguments, text, *rest)

    monkeypatch.setattr(pandoc, "_run", counted)
    return calls


def convert(project, markdown="WORD [@walls]", warn=lambda _: None, **options) -> Body:
    given = {"bibliography": "/books.bib", "filters": ["/words.lua"], **options}
    return Conversion(given, project / "page.qmd", project, warn, project / "cache").body(markdown)


def test_the_second_time_nothing_is_asked(project, asked):
    first = convert(project)

    assert convert(project) == first
    assert "first" in first.html
    assert "Poe 1995" in first.html
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("books.bib", BOOK.replace("1995", "2001"), "Poe 2001"),
        ("words.txt", "second", "second"),
        ("words.lua", FILTER.replace("(word)", '("third")'), "third"),
    ],
)
def test_what_pandoc_reads_counts(project, asked, file, text, expected):
    convert(project)
    (project / file).write_text(text)

    assert expected in convert(project).html
    assert len(asked) == 2


def test_text_and_options_count(project, asked):
    convert(project)
    convert(project, "other")
    convert(project, lang="de")

    assert len(asked) == 3


def test_complaints_are_told_each_time(project, asked):
    for _ in range(2):
        said = []
        convert(project, "[@nobody]", said.append)

        assert said == ["unknown citation @nobody"]
    assert len(asked) == 1


def test_citations_are_kept_as_well(project, asked):
    made = [
        Conversion({"bibliography": "/books.bib"}, project / "page.qmd", project, print, project / "cache")
        for _ in range(2)
    ]

    assert made[0].cited(["[@walls]"]) == made[1].cited(["[@walls]"])
    assert made[0].cited(["[@walls]"]) == ({"[@walls]": "(Poe 1995)"}, ["Poe, Cy. 1995. <em>Walls</em>."])
    assert len(asked) == 1


def test_without_a_cache_it_is_asked_each_time(project, asked):
    for _ in range(2):
        Conversion({}, project / "page.qmd", project, print, None).body("text")

    assert len(asked) == 2
