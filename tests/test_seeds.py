"""The code of the two documents that the course starts from, as it was written, and its numbers."""

import re

import pytest

from mlsysim import Q_, Hardware, Models, SensitivitySolver, SynthesisSolver

SENSITIVITY = """
import mlsysim # installed via `pip install mlsysim` (see workflow)
import mlsysim

import mlsysim
from mlsysim import SensitivitySolver, SynthesisSolver, ServingModel
from mlsysim.core.constants import Q_

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

DIFFERENTIAL = """
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


@pytest.fixture
def run(capsys):
    """Run code as a notebook would, and return its names and what it printed."""

    def run(code):
        names = {}
        exec(code, names)  # noqa: S102 - the code above
        return names, capsys.readouterr().out

    return run


def test_sensitivity_runs_and_its_numbers_come_out(run):
    names, _ = run(SENSITIVITY)
    res = names["res"]
    assert f"{res.sensitivities['memory_bandwidth']:.2f}" == "-0.88"
    assert f"{res.sensitivities['peak_flops']:.2f}" == "-0.06"
    assert f"{names['ratio']:.0f}x" == "15x"
    assert res.binding_constraint == "memory_bandwidth"
    assert res.perturbation_pct == 10
    assert f"{names['specs'].required_bw.to('TB/s'):.1f}" == "2.8 TB/s"
    assert f"{(names['specs'].required_bw / names['hardware'].bandwidth).to(''):.1f}" == "1.4"
    assert [(row[0], row[3]) for row in names["rows"]] == [
        ("A100", "memory_bandwidth"),
        ("H100", "memory_bandwidth"),
        ("H200", "memory_bandwidth"),
    ]


def test_sensitivity_prints_what_the_document_shows(run):
    _, out = run(SENSITIVITY)
    for words in (
        r"Configuration\n  Model +Llama-3\.1-70B\n  Hardware +NVIDIA A100",
        r"Baseline latency +78\.27 ms",
        r"Perturbation +10(\.0)?%",
        r"peak_flops +-0\.0585",
        r"memory_bandwidth +-0\.8798",
        r"Constraint +memory_bandwidth",
        r"memory_bandwidth is the hardware knob most worth turning for Llama-3\.1-70B on NVIDIA A100",
        r"Ratio +15\.0x",
        r"~15x more impactful",
        r"Min memory BW +2\.7\d+ TB/s",
        r"Min memory +141\.1 GB",
        r"GPU +BW Sens +FLOPS Sens +Binding +Latency",
        r"A100 +-0\.8798 +-0\.0585 +memory_bandwidth +78\.27ms",
    ):
        assert re.search(words, out), f"{words} not in:\n{out}"
    assert not re.search(r"\bnan\b|\bNone\b|Lever\.", out)


@pytest.mark.parametrize(
    ("profiles", "speedup", "regime"),
    [("explanation", "1.39x", "Memory Bound"), ("explanation_batch", "2.65x", "Compute Bound")],
)
def test_the_explanation_begins_as_the_document_shows(run, profiles, speedup, regime):
    names, out = run(DIFFERENTIAL)
    head = "\n".join(
        [
            "📊 Differential Analysis: Proposal vs. Baseline",
            f"• Speedup: {speedup}",
            f"• Baseline Regime: {regime}",
            f"• Proposal Regime: {regime}",
            "",
            "Analysis: The",
        ]
    )
    assert str(names[profiles]).startswith(head)
    assert str(names[profiles]) in out
    assert f"The workload remained {regime}." in " ".join(str(names[profiles]).split())


def test_exercise_predict_before_you_compute():
    """As the document has it, without a batch size, and with the batch of 256 that it speaks of."""
    for options in ({}, {"batch_size": 256}):
        res = SensitivitySolver().solve(model=Models.ResNet50, hardware=Hardware.Cloud.H100, **options)
        assert res.binding_constraint in res.sensitivities
        largest = max(res.exact.values(), key=abs)
        assert res.exact[res.binding_constraint] == largest


def test_exercise_tighter_target():
    """A prompt of 512 tokens in 100 ms: 2·512·69.5e9 FLOP and more, above 700 TFLOP/s; 1.4 TB/s."""
    specs = SynthesisSolver().solve(
        model=Models.Llama3_70B,
        target_latency=Q_("100 ms"),
        phase="prefill",
        prompt=512,
        candidates=Hardware,
    )
    assert 700 < specs.required_flops.to("TFLOP/s").magnitude < 710
    assert 1.35 < specs.required_bw.to("TB/s").magnitude < 1.45
    names = {hw.name for hw in specs.meets}
    reasons = {hw.name: why for hw, why in specs.misses}
    assert Hardware.Cloud.H200.name in names
    assert "does not fit" in reasons[Hardware.Cloud.H100.name]
    assert len(names) + len(reasons) == len(Hardware)


def test_exercise_crossover_model_size():
    """At batch 1 no size shifts the constraint: the larger the model, the more bandwidth weighs."""
    results = [
        SensitivitySolver().solve(model=m, hardware=Hardware.Cloud.A100)
        for m in (Models.Llama3_8B, Models.Llama3_70B, Models.GPT3)
    ]
    assert {r.binding_constraint for r in results} == {"memory_bandwidth"}
    weights = [abs(r.exact["memory_bandwidth"]) for r in results]
    assert weights == sorted(weights)
    assert [r.fits for r in results] == [True, False, False]


def test_self_check():
    """Doubling FLOP/s is matched by about 3.6 % more bandwidth, less than the 6.7 % of 0.0585/0.88."""
    res = SensitivitySolver().solve(model=Models.Llama3_70B, hardware=Hardware.Cloud.A100)
    doubled = res.speedup("peak_flops", 2)
    low, high = 1.0, 2.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if res.speedup("memory_bandwidth", middle) < doubled else (low, middle)
    assert 1.03 < low < 1.04
    assert low - 1 < 0.0585 / 0.88
