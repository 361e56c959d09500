"""What tests of commands share: scenarios that are written down, and commands that are run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlsysim.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def write(tmp_path) -> Callable[..., str]:
    """Write a scenario, and return its path."""

    def written(text: str, name: str = "scenario.toml") -> str:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return written


@pytest.fixture
def run(capsys) -> Callable[..., Any]:
    """Run a command, and return what it prints: JSON as data."""

    def ran(*words: str, code: int = 0, output: str = "json") -> Any:
        assert main([*words, "--output", output]) == code
        told = capsys.readouterr()
        assert bool(told.err) == (code != 0)
        return json.loads(told.out) if output == "json" else told.out

    return ran
