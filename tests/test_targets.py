"""Numbers that the package must reproduce: the cards, the counting and the calibrations together.

Each row names what is computed, the value, the tolerance and where the value comes from. The derivations
are in the docstrings of the functions; unless a row says otherwise: fp16, an empty KV cache, one step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    CrossoverSolver,
    DifferentialExplainer,
    Engine,
    Hardware,
    Models,
    SensitivitySolver,
    SingleNodeModel,
    SynthesisSolver,
)

PHYSICS = "target of the design, reached twice by independent prototypes"
SEED = "printed in the two documents that the course starts from"
SHEET = "datasheet, as the card cites it"
HAND = "arithmetic, written out beside the row"


@dataclass(frozen=True)
class Target:
    what: str
    compute: Callable[[], Any]
    value: Any
    tolerance: float
    reference: str


def cloud(name: str) -> Accelerator:
    return getattr(Hardware.Cloud, name)


def elastic(hardware: str, **options: Any) -> Any:
    return SensitivitySolver().solve(model=Models.Llama3_70B, hardware=cloud(hardware), **options)


def step(hardware: str, batch: int = 1, **options: Any) -> Any:
    return Engine.solve(model=Models.Llama3_8B, hardware=cloud(hardware), batch_size=batch, **options)


def vision(hardware: str) -> Any:
    return Engine.solve(Models.ResNet50, cloud(hardware), 256, calibration="ideal")


def upgrade(batch: int, **options: Any) -> Any:
    return DifferentialExplainer.compare_performance(
        baseline=step("A100", batch, **options), proposal=step("H100", batch, **options)
    )


def ratio() -> float:
    levers = elastic("A100").sensitivities
    return levers["memory_bandwidth"] / levers["peak_flops"]


def least_batch(hardware: str, **options: Any) -> int | None:
    return CrossoverSolver().solve(Models.Llama3_8B, cloud(hardware), **options).value


def synthesis(**options: Any) -> Any:
    return SynthesisSolver().solve(model=Models.Llama3_70B, target_latency=Q_("50 ms"), **options)


def scaled() -> Any:
    return synthesis(calibration="serving", like=cloud("A100"))


def only_bandwidth() -> float:
    """Time of a token on an A100 whose bandwidth alone was raised to the textbook's 2.78 TB/s, in ms."""
    faster = replace(cloud("A100"), bandwidth=synthesis().required_bw)
    return Engine.solve(Models.Llama3_70B, faster).latency.to("ms").magnitude


def devices(hardware: str) -> int:
    return Engine.solve(Models.Llama3_70B, cloud(hardware)).fit.least_devices


def regimes(batch: int, **options: Any) -> tuple[str, str]:
    why = upgrade(batch, **options)
    return str(why.baseline.bottleneck), str(why.proposal.bottleneck)


MEMORY, COMPUTE = "Memory Bound", "Compute Bound"
LONG = {"batch": 256, "context": 1536}

