"""Help: it says everything, its examples run, and it loads nothing."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim.cli import main
from mlsysim.commands.options import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


def help_of(*words: str) -> str:
    """What ``--help`` prints, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mlsysim", *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        encoding="utf-8",
    )
    assert done.stderr == ""
    return done.stdout


def examples_of(told: str) -> list[str]:
    """The command lines below ``examples:`` of a help text."""
    return re.findall(r"^  mlsysim (.+)$", told.partition("example")[2], re.MULTILINE)


HELP = {name: help_of(name) for name in COMMANDS}
EXAMPLES = [(name, line) for name, told in HELP.items() for line in examples_of(told)]


def test_every_command_has_an_example_of_itself():
    assert {name for name, _ in EXAMPLES} == set(COMMANDS)
    assert all(shlex.split(line)[0] == name for name, line in EXAMPLES)


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_examples_run(name, line, capsys):
    assert main(shlex.split(line)) == 0, name

    told = capsys.readouterr()
    assert told.out.strip()
    assert told.err == ""


def test_the_whole_help_lists_every_command_and_the_exit_codes():
    told = help_of()

    for name, command in COMMANDS.items():
        assert re.search(rf"^    {name}\s+{re.escape(command.says[:30])}", told, re.MULTILINE)
    assert "exit codes: 0 answered, 2 the input cannot be used, 3 the answer breaks a limit" in told
    assert examples_of(told) == ["solve --model Llama3_8B --hardware H100"]


def test_help_shows_every_flag():
    for name, command in COMMANDS.items():
        for option in command.options:
            shown = option.name if option.name.startswith("-") else option.rest["metavar"]
            assert shown in HELP[name], (name, option.name)


@pytest.mark.parametrize("words", [["--help"], ["solve", "--help"], ["sweep", "--help"], ["--version"]])
def test_help_imports_no_units_and_reads_no_card(words):
    """It is fast because it loads argparse and the declarations alone."""
    code = (
        "import sys\nopened = []\n"
        "sys.addaudithook(lambda e, d: opened.append(str(d[0])) if e == 'open' else None)\n"
        f"from mlsysim.cli import main\ntry:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "watched = ('mlsysim.', 'pint', 'numpy', 'rich', 'tomllib')\n"
        "print(sorted(m for m in sys.modules if m.startswith(watched)))\n"
        "print([path for path in opened if path.endswith('.toml')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, cards = done.stdout.splitlines()[-2:]

    assert cards == "[]"
    declarations = ("completion", "fields", "names", "options", "schema")
    light = ["mlsysim.cli", "mlsysim.commands", *(f"mlsysim.commands.{name}" for name in declarations)]
    assert loaded == repr(sorted([*light, "mlsysim.core", "mlsysim.core.errors"]))


def test_version(capsys):
    from mlsysim import __version__

    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"mlsysim {__version__}\n"
