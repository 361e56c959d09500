"""`train` says what the solvers of training say."""

import pytest

from mlsysim import Q_, Hardware, Models, Systems
from mlsysim.core.parallelism import Parallelism
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.solvers.parallelism import ParallelismOptimizer
from mlsysim.solvers.training import TrainingModel

FLEET = """
model.name = "Llama3_8B"
hardware.fleet = "DGX_SuperPOD_SU_H100"
workload.batch_size = 512
workload.prompt = 8192
"""
SPLIT = "parallelism.dp_size = 64\nparallelism.tp_size = 4\nparallelism.zero_stage = 1\n"
POD = Systems.DGX_SuperPOD_SU_H100


def test_a_stated_utilisation_is_arithmetic(run):
    words = "--model Llama2_7B --hardware A100 --devices 1000 --tokens 2e12 --mfu 0.4"
    figures = run("train", *words.split())["figures"]
    run_ = TrainingModel().solve(Models.Llama2_7B, Hardware.A100, tokens=2e12, devices=1000, mfu=0.4)

    assert figures["duration"]["value"] == run_.duration.magnitude
    assert figures["mfu"] == pytest.approx(0.4)
    assert figures["fits"] is None


def test_without_a_utilisation_the_engine_says_it(run):
    words = "--model GPT2 --hardware A100 --tokens 1e9 --prompt 1024 --batch-size 4"
    figures = run("train", *words.split())["figures"]
    run_ = TrainingModel().solve(Models.GPT2, Hardware.A100, 4, tokens=1e9, prompt=1024)

    assert figures["duration"]["value"] == run_.duration.magnitude
    assert figures["fits"] is True


def test_what_does_not_fit_takes_no_time(run):
    words = "--model Llama3_70B --hardware A100 --tokens 1e9 --prompt 1024"
    figures = run("train", *words.split())["figures"]

    assert figures["fits"] is False
    assert figures["duration"] is None


def test_a_fleet_with_a_split(run, write):
    figures = run("train", write(FLEET + SPLIT + "workload.recompute = 'full'"))["figures"]
    step = DistributedModel().solve(
        Models.Llama3_8B,
        POD,
        512,
        prompt=8192,
        split=Parallelism(dp_size=64, tp_size=4, zero_stage=1),
        recompute="full",
    )

    assert Q_(figures["step_latency"]["value"], "s").magnitude == step.step_latency.magnitude
    assert figures["mfu"] == step.mfu()
    assert "duration" not in figures


def test_a_fleet_and_tokens_make_a_run(run, write):
    data = run("train", write(f"{FLEET}{SPLIT}workload.tokens = 2e12"))
    figures = data["figures"]
    steps = 2e12 / (512 * 8192)

    assert len(data["results"]) == 2
    seconds = figures["step_latency"]["value"] * steps
    assert figures["duration"]["value"] == pytest.approx(seconds / 86_400)


def test_without_a_split_the_best_one_is_searched(run, write):
    figures = run("train", write(FLEET), "--devices", "64")["figures"]
    found = ParallelismOptimizer().solve(Models.Llama3_8B, POD, 512, prompt=8192, devices=64)

    assert figures["step_latency"]["value"] == found.step_latency.magnitude


def test_the_search_keeps_what_is_said(run, write):
    path = write(f"{FLEET}workload.recompute = 'full'\nworkload.microbatch_size = 2")
    (step,) = run("train", path, "--devices", "64")["results"]
    found = ParallelismOptimizer().solve(
        Models.Llama3_8B, POD, 512, prompt=8192, devices=64, recomputes=("full",), microbatch_sizes=(2,)
    )

    assert step["microbatches"].endswith("of 2")
    assert step["step"]["value"] == found.step_latency.magnitude


def test_where_nothing_fits_the_nearest_split_says_what_it_lacks(run, write):
    path = write(
        "model.name = 'Llama3_405B'\nhardware.fleet = 'DGX_SuperPOD_SU_H100'\nhardware.devices = 8\n"
        "workload.batch_size = 8\nworkload.prompt = 1024\nassert.fits = true"
    )
    data = run("train", path, code=3)

    assert data["figures"]["fits"] is False
    assert data["figures"]["step_latency"] is None
    assert "does not fit" in data["results"][0]["memory"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("workload.mfu = 0.4", "[workload] mfu is for a run without a fleet"),
        (f"{SPLIT}hardware.devices = 128", "dp64 tp4 ZeRO-1 needs 256 devices; [hardware] devices says 128"),
        ("parallelism.dp_size = 512", "needs 512 devices"),
    ],
)
def test_what_a_fleet_refuses(more, says, write, capsys):
    from mlsysim.cli import main

    assert main(["train", write(FLEET + more)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("left_out", ["workload.batch_size = 512", "workload.prompt = 8192"])
def test_what_a_fleet_needs(left_out, write, capsys):
    from mlsysim.cli import main

    assert main(["train", write(FLEET.replace(left_out, ""))]) == 2
    assert left_out.partition(".")[2].partition(" ")[0] in capsys.readouterr().err
