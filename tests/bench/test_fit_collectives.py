"""The calibration of collectives stands on the published table: fitted again, scored again."""

from dataclasses import replace

import numpy as np
import pytest

from bench import fit_collectives as bench
from mlsysim.core.collective_calibration import NCCL
from mlsysim.mapping_collectives import CATEGORY
from mlsysim.measurements import read


@pytest.fixture(scope="module")
def samples():
    return bench.load()[0]


@pytest.fixture(scope="module")
def fitted(samples):
    return bench.calibration(bench.fit(samples))


@pytest.fixture(scope="module")
def validated(samples):
    return bench.unseen(samples)


def loss(samples, calibration):
    return np.mean([abs(sample.score(calibration)) for sample in samples])


def test_the_preset_is_what_the_fit_gives(samples, fitted):
    """Equal, or as good within one per cent."""
    assert loss(samples, NCCL) == pytest.approx(loss(samples, fitted), rel=0.01)


def test_no_single_step_of_a_parameter_is_better(samples):
    point = bench.fit(samples)
    best = np.abs(bench.errors(samples, point[np.newaxis])).mean()
    steps = np.concatenate([np.eye(len(point)), -np.eye(len(point))])

    assert (np.abs(bench.errors(samples, point + steps)).mean(axis=1) >= best).all()


def test_the_preset_states_its_own_errors(samples, validated):
    """Rows, percentages in ``source`` and the band are those of the table."""
    assert bench.statement(samples, NCCL, validated) in NCCL.source
    assert bench.band(validated) == NCCL.band


def test_the_targets_are_met_on_hardware_that_the_fit_did_not_see(samples, validated):
    """Median at most 20 %; from 256 MiB on every row within 25 %."""
    large = np.array([sample.is_large for sample in samples])

    assert bench.median_error(validated) < 20
    assert bench.largest_error(validated[large]) < 25


def test_every_row_is_used_or_counted(samples):
    rows = [row for row in read(bench.TABLE) if row["category"] == CATEGORY]

    assert len(samples) + bench.load()[1].total() == len(rows)
    assert len({sample.hardware for sample in samples}) == 3


def test_the_loss_is_that_of_the_public_interface(samples, fitted):
    """The arrays and the solver agree, for nodes and fleets, rings and switches alike."""
    point = bench.fit(samples)
    by_array = bench.errors(samples, point[np.newaxis])[0]

    assert by_array == pytest.approx([s.score(fitted) for s in samples], abs=1e-9)


def slowed(sample, factor):
    """The same run, measured slower."""
    return replace(sample, row=replace(sample.row, value=sample.row.value / factor))


def test_the_fit_finds_a_calibration_that_made_the_times(samples):
    """Times computed with known parameters give these parameters back."""
    made = replace(NCCL, name="made", link_efficiency=0.7, network_efficiency=0.9, switch_efficiency=0.5)
    exact = [slowed(sample, np.exp(sample.score(made))) for sample in samples]

    assert loss(exact, bench.calibration(bench.fit(exact))) < 0.01


def test_cross_validation_has_not_seen_what_it_predicts(samples, validated):
    """A machine whose times are a thousand times off does not move the fit that predicts it."""
    of = np.array([sample.hardware == samples[0].hardware for sample in samples])
    spoiled = [slowed(s, 1000) if out else s for s, out in zip(samples, of, strict=True)]

    assert bench.unseen(spoiled)[of] == pytest.approx(validated[of] - np.log(1000))


def test_the_command_prints_what_a_reader_needs(capsys):
    bench.report()
    said = capsys.readouterr().out

    assert f"preset:    {bench.describe(NCCL)}" in said
    for part in ("fitted:", "confidence low", "each source left out", "band:", "unseen"):
        assert part in said
