"""What tests share: a network whose sums are round, and the package as a user gets it, from a wheel."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlsysim import Transformer

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from this repository; what it prints, or its complaint as the failure."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    clean["PYTHONIOENCODING"] = "utf-8"
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=clean, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(words[:4])} …\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """A wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory, wheel) -> Callable[[str], str]:
    """Run code in a new environment that holds the wheel, installed by its path, and what it requires."""
    folder = tmp_path_factory.mktemp("elsewhere")
    home = folder / "environment"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=folder)
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", wheel, cwd=folder)

    def execute(code: str) -> str:
        return run(python, "-W", "error", "-c", code, cwd=folder)

    return execute


@pytest.fixture
def hand():
    """P = 95e6 matmul parameters, 100e6 in all, 20,000 B of cache a token, 40,000 FLOP a pair of tokens."""
    return Transformer(
        name="hand",
        layers=10,
        width=1000,
        heads=10,
        kv_heads=5,
        head_size=100,
        ffn_width=2000,
        gated=True,
        vocab=5000,
        tied=False,
        context=4096,
    )
