"""Checkpoints by hand, against brute force, and against a simulated run."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError
from mlsysim.solvers.checkpoint import (
    CheckpointModel,
    IntervalLimit,
    daly_interval,
    optimal_interval,
    time_shares,
    young_interval,
)

WRITE = st.floats(0.1, 1000)
MTBF = st.floats(1000, 1e7)


def solve(hand, **changes):
    fields = {"bandwidth": Q_("0.7 GB/s"), "mtbf": Q_("1 hour"), "restart_time": Q_("60 s")}
    return CheckpointModel().solve(**{"model": hand, **fields, **changes})


def test_a_checkpoint_by_hand(hand):
    """100e6 parameters: 2 bytes of weight, 4 of master copy, 8 of moments: 1.4e9 B, at 0.7e9 B/s 2 s.
    Young: sqrt(2·2·3,600) = 120 s. Daly: xi = sqrt(2/7,200) = 1/60, 120·(1 + 1/180 + 1/32,400) − 2 s.
    """
    r = solve(hand)
    assert (r.weights, r.optimizer, r.write, r.stall) == (0.2e9, 1.2e9, 2.0, 2.0)
    assert young_interval(2.0, 3600.0) == pytest.approx(120.0, rel=1e-14)
    assert daly_interval(2.0, 3600.0) == pytest.approx(120 * (1 + 1 / 180 + 1 / 32_400) - 2, rel=1e-14)
    assert r.size.to("GB").magnitude == pytest.approx(1.4, rel=1e-12)
    assert r.checkpoint_interval.to("s").magnitude == pytest.approx(118.67, rel=1e-4)
    assert r.limit is IntervalLimit.FAILURES
    assert r.write_time.magnitude == r.stall_time.magnitude == 2.0
    assert r.shares.downtime == pytest.approx(-math.expm1(-60 / 3600), rel=1e-12)


def test_what_is_not_saved_has_no_bytes(hand):
    r = solve(hand, master_bytes=0, moment_bytes=0)
    assert (r.weights, r.optimizer) == (0.2e9, 0.0)
    assert solve(hand, precision="fp32", master_bytes=0).optimizer == 0.8e9


@pytest.mark.parametrize(("mtbf", "minutes"), [(24 * 60, 117), (6 * 60, 57), (15, 9.1)])
def test_intervals_that_daly_printed(mtbf, minutes):
    """Figures 3 to 5 of his paper: five minutes of writing, and his own rounding."""
    assert daly_interval(5.0, mtbf) == pytest.approx(minutes, abs=0.5 if minutes > 10 else 0.05)


def test_daly_ends_where_his_series_does():
    assert daly_interval(2.0, 1.0) == 1.0
    assert daly_interval(1.999999, 1.0) == pytest.approx(2 * (1 + 1 / 3 + 1 / 9) - 2, rel=1e-5)


def waste(interval, write, restart, mtbf):
    """Daly's wall-clock time for a second of work, as he prints it, less that second."""
    return mtbf * math.exp(restart / mtbf) * math.expm1((interval + write) / mtbf) / interval - 1


@given(WRITE, MTBF, st.floats(0, 3600))
def test_no_interval_beats_the_optimum(write, mtbf, restart):
    """Brute force: 400 intervals from a hundredth to a hundred times the optimum."""
    best = optimal_interval(write, mtbf)
    least = waste(best, write, restart, mtbf)
    tried = [best * 10 ** (i / 100) for i in range(-200, 201)]
    assert all(
        waste(t, write, restart, mtbf) >= least * (1 - 1e-9) - 1e-12 for t in tried if t + write < 600 * mtbf
    )


@given(WRITE, MTBF)
def test_young_and_daly_approach_the_optimum(write, mtbf):
    """Daly's third-order series is closer than Young's first-order one, and both meet it for short writes."""
    best = optimal_interval(write, mtbf)
    daly, young = (abs(f(write, mtbf) / best - 1) for f in (daly_interval, young_interval))
    xi = math.sqrt(write / (2 * mtbf))
    assert daly <= young + 1e-9
    assert daly < 0.2 * xi**3 + 1e-9
    assert young < 2 * xi + 1e-9


@pytest.mark.parametrize("write", [1e-9, 1.0, 1e4, 1e9])
def test_the_optimum_lies_between_nothing_and_the_mtbf(write):
    assert 0 < optimal_interval(write, 1000.0) <= 1000.0


def test_shares_by_hand():
    """M = 10,000 s, 100 s of work and 1 s of writing, 10 s down: the exact shares, and to first order
    1/101 written, 50.5/10,000 done again, 10/10,000 down.
    """
    s = time_shares(interval=100.0, write=1.0, restart=10.0, mtbf=10_000.0)
    assert s.checkpoint == pytest.approx(1 / 101, rel=0.01)
    assert s.rework == pytest.approx(0.00505, rel=0.01)
    assert s.downtime == pytest.approx(-math.expm1(-0.001), rel=1e-12)
    assert 1 / s.useful - 1 == pytest.approx(waste(100.0, 1.0, 10.0, 10_000.0), rel=1e-10)


