"""The rules of the house that a test can say: sizes, names, docstrings, and what no file holds."""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("mlsysim", "sitebuild", "tests", "bench", "explorer", "explore")

LONGEST_FILE = 400
LONGEST_SOLVER = 250
LARGEST_CORE = 5_000

NOT_OURS = {"__pycache__", "_site", "build", "dist", "node_modules"}
HIDDEN_BUT_OURS = {".ci", ".github"}
BANNED_STEMS = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
MARKS = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")


def files(*suffixes: str, below: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """Files of this repository, hidden and generated folders left out."""
    for folder in below:
        for here, folders, names in os.walk(ROOT / folder):
            shown = {f for f in folders if not f.startswith(".")} | HIDDEN_BUT_OURS
            folders[:] = sorted(set(folders) & shown - NOT_OURS)
            yield from (Path(here, n) for n in sorted(names) if n.endswith(suffixes or ("",)))


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstrings(tree: ast.AST) -> set[int]:
    """Lines that hold a string by itself: a docstring, or one below a name."""
    bare = (n for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    texts = (n for n in bare if isinstance(n.value, ast.Constant) and isinstance(n.value.value, str))
    return {line for n in texts for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}


def code_lines(source: str) -> int:
    """Lines of code, without docstrings, blank lines and comments."""
    silent = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spoken = (t for t in tokens if t.type not in silent)
    lines = {line for t in spoken for line in range(t.start[0], t.end[0] + 1)}
    return len(lines - docstrings(ast.parse(source)))


def test_no_file_is_long():
    """A file holds one idea."""
    lengths = {
        short(p): p.read_text("utf-8").count("\n") for p in files(".py", ".css", ".js", ".lua", below=CODE)
    }

    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_the_physics_stays_readable():
    """The core can be read in an afternoon, and a solver in a few minutes."""
    assert (
        sum(code_lines(p.read_text("utf-8")) for p in files(".py", below=("mlsysim/core",))) <= LARGEST_CORE
    )
    long = {
        short(p): n
        for p in files(".py", below=("mlsysim/solvers",))
        if (n := p.read_text("utf-8").count("\n")) > LONGEST_SOLVER
    }
    assert long == {}


SAMPLE = '''"""Doc."""

import os


# note
def f():
    """Doc,
    more."""
    return (1,
        2)  # end


TEXT = """one
two"""
"""What TEXT is."""
'''


def test_lines_of_code_are_counted_as_a_reader_counts_them():
    """By hand: import 1, def 1, return 2, TEXT 2."""
    assert code_lines(SAMPLE) == 6


def test_names_of_files_say_what_is_inside():
    named = {short(p): set(re.split(r"[_.\-]", p.stem.casefold())) for p in files(below=CODE)}

    assert [name for name, words in named.items() if words & BANNED_STEMS] == []


def undocumented(source: str) -> list[str]:
    """Public functions and classes without a docstring; what a private class holds is private."""
    wrong = []

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for child in node.body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if child.name.startswith("_"):
                    continue
                if not ast.get_docstring(child):
                    wrong.append(prefix + child.name)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{prefix}{child.name}.")

    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        wrong.append("module")
    visit(tree, "")
    return wrong


def test_whatever_is_public_is_documented():
    found = {
        short(p): undocumented(p.read_text("utf-8"))
        for p in files(".py", below=("mlsysim", "sitebuild", "bench"))
    }

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_planted_missing_docstring_is_seen():
    public = "def f(): ...\nclass A:\n    def g(self): ...\n"
    private = "    def _h(self): ...\nclass _B:\n    def i(self): ...\n"

    assert undocumented(public + private) == ["module", "f", "A", "A.g"]
    assert undocumented('"""M."""\ndef f():\n    """F."""\n') == []


def is_scale(value: float) -> bool:
    """Whether a number is a power of ten, or a whole power of two."""
    if isinstance(value, int) and value & (value - 1) == 0:
        return True
    return Decimal(repr(abs(value))).normalize().as_tuple().digits in {(0,), (1,)}


def addressed(tree: ast.AST) -> set[ast.AST]:
    """Everything inside calls that are given a source."""
    calls = (
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and any(k.arg == "source" for k in n.keywords)
    )
    return {inner for call in calls for inner in ast.walk(call)}


def unaddressed(source: str) -> list[str]:
    """Figures in code that only a source could justify.

    A number with many zeros is the scale of a unit; a quantity that is spelled out is zero or one. Where a
    call states its ``source``, the figures beside it have one.
    """
    wrong = []
    tree = ast.parse(source)
    for node in set(ast.walk(tree)) - addressed(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            if not 1e-4 < abs(node.value) < 1e6 and not is_scale(node.value):
                wrong.append(repr(node.value))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"Q_", "ureg.Quantity"}:
            texts = [n.value for n in node.args[:1] if isinstance(n, ast.Constant)]
            figures = [re.match(r"[\d.eE+\-]+", str(text)) for text in texts]
            if any(float(figure.group()) not in {0, 1} for figure in figures if figure):
                wrong.append(ast.unparse(node))
    return wrong


def test_no_figure_is_without_an_address():
    """Figures live in cards, and in calibrations, which carry their source."""
    found = {
        short(p): unaddressed(p.read_text("utf-8"))
        for p in files(".py", below=("mlsysim/core", "mlsysim/solvers"))
    }

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("peak = 312e12", ["312000000000000.0"]),
        ("launch = 42e-6", ["4.2e-05"]),
        ("hbm = 85_899_345_920", ["85899345920"]),
        ("peak = Q_('312 TFLOP/s')", ["Q_('312 TFLOP/s')"]),
        ("tdp = Q_(400, 'W')", ["Q_(400, 'W')"]),
        ("scale = 1e12\nlargest = 2**20\nsize = 1048576", []),
        ("nothing = Q_('0 s')\none = Q_(1.0, 'PB/s')\nvalue = Q_(x, 'W')", []),
        ("fit = Fit(rate=42e-6, wait=Q_('42 us'), source='a paper')", []),
        ("fit = Fit(rate=42e-6)", ["4.2e-05"]),
        ("nothing = 0\ntolerance = 1e-12\nshare = 0.005\nlayers = 1000", []),
    ],
)
def test_a_planted_figure_is_seen(source, wrong):
    assert unaddressed(source) == wrong


