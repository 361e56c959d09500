"""The training preset stands on the published table: fitted again, scored again."""

import numpy as np
import pytest

from bench import fit_training as bench
from mlsysim.core.calibration import TRAINING
from mlsysim.core.models import Phase
from mlsysim.mapping_training import CATEGORY
from mlsysim.measurements import read

PRESET = {
    "compute_efficiency": TRAINING.compute_efficiency[Phase.TRAIN],
    "attention_efficiency": TRAINING.attention_efficiency,
    "memory_efficiency": TRAINING.memory_efficiency,
    "serial_fraction": TRAINING.serial_fraction,
    "layer_overhead": TRAINING.layer_seconds,
}


@pytest.fixture(scope="module")
def samples():
    return bench.load()[0]


@pytest.fixture(scope="module")
def terms(samples):
    return np.array([sample.terms() for sample in samples])


@pytest.fixture(scope="module")
def unseen(samples, terms):
    return bench.left_out(samples, terms)


def test_the_preset_is_what_the_fit_gives(terms):
    assert bench.fit(terms) == pytest.approx(PRESET, rel=1e-9)


def test_the_preset_states_its_own_errors(samples, terms, unseen):
    inside = np.median(bench.errors(bench.ratios(terms, PRESET)))
    outside = np.median(bench.errors(unseen))
    said = f"train {len(samples)} runs, median error {inside:.1%}, {outside:.1%} with each source left out"
    assert said.replace("%", " %") in TRAINING.source
    assert f"{len({s.source for s in samples})} sources" in TRAINING.source
    devices = [s.run.split.devices for s in samples]
    assert f"on {min(devices)} to {max(devices):,} devices" in TRAINING.source


def test_the_band_is_that_of_runs_that_the_fit_did_not_see(unseen):
    assert TRAINING.band[Phase.TRAIN] == tuple(np.quantile(unseen, [0.1, 0.9]).round(2))


def test_the_target_is_met(unseen):
    """Median error of training throughput at most 20 %, each source left out."""
    assert np.median(bench.errors(unseen)) < 0.2


def test_the_arrays_are_the_public_interface(samples, terms):
    """A rate that is predicted over the measured one is measured over predicted time; a time its inverse."""
    by_array = bench.ratios(terms, PRESET)
    for sample, ratio in list(zip(samples, by_array, strict=True))[::9]:
        rate = sample.run.predict() / sample.row.value
        assert ratio == pytest.approx(rate if sample.row["unit"] != "s" else 1 / rate, rel=1e-9)


def test_every_row_is_used_or_counted(samples):
    rows = [row for row in read(bench.TABLE) if row["category"] == CATEGORY]
    assert len(samples) + bench.load()[1].total() == len(rows)


def test_the_fit_finds_a_calibration_that_made_the_times(terms):
    """Times made with round parameters are fitted without error."""
    made = {
        "compute_efficiency": 0.6,
        "attention_efficiency": 0.5,
        "memory_efficiency": 0.4,
        "serial_fraction": 0.5,
        "layer_overhead": 50e-6,
    }
    again = terms.copy()
    again[:, -1] /= bench.ratios(terms, made)
    assert np.median(bench.errors(bench.ratios(again, bench.fit(again)))) < 0.01
