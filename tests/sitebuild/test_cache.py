"""What is kept of a run, and what asks for another."""

import json
import sys
from pathlib import Path

import pytest

from sitebuild.errors import SiteError
from sitebuild.execute import Executed, execute, tree_hash
from sitebuild.qmd import parse


def run(folder: Path, text: str, cache: Path | None = None, salt: str = "", **options) -> Executed:
    path = folder / "page.qmd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return execute(parse(path), cache=cache, salt=salt, options=options)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Fill a cache without a kernel, then tell whether a page would be run again."""
    base = "A `{python} 1`.\n\n```{python}\nx = 1\n```\n"
    record = {
        "outputs": {"1": []},
        "counts": {"1": 1},
        "inline": {"0": ["1"]},
        "widgets": None,
        "seconds": 1.0,
        "executed_at": "2000-01-01T00:00:00+00:00",
        "versions": {},
    }
    runs = []

    def fake(*_):
        runs.append(1)
        return record

    monkeypatch.setattr("sitebuild.execute._run", fake)
    run(tmp_path, base, cache=tmp_path / "cache")
    runs.clear()

    def again(text: str = base, folder: Path = tmp_path, **options) -> bool:
        run(folder, text, cache=tmp_path / "cache", **options)
        return bool(runs)

    return again


def test_the_same_page_is_not_run_again(cached):
    assert not cached()


def test_words_may_change_without_a_run(cached):
    assert not cached("B, in other words: `{python} 1`.\n\n```{python}\nx = 1\n```\n")


@pytest.mark.parametrize(
    "change",
    [
        {"text": "A `{python} 1`.\n\n```{python}\nx = 2\n```\n"},
        {"text": "A `{python} 2`.\n\n```{python}\nx = 1\n```\n"},
        {"text": "A `{python} 1`.\n\n```{python}\n#| error: true\nx = 1\n```\n"},
        {"salt": "another package"},
        {"fig-width": 3},
        {"fig-format": "png"},
    ],
)
def test_whatever_outputs_depend_on_asks_for_a_run(cached, change):
    assert cached(**change)


def test_another_python_asks_for_a_run(cached, monkeypatch):
    monkeypatch.setattr(sys, "version", "4.0")
    assert cached()


def test_another_version_of_a_package_asks_for_a_run(cached, monkeypatch):
    monkeypatch.setattr("sitebuild.execute._environment", lambda: [("numpy", "9")])
    assert cached()


@pytest.mark.parametrize("damage", ["", "{", '{"record": {}, "sha256": ""}', "[]", "cut", "edited"])
@pytest.mark.usefixtures("cached")
def test_a_damaged_entry_is_told_and_made_again(tmp_path, damage):
    (entry,) = (tmp_path / "cache").iterdir()
    whole = entry.read_text()
    edited = json.dumps({**json.loads(whole), "record": {}})
    entry.write_text({"cut": whole[:-9], "edited": edited}.get(damage, damage))
    again = run(tmp_path, (tmp_path / "page.qmd").read_text(), cache=tmp_path / "cache")
    (warning,) = again.warnings
    assert "the record is damaged, and made again" in warning
    assert not again.cached
    assert entry.read_text() == whole


def test_a_cache_that_cannot_be_read_is_an_error(cached, tmp_path):
    (entry,) = (tmp_path / "cache").iterdir()
    entry.unlink()
    entry.mkdir()
    with pytest.raises(OSError, match="directory"):
        cached()


# ---------------------------------------------------------------- failures


def test_a_tree_hash_is_about_names_and_content(tmp_path):
    def tree(root: str, **files: str) -> str:
        for name, text in files.items():
            path = tmp_path / root / "pkg" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / root / "pkg" / "__pycache__").mkdir()
        (tmp_path / root / "pkg" / "__pycache__" / f"{root}.pyc").write_text(root)
        return tree_hash([tmp_path / root / "pkg"])

    first = tree("a", x="1", y="2")
    assert first == tree("b", x="1", y="2")
    assert len({first, tree("c", x="1", y="3"), tree("d", x="1", z="2"), tree("e", x="1")}) == 4


def test_a_tree_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(SiteError, match="no such file or directory to hash"):
        tree_hash([tmp_path / "absent"])
