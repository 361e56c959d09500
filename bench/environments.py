"""Environments of other tools: each in one of its own, since one shares this package's import name."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".cache") / "environments"
"""Where environments are made unless a command is told otherwise."""


class ToolError(Exception):
    """An environment could not be made, or a program in it failed."""


@dataclass(frozen=True)
class Tool:
    """A tool as the package index has it.

    Parameters
    ----------
    name, version
        What is installed.
    """

    name: str
    version: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


MLSYSIM_030: Final = Tool("mlsysim", "0.3.0")
LLM_ANALYSIS: Final = Tool("llm-analysis", "0.2.2")
TOOLS: Final = (MLSYSIM_030, LLM_ANALYSIS)
"""The tools that answer questions like this package's, at the versions that were compared."""


def interpreter(tool: Tool, folder: Path) -> Path:
    """Return the Python of a tool's environment; the environment is made if it is not there.

    Raises
    ------
    ToolError
        If pip cannot install the tool, with what pip says.
    """
    home = (folder / f"{tool.name}-{tool.version}").absolute()
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = home / "ready"
    if not ready.exists():
        venv.create(home, clear=True, with_pip=True)
        run([str(python), "-m", "pip", "install", "--quiet", tool.requirement], f"installing {tool}")
        ready.touch()
    return python


def run(command: list[str], purpose: str, text: str = "") -> str:
    """Return what a command prints, given *text* to read.

    Raises
    ------
    ToolError
        If it fails, with the last line that it wrote.
    """
    done = subprocess.run(  # noqa: S603 - our own commands
        command, input=text, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        msg = f"{purpose} failed: {said[-1]}"
        raise ToolError(msg)
    return done.stdout
