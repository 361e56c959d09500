"""The dependency direction is part of the design; this test is its drawing."""

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mlsysim"

LAYERS = (  # a module imports only from lines above its own; modules of a line do not see each other
    ("core.errors",),
    ("core.constants", "core.arrays", "core.queueing", "progress"),
    ("core.arguments", "core.precision", "format", "answers"),
    ("core.specs", "core.parallelism"),
    ("core.systems", "core.models.base"),
    (
        "core.models.encoder",
        "core.models.recommender",
        "core.models.statespace",
        "core.models.transformer",
        "core.models.unet",
        "core.models.vision",
    ),
    ("core.models",),
    (
        "core.calibration",
        "core.counting.convolution",
        "core.counting.work",
        "core.collectives",
        "cards",
        "selection",
        "architectures",
    ),
    ("system_cards", "huggingface"),
    (
        "core.counting.encoder",
        "core.counting.recommender",
        "core.counting.statespace",
        "core.counting.transformer",
        "core.counting.unet",
        "core.counting.vision",
        "core.counting.activations",
    ),
    ("core.counting.training",),
    ("core.counting.sharding",),
    ("core.counting", "core.roofline", "core.collective_calibration", "registry"),
    ("core.training_step", "core.profile"),
    ("core.step", "core.sweeps.axes"),
    ("core.sweeps.columns", "core.sweeps.run"),
    ("core.sweeps.cells", "core.sweeps.choice", "core.sweeps.export"),
    ("core.sweeps.result",),
    ("core.sweeps.steps",),
    ("core.engine",),
    ("core.attribution",),
    ("core.explanation",),
    ("core.explainers",),
    (
        "solvers.checkpoint",
        "solvers.collective",
        "solvers.crossover",
        "solvers.monotone",
        "solvers.networks",
        "solvers.orchestration",
        "solvers.perplexity",
        "solvers.placement",
        "solvers.prefill",
        "solvers.request",
        "solvers.residence",
        "solvers.response_time",
        "solvers.scaling_laws",
        "solvers.speculative",
        "solvers.sustainability",
        "solvers.training_memory",
        "solvers.transformation",
    ),
    (
        "solvers.cache_layout",
        "solvers.compression",
        "solvers.data",
        "solvers.distributed",
        "solvers.economics",
        "solvers.iteration",
        "solvers.levers",
        "solvers.reliability",
        "solvers.scaling",
        "solvers.sensitivity",
        "solvers.single_node",
        "solvers.synthesis",
        "solvers.tail_latency",
        "solvers.topology",
        "solvers.weight_streaming",
    ),
    ("solvers.kv_cache", "solvers.parallelism", "solvers.training"),
    ("solvers.serving",),
    ("solvers.batching", "solvers.disaggregation", "solvers.in_flight", "solvers.inference_scaling"),
    ("solvers.continuous_batching",),
    ("solvers.capacity", "solvers.pipeline"),
    ("solvers.audit_stages",),
    ("solvers.audit",),
    ("show", "plots", "measure", "catalogue", "sweeping"),
    ("measurements", "plots_sweep", "plots_time"),
    ("mapping",),
    ("mapping_collectives", "mapping_training"),
    ("mapping_facts",),
    ("widgets", "exercises", "validation"),
    ("course",),
    ("report",),
    ("commands.fields", "commands.names"),
    ("commands.schema",),
    ("commands.options",),
    ("commands.completion", "commands.limits"),
    ("commands.page", "commands.scenario"),
    ("commands.answer", "commands.reference", "commands.validate", "commands.zoo", "commands.sweep"),
    ("commands.training", "commands.advice"),
    ("commands.audit", "commands.questions"),
    ("commands.compare",),
    ("cli",),
    ("__init__", "__main__"),
)
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}
NAMESPACES = {module.rpartition(".")[0] for module in RANK} - {""}

AT_IMPORT = {"pint"}
"""Third parties that a module may import when it is itself imported."""

