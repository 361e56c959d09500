"""`solve`, `serve`, `sensitivity` and `synthesize` say what the solvers say."""

import pytest

from mlsysim import Q_, Engine, Hardware, Models, SensitivitySolver, ServingModel, SynthesisSolver, Systems

MODEL = ("--model", "Llama3_8B")
GPU = ("--hardware", "H100")


def milliseconds(figure):
    return Q_(figure["value"], figure["unit"]).to("ms").magnitude


@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ("", {}),
        ("--batch-size 8 --context 4096", {"batch_size": 8, "context": 4096}),
        ("--phase prefill --prompt 512", {"phase": "prefill", "prompt": 512}),
        ("--precision fp8 --calibration ideal", {"precision": "fp8", "calibration": "ideal"}),
        ("--efficiency 0.5 --batch-size 256", {"efficiency": 0.5, "batch_size": 256}),
        ("--devices 4", {"tp_size": 4}),
        ("--devices 4 --link PCIe_5_x16", {"tp_size": 4, "link": Systems.PCIe_5_x16}),
    ],
)
def test_solve(flags, options, run):
    figures = run("solve", *MODEL, *GPU, *flags.split())["figures"]
    profile = Engine.solve(Models.Llama3_8B, Hardware.H100, **options)

    assert milliseconds(figures["latency"]) == profile.latency.to("ms").magnitude
    assert figures["bottleneck"] == str(profile.bottleneck)
    assert figures["mfu"] == profile.mfu
    assert figures["fits"] is True


def test_a_network_that_is_no_language_model(run):
    figures = run("solve", "--model", "ResNet50", *GPU, "--batch-size", "32")["figures"]

    assert figures["throughput"]["unit"] == "sample/s"


def test_what_does_not_fit_has_no_times(run):
    data = run("solve", "--model", "Llama3_70B", *GPU)

    assert data["figures"]["latency"] is None
    assert data["figures"]["fits"] is False
    assert data["figures"]["memory_required"]["value"] > 140


def test_serve(run):
    words = "--batch-size 16 --prompt 1024 --output-tokens 256 --shared-prefix 128 --precision fp8"
    figures = run("serve", *MODEL, *GPU, *words.split())["figures"]
    result = ServingModel().solve(
        Models.Llama3_8B, Hardware.H100, 16, "fp8", prompt=1024, output=256, shared_prefix=128
    )

    assert milliseconds(figures["ttft"]) == result.ttft.to("ms").magnitude
    assert milliseconds(figures["tpot"]) == result.tpot.to("ms").magnitude
    assert figures["max_concurrency"] == result.max_concurrency


def test_serve_says_how_many_fit_where_the_batch_does_not(run):
    words = "--batch-size 4096 --prompt 8192 --output-tokens 256"
    figures = run("serve", *MODEL, *GPU, *words.split())["figures"]

    assert figures["fits"] is False
    assert figures["ttft"] is figures["throughput"] is None
    assert figures["max_concurrency"] > 0


def test_sensitivity(run):
    data = run("sensitivity", "--model", "Llama3_70B", "--hardware", "A100", "--perturbation", "5")
    result = SensitivitySolver().solve(Models.Llama3_70B, Hardware.A100, perturbation_pct=5)

    assert data["figures"]["binding_constraint"] == "memory_bandwidth"
    assert data["figures"]["elasticity_to_memory_bandwidth"] == result.exact["memory_bandwidth"]
    assert data["results"][0]["sensitivities"] == {str(k): v for k, v in result.sensitivities.items()}


def test_sensitivity_shows_what_more_would_bring(run):
    text = run("sensitivity", *MODEL, "--hardware", "A100", "--calibration", "ideal", output="text")

    assert "memory_bandwidth" in text
    assert "2.000x" in text


def test_synthesize(run):
    data = run("synthesize", "--model", "Llama3_70B", "--target-latency", "50 ms")
    result = SynthesisSolver().solve(Models.Llama3_70B, Q_("50 ms"), candidates=list(Hardware.Cloud))

    assert data["figures"]["required_bandwidth"]["value"] == result.required_bw.magnitude
    assert data["meets"] == [hw.name for hw in result.meets]
    assert set(data["misses"]) == {hw.name for hw, _ in result.misses}
    assert len(data["meets"]) + len(data["misses"]) == len(Hardware.Cloud)


def test_synthesize_among_other_devices(run):
    words = ("--target-latency", "50 ms", "--candidates", "edge", "--precision", "int4")
    data = run("synthesize", *MODEL, *words)

    assert data["figures"]["candidates_that_meet_it"] == len(data["meets"])
    assert len(data["meets"]) + len(data["misses"]) == len(Hardware.Edge)


def test_synthesize_keeps_the_balance_of_a_device(run):
    words = ("--target-latency", "50 ms", "--calibration", "serving")
    data = run("synthesize", *MODEL, *GPU, *words)
    h100 = Hardware.H100
    balance = data["figures"]["required_flops"]["value"] / data["figures"]["required_bandwidth"]["value"]

    assert balance == pytest.approx(h100.peak_si["fp16"] / h100.bandwidth_si)


def test_limits_are_those_of_the_step(run, write):
    """One file serves `solve`, `sensitivity` and `synthesize`."""
    path = write(
        "model.name = 'Llama3_8B'\nhardware.name = 'H100'\ntarget.latency = '5 ms'\n"
        "assert.latency = '<= 6 ms'\nassert.fits = true"
    )

    assert run("solve", path, code=3)["limits"][0]["met"] is False
    assert run("sensitivity", path, code=3)["limits"][0]["met"] is False
    assert run("synthesize", path)["limits"][0]["met"] is True


def test_a_title_stands_above_what_was_asked(run, write):
    path = write("title = 'Ours'\nmodel.name = 'Llama3_8B'\nhardware.name = 'H100'")

    assert run("solve", path, output="text").startswith(
        "Ours\n\n  Configuration         Llama-3.1-8B on NVIDIA H100"
    )
