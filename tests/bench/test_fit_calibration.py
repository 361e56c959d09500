"""The presets stand on the published table: fitted again, scored again, every row accounted for."""

import re
from dataclasses import replace

import numpy as np
import pytest

from bench import fit_calibration as bench
from mlsysim import Hardware, Models
from mlsysim.core.calibration import PRESETS, SERVING, VISION, default

RECIPE = bench.RECIPES["vision"]


@pytest.fixture(scope="module")
def mapped():
    return bench.map_rows(bench.load(RECIPE), RECIPE)


@pytest.fixture(scope="module")
def runs(mapped):
    return mapped[0]


def row(**changes):
    """A row that is used, changed."""
    usable = {
        "id": "made-up",
        "model": "ResNet-50",
        "hardware": "A100 SXM 80GB",
        "hardware_key": "A100 SXM 80GB",
        "n_devices": "1",
        "precision_weights": "fp16",
        "precision_compute": "fp16",
        "batch_or_concurrency": "64",
        "input_len": "224x224",
        "software": "PyTorch 2.4 torch.compile",
        "metric": "inference_images_per_s",
        "value": "6400",
        "unit": "img/s",
        "confidence": "high",
        "source": "a paper",
        "source_ref": "github:someone/results",
        "notes": "",
    }
    return usable | changes


@pytest.mark.parametrize("name", bench.RECIPES)
def test_the_preset_is_what_the_fit_gives(name):
    """Equal, or as good within one per cent."""
    recipe, preset = bench.RECIPES[name], PRESETS[name]
    runs, _ = bench.map_rows(bench.load(recipe), recipe)
    share = bench.weights(runs)

    fitted = bench.fit(recipe, runs)

    of_preset, of_fit = (np.abs(bench.score(runs, c)) @ share for c in (preset, fitted))
    assert of_fit == pytest.approx(of_preset, rel=0.01), bench.describe(fitted)
    assert preset.tile == recipe.tile


def test_the_preset_states_its_own_errors(runs):
    """The counts and percentages in ``source`` are those of the table."""
    said = re.search(r"(\d+) runs .* from (\d+) sources", VISION.source)
    median = float(re.search(r"Median error ([\d.]+) %", VISION.source)[1])
    crossed = dict(re.findall(r"([\d.]+) % with each\s(.+?) left out", VISION.source))

    assert [int(n) for n in said.groups()] == [len(runs), len({run.source for run in runs})]
    assert median == pytest.approx(bench.median_error(bench.score(runs, VISION)), abs=0.05)
    assert sorted(crossed.values()) == ["device x network", "source"]
    for stated, label in crossed.items():
        scores, _ = bench.cross_validate(RECIPE, runs, bench.GROUPS[label])
        assert float(stated) == pytest.approx(bench.median_error(scores), abs=0.5), label


def test_every_row_is_used_or_counted(mapped):
    """Nothing is dropped in silence."""
    runs, skipped = mapped

    assert len(runs) + skipped.total() == len(bench.load(RECIPE)) == 238


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metric": "training_images_per_s_total"}, "not a forward pass"),
        ({"confidence": "low"}, "confidence low"),
        ({"source_ref": "stored public file id 123"}, "cannot look up"),
        ({"software": "PyTorch 2.4 eager"}, "another software stack"),
        ({"n_devices": "8"}, "several devices"),
        ({"batch_or_concurrency": "offline (max batch)"}, "batch not given"),
        ({"model": "ResNet-5000"}, "network not in the zoo: ResNet-5000"),
        ({"hardware_key": "Abacus"}, "device not in the zoo: Abacus"),
        ({"hardware_key": "TPU v5e"}, "no GPU"),
        (
            {"hardware_key": "A30 24GB", "precision_weights": "fp8", "precision_compute": "fp8"},
            "no published fp8",
        ),
        ({"precision_weights": "int8"}, "weights int8, compute fp16"),
        ({"precision_weights": "int8,fp16", "precision_compute": "int8,fp16"}, "number format not known"),
        ({"precision_weights": "fp32", "precision_compute": "fp32"}, "fp32 or TF32"),
        ({"input_len": "384x384"}, "image size"),
        ({"model": "ViT-B/16", "input_len": "384x384"}, "image size"),
        ({"model": "BERT-large", "input_len": "SQuAD v1.1"}, "sequence length"),
        ({"model": "GPT-2"}, "no forward phase"),
    ],
)
def test_a_row_that_cannot_be_scored_says_why(changes, reason):
    with pytest.raises(bench.UnusableRowError, match=reason):
        bench.map_row(row(**changes), RECIPE)


