import pytest

from sitebuild.globs import select

PATHS = ["index.qmd", "a.qmd", "x/a.qmd", "x/b.qmd", "x/y/c.qmd", "data/t.csv"]


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["*.qmd"], ["index.qmd", "a.qmd", "x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["/*.qmd"], ["index.qmd", "a.qmd"]),
        (["x/*.qmd"], ["x/a.qmd", "x/b.qmd"]),
        (["x/**"], ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["x/**/*.qmd"], ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["x"], ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["x/"], ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["a.qmd"], ["a.qmd"]),
        (["[ax].qmd", "!x/"], ["a.qmd"]),
        (["?.qmd", "!a.qmd"], ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]),
        (["{a,b}.qmd"], ["a.qmd", "x/a.qmd", "x/b.qmd"]),
        (["!x/**"], ["index.qmd", "a.qmd", "data/t.csv"]),
        (["*.qmd", "!*.qmd"], []),
        (["x/b.qmd", "a.qmd"], ["x/b.qmd", "a.qmd"]),
    ],
)
def test_patterns(patterns, chosen):
    assert select(patterns, PATHS) == chosen


def test_a_pattern_counts_from_its_base():
    assert select(["*.qmd"], PATHS, base="x") == ["x/a.qmd", "x/b.qmd", "x/y/c.qmd"]
    assert select(["../*.qmd"], PATHS, base="x") == ["index.qmd", "a.qmd"]


def test_a_dot_is_a_dot():
    assert select(["a.qmd"], ["abqmd"]) == []
