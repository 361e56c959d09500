"""A row of a training run becomes a call of ``DistributedModel``, or a reason."""

import csv
import re
from pathlib import Path

import pytest

from mlsysim import Fleet, Hardware, Models, Systems
from mlsysim.core.calibration import PRESETS
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.training import Attention, flops_per_token
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.systems import Node
from mlsysim.core.training_step import Overlap
from mlsysim.mapping import NotMappedError
from mlsysim.mapping_training import CATEGORY, is_sourced_training, map_training
from mlsysim.measurements import Measurement, read
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.validation import validate

TABLE = Path(__file__).parents[1] / "data" / "measurements.csv"

CELLS = {
    "id": "a",
    "category": CATEGORY,
    "model": "LLAMA3_8B",
    "hardware": "H100 SXM 80GB",
    "hardware_key": "H100 SXM 80GB",
    "n_devices": "8",
    "parallelism": "tp1 pp1 cp1 ep1 fsdp8",
    "precision_weights": "",
    "precision_compute": "bf16",
    "batch_or_concurrency": "128",
    "input_len": "8192",
    "output_len": "",
    "software": "NeMo container 25.11, MBS 1",
    "metric": "training_tokens_per_s_per_gpu",
    "unit": "tok/s/GPU",
    "confidence": "high",
    "source": "somebody",
    "notes": "",
}


def row(**cells: str) -> Measurement:
    return Measurement(file="t.csv", line=2, cells=CELLS | cells, value=1.0)


def fleet(nodes: int = 1) -> Fleet:
    return Fleet(name="H100", node=Systems.Nodes.DGX_H100, nodes=nodes, fabric=Systems.Fabrics.InfiniBand_NDR)


@pytest.fixture(scope="module")
def step():
    """What a reader would ask for the row above."""
    return DistributedModel().solve(
        Models.Llama3_8B,
        fleet(),
        128,
        "bf16",
        prompt=8192,
        split=Parallelism(dp_size=8, zero_stage=Zero.WEIGHTS),
        calibration="training",
    )


def test_a_run_is_asked_as_a_reader_would(step):
    run = map_training(row())

    assert run.predict() == pytest.approx(128 * 8192 / (8 * step.step.total))
    assert run.calibration == "training"
    assert run.remarks == ()


@pytest.mark.parametrize(
    ("metric", "unit", "asked"),
    [
        ("iteration_time", "s", lambda s: s.step.total),
        ("model_tflops_per_gpu", "TFLOP/s/GPU", lambda s: s.flops_rate().magnitude),
        ("hardware_tflops_per_gpu", "TFLOP/s/GPU", lambda s: s.flops_rate(recomputed=True).magnitude),
        ("mfu", "%", lambda s: 100 * s.mfu()),
        ("hfu_percent_of_peak", "%", lambda s: 100 * s.hfu()),
    ],
)
def test_each_metric_is_the_steps(step, metric, unit, asked):
    assert map_training(row(metric=metric, unit=unit)).predict() == pytest.approx(asked(step))


def test_the_units_fit_together():
    """Tokens/s times FLOP of a token are FLOP/s; over the peak they are the utilisation."""
    tokens = map_training(row()).predict()
    tflops = map_training(row(metric="model_tflops_per_gpu", unit="TFLOP/s/GPU")).predict()
    mfu = map_training(row(metric="mfu", unit="%")).predict()

    assert tflops == pytest.approx(tokens * flops_per_token(Models.Llama3_8B, 8192.0) / 1e12)
    assert mfu == pytest.approx(1e14 * tflops / Hardware.H100.require_peak("bf16"))


@pytest.mark.parametrize(
    ("software", "pairs"),
    [
        ("llm-foundry / Composer (2023)", Attention.FULL),
        ("Megatron-LM (2021)", Attention.FULL),
        ("NeMo container 25.11, MBS 1", Attention.CAUSAL),
        ("torchtitan (Dec 2024) FSDP", Attention.CAUSAL),
    ],
)
def test_the_software_tells_which_pairs_its_rates_count(software, pairs):
    assert map_training(row(software=software)).attention is pairs


def test_counting_all_pairs_is_a_higher_rate_of_the_same_step():
    full = map_training(row(metric="mfu", unit="%", software="llm-foundry, microbatch 1"))
    half = map_training(row(metric="mfu", unit="%"))

    assert full.solve().step == half.solve().step
    assert full.predict() > half.predict()


