"""The presets stand on the published table: fitted again, scored again, every row accounted for."""

from dataclasses import replace

import numpy as np
import pytest

from bench import fit_calibration as bench
from bench.recipes import RECIPES
from bench.sample import steps
from mlsysim import Models
from mlsysim.core.calibration import IDEAL, PRESETS, SERVING, TRAINING, VISION, default
from mlsysim.core.models import Phase
from mlsysim.measurements import read


@pytest.fixture(scope="module")
def fits():
    """Every preset, fitted once."""
    return {name: bench.fit(recipe, bench.load(recipe)[0]) for name, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def vision(fits):
    return fits["vision"]


def test_every_preset_but_the_textbook_has_a_recipe():
    assert RECIPES.keys() == PRESETS.keys() - {"ideal", "training"}  # test_fit_training.py


@pytest.mark.parametrize("name", RECIPES)
def test_the_preset_is_what_the_fit_gives(name, fits):
    """Equal, or as good within one per cent."""
    fitted, preset = fits[name], PRESETS[name]

    assert bench.loss(fitted, fitted.calibration) == pytest.approx(bench.loss(fitted, preset), rel=0.01)
    assert (preset.tile, set(preset.compute_efficiency)) == (fitted.recipe.tile, set(fitted.recipe.phases))


@pytest.mark.parametrize("name", RECIPES)
def test_the_preset_states_its_own_errors(name, fits):
    """Rows, percentages in ``source`` and the band are those of the table."""
    preset = PRESETS[name]

    assert fits[name].statement(preset) in preset.source
    assert dict(preset.band) == fits[name].band


@pytest.mark.parametrize("name", RECIPES)
def test_every_row_is_used_or_counted(name):
    """Nothing is dropped in silence."""
    samples, skipped = bench.load(RECIPES[name])
    rows = [row for row in read(bench.TABLE) if row["category"] in RECIPES[name].categories]

    assert samples
    assert len(samples) + skipped.total() == len(rows)


@pytest.mark.parametrize("name", RECIPES)
def test_the_loss_is_that_of_the_engine(name, fits):
    """The arrays and the public API agree, for requests, splits and prompts alike."""
    for problem in fits[name].problems:
        chosen = fits[name].calibration
        values = {n: np.full((1, 1), v) for n, v in fits[name].values.items()}
        by_array = steps(problem.samples, fits[name].recipe.tile).errors(values)[0]

        assert by_array == pytest.approx([s.score(chosen) for s in problem.samples], abs=1e-9)


def test_sources_weigh_the_same_where_a_stage_says_so(vision):
    problem = vision.problems[0]
    names = [sample.source for sample in problem.samples]
    sums = {name: problem.weights[[n == name for n in names]].sum() for name in set(names)}

    assert list(sums.values()) == pytest.approx([1 / len(sums)] * len(sums))


def test_runs_weigh_the_same_elsewhere(fits):
    weights = fits["tuned"].problems[0].weights

    assert weights == pytest.approx(np.full(len(weights), 1 / len(weights)))


def slowed(sample, factor):
    """The same run, measured slower."""
    value = sample.row.value * (factor if sample.is_time else 1 / factor)
    return replace(sample, row=replace(sample.row, value=value))


def test_the_fit_finds_a_calibration_that_made_the_times(vision):
    """Times computed with known parameters give these parameters back."""
    samples = vision.problems[0].samples
    exact = [slowed(sample, np.exp(sample.score(VISION))) for sample in samples]
    fitted = bench.fit(vision.recipe, exact)

    assert bench.loss(fitted, fitted.calibration)[0] < 0.005


def test_cross_validation_has_not_seen_what_it_predicts(fits):
    """A run whose time is a thousand times off does not move the fit that predicts it."""
    problem = fits["vision_tensorrt"].problems[0]
    key = bench.GROUPS["source"]
    source = key(problem.samples[0])
    spoiled = [slowed(s, 1000) if key(s) == source else s for s in problem.samples]
    of = np.array([key(s) == source for s in spoiled])

    before, after = (p.unseen("source")[of] for p in (problem, replace(problem, samples=spoiled)))

    assert after == pytest.approx(before - np.log(1000))


def test_the_families_have_their_presets():
    seeing = (Models.ResNet50, Models.ViT_B16, Models.BERT_Large)
    assert {default(m, Phase.FORWARD) for m in seeing} == {VISION}
    assert default(Models.GPT2, Phase.DECODE) is SERVING
    assert default(Models.GPT2, Phase.TRAIN) is TRAINING


def test_the_textbook_has_no_band():
    assert not IDEAL.band


def test_the_command_prints_what_a_reader_needs(capsys):
    bench.main(["vision"])
    said = capsys.readouterr().out

    assert f"preset:    {bench.describe(VISION)}" in said
    for part in ("fitted:", "another software stack", "each source left out", "bias", "Spearman", "band:"):
        assert part in said
