"""Collect what the live explorer serves, under ``explore/live/build``.

Python for the browser and the charts come from npm, the package's wheel from this tree, the wheels that it
needs from pip; the versions stand in ``package-lock.json`` and ``requirements.txt``. Where npm, or what it
fetches, is out of reach, the explorer is skipped: the pages show their static figures and say why.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "explorer"
OUTPUT = ROOT / "explore" / "live" / "build"
CACHE = ROOT / ".cache" / "explorer"

NODE_FILES = {
    "pyodide": ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "package.json"),
    "d3": ("dist/d3.min.js", "LICENSE"),
    "@observablehq/plot": ("dist/plot.umd.min.js", "LICENSE"),
}
"""What is served of each package from npm."""

NOTICES = ("LICENSE", "package.json")
"""Files that say under which terms others may pass on what is served."""

REMEDY = "the pages show their static figures; run make site again where npm and its registry can be reached"


class Unreachable(Exception):  # noqa: N818 - not a mistake: the explorer is skipped
    """Something that is fetched cannot be had here."""


def digest(paths: Iterable[Path]) -> str:
    """Return a hash of the names and contents of files and of all that is in directories."""
    sums = hashlib.sha256()
    for path in sorted(file for given in paths for file in files(given)):
        sums.update(f"{path.relative_to(ROOT)}\0".encode())
        sums.update(hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()[:16]


def files(path: Path) -> Iterator[Path]:
    """Yield a file itself, or the files in a directory, compiled ones left out."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")
    else:
        yield path


def key() -> str:
    """Return what changes whenever the explorer has to be collected anew."""
    return digest([HERE, ROOT / "mlsysim", ROOT / "pyproject.toml"])


def current() -> bool:
    """Return whether the explorer is there, and up to date."""
    manifest = OUTPUT / "manifest.json"
    if not manifest.is_file():
        return False
    found = json.loads(manifest.read_text("utf-8"))
    return bool(found["available"]) and found["key"] == key()


# ---------------------------------------------------------------------- what is fetched
def fetched(name: str, locks: list[Path], command: list[str]) -> Path:
    """Return a directory in which a command has put what lock files name; cached by their content.

    Raises
    ------
    Unreachable
        If the command is not there, or fails.
    """
    if shutil.which(command[0]) is None:
        msg = f"there is no {command[0]} on this machine"
        raise Unreachable(msg)
    place = CACHE / f"{name}-{digest(locks)}"
    if place.is_dir():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        for file in locks:
            shutil.copy(file, made)
        done = subprocess.run(command, cwd=made, capture_output=True, encoding="utf-8", check=False)  # noqa: S603
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "error" in line.casefold()]
            msg = f"{' '.join(command[:2])} failed: {said[0] if said else 'no reason given'}"
            raise Unreachable(msg)
        shutil.copytree(made, place)
    return place


def node_modules() -> Path:
    """Return npm's packages, installed as the lock file says; none of their scripts runs."""
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
    locks = [HERE / "package.json", HERE / "package-lock.json"]
    return fetched("npm", locks, ["npm", "ci", *options]) / "node_modules"


def wheels() -> list[Path]:
    """Return the wheels that the package needs, as the requirements say."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=1"]
    chosen = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement=requirements.txt"]
    found = fetched("pip", [HERE / "requirements.txt"], [*pip, *chosen]).glob("*.whl")
    return sorted(found)


# ---------------------------------------------------------------------- what is made here
def own_wheel(folder: Path) -> Path:
    """Return the wheel of this tree, built in *folder*."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT)]
    subprocess.run(command, check=True)  # noqa: S603
    (wheel,) = folder.glob("*.whl")
    return wheel


def catalogue() -> object:
    """Return what the controls offer, as the package of this tree says it."""
    code = "import json; from explorer.bridge import catalogue; print(json.dumps(catalogue()))"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True)  # noqa: S603
    return json.loads(done.stdout)


def collect(folder: Path) -> dict[str, object]:
    """Put everything that is served into *folder*; return its manifest.

    Raises
    ------
    Unreachable
        If something that is fetched cannot be had here.
    """
    modules, needed = node_modules(), wheels()
    for package, names in NODE_FILES.items():
        short = package.rpartition("/")[2]
        for name in names:
            target = folder / short / Path(name).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(modules / package / name, target)
    lock = json.loads((modules / "pyodide" / "pyodide-lock.json").read_text("utf-8"))
    without = json.dumps({**lock, "packages": {}}, separators=(",", ":"))
    (folder / "pyodide" / "pyodide-lock.json").write_text(without, encoding="utf-8")  # none is served
    with tempfile.TemporaryDirectory() as made:
        packages = [own_wheel(Path(made)), *needed]
        (folder / "wheels").mkdir()
        for wheel in packages:
            shutil.copy(wheel, folder / "wheels")
    shutil.copy(HERE / "bridge.py", folder)
    served = {p.relative_to(folder).as_posix(): p.stat().st_size for p in sorted(files(folder))}
    return {
        "available": True,
        "wheels": [f"wheels/{wheel.name}" for wheel in packages],
        "bytes": sum(size for name, size in served.items() if not name.endswith(NOTICES)),
        "fetched": sum(size for name, size in served.items() if not name.endswith((*NOTICES, "js"))),
        "catalogue": catalogue(),
    }


def build() -> str:
    """Collect the explorer in place of the old one; return a line about it."""
    if current():
        return "explorer: up to date"
    now = key()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUTPUT.parent, prefix=".build-") as made:
        folder = Path(made) / "build"
        folder.mkdir()
        try:
            manifest = collect(folder)
        except Unreachable as why:
            shutil.rmtree(folder)
            folder.mkdir()
            manifest = {"available": False, "reason": str(why)}
        text = json.dumps({**manifest, "key": now}, separators=(",", ":"))
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        shutil.rmtree(OUTPUT, ignore_errors=True)
        os.rename(folder, OUTPUT)  # noqa: PTH104
    if manifest["available"]:
        return f"explorer: {int(str(manifest['bytes'])) / 1e6:.1f} MB in {OUTPUT.relative_to(ROOT)}"
    return f"explorer: skipped, {manifest['reason']}; {REMEDY}"


def report() -> str:
    """Return a line about an explorer that was skipped, an empty text about one that is there."""
    manifest = json.loads((OUTPUT / "manifest.json").read_text("utf-8"))
    return "" if manifest["available"] else f"explorer: skipped, {manifest['reason']}; {REMEDY}"


if __name__ == "__main__":
    line = report() if sys.argv[1:] == ["--report"] else build()
    if line:
        print(line, flush=True)
