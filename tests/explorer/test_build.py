"""What is collected for the live pages, and what happens where it cannot be had."""

import json
import re
import subprocess
import sys

import pytest

from explorer import build


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The tree's own sources, with output, cache and programs in a directory of the test's."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(build, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(build, "OUTPUT", build.ROOT / ".cache" / tmp_path.name / "build")
    yield programs
    subprocess.run(["/bin/rm", "-r", build.OUTPUT.parent], check=True)


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.usefixtures("elsewhere")
def test_without_npm_the_explorer_is_skipped_and_says_so():
    line = build.build()

    assert line.startswith(
        "explorer: skipped, there is no npm on this machine; the pages show their static figures"
    )
    manifest = json.loads((build.OUTPUT / "manifest.json").read_text("utf-8"))
    assert manifest["available"] is False
    assert manifest["reason"] == "there is no npm on this machine"
    assert build.report() == line
    assert not build.current()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for npm is a shell script")
def test_without_a_registry_the_explorer_is_skipped_and_npm_is_quoted(elsewhere):
    program(elsewhere, "npm", "echo 'npm error code ENOTFOUND' >&2; exit 1")

    assert build.build().startswith("explorer: skipped, npm ci failed: npm error code ENOTFOUND; ")
    assert not list(build.CACHE.glob("npm-*"))


@pytest.mark.usefixtures("elsewhere")
def test_an_explorer_that_is_there_is_kept(monkeypatch):
    def collect(folder):
        (folder / "bridge.py").write_text("", encoding="utf-8")
        return {"available": True, "bytes": 1_500_000}

    monkeypatch.setattr(build, "collect", collect)

    assert build.build().startswith("explorer: 1.5 MB in ")
    assert build.build() == "explorer: up to date"
    assert build.report() == ""
    monkeypatch.setattr(build, "key", lambda: "another tree")
    assert not build.current()


def test_the_key_follows_names_and_contents(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    one = tmp_path / "one"
    one.write_text("1", encoding="utf-8")
    first = build.digest([tmp_path])
    one.write_text("2", encoding="utf-8")
    second = build.digest([tmp_path])
    one.rename(tmp_path / "two")

    assert len({first, second, build.digest([tmp_path])}) == 3


def test_every_version_is_exact_and_no_lock_names_a_registry():
    wanted = json.loads((build.HERE / "package.json").read_text("utf-8"))["dependencies"]
    lock = (build.HERE / "package-lock.json").read_text("utf-8")
    required = (build.HERE / "requirements.txt").read_text("utf-8").splitlines()[1:]

    assert all(re.fullmatch(r"[\d.]+", version) for version in wanted.values())
    assert "resolved" not in lock
    assert all(re.fullmatch(r"[\w-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", line) for line in required)
    assert set(build.NODE_FILES) == set(wanted)
