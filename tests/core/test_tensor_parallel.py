"""Several devices that split every matrix: who holds what, who sends what, and what limits."""

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Calibration,
    Engine,
    Link,
    MissingSpecError,
    Models,
    SensitivitySolver,
    ServingModel,
    Transformer,
)
from mlsysim.core.attribution import Player
from mlsysim.core.calibration import IDEAL
from mlsysim.core.explainers import DifferentialExplainer


@pytest.fixture
def net():
    """Blocks 10·(2·1000·1000 + 2·1000·500 + 3·1000·2000) = 90e6, head 5e6: P = 95e6, 100e6 in all."""
    return Transformer(
        name="net", layers=10, width=1000, heads=10, kv_heads=5, head_size=100, ffn_width=2000,
        gated=True, vocab=5000, tied=False, context=4096,
    )  # fmt: skip


@pytest.fixture
def chip():
    return Accelerator(
        name="chip",
        peak={"fp16": Q_("100 TFLOP/s")},
        bandwidth=Q_("1 TB/s"),
        capacity=Q_("64 GB"),
        link=Q_("100 GB/s"),
    )


def test_the_parts_by_hand(net, chip):
    """Two devices, batch 4, context 1,000, fp16.

    Weights 95e6·2/2 = 95 MB on each. Five key-value heads: three on a device, so the cache of
    4·1000·20,000 B = 80 MB is 80·3/5 = 48 MB on each. FLOP 4·(190e6 + 4·10·1000·1000)/2 = 460e6.
    Sums: 20 of 4·1000·2 B = 8 kB; each sends 2·(1/2)·8 kB, 160 kB in all, at 100 GB/s 1.6 µs.
    """
    p = Engine.solve(net, chip, 4, context=1000, tp_size=2, calibration="ideal")

    assert p.work.weights == 95e6
    assert p.work.state == 48e6
    assert p.work.flops == 460e6
    assert p.work.resident == 100e6 + 48e6
    assert p.terms.communication_time == pytest.approx(1.6e-6)
    assert p.latency.to("us").magnitude == pytest.approx(143 + 1.6)
    assert "2 x chip" in p.title


def test_an_even_split_halves_memory_time(net, chip):
    one, five = (Engine.solve(net, chip, tp_size=n, calibration="ideal") for n in (1, 5))

    assert five.terms.memory_time == pytest.approx(one.terms.memory_time / 5)
    assert five.terms.compute_time == pytest.approx(one.terms.compute_time / 5)


def test_a_device_holds_at_least_one_head(net, chip):
    """Ten devices, five key-value heads: each holds one, so the cache exists twice."""
    one, ten = (Engine.solve(net, chip, 8, context=1000, tp_size=n) for n in (1, 10))

    assert 10 * ten.work.state == pytest.approx(2 * one.work.state)


def test_the_calibration_sets_rate_and_latency_of_a_sum(net, chip):
    """20 sums of 5 µs, and half the link's rate: 100 µs + 2·0.4 µs for batch 1."""
    slow = Calibration(
        name="slow",
        source="a test",
        compute_efficiency=dict(IDEAL.compute_efficiency),
        memory_efficiency=1.0,
        serial_fraction=0.0,
        step_overhead=Q_("0 s"),
        layer_overhead=Q_("0 s"),
        tile=1,
        link_efficiency=0.5,
        link_latency=Q_("5 us"),
    )
    p = Engine.solve(net, chip, tp_size=2, calibration=slow)

    assert p.terms.communication_time == pytest.approx(100e-6 + 0.8e-6)
    assert str(p.bottleneck) == "Communication Bound"


def test_a_link_can_be_given(net, chip):
    fast = Link(name="fast", bandwidth=Q_("1 TB/s"), topology="switched")
    p = Engine.solve(net, chip, tp_size=2, link=fast, calibration="ideal")

    assert p.terms.link_bandwidth == 1e12


def test_prefill_sums_every_token(net, chip):
    p = Engine.solve(net, chip, 4, phase="prefill", prompt=100, tp_size=2, calibration="ideal")

    assert p.work.reductions == 20
    assert p.work.reduced == 4 * 100 * 1000 * 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tp_size": 0}, "tp_size must be a whole number of at least 1; got 0"),
        ({"tp_size": 3}, r"tp_size \(3\) must divide the heads of net, 10"),
        ({"tp_size": 2, "link": 5}, "link must be a Link"),
    ],
)
def test_what_cannot_be_split_is_refused(net, chip, given, message):
    with pytest.raises(ArgumentError, match=message):
        Engine.solve(net, chip, **given)


def test_other_networks_and_unknown_links_are_refused(net, chip):
    with pytest.raises(ArgumentError, match="tp_size is for decoder transformers"):
        Engine.solve(Models.ResNet50, chip, tp_size=2)
    lonely = Accelerator(
        name="lonely", peak={"fp16": Q_("1 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("9 GB")
    )
    with pytest.raises(MissingSpecError, match="lonely has no published link"):
        Engine.solve(net, lonely, tp_size=2)


def test_two_devices_hold_what_one_does_not(net):
    small = Accelerator(
        name="small",
        peak={"fp16": Q_("100 TFLOP/s")},
        bandwidth=Q_("1 TB/s"),
        capacity=Q_("150 MB"),
        link=Q_("100 GB/s"),
    )
    one, two = (Engine.solve(net, small, tp_size=n) for n in (1, 2))

    assert (one.fits, one.fit.least_devices) == (False, 2)
    assert (two.fits, two.fit.least_devices) == (True, 2)
    assert "on each device" in str(two.fit)


def test_serving_splits_too(net, chip):
    """Each device has 64 GB less 100 MB, and 3/5 of a sequence's 1,100·20,000 B = 13.2 MB: 4,840 fit."""
    r = ServingModel().solve(net, chip, prompt=1000, output=100, tp_size=2)

    assert r.max_concurrency == int((64e9 - 100e6) // (1100 * 20_000 * 3 / 5)) == 4840
    assert r.decode.tp_size == r.prefill.tp_size == 2


def test_the_link_is_a_lever_where_there_is_one(net, chip):
    alone = SensitivitySolver().solve(net, chip, calibration="ideal")
    pair = SensitivitySolver().solve(net, chip, 64, tp_size=2, calibration="ideal")

    assert "link_bandwidth" not in alone.sensitivities
    share = pair.profile.terms.communication_time / pair.profile.terms.latency
    assert pair.exact["link_bandwidth"] == pytest.approx(-share)
    assert pair.sensitivities["link_bandwidth"] == pytest.approx(-share / (1 - 0.01), rel=1e-9)


def test_devices_are_a_player(net, chip):
    """Same step on five devices under `ideal`: the number of devices is the whole story."""
    one, five = (Engine.solve(net, chip, tp_size=n, calibration="ideal") for n in (1, 5))
    why = DifferentialExplainer.compare_performance(one, five)

    assert why.factors[Player.DEVICES] == pytest.approx(why.speedup, rel=1e-12)
    assert why.factors[Player.WORKLOAD] == 1.0
    assert dict(why.delivery.rows())["number of devices"] == 5
