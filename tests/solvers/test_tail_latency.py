"""Response times under load: by hand, against closed forms, and against a simulated queue."""

import heapq
import math
import random
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Engine, UnitError
from mlsysim.solvers.response_time import Queue, Response, Stability
from mlsysim.solvers.tail_latency import TailLatencyModel

TOY = Accelerator(name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB"))


def solve(service, rate, servers=1, **options):
    return TailLatencyModel().solve(Q_(service, "s"), Q_(rate, "1/s"), servers, **options)


def seconds(quantity):
    return quantity.m_as("s")


@pytest.mark.parametrize("percent", [1, 50, 90, 95, 99, 99.9])
def test_one_server_is_exponential(percent):
    """M/M/1 with s = 1, λ = 0.8: responses are exponential with mean 1/(1 − 0.8) = 5."""
    r = solve(1.0, 0.8)

    assert seconds(r.percentile(percent)) == pytest.approx(-5 * math.log(1 - percent / 100), rel=1e-9)
    assert (seconds(r.mean_response), seconds(r.mean_wait)) == pytest.approx((5, 4), rel=1e-12)
    assert r.waiting_share == pytest.approx(0.8, rel=1e-12)


def test_two_servers_by_hand():
    """a = 1: C = (1/2 · 2) / (1 + 1 + 1) = 1/3, the mean wait 1/3; θ = 1 = 1/s, so R is a mixture of one and
    two unit exponentials: P(R > t) = e^{−t} (1 + t/3).
    """
    r = solve(1.0, 1.0, 2)

    assert r.waiting_share == pytest.approx(1 / 3, rel=1e-12)
    assert seconds(r.mean_wait) == pytest.approx(1 / 3, rel=1e-12)
    for t in (0.0, 0.5, 3.0, 20.0):
        assert r.response.beyond(t) == pytest.approx(math.exp(-t) * (1 + t / 3), rel=1e-12)


def erlang_c_exactly(servers, load):
    """Erlang's formula as it is printed, in fractions."""
    a = Fraction(load)
    terms = [a**k / math.factorial(k) for k in range(servers)]
    last = a**servers / math.factorial(servers) * servers / (servers - a)
    return float(last / (sum(terms) + last))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_the_share_that_waits_is_erlangs(servers, utilization):
    load = utilization * servers
    assert solve(1.0, load, servers).waiting_share == pytest.approx(erlang_c_exactly(servers, load), rel=1e-9)


def test_thousands_of_servers_overflow_nothing():
    """With a square root to spare (ρ = 1 − 1/√c) about 22 % wait, however many servers [Halfin-Whitt]."""
    shares = [solve(1.0, c - math.sqrt(c), c).waiting_share for c in (10_000, 100_000)]

    assert shares == pytest.approx([0.2234, 0.2234], rel=0.02)
    assert solve(1.0, 100.0, 20_000).waiting_share == 0.0
    assert seconds(solve(1.0, 100.0, 20_000).p99) == pytest.approx(math.log(100), rel=1e-9)


def simulated(rate, servers, draw, customers=60_000):
    """Responses of a queue that is served in order of arrival, event by event."""
    rng = random.Random(7)  # noqa: S311 - a simulation
    free = [0.0] * servers
    now, found = 0.0, []
    for _ in range(customers):
        now += rng.expovariate(rate)
        start = max(now, heapq.heappop(free))
        end = start + draw(rng)
        heapq.heappush(free, end)
        found.append(end - now)
    return sorted(found[customers // 10 :])


def check(r, found, tolerance, percents=(50, 95, 99)):
    assert seconds(r.mean_response) == pytest.approx(sum(found) / len(found), rel=0.06)
    for percent in percents:
        at = found[int(len(found) * percent / 100)]
        assert seconds(r.percentile(percent)) == pytest.approx(at, rel=tolerance)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.5), (3, 2.1), (8, 6.4)])
def test_a_simulated_queue_agrees(servers, rate):
    check(solve(1.0, rate, servers), simulated(rate, servers, lambda rng: rng.expovariate(1)), 0.06)


@pytest.mark.parametrize("variation", [0.0, 0.5, 2.0])
def test_a_simulated_queue_of_other_variation_is_near(variation):
    """The mean is exact; at a load of 0.7 the exponential tail is within a sixth."""

    def draw(rng):
        if variation <= 1:
            return 1 - variation + (variation and rng.expovariate(1 / variation))
        p = (1 + math.sqrt((variation**2 - 1) / (variation**2 + 1))) / 2
        return rng.expovariate(2 * p if rng.random() < p else 2 * (1 - p))

    check(solve(1.0, 0.7, variation=variation), simulated(0.7, 1, draw, 250_000), 0.16, (95, 99))


def test_constant_service_by_hand():
    """M/D/1 at ρ = 1/2: the mean wait is ρ s/(2(1 − ρ)) = s/2; nobody is faster than s."""
    r = solve(2.0, 0.25, variation=0.0)

    assert r.queue is Queue.MG1
    assert seconds(r.mean_wait) == pytest.approx(1.0, rel=1e-12)
    assert r.response.beyond(1.999) == 1.0
    assert r.response.beyond(2.0) == pytest.approx(0.5, rel=1e-12)
    assert seconds(r.p50) == pytest.approx(2.0, rel=1e-12)
    assert seconds(r.percentile(75)) == pytest.approx(2 + 2 * math.log(2), rel=1e-9)