@given(st.floats(1, 1e6), WRITE, st.floats(0, 1e5), st.floats(1, 1e8))
def test_shares_add_up_to_one(interval, write, restart, mtbf):
    s = time_shares(interval, write, restart, mtbf)
    assert s.useful + s.checkpoint + s.rework + s.downtime == pytest.approx(1.0, rel=1e-9)
    assert min(s.useful, s.checkpoint, s.rework, s.downtime) >= 0


def test_a_simulated_run_has_these_shares():
    """Failures drawn one by one, restarts that fail included: an oracle without the formula."""
    interval, write, restart, mtbf = 60.0, 10.0, 20.0, 200.0
    draw = random.Random(7)  # noqa: S311 - a simulation
    clock = 0.0
    segments = 40_000
    for _ in range(segments):
        while (until := draw.expovariate(1 / mtbf)) < interval + write:
            clock += until
            while (again := draw.expovariate(1 / mtbf)) < restart:
                clock += again
            clock += restart
        clock += interval + write
    s = time_shares(interval, write, restart, mtbf)
    assert segments * interval / clock == pytest.approx(s.useful, rel=0.02)
    assert segments * write / clock == pytest.approx(s.checkpoint, rel=0.02)


@pytest.mark.parametrize("mtbf", [1e-3, 1.0])
def test_a_machine_that_fails_at_once_keeps_nothing(mtbf):
    """A million times the MTBF between two checkpoints: nothing is kept, and nothing overflows."""
    s = time_shares(interval=1e6 * mtbf, write=1.0, restart=1.0, mtbf=mtbf)
    assert s.useful == 0.0
    assert s.rework + s.downtime == pytest.approx(1.0)


def test_a_copy_stalls_less_than_a_write(hand):
    """1.4e9 B are copied at 14e9 B/s in 0.1 s and written in 2 s: Young for the copy is sqrt(720) s."""
    behind = solve(hand, copy_bandwidth=Q_("14 GB/s"))
    assert behind.stall == pytest.approx(0.1, rel=1e-12)
    assert behind.write == 2.0
    assert behind.interval == pytest.approx(math.sqrt(720), rel=0.01)
    assert behind.limit is IntervalLimit.FAILURES
    assert behind.overhead < solve(hand).overhead
    assert behind.shares.downtime == pytest.approx(-math.expm1(-62 / 3600), rel=1e-12)


def test_slow_storage_sets_the_interval(hand):
    """Written in 140 s behind a copy of 0.1 s: 26.8 s would be best, but writes cannot overlap."""
    slow = solve(hand, bandwidth=Q_("10 MB/s"), copy_bandwidth=Q_("14 GB/s"))
    assert slow.limit is IntervalLimit.STORAGE
    assert slow.interval == slow.write == 140.0
    assert "storage" in repr(slow)


def test_faster_storage_keeps_more(hand):
    kept = [solve(hand, bandwidth=Q_(x, "GB/s")).shares.useful for x in (0.1, 1, 10, 100)]
    assert kept == sorted(kept)
    assert kept[-1] > kept[0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "Llama"}, "model must be a network"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
        ({"bandwidth": 5}, "bandwidth needs a unit"),
        ({"bandwidth": Q_("0 GB/s")}, "bandwidth must be a finite positive quantity"),
        ({"mtbf": Q_("1 GB")}, "mtbf needs [time]"),
        ({"restart_time": Q_("-1 s")}, "restart_time must be a finite non-negative quantity"),
        ({"master_bytes": -1}, "master_bytes must be a number of bytes, at least 0; got -1"),
        ({"moment_bytes": math.inf}, "moment_bytes must be a number of bytes"),
        ({"copy_bandwidth": Q_("0.1 GB/s")}, "copy_bandwidth is below bandwidth"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, **wrong)
    assert said in str(caught.value)


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, precision="fp17", bandwidth=1, mtbf=2, master_bytes=-1)
    for word in ("fp17", "bandwidth", "mtbf", "master_bytes"):
        assert word in str(caught.value)


def test_what_it_shows(hand):
    r = solve(hand)
    shown = r.to_dict()
    assert shown["young's_interval"]["value"] == pytest.approx(2.0, rel=1e-12)
    assert shown["daly's_interval"]["value"] == pytest.approx(118.67 / 60, rel=1e-4)
    assert shown["goodput"] == r.shares.useful
    assert "Checkpoints of hand" in repr(r)
