"""A fact about a training run becomes a call of the public API, or a reason."""

import re
from pathlib import Path

import pytest

from mlsysim import Q_, Hardware, Infrastructure, Models
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.parallelism import Zero
from mlsysim.mapping import NotMappedError
from mlsysim.mapping_facts import CATEGORY, is_sourced_fact, map_fact
from mlsysim.measurements import Measurement
from mlsysim.solvers.sustainability import SustainabilityModel
from mlsysim.solvers.training import TrainingModel
from mlsysim.validation import validate

TABLE = Path(__file__).parents[1] / "data" / "measurements.csv"

NOTES = (
    "Tokens: Llama-2 2T, Llama-3/3.1 15T+, Llama-3.2 up to 9T (distilled/pruned), Llama-4 Scout ~40T, "
    "Maverick ~22T. GPU-hours x 400 W = 80 MWh (derived)."
)
CELLS = {
    "id": "a",
    "category": CATEGORY,
    "model": "Llama-2-7B",
    "hardware": "A100 SXM 80GB",
    "hardware_key": "A100 SXM 80GB",
    "n_devices": "",
    "parallelism": "",
    "precision_weights": "",
    "precision_compute": "",
    "batch_or_concurrency": "",
    "input_len": "",
    "output_len": "",
    "software": "Meta in-house",
    "metric": "pretraining_gpu_hours",
    "unit": "GPU-hours",
    "confidence": "high",
    "source": "somebody",
    "notes": NOTES,
}
EMITTED = {"metric": "pretraining_emissions", "unit": "tCO2eq"}
DAYS = {
    "metric": "ideal_training_days",
    "unit": "days",
    "model": "OPT-175B",
    "n_devices": "1024",
    "parallelism": "tp8 fsdp",
    "precision_compute": "fp16",
    "batch_or_concurrency": "2M tokens",
    "input_len": "2048",
    "software": "metaseq",
    "notes": "4.30e23/(1024*33*86400) = 147 TFLOP/s/GPU.",
}
A100 = Hardware.Cloud.A100


def row(**cells: str) -> Measurement:
    return Measurement(file="t.csv", line=2, cells=CELLS | cells, value=1.0)


def test_device_hours_are_those_of_one_device_that_loses_nothing():
    run = map_fact(row())
    asked = TrainingModel().solve(Models.Llama2_7B, A100, prompt=4096, tokens=2e12)

    assert run.predict() == pytest.approx(asked.device_hours.magnitude)
    assert run.calibration == "training"
    assert run.remarks == (
        "a bound: nothing lost between devices or in restarts",
        "sequence not stated, taken as 4,096",
        "number format not stated, taken as bf16",
    )


def test_device_hours_by_hand_at_full_rates():
    """Six FLOP for each token and each of 6.6e9 parameters, over 312e12 FLOP/s; scores come on top."""
    run = map_fact(row())
    least = 2e12 * 6 * 6.6e9 / 312e12 / 3600

    assert least < run.predict("ideal") < 1.2 * least
    assert run.predict("ideal") < run.predict()


def test_what_is_stated_is_not_assumed():
    run = map_fact(row(input_len="2048", precision_compute="bf16"))

    assert run.prompt == 2048
    assert run.remarks == ("a bound: nothing lost between devices or in restarts",)


@pytest.mark.parametrize(
    ("model", "tokens", "prompt"),
    [
        ("Llama-2-70B", 2e12, 4096),
        ("Llama-3-8B", 15e12, 8192),
        ("Llama-3.1-405B", 15e12, 8192),
    ],
)
def test_tokens_are_those_of_the_networks_family(model, tokens, prompt):
    run = map_fact(row(model=model))

    assert (run.tokens, run.prompt) == (tokens, prompt)


def test_emissions_by_hand():
    """80 MWh of devices, 1.08 of it taken from a grid of 369.5 g/kWh: 31.9 t."""
    run = map_fact(row(**EMITTED))
    site, grid = Infrastructure.Datacenters.Meta, Infrastructure.Grids.United_States
    asked = SustainabilityModel().solve(
        A100, duration=Q_("200000 hour"), power=Q_("400 W"), grid=grid, pue=site
    )

    assert run.predict() == pytest.approx(80 * site.pue * grid.carbon_intensity.to("kg/kWh").magnitude)
    assert run.predict() == pytest.approx(asked.operational_carbon.to("tonne").magnitude)
    assert run.predict("ideal") == run.predict()
    assert run.calibration is None
    assert run.remarks == (
        "grid not stated, taken as United States (2023)",
        "PUE not stated, taken as that of Meta data centres (2023)",
    )


