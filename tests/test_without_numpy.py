"""Scalars need no NumPy: the engine, every solver, the explainer and show run where it is absent."""

import json
import re

import pytest

import mlsysim

SETUP = """
import importlib.util
import mlsysim
from mlsysim import Engine, Hardware, Models, Q_
from mlsysim.show import banner, info, table
assert importlib.util.find_spec("numpy") is None
"""

EXAMPLES = """
import doctest, json
from importlib import import_module

def examples(name):
    solver = getattr(mlsysim, name)
    known = vars(import_module(solver.__module__))
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder().find(solver, name, globs=dict(known)):
        runner.run(test)
    return [runner.failures, runner.tries]

print(json.dumps({name: examples(name) for name in NAMES}))
"""


def test_numpy_is_absent(elsewhere):
    """The wheel requires pint, and pint requires no NumPy."""
    assert elsewhere(
        "import importlib.util as u; print(u.find_spec('numpy'), u.find_spec('pint') is None)"
    ) == ("None False\n")


@pytest.mark.parametrize(
    ("call", "latency"),
    [
        ("Models.Llama3_8B, Hardware.A100, calibration='ideal'", 7.361),
        ("Models.Llama3_8B, Hardware.A100, batch_size=256, calibration='ideal'", 12.32),
        ("Models.Mistral_7B, Hardware.A100, phase='prefill', prompt=8192, calibration='ideal'", None),
        ("Models.Llama3_8B, Hardware.A100, context=1024", None),
        ("Models.ResNet50, Hardware.H100, batch_size=256", None),
        ("Models.ViT_B16, Hardware.H100, batch_size=8", None),
        ("Models.BERT_Large, Hardware.T4, prompt=384", None),
    ],
)
def test_a_scalar_is_solved(elsewhere, call, latency):
    """By hand: 15.01e9 bytes at 2.039 TB/s take 7.36 ms; 256 x 2 x 7.505e9 FLOP at 312 TFLOP/s, 12.32 ms."""
    shown = elsewhere(
        f"{SETUP}\np = Engine.solve({call})\nprint(p)\nprint('ms', p.latency.to('ms').magnitude)"
    )
    found = float(shown.rpartition("ms ")[2])

    assert found > 0
    assert latency is None or found == pytest.approx(latency, rel=1e-3)


def test_every_solver_answers_its_example(elsewhere):
    """The example in each docstring comes out as it does where NumPy is."""
    names = [name for name in mlsysim.__all__ if re.search(r"(Model|Solver|Optimizer)$", name)]
    shown = elsewhere(f"{SETUP}\nNAMES = {names}\n{EXAMPLES}")
    found = json.loads(shown.splitlines()[-1])

    assert {name for name, (failed, _) in found.items() if failed} == set(), shown
    assert {name for name, (_, tried) in found.items() if not tried} == set()


def test_the_explainer_explains(elsewhere):
    shown = elsewhere(
        f"{SETUP}\nfrom mlsysim import DifferentialExplainer\n"
        "a, b = (Engine.solve(Models.Llama3_8B, hw) for hw in (Hardware.A100, Hardware.H100))\n"
        "why = DifferentialExplainer.compare_performance(baseline=a, proposal=b)\n"
        "print(why, why.to_markdown(), why.to_dict())"
    )

    assert "• Speedup: 1.39x\n" in shown


def test_show_shows(elsewhere):
    shown = elsewhere(
        f"{SETUP}\np = Engine.solve(Models.Llama3_8B, Hardware.A100, calibration='ideal')\n"
        "banner('Step')\ninfo('Step', Latency=p.latency)\ntable(['GPU', 'Latency'], [['A100', p.latency]])"
    )

    assert "Latency  7.361 ms" in shown
    assert "A100  7.361 ms" in shown


def test_specifications_and_results_are_copied(elsewhere):
    shown = elsewhere(
        f"{SETUP}\nfrom copy import deepcopy\nfrom pickle import dumps, loads\n"
        "p = Engine.solve(Models.ResNet50, Hardware.A100)\n"
        "print(deepcopy(p) == p, loads(dumps(p)) == p, loads(dumps(Q_('2 TB/s'))))"
    )

    assert shown == "True True 2.0 TB/s\n"


def test_every_module_imports(elsewhere):
    """Neither NumPy nor a library for figures is needed to import, only to draw."""
    shown = elsewhere(
        "import importlib, pkgutil, mlsysim\n"
        "for module in pkgutil.walk_packages(mlsysim.__path__, 'mlsysim.'):\n"
        "    print(importlib.import_module(module.name).__name__)"
    )

    assert {"mlsysim.plots", "mlsysim.widgets", "mlsysim.solvers.serving"} <= set(shown.split())
