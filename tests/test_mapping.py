"""A row becomes a call of the public API, or a reason."""

import re
from pathlib import Path

import pytest

from mlsysim import Engine, Hardware, Models, Precision, ServingModel, Systems
from mlsysim.core.calibration import PRESETS
from mlsysim.mapping import _FABRICS, _VARIANTS, STACKS, NotMappedError, is_sourced, map_row, stack
from mlsysim.measurements import Measurement, read

TABLE = Path(__file__).parents[1] / "data" / "measurements.csv"

CELLS = {
    "id": "a",
    "category": "1_llm_decode_b1",
    "model": "Llama-3-8B",
    "hardware": "an H100 in a box",
    "hardware_key": "H100 SXM 80GB",
    "n_devices": "1",
    "parallelism": "tp1",
    "precision_weights": "fp16",
    "precision_compute": "fp16",
    "batch_or_concurrency": "1",
    "input_len": "100",
    "output_len": "50",
    "software": "TensorRT-LLM 0.9.0",
    "metric": "decode_tokens_per_s",
    "unit": "tok/s",
    "confidence": "high",
    "source": "somebody",
    "notes": "",
}
VISION = {
    "category": "5_vision_nlp_reco",
    "model": "ResNet-50",
    "input_len": "224x224",
    "output_len": "",
    "software": "TensorRT",
    "batch_or_concurrency": "32",
}


def row(**cells: str) -> Measurement:
    return Measurement(file="t.csv", line=2, cells=CELLS | cells, value=1.0)


def seconds(*args, **keywords) -> float:
    return Engine.solve(*args, **keywords).latency.to("s").magnitude


H100, A100, LLAMA = Hardware.H100, Hardware.A100, Models.Llama3_8B


def test_decode_runs_at_the_mean_context():
    time = seconds(LLAMA, H100, phase="decode", context=125, calibration="tuned")

    assert map_row(row()).predict() == pytest.approx(1 / time)


def test_throughput_is_that_of_a_static_batch():
    asked = row(
        category="2_llm_throughput",
        metric="output_tokens_per_s_per_gpu",
        batch_or_concurrency="64",
        parallelism="tp2",
        n_devices="2",
    )
    prefill = seconds(LLAMA, H100, 64, phase="prefill", prompt=100, tp_size=2, calibration="tuned")
    decode = seconds(LLAMA, H100, 64, phase="decode", context=125, tp_size=2, calibration="tuned")
    whole = ServingModel().solve(LLAMA, H100, 64, prompt=100, output=50, tp_size=2, calibration="tuned")

    assert map_row(asked).predict() == pytest.approx(64 * 50 / (prefill + 49 * decode) / 2)
    assert map_row(asked).predict() == pytest.approx(whole.throughput.magnitude / 2)


def test_prefill_is_a_time_or_a_rate():
    time = seconds(LLAMA, H100, 2, phase="prefill", prompt=100, calibration="tuned")
    common = {"category": "3_prefill_ttft", "batch_or_concurrency": "2"}

    assert map_row(row(metric="time_to_first_token", **common)).predict() == pytest.approx(time * 1e3)
    assert map_row(row(metric="prefill_tokens_per_s", **common)).predict() == pytest.approx(200 / time)


def test_a_forward_pass_is_a_time_or_a_rate():
    time = seconds(Models.ResNet50, H100, 32, calibration="vision_tensorrt")

    assert map_row(row(metric="inference_latency", **VISION)).predict() == pytest.approx(time * 1e3)
    assert map_row(row(metric="inference_images_per_s", **VISION)).predict() == pytest.approx(32 / time)


def test_an_encoder_reads_its_sequence():
    asked = VISION | {"model": "BERT-large", "input_len": "384", "metric": "inference_sequences_per_s"}
    time = seconds(Models["BERT-large"], H100, 32, prompt=384, calibration="vision_tensorrt")

    assert map_row(row(**asked)).predict() == pytest.approx(32 / time)


def test_whisper_reads_its_window_and_writes_a_token():
    asked = {"category": "5_vision_nlp_reco", "model": "Whisper-medium", "software": "whisper.cpp"}
    read_window = map_row(row(metric="encoder_latency_30s_window", input_len="1500 audio frames", **asked))
    write = map_row(row(metric="decoder_latency_per_token_b1", input_len="1", **asked))
    model, preset = Models["Whisper-medium"], stack("whisper.cpp", "prefill")
    prefill = seconds(model, H100, phase="prefill", calibration=preset)
    decode = seconds(model, H100, phase="decode", context=1, calibration=preset)

    assert read_window.predict() == pytest.approx(1e3 * prefill)
    assert write.predict() == pytest.approx(1e3 * decode)