@pytest.mark.parametrize(
    ("text", "devices", "split"),
    [
        ("tp1 pp1 cp1 vp4 ep8", 8, Parallelism(dp_size=8, ep_size=8, zero_stage=1)),
        ("fsdp dp8", 8, Parallelism(dp_size=8, zero_stage=3)),
        ("fsdp8 tp8 pp8", 512, Parallelism(dp_size=8, tp_size=8, pp_size=8, zero_stage=1)),
        ("fsdp32 tp8", 256, Parallelism(dp_size=32, tp_size=8, zero_stage=3)),
        ("fsdp2 cp4", 8, Parallelism(dp_size=2, cp_size=4, zero_stage=3)),
        ("tp8 cp1 pp16 dp4 (fsdp)", 512, Parallelism(dp_size=4, tp_size=8, pp_size=16, zero_stage=1)),
        ("tp2 pp2 vp4", 8, Parallelism(dp_size=2, tp_size=2, pp_size=2, interleave=4, zero_stage=1)),
        ("tp*pp=4 dp=32", 128, Parallelism(dp_size=32, tp_size=4, zero_stage=1)),
        ("tp*pp=32 dp=4", 128, Parallelism(dp_size=4, tp_size=8, pp_size=4, zero_stage=1)),
    ],
)
def test_sizes(text, devices, split):
    """Copies are what the other sizes leave; parts without a pipeline are none."""
    assert map_training(row(parallelism=text, n_devices=str(devices), software="MBS 1")).split == split


@pytest.mark.parametrize(
    ("cells", "recompute"),
    [
        ({}, Recompute.NONE),
        ({"notes": "activation checkpointing True, microbatch 8"}, Recompute.FULL),
        ({"notes": "activation checkpointing False, microbatch 8"}, Recompute.NONE),
        ({"notes": "Full activation checkpointing."}, Recompute.FULL),
        ({"notes": "Selective activation checkpointing; 33% MFU."}, Recompute.SELECTIVE),
        ({"notes": "FLOPs INCLUDE activation recomputation (hardware FLOPs)"}, Recompute.FULL),
        ({"software": "Megatron-LM pretrain_gpt3_175B"}, Recompute.FULL),
    ],
)
def test_recomputation_is_read_from_software_and_notes(cells, recompute):
    assert map_training(row(**cells)).recompute is recompute


@pytest.mark.parametrize(
    ("cells", "microbatch", "remarks"),
    [
        ({}, 1, 0),
        ({"software": "NeMo, MBS 4"}, 4, 0),
        ({"software": "llm-foundry", "notes": "FULL_SHARD, microbatch 8, global batch 128"}, 8, 0),
        ({"software": "torchtitan (Dec 2024)", "batch_or_concurrency": "16"}, 2, 0),
        ({"software": "torchtitan (Dec 2024)", "batch_or_concurrency": "local 3"}, 3, 0),
        ({"software": "torchtitan", "parallelism": "dp4 pp2"}, 1, 1),
        ({"software": "somebody"}, 1, 1),
    ],
)
def test_the_microbatch_is_stated_or_torchtitans_or_one(cells, microbatch, remarks):
    run = map_training(row(**cells))

    assert run.microbatch_size == microbatch
    assert len(run.remarks) == remarks


@pytest.mark.parametrize(("text", "batch"), [("128", 128), ("local 2", 16), ("2M tokens", 256)])
def test_the_batch_is_that_of_all_copies(text, batch):
    assert map_training(row(batch_or_concurrency=text)).batch_size == batch


def test_tokens_that_do_not_divide_leave_a_remainder_out():
    """A million tokens are 512 sequences of 2,048; 25 copies share 500."""
    run = map_training(
        row(batch_or_concurrency="1M tokens", input_len="2048", n_devices="25", parallelism="dp25")
    )

    assert run.batch_size == 500


@pytest.mark.parametrize(
    ("text", "stored", "compute"),
    [
        ("bf16", 16, "bf16"),
        ("amp_bf16", 16, "bf16"),
        ("fp16", 16, "fp16"),
        ("fp8", 16, "fp8"),
        ("fp8-cs (fp8-mx)", 16, "fp8"),
        ("mxfp8", 16, "fp8"),
    ],
)
def test_number_formats_are_those_of_products(text, stored, compute):
    """Weights and activations stay in 16 bits."""
    found = map_training(row(precision_compute=text)).precision

    assert (found.weight_bits, found.kv_bits, found.activation_bits) == (stored, 16, 16)
    assert found.compute == compute


def test_four_bit_products_run_at_the_peak_for_four_bits():
    run = map_training(row(precision_compute="nvfp4", hardware_key="GB200 (per GPU) 186GB"))

    assert run.precision.compute == "fp4"
    assert run.solve().terms.peak == Hardware["GB200 (per GPU) 186GB"].require_peak("fp4")


def test_devices_stand_in_the_nodes_that_are_sold():
    run = map_training(row(n_devices="20", parallelism="dp20", batch_or_concurrency="20"))

    assert (run.fleet.node, run.fleet.nodes) == (
        Node(
            name=Systems.Nodes.DGX_H100.name,
            accelerator=Hardware.H100,
            devices=8,
            link=Systems.Nodes.DGX_H100.link,
        ),
        3,
    )
    assert run.fleet.fabric is Systems.Fabrics.InfiniBand_NDR


