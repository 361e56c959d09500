"""The wheel holds the package and nothing else, and runs the course's founding tutorials elsewhere."""

import re
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

EXPLAINER = """
import mlsysim
from mlsysim.core.engine import Engine
from mlsysim.core.explainers import DifferentialExplainer

model = mlsysim.Models.Language.Llama3_8B

# Get our two profiles
prof_a100 = Engine.solve(model=model, hardware=mlsysim.Hardware.Cloud.A100, batch_size=1)
prof_h100 = Engine.solve(model=model, hardware=mlsysim.Hardware.Cloud.H100, batch_size=1)

# Ask the explainer what happened
explanation = DifferentialExplainer.compare_performance(
    baseline=prof_a100,
    proposal=prof_h100
)

print(explanation)

# At batch size 256, the A100 is struggling with compute, but the H100 has plenty
prof_a100_batch = Engine.solve(model=model, hardware=mlsysim.Hardware.Cloud.A100, batch_size=256)
prof_h100_batch = Engine.solve(model=model, hardware=mlsysim.Hardware.Cloud.H100, batch_size=256)

explanation_batch = DifferentialExplainer.compare_performance(
    baseline=prof_a100_batch,
    proposal=prof_h100_batch
)

print(explanation_batch)
"""

SENSITIVITY = """
import mlsysim
from mlsysim import SensitivitySolver, SynthesisSolver, ServingModel
from mlsysim.core.constants import Q_
from mlsysim.show import table, info

model = mlsysim.Models.Language.Llama3_70B
hardware = mlsysim.Hardware.Cloud.A100

# Compute partial derivatives of latency w.r.t. each hardware parameter
solver = SensitivitySolver()
res = solver.solve(model=model, hardware=hardware, precision="fp16")

info("Configuration",
     Model=model.name,
     Hardware=hardware.name,
     Baseline_latency=res.baseline_latency.to('ms'),
     Perturbation=f"{res.perturbation_pct}%")

rows = [[param, f"{sensitivity:+.4f}"] for param, sensitivity in res.sensitivities.items()]
table(["Parameter", "Sensitivity"], rows)

info("Binding Constraint",
     Constraint=res.binding_constraint,
     Interpretation=f"{res.binding_constraint} is the hardware knob most worth turning for {model.name} on {hardware.name}")

sens_bw = abs(res.sensitivities.get("memory_bandwidth", 0))
sens_flops = abs(res.sensitivities.get("peak_flops", 0))
if sens_flops > 0:
    ratio = sens_bw / sens_flops
    info("Sensitivity Asymmetry",
         Bandwidth_sensitivity=f"{sens_bw:.4f}",
         FLOPS_sensitivity=f"{sens_flops:.4f}",
         Ratio=f"{ratio:.1f}x",
         Verdict=f"A dollar spent on bandwidth improvement is ~{ratio:.0f}x more impactful than the same dollar spent on more FLOP/s")
else:
    info("Sensitivity Asymmetry",
         Bandwidth_sensitivity=f"{sens_bw:.4f}",
         FLOPS_sensitivity=f"{sens_flops:.4f}",
         Verdict="FLOPS has zero sensitivity --- purely memory-bound")

synth = SynthesisSolver()
specs = synth.solve(
    model=model,
    target_latency=Q_("50 ms"),
    precision="fp16"
)
info("Inverse Roofline: Required Hardware",
     Target_SLA="50 ms ITL",
     Min_memory_BW=specs.required_bw.to('TB/s'),
     Min_compute=specs.required_flops.to('TFLOPs/s'),
     Min_memory=specs.required_memory.to('GB'))

gpus = [
    ("A100", mlsysim.Hardware.Cloud.A100),
    ("H100", mlsysim.Hardware.Cloud.H100),
    ("H200", mlsysim.Hardware.Cloud.H200),
]
rows = []
for name, hw in gpus:
    r = solver.solve(model=model, hardware=hw, precision="fp16")
    s_bw = r.sensitivities.get("memory_bandwidth", 0)
    s_fl = r.sensitivities.get("peak_flops", 0)
    lat = r.baseline_latency.to("ms").magnitude
    rows.append([name, f"{s_bw:+.4f}", f"{s_fl:+.4f}", r.binding_constraint, f"{lat:.2f}ms"])
table(["GPU", "BW Sens", "FLOPS Sens", "Binding", "Latency"], rows)
"""  # noqa: E501 - as written