def test_the_key_goes_before_the_name_and_a_variant_before_both():
    assert map_row(row()).hardware is H100
    assert map_row(row(hardware="A100 SXM 80GB", hardware_key="")).hardware is A100
    assert (
        map_row(row(hardware="V100 SXM2 16GB", hardware_key="V100 SXM2 32GB")).hardware
        is Hardware["V100 SXM2 16GB"]
    )


def test_a_modified_device_is_the_card_that_describes_it():
    cells = {"hardware": "H100 96GB HBM2e (500 W)", "precision_weights": "bf16", "precision_compute": "bf16"}
    assert map_row(row(**cells)).hardware is Hardware.H100_96GB_HBM2e
    capped = map_row(row(hardware="A100-SXM4-80GB (power limited to 330 W)", hardware_key="A100 SXM 80GB"))
    assert (capped.hardware, capped.remarks) == (A100, ("power limit below the card's",))


@pytest.mark.parametrize("card", [card for _, card in _VARIANTS if card])
def test_every_variant_has_its_card(card):
    assert Hardware[card]


@pytest.mark.parametrize("fabric", _FABRICS.values())
def test_every_fabric_has_its_card(fabric):
    assert getattr(Systems.Fabrics, fabric)


@pytest.mark.parametrize(
    ("stored", "arithmetic", "bits", "compute"),
    [
        ("fp16", "fp16", 16, "fp16"),
        ("fp16 amp", "fp16 amp", 16, "fp16"),
        ("fp8", "fp8", 8, "fp8"),
        ("int8", "int8", 8, "int8"),
        ("int8", "bf16", 8, "bf16"),
        ("int4", "fp16", 4.125, "fp16"),
        ("q4_k_m (4.5-4.8 bit)", "fp16/int8 mixed (CUDA) or Metal", 4.85, "fp16"),
        ("q8_0", "fp16 Metal", 8.5, "fp16"),
        ("EXL2 3.5 bpw", "fp16", 3.5, "fp16"),
        ("GPTQ g128", "fp16", 4.125, "fp16"),
        ("int4 (MLC q4f16)", "fp16", 4.5, "fp16"),
        ("w4a16 (per tutorial; not in the json)", "fp16", 4.125, "fp16"),
    ],
)
def test_number_formats(stored, arithmetic, bits, compute):
    found = map_row(row(precision_weights=stored, precision_compute=arithmetic)).precision

    assert isinstance(found, Precision)
    assert (found.weight_bits, found.compute) == (bits, compute)
    assert found.kv_bits == (8 if stored == "fp8" else 16)


@pytest.mark.parametrize(("length", "tokens"), [("128", 128), ("~8", 8), ("128 (not stated)", 128), ("0", 0)])
def test_lengths(length, tokens):
    assert map_row(row(input_len=length)).prompt == tokens


def test_a_length_that_is_not_stated_is_assumed_for_one_sequence_alone():
    run = map_row(row(input_len="short", output_len="n/s"))

    assert (run.prompt, run.output, run.context) == (16, 128, 80)
    assert run.remarks == ("input_len short, taken as 16", "output_len n/s, taken as 128")
    with pytest.raises(NotMappedError, match="input_len not given as a number: short"):
        map_row(row(input_len="short", batch_or_concurrency="2"))


def test_a_sequence_longer_than_the_context_is_remarked():
    run = map_row(row(category="2_llm_throughput", metric="output_tokens_per_s_total", output_len="200000"))

    assert run.predict() > 0
    assert run.remarks == ("200,100 tokens, beyond the context of the network",)


def test_a_layer_split_keeps_one_device_at_work():
    split = {"parallelism": "layer-split pp4", "n_devices": "4", "hardware_key": "A100 SXM 80GB"}
    one = map_row(row(hardware_key="A100 SXM 80GB"))

    assert map_row(row(**split)).predict() == pytest.approx(one.predict())


@pytest.mark.parametrize(("prompt", "speedup"), [("512", 1.0), ("1024", 2 * 4 / 5), ("4096", 4 * 4 / 7)])
def test_the_parts_of_a_long_prompt_follow_each_other_through_a_layer_split(prompt, speedup):
    cells = {"category": "3_prefill_ttft", "metric": "prefill_tokens_per_s", "input_len": prompt}
    split = map_row(row(parallelism="layer-split pp4", n_devices="4", **cells))

    assert split.predict() == pytest.approx(speedup * map_row(row(**cells)).predict())


