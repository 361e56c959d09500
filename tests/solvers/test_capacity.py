"""Replicas for a load: by hand, against every smaller number, and where no number helps."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import Q_, Accelerator, ArgumentError, Hardware, Models
from mlsysim.core.queueing import wait_quantile
from mlsysim.solvers.capacity import Binding, CapacityModel
from mlsysim.solvers.continuous_batching import ContinuousBatchingModel

TOY = Accelerator(name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("64 GB"))
H100 = Hardware.Cloud.H100


def solve(model, hardware=TOY, batch_size=None, *, rate=1000.0, **options):
    asked = {"prompt": 100, "output": 11, "calibration": "ideal", **options}
    return CapacityModel().solve(model, hardware, batch_size, arrival_rate=Q_(rate, "1/s"), **asked)


def test_load_by_hand(hand):
    """One at a time takes 192 + 10·192.1 = 2,113 µs: a replica serves 473.3 a second, so 1,000 need three,
    and 946.5 still do, for two would be busy without a rest.
    """
    r = solve(hand, batch_size=1)

    assert 1 / r.server.peak == pytest.approx(2113e-6, rel=1e-12)
    assert (r.replicas, r.devices, r.binding) == (3, 3, Binding.LOAD)
    assert r.utilization == pytest.approx(0.7043, rel=1e-3)
    assert solve(hand, batch_size=1, rate=946.0).replicas == 2
    assert solve(hand, batch_size=1, rate=946.6).replicas == 3


def test_waits_need_more_than_the_load_does(hand):
    """99 % shall start within half a step, 96.05 µs, and 192 µs of reading, and 10 µs of waiting."""
    r = solve(hand, batch_size=1, ttft=Q_("298.1 us"))
    stay, load = 2113e-6, 2.113

    assert r.binding is Binding.WAIT
    assert wait_quantile(r.replicas, load, stay, 0.99) <= 10.05e-6
    assert wait_quantile(r.replicas - 1, load, stay, 0.99) > 10.05e-6
    assert r.ttft.m_as("us") <= 298.1


@pytest.mark.parametrize(
    ("options", "binding"),
    [
        ({"tpot": Q_("192 us")}, Binding.TPOT),
        ({"ttft": Q_("200 us")}, Binding.TTFT),
        ({"hardware": replace(TOY, capacity=Q_("100 MB"))}, Binding.MEMORY),
        ({"hardware": replace(TOY, capacity=Q_("100 MB")), "tpot": Q_("1 us")}, Binding.MEMORY),
    ],
)
def test_no_number_of_replicas_is_an_outcome(hand, options, binding):
    r = solve(hand, **options)

    assert (r.replicas, r.devices, r.ttft, r.utilization) == (None, None, None, None)
    assert not r.feasible
    assert r.binding is binding
    assert r.fits is (binding is not Binding.MEMORY)
    assert "none" in repr(r)


def test_devices_are_those_of_all_replicas(hand):
    r = solve(hand, replace(TOY, link=Q_("100 GB/s")), batch_size=1, tp_size=2)

    assert r.devices == 2 * r.replicas


@settings(deadline=None, max_examples=20)
@given(
    model=st.sampled_from([Models.Llama3_8B, Models.Mixtral_8x7B, Models.Gemma2_9B]),
    rate=st.floats(0.01, 3000),
    tpot=st.floats(15, 60),
    ttft=st.floats(100, 2000),
    percent=st.sampled_from([50, 95, 99, 99.9]),
)
def test_one_replica_fewer_would_not_do(model, rate, tpot, *, ttft, percent):
    """The batch is the largest within TPOT and TTFT; with one replica fewer it waits too long."""
    device = Hardware.Cloud.H200
    options = {"tpot": Q_(tpot, "ms"), "ttft": Q_(ttft, "ms"), "percent": percent}
    r = CapacityModel().solve(model, device, 256, arrival_rate=Q_(rate, "1/s"), **options)
    if not r.feasible:
        return

    def kept(server):
        start = server.flight.reading + server.flight.step / 2
        return server.flight.per_token <= tpot / 1e3 and start <= ttft / 1e3

    def late(replicas):
        stay = r.server.flight.residence
        start = r.server.flight.reading + r.server.flight.step / 2
        return wait_quantile(replicas * r.server.most, rate * stay, stay, percent / 100) + start > ttft / 1e3

    assert kept(r.server)
    if r.server.most < 256:
        assert not kept(ContinuousBatchingModel().solve(model, device, r.server.most + 1))
    assert not late(r.replicas)
    assert r.replicas == 1 or late(r.replicas - 1)
    assert 0 < r.utilization < 1


@settings(deadline=None, max_examples=20)
@given(st.floats(0.1, 2000), st.floats(1, 5))
def test_more_load_never_needs_fewer(rate, factor):
    one, more = (
        CapacityModel().solve(Models.Llama3_8B, H100, 64, arrival_rate=Q_(x, "1/s"), ttft=Q_("200 ms"))
        for x in (rate, rate * factor)
    )
    assert one.replicas <= more.replicas


def test_pooling_pays(hand):
    """A hundred times the load needs less than a hundred times the replicas, for the same wait."""
    few, many = (solve(hand, batch_size=1, rate=x, ttft=Q_("300 us")) for x in (1e3, 1e5))

    assert many.replicas < 100 * few.replicas
    assert many.utilization > few.utilization


def test_without_limits_the_load_decides(hand):
    r = solve(hand, batch_size=16)

    assert r.binding is Binding.LOAD
    assert r.replicas == math.floor(1000 / r.server.peak) + 1
    assert r.server.most == 16


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arrival_rate": Q_("0/s")}, "arrival_rate must be positive"),
        ({"arrival_rate": 10}, "arrival_rate needs a unit"),
        ({"ttft": Q_("-1 s")}, "ttft must be a finite positive quantity"),
        ({"tpot": 50}, "tpot needs a unit"),
        ({"percent": 100}, "percent must be above 0 and below 100; got 100"),
        ({"chunk_size": 0}, "chunk_size must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"model": "gpt"}, "model must"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        CapacityModel().solve(
            **{"model": hand, "hardware": TOY, "arrival_rate": Q_("1/s"), "prompt": 100, **wrong}
        )
    assert said in str(caught.value)