WHEN_USED = {
    "core.arrays": {"numpy"},
    "show": {"IPython"},
    "plots": {"matplotlib"},
    "registry": {"pandas"},
    "selection": {"pandas"},
    "measure": {"numpy"},
    "widgets": {"ipywidgets"},
    "core.sweeps.export": {"pandas", "xarray"},
    "core.sweeps.result": {"dask", "pandas", "xarray"},
    "core.sweeps.run": {"dask"},
    "plots_sweep": {"matplotlib"},
    "plots_time": {"matplotlib"},
    "commands.page": {"rich"},
}
"""Third parties that a module may import inside a function, or for its annotations alone."""

UNREADABLE = "a name that is computed"


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package, by its name below ``mlsysim``; a namespace by its own name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts), path


def package_of(module: str) -> str:
    """The package against which a module's relative imports are resolved."""
    if module in {*NAMESPACES, "__init__"}:
        return f"mlsysim.{module}".removesuffix(".__init__")
    return f"mlsysim.{module}".rpartition(".")[0]


def dynamic(node: ast.Call, loaders: set[str], package: str) -> str | None:
    """The module that a call such as ``import_module("mlsysim.core")`` imports, if it is one."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in loaders or not (node.args or node.keywords):
        return None
    name = node.args[0] if node.args else node.keywords[0].value
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return importlib.util.resolve_name(name.value, package)
    return UNREADABLE


def imported(module: str, source: str) -> Iterator[str]:
    """Every full name that a module imports: anywhere in it, however it is spelled."""
    tree, package = ast.parse(source), package_of(module)
    loaders = {"import_module", "__import__"}
    loaders |= {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "importlib"
        for alias in node.names
        if alias.name == "import_module" and alias.asname
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix("mlsysim.")
                known = base.partition(".")[0] == "mlsysim" and inner in RANK.keys() | NAMESPACES
                yield f"mlsysim.{inner}" if known else base
        elif isinstance(node, ast.Call) and (name := dynamic(node, loaders, package)):
            yield name


def rank(target: str) -> int:
    """The layer of an import: a namespace stands for the highest of its modules."""
    inside = [r for module, r in RANK.items() if module == target or module.startswith(f"{target}.")]
    return max(inside, default=len(LAYERS))


def trespasses(module: str, source: str) -> list[str]:
    """Imports of a module that do not point to a layer before its own."""
    own = RANK.get(module, -1)
    targets = [name for name in imported(module, source) if name.partition(".")[0] == "mlsysim"]
    inside = [name.removeprefix("mlsysim").removeprefix(".") or "__init__" for name in targets]
    wrong = [f"{module} -> {target}" for target in inside if rank(target) >= own]
    if UNREADABLE in imported(module, source) and module != "__init__":
        wrong.append(f"{module} -> {UNREADABLE}")
    return wrong


def test_every_module_has_its_place():
    """A new module is put into the drawing before it is put into the package."""
    assert [name for name, _ in modules() if name not in RANK.keys() | NAMESPACES] == []


def test_imports_point_one_way():
    wrong = [w for name, path in modules() for w in trespasses(name, path.read_text("utf-8"))]

    assert wrong == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.specs", "import mlsysim"),
        ("core.specs", "import mlsysim.solvers.serving"),
        ("core.specs", "import json, mlsysim.solvers.serving as serving"),
        ("core.specs", "from mlsysim import Engine"),
        ("core.specs", "from mlsysim import registry"),
        ("core.specs", "from mlsysim import core"),
        ("core.specs", "from mlsysim import solvers"),
        ("core.specs", "from mlsysim.core import errors, engine"),
        ("core.specs", "from mlsysim.core.engine import *"),
        ("core.specs", "from . import models"),
        ("core.specs", "from .engine import Engine"),
        ("core.specs", "from .. import registry"),
        ("core.specs", "from ..solvers.serving import ServingModel"),
        ("core.specs", "from mlsysim.core.specs import Accelerator"),
        ("core.specs", "from mlsysim.unheard import of"),
        ("core.specs", "def solve():\n    from .engine import Engine"),
        ("core.specs", "class A:\n    def f(self):\n        import mlsysim.show"),
        ("core.specs", "if TYPE_CHECKING:\n    from mlsysim.core.engine import Engine"),
        ("core.specs", "try:\n    import mlsysim.plots\nexcept ImportError:\n    pass"),
        ("core.specs", "import importlib\nimportlib.import_module('mlsysim.core.engine')"),
        ("core.specs", "import importlib\nimportlib.import_module(name='mlsysim.core.engine')"),
        ("core.specs", "from importlib import import_module\nimport_module('.engine', 'mlsysim.core')"),
        ("core.specs", "from importlib import import_module as load\nload('mlsysim.core.engine')"),
        ("core.specs", "from importlib import import_module\nimport_module(f'mlsysim.{where}')"),
        ("core.specs", "__import__('mlsysim.core.engine')"),
        ("core.counting", "from mlsysim.core.roofline import Terms"),
        ("core.counting", "from mlsysim import registry"),
        ("solvers.crossover", "from .serving import ServingModel"),
        ("core", "from .errors import ArgumentError"),
        ("solvers", "import mlsysim.solvers.serving"),
    ],
)
def test_a_planted_trespass_is_seen(module, source):
    """The layer test can fail, for every way in which Python spells an import."""
    assert trespasses(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.specs", "import json, pint"),
        ("core.specs", "import mlsysimilar"),
        ("core.specs", "from .errors import ArgumentError"),
        ("core.specs", "from mlsysim.core import errors as e, constants"),
        ("core.engine", "from . import counting"),
        ("solvers.single_node", "from .crossover import CrossoverSolver"),
        ("show", "from mlsysim import format as fmt"),
        ("show", "from importlib import import_module\nimport_module('json')"),
        ("__init__", "from importlib import import_module\nimport_module(f'mlsysim.{where}')"),
        ("__init__", "from .core.engine import Engine"),
    ],
)
def test_an_import_that_points_down_is_accepted(module, source):
    assert trespasses(module, source) == []


def at_import(nodes: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that run when a module is imported: not those in functions or for annotations."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from at_import(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            yield from at_import(ast.iter_child_nodes(node))


def foreign(module: str, source: str) -> list[str]:
    """Third parties that a module imports, and may not import where it does."""
    tree = ast.parse(source)
    own = set(sys.stdlib_module_names) | {"mlsysim", UNREADABLE}
    first = "\n".join(ast.unparse(node) for node in at_import([tree]))
    early = {name.partition(".")[0] for name in imported(module, first)} - own
    ever = {name.partition(".")[0] for name in imported(module, source)} - own
    return sorted((early - AT_IMPORT) | (ever - AT_IMPORT - WHEN_USED.get(module, set())))


def test_third_parties_are_imported_where_they_are_used():
    """Core and solvers need pint alone; the heavy libraries load when a figure or a control is made."""
    found = {name: foreign(name, path.read_text("utf-8")) for name, path in modules()}

    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("plots", "import matplotlib.pyplot as plt", ["matplotlib"]),
        ("plots", "try:\n    from matplotlib import pyplot\nfinally:\n    pass", ["matplotlib"]),
        ("plots", "class A:\n    import numpy", ["numpy"]),
        ("plots", "def draw():\n    import matplotlib.pyplot", []),
        ("plots", "if TYPE_CHECKING:\n    import matplotlib\nelse:\n    import numpy", ["numpy"]),
        ("core.specs", "def f():\n    import yaml", ["yaml"]),
        ("core.specs", "def f():\n    import numpy", ["numpy"]),
        ("core.arrays", "import numpy", ["numpy"]),
        ("core.arrays", "def f():\n    import numpy", []),
    ],
)
def test_a_planted_third_party_is_seen(module, source, wrong):
    assert foreign(module, source) == wrong


def roots(source: str) -> set[str]:
    """First names of all absolute imports."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(("side", "other"), [("mlsysim", "sitebuild"), ("sitebuild", "mlsysim")])
def test_package_and_site_builder_do_not_know_each_other(side, other):
    """The builder is for any site; the package is for any reader."""
    files = sorted((ROOT / side).rglob("*.py"))

    assert files
    assert [str(p) for p in files if other in roots(p.read_text("utf-8"))] == []