def test_tensor_parallel_devices_are_joined_by_their_own_link_or_by_what_the_row_says():
    pair = {"parallelism": "tp2", "n_devices": "2"}
    slow = map_row(row(notes="all numbers based on PCIe, not NVLink", **pair))

    assert map_row(row(**pair)).link is None
    assert slow.link is Systems.Fabrics.PCIe_4_x16
    assert slow.predict() < map_row(row(**pair)).predict()


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"category": "9_kernel_peak"}, "category not covered yet"),
        ({"confidence": "low"}, "confidence low"),
        ({"metric": "happiness"}, "metric not covered: happiness"),
        ({"batch_or_concurrency": "max (in-flight)"}, "in-flight batching hides the batch"),
        ({"batch_or_concurrency": "many"}, "batch not given as a number: many"),
        ({"batch_or_concurrency": "0"}, "batch not given as a number: 0"),
        ({"model": "Llama-99"}, "network not in the zoo: Llama-99"),
        ({"hardware": "abacus", "hardware_key": ""}, "device not in the zoo: abacus"),
        ({"hardware": "MI250X (one GCD)"}, "another variant than the card: MI250X (one GCD)"),
        ({"parallelism": "tp2"}, "parallelism not covered yet: tp2, 1 devices"),
        ({"parallelism": "dp8", "n_devices": "8"}, "parallelism not covered yet: dp8, 8 devices"),
        ({"precision_weights": "fp5"}, "number format not known: weights fp5, compute fp16"),
        ({"precision_weights": "fp32"}, "number format not known: weights fp32, compute fp16"),
        ({"hardware_key": "TPU v4"}, "no published fp16 peak: Google TPU v4"),
        ({"metric": "single_stream_p90_latency"}, "requests of a data set: lengths not given as numbers"),
        (VISION | {"metric": "decode_tokens_per_s"}, "decode_tokens_per_s is not of this family: ResNet-50"),
        (
            VISION | {"metric": "latency", "input_len": "320x320"},
            "image size not that of the network: 320x320",
        ),
        (
            VISION | {"metric": "latency", "precision_weights": "fp32", "precision_compute": "fp32"},
            "fp32 or TF32: not stated",
        ),
        (
            {"parallelism": "tp2", "n_devices": "2", "hardware_key": "L4 24GB"},
            "no published link: NVIDIA L4 24GB",
        ),
        (
            VISION
            | {
                "metric": "latency",
                "hardware_key": "STM32L4R5",
                "precision_weights": "int8",
                "precision_compute": "int8",
            },
            "no published bandwidth: STMicroelectronics STM32L4R5",
        ),
    ],
)
def test_what_cannot_be_mapped_says_why(cells, reason):
    with pytest.raises(NotMappedError, match=re.escape(reason)):
        map_row(row(**cells))


def test_sourced_means_that_the_device_has_the_figures():
    assert is_sourced(row())
    assert not is_sourced(row(hardware="abacus", hardware_key=""))
    assert not is_sourced(row(hardware_key="TPU v4"))
    assert not is_sourced(row(hardware_key="STM32L4R5", precision_weights="int8", precision_compute="int8"))


@pytest.mark.parametrize(
    ("software", "step", "preset"),
    [
        ("TensorRT-LLM 0.9.0 gptSessionBenchmark, static batch", "request", "tuned"),
        ("vLLM (Nov 2023)", "decode", "serving"),
        ("TensorRT", "forward", "vision_tensorrt"),
        ("MLPerf v3.0 L4x1_TRT, closed, NVIDIA", "forward", "vision_tensorrt"),
        ("PyTorch 2.4 torch.compile NCHW", "forward", "vision"),
        ("TensorRT", "decode", None),
        ("abacus", "decode", None),
    ],
)
def test_the_software_chooses_the_preset(software, step, preset):
    assert stack(software, step) == preset


def test_the_closest_preset_that_exists_is_taken(monkeypatch):
    assert stack("gpt-fast", "decode") in {"single_user_gptfast", "single_user", "serving"}
    monkeypatch.setitem(PRESETS, "single_user_gptfast", PRESETS["ideal"])
    assert stack("gpt-fast (PyTorch nightly)", "decode") == "single_user_gptfast"


def test_the_last_resort_of_every_stack_exists():
    assert {names[-1] for _, names in STACKS} <= set(PRESETS)


def test_every_stack_is_met_in_the_public_table():
    """A pattern that nothing matches would be a dead one."""
    software = {found["software"] for found in read(TABLE)}

    assert [p for p, _ in STACKS if not any(re.search(p, s, re.IGNORECASE) for s in software)] == []