EXERCISES = """
import mlsysim
from mlsysim import Q_, SensitivitySolver, SynthesisSolver

solver = SensitivitySolver()
r = solver.solve(model=mlsysim.Models.ResNet50, hardware=mlsysim.Hardware.Cloud.H100)
print("1", r.binding_constraint)
r = solver.solve(model=mlsysim.Models.ResNet50, hardware=mlsysim.Hardware.Cloud.H100, batch_size=256)
print("1 at 256", r.binding_constraint)

ttft = SynthesisSolver().solve(
    model=mlsysim.Models.Llama3_70B, target_latency=Q_("100 ms"), phase="prefill", prompt=512
)
print("2", ttft.required_bw.to("TB/s"), ttft.required_flops.to("TFLOPs/s"))

for model in (mlsysim.Models.Llama3_8B, mlsysim.Models.Llama3_70B, mlsysim.Models.GPT3):
    print("3", model.name, solver.solve(model=model, hardware=mlsysim.Hardware.Cloud.A100).binding_constraint)

r = solver.solve(model=mlsysim.Models.Llama3_70B, hardware=mlsysim.Hardware.Cloud.A100)
print("self-check", r.speedup("peak_flops", 2))
"""


@pytest.fixture(scope="module")
def content(wheel) -> dict[str, bytes]:
    """Files of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_it_holds_the_package_and_nothing_else(content):
    """Units, cards and the typing mark are in; tests, benches, pages and the site builder are not."""
    own = (path for path in (ROOT / "mlsysim").rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in own if "__pycache__" not in path.parts}
    found = {name for name in content if ".dist-info/" not in name}

    assert found == expected
    assert {"mlsysim/py.typed", "mlsysim/core/units.txt", "mlsysim/data/hardware/cloud/A100.toml"} <= found


def test_what_it_requires_is_what_it_needs(content):
    (metadata,) = (data for name, data in content.items() if name.endswith(".dist-info/METADATA"))
    head = message_from_bytes(metadata)
    needed = [line for line in head.get_all("Requires-Dist", []) if "extra ==" not in line]

    assert (head["Name"], head["Version"]) == (PROJECT["name"], PROJECT["version"])
    assert [re.split(r"\W", line)[0] for line in needed] == ["pint"]
    assert head["Requires-Python"] == PROJECT["requires-python"]


def test_it_carries_its_licences(content):
    licences = {name.rpartition("/")[2]: data for name, data in content.items() if "/licenses/" in name}

    assert set(licences) == set(PROJECT["license-files"])
    assert all(data.strip() for data in licences.values())


def test_it_is_the_wheel_that_runs(elsewhere):
    """Neither this tree nor a package of the same name from an index answers below."""
    place, version = elsewhere("import mlsysim as m; print(m.__file__); print(m.__version__)").splitlines()

    assert "site-packages" in Path(place).parts
    assert ROOT not in Path(place).parents
    assert version == PROJECT["version"]


def test_the_explainer_tutorial_runs(elsewhere):
    """1.39x memory bound on both, then 2.65x compute bound on both."""
    shown = elsewhere(EXPLAINER)
    heads = [block.splitlines()[:4] for block in shown.split("📊 ")[1:]]

    assert heads == [
        [
            "Differential Analysis: Proposal vs. Baseline",
            f"• Speedup: {speedup}",
            f"• Baseline Regime: {regime}",
            f"• Proposal Regime: {regime}",
        ]
        for speedup, regime in (("1.39x", "Memory Bound"), ("2.65x", "Compute Bound"))
    ]


def test_the_sensitivity_tutorial_runs(elsewhere):
    """-0.88 and -0.06, 15x, memory bandwidth on three generations, 2.8 TB/s or 1.4x the A100."""
    shown = elsewhere(SENSITIVITY)
    figures = re.findall(r"^ *(\S.*?\S) +([+-]?\d+\.\d+)", shown, re.MULTILINE)
    found = {name: float(figure) for name, figure in figures}

    assert found["memory_bandwidth"] == pytest.approx(-0.88, abs=0.005)
    assert found["peak_flops"] == pytest.approx(-0.06, abs=0.005)
    assert "~15x more impactful" in shown
    assert found["Min memory BW"] == pytest.approx(2.8, abs=0.05)
    assert found["Min memory BW"] / 2.039 == pytest.approx(1.4, abs=0.05)
    assert re.findall(r"^(\w+) .* memory_bandwidth ", shown, re.MULTILINE) == ["A100", "H100", "H200"]


def test_the_exercises_can_be_done(elsewhere):
    """Of the sensitivity tutorial: each gives an answer, and the sizes that are beyond doubt."""
    shown = elsewhere(EXERCISES).splitlines()
    ways = {"memory_bandwidth", "peak_flops", "overhead"}

    assert {line.split()[-1] for line in shown if line[0] in "13"} <= ways
    assert [line.split()[-1] for line in shown if line[0] == "3"] == ["memory_bandwidth"] * 3
    assert 1 < float(shown[-1].split()[-1]) < 1.1