def test_networks_under_other_names():
    run = map_training(
        row(model="DeepSeekV3 (w/o MTP)", parallelism="pp4 ep8", n_devices="32", input_len="4096")
    )

    assert run.model is Models.DeepSeek_V3
    assert run.remarks == ("without multi-token prediction",)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"confidence": "low"}, "confidence low"),
        ({"metric": "time_to_train", "unit": "s"}, "metric not covered: time_to_train in s"),
        ({"unit": "tok/s"}, "metric not covered: training_tokens_per_s_per_gpu in tok/s"),
        ({"model": "MaxText GPT 32B"}, "network not in the zoo: MaxText GPT 32B"),
        ({"model": "ResNet-50"}, "training is split for decoder transformers alone: ResNet-50"),
        ({"hardware_key": "", "hardware": "abacus"}, "device not in the zoo: abacus"),
        ({"hardware_key": "TPU v4"}, "no node and network known: TPU v4"),
        ({"hardware_key": "A100 SXM 80GB", "precision_compute": "fp8"}, "no published fp8 peak"),
        ({"precision_compute": ""}, "number format not known: empty"),
        ({"precision_compute": "fp16/fp8"}, "number format not known: fp16/fp8"),
        ({"n_devices": ""}, "n_devices not given as a number: empty"),
        ({"input_len": ""}, "input_len not given as a number: empty"),
        ({"input_len": "0"}, "input_len not given as a number: 0"),
        ({"batch_or_concurrency": "many"}, "batch_or_concurrency not given as a number: many"),
        ({"parallelism": ""}, "parallelism not given in sizes: empty"),
        ({"parallelism": "fsdp"}, "parallelism not given in sizes: fsdp"),
        ({"parallelism": "fsdp/tp"}, "parallelism not given in sizes: fsdp/tp"),
        ({"parallelism": "tp8 on one slice"}, "parallelism not given in sizes: tp8 on one slice"),
        ({"parallelism": "tp8 dp4"}, "sizes do not multiply to 8 devices: tp8 dp4"),
        ({"parallelism": "tp3"}, "sizes do not multiply to 8 devices: tp3"),
        ({"batch_or_concurrency": "12"}, "batch 12 is no multiple of dp 8 x microbatch 1"),
    ],
)
def test_what_cannot_be_mapped_says_why(cells, reason):
    with pytest.raises(NotMappedError, match=re.escape(reason)):
        map_training(row(**cells))


def test_sourced_means_that_the_device_has_the_figures():
    assert is_sourced_training(row())
    assert not is_sourced_training(row(hardware_key="", hardware="abacus"))
    assert not is_sourced_training(row(precision_compute="fp16/fp8"))
    assert not is_sourced_training(row(hardware_key="A100 SXM 80GB", precision_compute="fp8"))


def test_a_calibration_and_an_overlap_replace_the_runs_own():
    run = map_training(row(parallelism="tp8"))
    hidden = Overlap(name="hidden", source="a test", exchange=1.0, data=1.0)

    assert run.predict("ideal") > run.predict(PRESETS["training"]) == run.predict()
    assert run.predict(overlap=hidden) > run.predict()


@pytest.fixture(scope="module")
def public():
    return validate(TABLE, CATEGORY).categories[CATEGORY]


def test_the_public_table_is_scored(public):
    """Nearly all whose split is stated in sizes, on a device with figures."""
    assert (public.rows, public.scored) == (338, 272)
    assert public.scored + sum(public.skipped.values()) == 338
    assert {r.calibration for r in public.predicted} == {"training"}


def test_it_is_predicted(public):
    """In sample; ``tests/bench/test_fit_training.py`` has the errors with each source left out."""
    assert public.median_error < 0.15
    assert abs(public.bias) < 0.05
    assert public.rank_correlation["training_tokens_per_s_per_gpu"] > 0.95


def test_rows_of_one_run_are_wrong_alike(public):
    """Tokens/s and utilisation of LLM Foundry are of the same step: their ratios agree to two percent."""
    ratios = {r.id: r.ratio for r in public.predicted if "llm-foundry" in r.source}
    pairs = [(ratio, ratios[id_.replace("training-tokens-per-s-per-gpu", "mfu")])
             for id_, ratio in ratios.items() if "tokens" in id_]  # fmt: skip

    assert len(pairs) == 60
    assert all(a == pytest.approx(b, rel=0.02) for a, b in pairs)


def test_a_planted_wrong_row_is_the_worst(tmp_path):
    """Ten times the measured tokens: the row says so, and the others stay as they are."""
    wanted = [r for r in read(TABLE) if r["category"] == CATEGORY and "torchtitan" in r["source"]]
    cells = [{**r.cells, "value": str(r.value)} for r in wanted]
    cells[3]["value"] = str(10 * wanted[3].value)
    path = tmp_path / "planted.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, cells[0])
        writer.writeheader()
        writer.writerows(cells)
    found = validate(path).categories[CATEGORY]
    honest = {r.id: r.ratio for r in validate(TABLE, CATEGORY).rows}

    assert found.worst.id == wanted[3]["id"]
    assert found.worst.ratio == pytest.approx(honest[found.worst.id] / 10)
    assert all(r.ratio == honest[r.id] for r in found.predicted if r.id != found.worst.id)