def test_days_without_a_failure_are_the_flop_over_the_rate():
    """FSDP on 128 copies of eight devices: 1,024 sequences, eight for each copy, which it takes at once."""
    fact = map_fact(row(**DAYS))
    step = fact.run.solve()
    rate = step.flops_rate("full", recomputed=True).to("FLOP/s").magnitude

    assert fact.predict() == pytest.approx(4.30e23 / (1024 * rate) / 86_400)
    assert (fact.run.microbatch_size, fact.run.batch_size) == (8, 1024)
    assert (fact.run.recompute, fact.run.split.zero_stage) == (Recompute.FULL, Zero.WEIGHTS)
    assert fact.calibration == "training"
    assert fact.predict("ideal") < fact.predict()
    assert step.fits


def test_copies_that_split_no_weights_take_what_a_training_run_would():
    fact = map_fact(row(**DAYS | {"parallelism": "tp8"}))

    assert (fact.run.microbatch_size, fact.run.split.zero_stage) == (1, Zero.STATE)
    assert len(fact.remarks) == 1


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"confidence": "low"}, "confidence low"),
        ({"metric": "restarts"}, "an input of the solvers, not an answer: restarts"),
        ({"metric": "machine_failures_per_day"}, "an input of the solvers, not an answer: machine_failures"),
        ({"metric": "storage_sustained_throughput"}, "an input of the solvers, not an answer: storage_sus"),
        ({"metric": "training_energy", "unit": "MWh"}, "metric not covered: training_energy in MWh"),
        ({"unit": "GPU-days"}, "metric not covered: pretraining_gpu_hours in GPU-days"),
        ({"model": "GLaM-1.2T"}, "network not in the zoo: GLaM-1.2T"),
        ({"model": "ResNet-50"}, "runs are those of decoder transformers: ResNet-50"),
        ({"model": "Llama-4-Maverick"}, "one device's step is no bound where experts are spread over many"),
        ({"model": "Llama-3.2-3B"}, "distilled from larger networks, whose passes are not counted"),
        ({"model": "Mistral-7B"}, "tokens not stated"),
        ({"notes": ""}, "tokens not stated"),
        ({"hardware_key": "", "hardware": "abacus"}, "device not in the zoo: abacus"),
        ({"hardware_key": "T4 16GB"}, "no published bf16 peak: NVIDIA T4 16GB"),
        (EMITTED | {"notes": ""}, "device-hours and power not stated"),
        (EMITTED | {"notes": "GPU-hours x 0 W = 0 MWh"}, "device-hours and power not stated"),
        (EMITTED | {"software": "in-house"}, "site and grid not known: in-house"),
        (DAYS | {"notes": ""}, "FLOP not stated"),
        (DAYS | {"parallelism": "see paper"}, "parallelism not given in sizes: see paper"),
    ],
)
def test_what_cannot_be_mapped_says_why(cells, reason):
    with pytest.raises(NotMappedError, match=re.escape(reason)):
        map_fact(row(**cells))


def test_sourced_means_that_the_device_has_the_figures():
    assert is_sourced_fact(row())
    assert is_sourced_fact(row(**EMITTED))
    assert not is_sourced_fact(row(metric="restarts"))
    assert not is_sourced_fact(row(hardware_key="", hardware="abacus"))


@pytest.fixture(scope="module")
def public():
    return validate(TABLE, CATEGORY).categories[CATEGORY]


def test_every_row_of_the_public_table_is_scored_or_has_a_reason(public):
    assert (public.rows, public.scored, public.sourced) == (25, 19, 21)
    assert public.skipped == {
        "an input of the solvers, not an answer: restarts": 1,
        "an input of the solvers, not an answer: machine_failures_per_day": 1,
        "an input of the solvers, not an answer: storage_sustained_throughput": 1,
        "distilled from larger networks, whose passes are not counted": 1,
        "one device's step is no bound where experts are spread over many": 1,
        "metric not covered: training_energy in MWh": 1,
    }


def test_emissions_follow_from_hours_power_and_the_countrys_grid(public):
    errors = [r.error for r in public.predicted if r.metric == "pretraining_emissions"]

    assert len(errors) == 10
    assert max(errors) < 0.08


def test_a_bound_is_below_what_was_measured(public):
    ratios = [r.ratio for r in public.predicted if r.metric == "pretraining_gpu_hours"]

    assert len(ratios) == 8
    assert 0.3 < min(ratios) < max(ratios) < 1
    assert public.rank_correlation["pretraining_gpu_hours"] > 0.9


def test_the_days_of_opt_are_predicted(public):
    """33 days of continuous training, it says, "assuming no hardware issues"."""
    (days,) = [r for r in public.predicted if r.metric == "ideal_training_days"]

    assert days.error < 0.2
