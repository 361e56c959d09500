"""A shared cluster by hand, against a simulation, and where it overflows."""

import heapq
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError, Systems
from mlsysim.solvers.orchestration import OrchestrationModel, QueueState


def solve(**changes):
    fields = {
        "fleet": 24,
        "devices_per_job": 8,
        "arrival_rate": Q_("2/hour"),
        "duration": Q_("1 hour"),
    }
    return OrchestrationModel().solve(**{**fields, **changes})


def test_three_jobs_at_a_time_by_hand():
    """c = 3 and a = 2: four ninths of the jobs wait, 4/9 of an hour on average; of all, 95 % start within
    ln((4/9)/0.05) hours.
    """
    r = solve()
    assert (r.slots, r.stranded, r.state) == (3, 0, QueueState.STABLE)
    assert r.load == pytest.approx(2.0, rel=1e-12)
    assert r.utilization == pytest.approx(2 / 3, rel=1e-12)
    assert r.waiting_share == pytest.approx(4 / 9, rel=1e-12)
    assert r.wait.to("hour").magnitude == pytest.approx(4 / 9, rel=1e-12)
    assert r.percentile(0.95).to("hour").magnitude == pytest.approx(2.184802, rel=1e-6)
    assert r.percentile(0.5).magnitude == 0.0


def test_gangs_leave_devices_over():
    """Of 1,000 devices jobs of 96 use 960, those of 512 use 512: one at a time."""
    assert (solve(fleet=1000, devices_per_job=96).slots, solve(fleet=1000, devices_per_job=96).stranded) == (
        10,
        40,
    )
    large = solve(fleet=1000, devices_per_job=512, arrival_rate=Q_("1/day"))
    assert (large.slots, large.stranded) == (1, 488)
    assert large.waiting_share == pytest.approx(1 / 24, rel=1e-12)


def test_a_simulated_cluster_waits_as_long():
    """Jobs drawn one by one, served in order: an oracle without Erlang."""
    draw = random.Random(11)  # noqa: S311 - a simulation
    free = [0.0] * 3
    clock = total = waited = 0.0
    jobs = 60_000
    for _ in range(jobs):
        clock += draw.expovariate(2.0)
        start = max(clock, heapq.heappop(free))
        heapq.heappush(free, start + draw.expovariate(1.0))
        total += start - clock
        waited += start > clock
    r = solve()
    assert total / jobs == pytest.approx(r.wait.to("hour").magnitude, rel=0.06)
    assert waited / jobs == pytest.approx(r.waiting_share, rel=0.03)


@pytest.mark.parametrize("rate", ["3/hour", "4/hour", "1000/hour"])
def test_full_is_unstable_and_not_negative(rate):
    r = solve(arrival_rate=Q_(rate))
    assert (r.state, r.stable) == (QueueState.UNSTABLE, False)
    assert r.utilization >= 1
    assert r.wait is r.waiting_share is r.percentile(0.5) is None
    assert "unstable: the line grows without end" in repr(r)


def test_a_job_that_is_larger_than_the_cluster_never_starts():
    r = solve(devices_per_job=25)
    assert (r.state, r.slots, r.stranded, r.utilization, r.wait) == (QueueState.TOO_LARGE, 0, 24, None, None)
    assert "a job needs more devices than there are" in repr(r)


def test_a_target_says_how_many_devices():
    """Two jobs at a time at 50 %: four slots, 32 devices; c = 4 and a = 2: C = 4/23, the wait 2/23."""
    r = solve(target_utilization=0.5)
    assert (r.target_slots, r.target_devices) == (4, 32)
    assert r.target_wait.to("hour").magnitude == pytest.approx(2 / 23, rel=1e-12)
    assert r.to_dict()["devices_for_the_target"] == 32


def test_the_higher_the_target_the_longer_the_wait():
    waits = [solve(target_utilization=u).target_wait.magnitude for u in (0.3, 0.5, 0.67, 0.9)]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_an_overfull_cluster_still_learns_what_it_takes():
    """Ten jobs at a time at 80 % take 13 slots."""
    r = solve(arrival_rate=Q_("10/hour"), target_utilization=0.8)
    assert not r.stable
    assert r.target_devices == 104
    assert r.target_wait is not None


def test_a_fleet_is_its_devices():
    assert solve(fleet=Systems.Clusters.DGX_SuperPOD_H100).slots == 128


@given(st.integers(24, 400), st.integers(24, 400))
def test_a_larger_cluster_waits_less(a, b):
    small, large = sorted((a, b))
    one, two = (solve(fleet=n, arrival_rate=Q_("2.9/hour")) for n in (small, large))
    assert two.wait.magnitude <= one.wait.magnitude * (1 + 1e-12)


@given(st.floats(0.01, 2.99), st.floats(0, 0.99))
def test_pooling_beats_parts(rate, share):
    """Twice the cluster for twice the jobs: the same utilization, less waiting."""
    one = solve(arrival_rate=Q_(rate, "1/hour"))
    two = solve(fleet=48, arrival_rate=Q_(2 * rate, "1/hour"))
    assert two.utilization == pytest.approx(one.utilization, rel=1e-12)
    assert two.wait.magnitude <= one.wait.magnitude
    assert two.percentile(share).magnitude <= one.percentile(share).magnitude + 1e-9


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fleet": 0}, "fleet must be a whole number of at least 1; got 0"),
        ({"devices_per_job": 0}, "devices_per_job must be a whole number of at least 1; got 0"),
        ({"arrival_rate": Q_("0/hour")}, "arrival_rate must be a finite positive quantity"),
        ({"arrival_rate": 2}, "arrival_rate needs a unit"),
        ({"duration": Q_("0 hour")}, "duration must be a finite positive quantity"),
        ({"duration": Q_("2 GB")}, "duration needs [time]"),
        ({"target_utilization": 1.0}, "target_utilization must be above 0 and below 1; got 1.0"),
        ({"target_utilization": 0}, "target_utilization must be above 0 and below 1; got 0"),
        ({"fleet": 10**9, "devices_per_job": 1}, "more than 10,000,000 jobs at a time"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(**wrong)
    assert said in str(caught.value)


@pytest.mark.parametrize("share", [1.0, -0.1, "most"])
def test_a_percentile_is_a_share(share):
    with pytest.raises(ArgumentError, match="share must be at least 0 and below 1"):
        solve().percentile(share)


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        solve(fleet=0, devices_per_job=0, arrival_rate=1, duration=1, target_utilization=2)
    for word in ("fleet", "devices_per_job", "arrival_rate", "duration", "target_utilization"):
        assert word in str(caught.value)
