"""The first page that a visitor of the repository sees says what is true."""

import contextlib
import io
import re
from pathlib import Path

from sitebuild.qmd import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_tutorials_are_listed_in_order_by_their_titles():
    listed = re.findall(r"^\| \[(.+?)\]\((tutorials/.+?)\) \|", README, re.MULTILINE)
    pages = sorted((ROOT / "tutorials").glob("[0-9]*.qmd"))

    assert listed == [(str(parse(page).front["title"]), f"tutorials/{page.name}") for page in pages]


def test_titles_are_numbered_as_the_files_are():
    for page in sorted((ROOT / "tutorials").glob("[0-9]*.qmd")):
        assert str(parse(page).front["title"]).startswith(f"{int(page.name[:2])}. "), page.name


def test_the_example_prints_what_stands_below_it():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    said = re.search(r"```text\n(.*?)…\n```", README, re.DOTALL)[1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - a page of this repository

    assert printed.getvalue().startswith(said)


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= targets