PLACES = ("work", "root", "tmp")
FORBIDDEN = {
    "unfinished work": rf"\b({'|'.join(MARKS)})\b",
    "a path of one machine": rf"(?<![\w.~}}\-])/({'|'.join(PLACES)})/",
    "a place to install from": r"\b(index|extra-index)[-]url\b|--(find[-]links|trusted[-]host)\b"
    r"|\bPIP_[A-Z]+_URL\b|\bpypi\.org/simple|\bfiles\.pythonhosted\.org|\bregistry\.(npmjs|yarnpkg)\.",
}


def matches(text: str) -> list[str]:
    return [name for name, pattern in FORBIDDEN.items() if re.search(pattern, text)]


def test_no_file_holds_what_is_not_the_readers():
    """Nothing unfinished, nothing of the machine on which it was written."""
    found = {}
    for path in files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found[short(path)] = matches(text)

    assert found.keys() >= {"pyproject.toml", "README.md", "mlsysim/core/units.txt"}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"# {MARKS[0]}: later", ["unfinished work"]),
        (f"// {MARKS[2]}", ["unfinished work"]),
        (f'open("/{PLACES[0]}/data.csv")', ["a path of one machine"]),
        (f"see /{PLACES[2]}/x", ["a path of one machine"]),
        ("pip install --index-" + "url https://x/simple mlsysim", ["a place to install from"]),
        ("https://pypi" + ".org/simple", ["a place to install from"]),
        ("the README's todo list, hackathon", []),
        ("https://example.org/work/paper.pdf and docs/tmp/x and ~/tmp/x", []),
        ("pip install mlsysim", []),
    ],
)
def test_a_planted_blemish_is_seen(text, wrong):
    assert matches(text) == wrong