TARGETS = [
    Target("A100 bandwidth, TB/s", lambda: cloud("A100").bandwidth_si / 1e12, 2.039, 0, SHEET),
    Target("A100 peak, TFLOP/s", lambda: cloud("A100").peak_si["fp16"] / 1e12, 312, 0, SHEET),
    Target("H100 bandwidth, TB/s", lambda: cloud("H100").bandwidth_si / 1e12, 3.35, 0, SHEET),
    Target("H100 peak, TFLOP/s", lambda: cloud("H100").peak_si["fp16"] / 1e12, 989, 0.5, SHEET),
    # Llama-3.1-70B on an A100, one sequence, `serving`
    Target(
        "elasticity to bandwidth",
        lambda: elastic("A100").sensitivities["memory_bandwidth"],
        -0.880,
        5e-4,
        SEED,
    ),
    Target("elasticity to FLOP/s", lambda: elastic("A100").sensitivities["peak_flops"], -0.0585, 5e-5, SEED),
    Target("their ratio", ratio, 15.0, 0.05, SEED),
    Target("latency, ms", lambda: elastic("A100").baseline_latency.to("ms").magnitude, 78.3, 0.05, PHYSICS),
    Target("exact to bandwidth", lambda: elastic("A100").exact["memory_bandwidth"], -0.871, 5e-4, PHYSICS),
    Target(
        "effect of 10 % more bandwidth",
        lambda: 1 / elastic("A100").speedup("memory_bandwidth", 1.1) - 1,
        -0.079,
        5e-4,
        PHYSICS,
    ),
    *(
        Target(
            f"constraint on {hw}", lambda hw=hw: elastic(hw).binding_constraint, "memory_bandwidth", 0, SEED
        )
        for hw in ("A100", "H100", "H200")
    ),
    # 70B parameters are 141.1 GB in fp16: two devices of 85.9e9 bytes, one of 150.8e9
    Target("70B in memory, GB", lambda: synthesis().required_memory.to("GB").magnitude, 141.1, 0.05, PHYSICS),
    Target("A100s for 70B", lambda: devices("A100"), 2, 0, PHYSICS),
    Target("H100s for 70B", lambda: devices("H100"), 2, 0, PHYSICS),
    Target("H200s for 70B", lambda: devices("H200"), 1, 0, PHYSICS),
    # 70B at 50 ms a token
    Target("least bandwidth, TB/s", lambda: synthesis().required_bw.to("TB/s").magnitude, 2.78, 5e-3, SEED),
    Target(
        "least bandwidth over that of an A100",
        lambda: synthesis().required_bw.to("TB/s").magnitude / 2.039,
        1.36,
        5e-3,
        SEED,
    ),
    Target("the default of synthesis", lambda: synthesis().profile.calibration.name, "ideal", 0, PHYSICS),
    Target("scale of an A100", lambda: scaled().scale, 1.636, 5e-4, PHYSICS),
    Target("its bandwidth, TB/s", lambda: scaled().required_bw.to("TB/s").magnitude, 3.34, 5e-3, PHYSICS),
    Target("its peak, TFLOP/s", lambda: scaled().required_flops.to("TFLOPs/s").magnitude, 510, 0.6, PHYSICS),
    Target("bandwidth alone is not enough, ms", only_bandwidth, 60.1, 0.05, PHYSICS),
    # Llama-3-8B, A100 to H100
    Target("speed-up, batch 1", lambda: upgrade(1).speedup, 1.393, 5e-4, SEED),
    Target("regimes, batch 1", lambda: regimes(1), (MEMORY, MEMORY), 0, SEED),
    Target("speed-up, batch 256", lambda: upgrade(256).speedup, 2.646, 5e-4, SEED),
    Target("regimes, batch 256", lambda: regimes(256), (COMPUTE, COMPUTE), 0, SEED),
    Target("speed-up, ideal", lambda: upgrade(256, calibration="ideal").speedup, 2.749, 5e-4, PHYSICS),
    Target("regimes, ideal", lambda: regimes(256, calibration="ideal"), (COMPUTE, MEMORY), 0, PHYSICS),
    Target(
        "memory at 1,536 tokens, GB", lambda: step("H100", **LONG).fit.required / 1e9, 67.6, 0.05, PHYSICS
    ),
    Target(
        "which fits", lambda: (step("A100", **LONG).fits, step("H100", **LONG).fits), (True, True), 0, PHYSICS
    ),
    Target("regimes at 1,536 tokens", lambda: regimes(256, context=1536), (COMPUTE, MEMORY), 0, PHYSICS),
    # factors and links of the two upgrades
    Target("bandwidth, batch 1", lambda: upgrade(1).factors["bandwidth"], 1.345, 5e-4, PHYSICS),
    Target("compute, batch 1", lambda: upgrade(1).factors["compute"], 1.036, 5e-4, PHYSICS),
    Target("bandwidth, batch 256", lambda: upgrade(256).factors["bandwidth"], 1.036, 5e-4, PHYSICS),
    Target("compute, batch 256", lambda: upgrade(256).factors["compute"], 2.553, 5e-4, PHYSICS),
    Target("promised, batch 1", lambda: upgrade(1).delivery.promised, 1.643, 5e-4, PHYSICS),
    Target("other phase, batch 1", lambda: upgrade(1).delivery.other_phase, 1.031, 5e-4, PHYSICS),
    Target("overhead, batch 1", lambda: upgrade(1).delivery.overhead, 0.823, 5e-4, PHYSICS),
    Target("promised, batch 256", lambda: upgrade(256).delivery.promised, 3.170, 5e-4, PHYSICS),
    Target("other phase, batch 256", lambda: upgrade(256).delivery.other_phase, 0.952, 5e-4, PHYSICS),
    Target("overhead, batch 256", lambda: upgrade(256).delivery.overhead, 0.877, 5e-4, PHYSICS),
    # least batch at which 8B decode is compute bound
    Target("A100, serving", lambda: least_batch("A100"), 41, 0, PHYSICS),
    Target("H100, serving", lambda: least_batch("H100"), 81, 0, PHYSICS),
    Target("A100, ideal", lambda: least_batch("A100", calibration="ideal"), 154, 0, PHYSICS),
    Target("H100, ideal", lambda: least_batch("H100", calibration="ideal"), 296, 0, PHYSICS),
    # A sequence brings 2P + 4Lhe·s = 15.01e9 + 524,288·s FLOP and 131,072·s B: compute wins at large batches
    # while (15.01e9 + 524,288·s)/(0.275·peak) > 131,072·s/bandwidth, s < 3,007.3 (A100), s < 1,483.7 (H100)
    Target("A100 at 3,007 tokens", lambda: least_batch("A100", context=3007) is None, False, 0, HAND),
    Target("A100 at 3,008 tokens", lambda: least_batch("A100", context=3008), None, 0, PHYSICS),
    Target("H100 at 1,483 tokens", lambda: least_batch("H100", context=1483) is None, False, 0, HAND),
    Target("H100 at 1,485 tokens", lambda: least_batch("H100", context=1485), None, 0, PHYSICS),
    # ResNet-50 at batch 256, textbook: 8.178 GFLOP and 4·11.11e6 B a sample, 51.1e6 B of weights
    Target(
        "ResNet-50 intensity, FLOP/B",
        lambda: vision("A100").arithmetic_intensity.magnitude,
        256 * 8.178e9 / (256 * 4 * 11.11e6 + 51.1e6),
        0.5,
        HAND,
    ),
    Target("ResNet-50 on A100", lambda: str(vision("A100").bottleneck), COMPUTE, 0, HAND),
    Target("ResNet-50 on H100", lambda: str(vision("H100").bottleneck), MEMORY, 0, HAND),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.what)
def test_the_target_comes_out(target):
    got = target.compute()
    if target.tolerance:
        assert got == pytest.approx(target.value, abs=target.tolerance), target.reference
    else:
        assert got == target.value, target.reference


def test_every_target_has_a_name_of_its_own():
    assert len({t.what for t in TARGETS}) == len(TARGETS)


def test_the_textbook_is_never_slower_than_what_is_expected():
    """Language models on the datacenter's devices that publish fp16: `ideal` bounds `serving` from below."""
    devices = [cloud(name) for name in ("A100", "H100", "H200", "B200", "L4", "T4", "V100", "MI300X")]
    for model in (Models.GPT2, Models.Llama3_8B, Models.Mistral_7B, Models.Llama3_405B):
        for hardware in devices:
            share = SingleNodeModel().solve(model, hardware).roofline_share
            assert 0 < share < 1, f"{model} on {hardware}"
