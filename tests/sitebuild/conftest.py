"""A website in a temporary directory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from sitebuild.build import Settings, build
from sitebuild.report import Report

DEMO = Path(__file__).parent / "demo"


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write files and return the directory that holds them; ``_quarto.yml`` is minimal if not given."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in {"_quarto.yml": "project:\n  type: website\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def built(project) -> Callable[..., tuple[Path, Report]]:
    """Build a website from files; the site's directory and the report."""

    def make(files: Mapping[str, str], *, strict: bool = False) -> tuple[Path, Report]:
        report = Report(strict=strict)
        site, _ = build(project(files), settings=Settings(), report=report, say=lambda _: None)
        return site, report

    return make


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[Path, Report, list[str]]:
    """The demonstration site, built once: its directory, the report, the lines of progress."""
    root = tmp_path_factory.mktemp("demo") / "site"
    shutil.copytree(DEMO, root, ignore=shutil.ignore_patterns("_site", ".cache"))
    report, lines = Report(), list[str]()
    site, _ = build(root, settings=Settings(jobs=2), report=report, say=lines.append)
    return site, report, lines
