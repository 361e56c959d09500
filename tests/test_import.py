"""Import is cheap: names load on first use, and so do the libraries behind them."""

import json
import subprocess
import sys

import pytest

PROBE = """
import json, sys
opened = []
sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event == "open" else None)
{code}
names = [name for name in sys.modules if name.partition(".")[0] == "mlsysim"]
roots = {{name.partition(".")[0] for name in sys.modules}}
cards = [path for path in opened if path.endswith(".toml")]
print("PROBE", json.dumps({{"names": names, "roots": sorted(roots), "cards": cards}}))
"""

HEAVY = {"IPython", "ipywidgets", "matplotlib", "numpy", "pandas", "pint", "pydantic", "yaml"}
FOR_FIGURES = HEAVY - {"numpy", "pint"}
"""pint imports NumPy wherever that is installed."""


def probe(code: str) -> dict[str, list[str]]:
    """Run code in a fresh interpreter: the modules that it loaded, the cards that it opened."""
    command = [sys.executable, "-W", "error", "-c", PROBE.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("PROBE ")[2])


def test_importing_the_package_loads_nothing_else():
    seen = probe("import mlsysim")

    assert seen["names"] == ["mlsysim"]
    assert seen["cards"] == []
    assert HEAVY.isdisjoint(seen["roots"])


def test_listing_the_public_names_loads_nothing_else():
    """Tab completion after ``mlsysim.`` costs nothing either."""
    assert probe("import mlsysim; dir(mlsysim); mlsysim.__all__")["names"] == ["mlsysim"]


def test_a_registry_reads_no_card_before_one_is_asked_for():
    seen = probe("from mlsysim import Hardware, Models; dir(Hardware.Cloud), dir(Models), len(Models)")

    assert seen["cards"] == []


def test_one_card_is_read_for_one_thing():
    seen = probe("from mlsysim import Hardware; Hardware.Cloud.A100; Hardware.A100; Hardware.Cloud.A100")

    assert [card.replace("\\", "/").rpartition("/")[2] for card in seen["cards"]] == ["A100.toml"]


def test_solving_and_showing_load_nothing_for_figures():
    seen = probe(
        "from mlsysim import DifferentialExplainer, Engine, Hardware, Models, SensitivitySolver\n"
        "from mlsysim.show import banner, info, table\n"
        "a, b = (Engine.solve(Models.Llama3_8B, hw) for hw in (Hardware.A100, Hardware.H100))\n"
        "print(a, DifferentialExplainer.compare_performance(a, b))\n"
        "print(SensitivitySolver().solve(Models.Llama3_8B, Hardware.A100))\n"
        "banner('Step'); info('Step', Latency=a.latency); table(['Latency'], [[a.latency]])"
    )

    assert FOR_FIGURES.isdisjoint(seen["roots"])


def test_every_module_imports_without_the_libraries_for_figures():
    seen = probe(
        "import importlib, pkgutil, mlsysim\n"
        "for module in pkgutil.walk_packages(mlsysim.__path__, 'mlsysim.'):\n"
        "    importlib.import_module(module.name)"
    )

    assert {"mlsysim.plots", "mlsysim.show", "mlsysim.solvers.serving"} <= set(seen["names"])
    assert FOR_FIGURES.isdisjoint(seen["roots"])
    assert seen["cards"] == []


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import mlsysim; mlsysim.Q_", {"pint"}),
        ("import mlsysim; mlsysim.Engine", {"pint"}),
        ("import mlsysim, matplotlib", {"matplotlib", "numpy"}),
        ("import mlsysim, pandas", {"pandas", "numpy"}),
    ],
)
def test_the_probe_sees_a_library(code, loaded):
    """The tests above can fail."""
    assert loaded <= HEAVY & set(probe(code)["roots"])


def test_the_probe_sees_a_card_and_a_module():
    seen = probe("import mlsysim; mlsysim.Hardware.Cloud.A100")

    assert len(seen["cards"]) == 1
    assert "mlsysim.registry" in seen["names"]