@pytest.mark.parametrize("variation", [0.0, 1e-300, 0.4, 1.0, 2.5])
@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_the_distribution_has_the_mean_that_is_given(variation, rate):
    """Summing P(R > t) over t gives the mean again: the parts of the service time are put together right."""
    r = solve(1.0, rate, variation=variation)
    step = r.response.within(1 - 1e-8) / 10_000
    total = sum(r.response.beyond(step * (i + 0.5)) for i in range(10_000)) * step

    assert total == pytest.approx(seconds(r.mean_response), rel=1e-3)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 10), st.floats(0.001, 0.999), st.floats(0, 100))
def test_a_probability_is_one(variation, rate, t):
    early, late = (solve(1.0, rate, variation=variation).response.beyond(x) for x in (t, 2 * t))
    assert 0 <= late <= early <= 1 + 1e-12


@pytest.mark.parametrize("variation", [0.0, 0.3, 1.0, 3.0])
def test_variation_is_that_which_is_given(variation):
    """Without waits the second moment is s²(1 + v²): twice the sum of t P(R > t)."""
    r = Response(service=1.0, variation=variation, waiting_share=0.0, wait=0.0)
    step = 0.01
    square = 2 * sum((t := step * (i + 0.5)) * r.beyond(t) for i in range(20_000)) * step

    assert square == pytest.approx(1 + variation**2, rel=2e-3)


LOADS = {"servers": st.integers(1, 200), "low": st.floats(0.01, 0.98), "high": st.floats(0.01, 0.98)}


@settings(deadline=None, max_examples=60)
@given(**LOADS)
def test_more_load_is_never_faster(servers, low, high):
    less, more = (solve(1.0, x * servers, servers) for x in sorted((low, high)))

    assert more.wait >= less.wait
    assert more.p99 >= less.p99 * (1 - 1e-9)
    assert less.p50 <= less.p95 <= less.p99


@settings(deadline=None, max_examples=60)
@given(st.floats(0.01, 0.95), st.floats(0, 3), st.floats(0, 3))
def test_more_variation_is_more_wait(rate, one, two):
    calm, wild = (solve(1.0, rate, variation=v) for v in sorted((one, two)))
    assert wild.wait >= calm.wait


@pytest.mark.parametrize(("rate", "servers"), [(1.0, 1), (1.5, 1), (4.0, 4), (1e6, 3)])
def test_overload_is_an_outcome_and_no_number(rate, servers):
    r = solve(1.0, rate, servers)

    assert r.stability is Stability.UNSTABLE
    assert not r.stable
    assert (r.wait, r.p50, r.p95, r.p99, r.mean_response, r.response) == (None,) * 6
    assert r.utilization >= 1
    assert r.waiting_share == 1
    assert "unstable" in repr(r)
    assert r.least_servers == rate + 1 if rate == int(rate) else 2


def test_the_least_servers_are_stable():
    r = solve(0.1, 25.0)

    assert r.least_servers == 3
    assert solve(0.1, 25.0, 3).stable
    assert not solve(0.1, 25.0, 2).stable


def test_a_trickle_does_not_wait():
    """As arrivals become rare, the response is the service time."""
    r = solve(1.0, 1e-9)

    assert seconds(r.mean_response) == pytest.approx(1, rel=1e-8)
    assert seconds(r.p99) == pytest.approx(math.log(100), rel=1e-6)


def test_a_step_of_the_engine_is_a_service(hand):
    step = Engine.solve(hand, TOY, calibration="ideal")
    r = TailLatencyModel().solve(step, Q_("1000/s"), variation=0.0)

    assert r.service == step.terms.latency
    assert r.fits
    assert "hand on Toy" in r.title
    small = replace(TOY, capacity=Q_("1 MB"))
    tight = TailLatencyModel().solve(Engine.solve(hand, small, calibration="ideal"), Q_("1000/s"))
    assert not tight.fits
    assert tight.rows()[0][1].startswith("does not fit")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arrival_rate": Q_("0/s")}, "arrival_rate must be positive; at 0 nobody waits"),
        ({"arrival_rate": Q_("-1/s")}, "arrival_rate must be a finite positive quantity"),
        ({"arrival_rate": Q_("1 s")}, "arrival_rate needs 1 / [time]"),
        ({"arrival_rate": 5}, "arrival_rate needs a unit"),
        ({"service": Q_("0 s")}, "service must be a finite positive quantity"),
        ({"service": 0.1}, "service needs a unit"),
        ({"servers": 0}, "servers must be a whole number of at least 1; got 0"),
        ({"variation": -0.1}, "variation must be at least 0; got -0.1"),
        ({"variation": float("nan")}, "variation must be at least 0; got nan"),
        ({"servers": 2, "variation": 0.0}, "variation must be 1 with 2 servers"),
    ],
)
def test_a_wrong_argument_is_named(wrong, said):
    with pytest.raises(ArgumentError) as caught:
        TailLatencyModel().solve(**{"service": Q_("1 s"), "arrival_rate": Q_("0.5/s"), **wrong})
    assert said in str(caught.value)


def test_a_batch_is_no_request(hand):
    with pytest.raises(ArgumentError, match="step of one request; got one of batch 4"):
        TailLatencyModel().solve(Engine.solve(hand, TOY, 4), Q_("1/s"))


def test_all_faults_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        TailLatencyModel().solve(Q_("0 s"), Q_("0/s"), 0, variation=-1)
    for word in ("service", "arrival_rate", "servers", "variation"):
        assert word in str(caught.value)
    with pytest.raises(UnitError):
        TailLatencyModel().solve(1, 1)


@pytest.mark.parametrize("percent", [0, 100, -5, "99"])
def test_a_percentile_that_is_none_is_refused(percent):
    with pytest.raises(ArgumentError, match="percent must be above 0 and below 100"):
        solve(1.0, 0.5).percentile(percent)