def test_a_rate_and_a_latency_become_seconds():
    """64 images at 6,400 a second take 10 ms; so does one at 10 ms."""
    rate = bench.map_row(row(), RECIPE)
    stream = row(metric="single_stream_p90_latency", unit="ms", value="10", batch_or_concurrency="1")

    assert rate.seconds == pytest.approx(0.01)
    assert bench.map_row(stream, RECIPE).seconds == pytest.approx(0.01)
    assert (rate.model, rate.hardware) == (Models.ResNet50, Hardware.A100)


def test_a_device_without_tf32_means_fp32():
    volta = row(hardware_key="V100 SXM2 32GB", precision_weights="fp32", precision_compute="fp32")

    assert bench.map_row(volta, RECIPE).precision == "fp32"


def test_a_source_with_an_address_is_used_whatever_else_it_names():
    both = row(source_ref="stored public file id 1; primary: github.com/someone/results")

    assert bench.map_row(both, RECIPE).source == "a paper"


def test_an_unexpected_unit_is_an_error():
    with pytest.raises(ValueError, match="made-up: inference_images_per_s must be in img/s; got 'img/min'"):
        bench.map_row(row(unit="img/min"), RECIPE)


def test_sources_weigh_the_same(runs):
    share = bench.weights(runs)
    sums = {s: share[[run.source == s for run in runs]].sum() for s in {run.source for run in runs}}

    assert list(sums.values()) == pytest.approx([1 / len(sums)] * len(sums))


def test_the_fit_finds_a_calibration_that_made_the_times(runs):
    """Times computed with known parameters give these parameters back."""
    truth = bench.calibration(RECIPE, (62, 71, 7, 0, 24))
    exact = [replace(run, seconds=run.profile(truth).terms.latency) for run in runs]

    assert bench.describe(bench.fit(RECIPE, exact)) == bench.describe(truth)


def test_the_loss_is_that_of_the_engine(runs):
    """The array of lattice points and ``Engine.solve`` agree."""
    point = np.array([[40.0, 60, 5, 3, 20]])
    by_engine = np.abs(bench.score(runs, bench.calibration(RECIPE, point[0]))) @ bench.weights(runs)

    assert bench.objective(runs, RECIPE.tile)(point)[0] == pytest.approx(by_engine, rel=1e-12)


def test_cross_validation_has_not_seen_what_it_predicts(runs):
    """A run whose time is a thousand times off does not move the fit that predicts it."""
    spoiled = [replace(runs[0], seconds=runs[0].seconds * 1000), *runs[1:]]
    alone = {run: str(index) for index, run in enumerate(spoiled[:1])}

    scores, fits = bench.cross_validate(RECIPE, spoiled, lambda run: alone.get(run, "rest"))

    assert len(fits) == 2
    assert scores[0] == pytest.approx(bench.score(spoiled[:1], bench.fit(RECIPE, spoiled[1:]))[0])


def test_the_families_have_their_presets():
    assert {default(m) for m in (Models.ResNet50, Models.ViT_B16, Models.BERT_Large)} == {VISION}
    assert default(Models.GPT2) is SERVING


def test_the_command_prints_what_a_reader_needs(capsys):
    bench.main(["vision"])
    said = capsys.readouterr().out

    assert f"preset:    {bench.describe(VISION)}" in said
    for part in ("fitted:", "several devices", "cross-validated, source", "bias", "ViT-L/16", "Bottleneck"):
        assert part in said
