"""Completion: the words for every place, the scripts, and how little they load."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim import Hardware, Infrastructure, Models, Systems
from mlsysim.cli import main
from mlsysim.commands.completion import SCRIPTS, words
from mlsysim.commands.names import REGISTRIES, cards
from mlsysim.commands.options import COMMANDS, OUTPUTS

ROOT = Path(__file__).parents[1]


def test_names_are_those_of_the_registries():
    whole = dict(zip(REGISTRIES, (Hardware, Models, Systems, Infrastructure), strict=True))
    for name, registry in whole.items():
        assert sorted(card.stem for card in cards(name)) == sorted(registry._names())
    assert [card.stem for card in cards("systems/fabrics")] == dir(Systems.Fabrics)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([""], [*COMMANDS, "--help", "--version"]),
        (["s"], ["solve", "serve", "sensitivity", "synthesize", "sweep", "schema"]),
        (["solve", "--model", "Llama3_7"], ["Llama3_70B"]),
        (["solve", "--model", "=", "Llama3_7"], ["Llama3_70B"]),
        (["solve", "--hardware", "RTX_50"], ["RTX_5080", "RTX_5090"]),
        (["solve", "--link", "NVLink2"], ["NVLink2", "NVLink2_NVSwitch"]),
        (["solve", "--model", "GPT3", "--batch-size", ""], []),
        (["solve", "--model", "GPT3", "--precision", "int4"], ["int4", "int4-g32"]),
        (["solve", "--bat"], ["--batch-size"]),
        (["solve", "docs/exa"], []),
        (["train", "--fleet", "DGX_SuperPOD_S"], ["DGX_SuperPOD_SU_H100"]),
        (["sweep", "--hardware", "A100,H2"], ["A100,H20", "A100,H200"]),
        (["zoo", ""], list(REGISTRIES)),
        (["zoo", "models", "Llama3_4"], ["Llama3_405B"]),
        (["zoo", "--output", "csv", "models", "Llama3_4"], ["Llama3_405B"]),
        (["zoo", "models", "GPT3", ""], []),
        (["zoo", "gardens", ""], []),
        (["compare", "a.toml", "b.toml", "--output", ""], list(OUTPUTS)),
        (["completion", "z"], ["zsh"]),
        (["no", "--such"], []),
        ([], [*COMMANDS, "--help", "--version"]),
    ],
)
def test_words(line, expected):
    assert words(line) == expected


def test_the_hidden_flag_prints_a_word_a_line(capsys):
    assert main(["--complete", "zoo", "h"]) == 0
    assert capsys.readouterr().out == "hardware\n"


def test_completion_loads_no_units():
    code = (
        "import sys\nfrom mlsysim.cli import main\nmain(['--complete', 'solve', '--model', ''])\n"
        "print(sorted(m for m in sys.modules if m.startswith(('pint', 'numpy', 'mlsysim.core.c'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "Llama3_8B" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def path(tmp_path):
    """A search path whose first folder has the command, as an installed package would."""
    command = tmp_path / "mlsysim"
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m mlsysim "$@"\n', "utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return f"{tmp_path}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(path):
    script = (
        f"{SCRIPTS['bash']}\nCOMP_WORDS=(mlsysim solve --hardware RTX_50)\nCOMP_CWORD=3\n_mlsysim\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
        "COMP_WORDS=(mlsysim zoo '')\nCOMP_CWORD=2\n_mlsysim\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [shutil.which("bash"), "-c", script], env={"PATH": path}, capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
    assert done.stdout.split() == ["RTX_5080", "RTX_5090", *REGISTRIES]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_reads_its_script(path, tmp_path):
    file = tmp_path / "_mlsysim"
    file.write_text(SCRIPTS["zsh"], "utf-8")
    done = subprocess.run(
        [shutil.which("zsh"), "-n", str(file)],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(path, tmp_path):
    script = f"{SCRIPTS['fish']}\ncomplete --do-complete 'mlsysim solve --hardware RTX_50'"
    done = subprocess.run(
        [shutil.which("fish"), "-c", script],
        env={"PATH": path, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["RTX_5080", "RTX_5090"]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_the_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SCRIPTS[shell]
