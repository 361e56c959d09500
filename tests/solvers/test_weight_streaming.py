"""Weights on a device, over many devices, and behind a link, by hand; and when a rival overtakes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    ConvNet,
    Engine,
    Hardware,
    Link,
    MissingSpecError,
    Models,
    Systems,
)
from mlsysim.solvers.residence import Residence
from mlsysim.solvers.weight_streaming import Per, WeightStreamingModel

SPREAD, STREAMED = Residence.SPREAD, Residence.STREAMED
BUS = Link(name="bus", bandwidth=Q_("19 GB/s"), topology="point-to-point")


def toy(**changes):
    fields = {"peak": {"fp16": Q_("100 TFLOP/s")}, "bandwidth": Q_("1 TB/s"), "capacity": Q_("64 GB")}
    return Accelerator(**{"name": "Toy", **fields, **changes})


def solve(model, hardware, batch=1, **options):
    return WeightStreamingModel().solve(model, hardware, batch, **options)


def test_on_one_device_the_step_is_the_engines(hand):
    r = solve(hand, toy(), 7, context=100)
    p = Engine.solve(hand, toy(), 7, context=100, calibration="ideal")
    assert r.machine.step == p
    assert r.latency.to("s").magnitude == pytest.approx(p.terms.latency, rel=1e-12)
    assert r.throughput.to("token/s").magnitude == pytest.approx(7 / p.terms.latency, rel=1e-12)
    assert (r.devices, r.fits, r.stream_bound) == (1, True, False)


def test_what_does_not_fit_says_so_and_nothing_is_streamed_unasked(hand):
    r = solve(hand, toy(capacity=Q_("100 MB")))
    assert (r.fits, r.machine.stream, r.devices) == (False, 0, 1)
    assert "does not fit" in repr(r).splitlines()[1]


def test_chips_are_counted(hand):
    """200 MB of weights and 10·2 MB of cache: 220 MB in parts of 30 MB take eight chips."""
    r = solve(hand, toy(capacity=Q_("30 MB")), 10, residence=SPREAD, context=100)
    assert r.devices == 8
    assert r.fits
    assert r.machine.fit.required == 220e6 / 8
    assert not solve(hand, toy(capacity=Q_("30 MB")), 10, residence=SPREAD, context=100, devices=7).fits


def test_a_token_passes_all_chips_and_others_follow(hand):
    """Eight chips, ten sequences: parts of ⌈10/8⌉ = 2 are on their way.

    Two sequences at 100 tokens: 190 + 4 MB take 194 µs through all chips; ten tokens in that time.
    """
    r = solve(hand, toy(capacity=Q_("30 MB")), 10, residence=SPREAD, context=100)
    assert r.machine.step.batch_size == 2
    assert r.latency.to("us").magnitude == pytest.approx(194, rel=1e-12)
    assert r.throughput.to("token/s").magnitude == pytest.approx(10 / 194e-6, rel=1e-12)


def test_up_to_as_many_sequences_as_chips_cost_no_time(hand):
    results = [solve(hand, toy(capacity=Q_("30 MB")), b, residence=SPREAD, devices=8) for b in (1, 4, 8, 9)]
    times = [r.latency.to("us").magnitude for r in results]
    assert times[:3] == pytest.approx([190] * 3, rel=1e-12)
    assert results[3].machine.step.batch_size == 2


def test_hops_by_hand(hand):
    """Seven hops of a part of two tokens, 2·1,000·2 B over 4 GB/s, 1 µs, and 2 µs each: 21 µs."""
    link = Link(name="hop", bandwidth=Q_("4 GB/s"), topology="switched", latency=Q_("2 us"))
    r = solve(hand, toy(capacity=Q_("30 MB")), 10, residence=SPREAD, context=100, link=link)
    assert r.machine.hops == pytest.approx(21e-6, rel=1e-12)
    assert r.latency.to("us").magnitude == pytest.approx(194 + 21, rel=1e-12)


def test_a_link_is_waited_for(hand):
    """190 MB over 19 GB/s take 10 ms, the work 190 µs; the device holds two layers of 20 MB."""
    r = solve(hand, toy(capacity=Q_("50 MB")), residence=STREAMED, link=BUS)
    assert r.latency.to("ms").magnitude == pytest.approx(10, rel=1e-12)
    assert r.latency_bound.to("ms").magnitude == pytest.approx(10.19, rel=1e-12)
    assert (r.stream_bound, r.fits) == (True, True)
    assert r.machine.fit.required == 40e6
    late = replace(BUS, latency=Q_("1 ms"))  # ten layers, a message each
    assert solve(hand, toy(), residence=STREAMED, link=late).latency.to("ms").magnitude == pytest.approx(20)


def test_a_large_batch_hides_the_link(hand):
    """190e6 FLOP a token at 100 TFLOP/s: 10 ms are 5,263 tokens."""
    before, after = (solve(hand, toy(), b, residence=STREAMED, link=BUS) for b in (5263, 5264))
    assert (before.stream_bound, after.stream_bound) == (True, False)
    assert before.throughput > 5000 * solve(hand, toy(), 1, residence=STREAMED, link=BUS).throughput


def test_the_cache_stays_on_the_device(hand):
    """Ten sequences of 1,000 tokens: 200 MB beside two layers of 20 MB."""
    r = solve(hand, toy(capacity=Q_("230 MB")), 10, residence=STREAMED, link=BUS, context=1000)
    assert r.machine.fit.required == 240e6
    assert not r.fits


def test_prompts_are_streamed_for_too(hand):
    r = solve(hand, toy(), 2, residence=STREAMED, link=BUS, phase="prefill", prompt=1000)
    assert r.throughput.to("token/s").magnitude == pytest.approx(2000 / 10e-3, rel=1e-9)


def test_a_rival_overtakes_by_hand(hand):
    """The machine: 1,000 TB/s and 1 TFLOP/s, 190 µs a token. The rival: 190 µs up to batch 100.

    At batch 1 both give a token in 190 µs, from batch 2 the rival gives two.
    """
    quick = toy(name="Quick", bandwidth=Q_("1000 TB/s"), peak={"fp16": Q_("1 TFLOP/s")})
    r = solve(hand, quick, rival=toy())
    assert (r.crossover, r.outgrown) == (2, False)
    assert "from batch 2" in repr(r)
    strong = toy(name="Strong", bandwidth=Q_("1000 TB/s"))
    assert solve(hand, strong, rival=toy()).crossover is None
    assert "never" in repr(solve(hand, strong, rival=toy()))
    assert solve(hand, toy(), rival=toy(name="Better", bandwidth=Q_("2 TB/s"))).crossover == 1


def test_a_rival_overtakes_per_watt(hand):
    """Four times the watts: at batch 4 the rival is even, at batch 5 it gives five tokens for four."""
    quick = toy(name="Quick", bandwidth=Q_("1000 TB/s"), peak={"fp16": Q_("1 TFLOP/s")}, tdp=Q_("100 W"))
    rival = toy(tdp=Q_("400 W"))
    assert solve(hand, quick, rival=rival).crossover == 2
    assert solve(hand, quick, rival=rival, per=Per.WATT).crossover == 5
    with pytest.raises(MissingSpecError, match="no published tdp"):
        solve(hand, quick, rival=toy(), per=Per.WATT)


def test_two_rivals_share_a_step_and_count_twice(hand):
    """Two of them take 95 µs for b tokens, the machine 47.5 for each: b/(2·95) exceeds 1/47.5 above 4."""
    fast = toy(name="Fast", bandwidth=Q_("4 TB/s"), peak={"fp16": Q_("4 TFLOP/s")})
    r = solve(hand, fast, rival=toy(link=Q_("1 EB/s")), rival_size=2)
    assert r.crossover == 5


def test_all_chips_are_counted_against_the_rival(hand):
    """Eight chips that take 190 µs for a token, as the rival does, do an eighth each.

    With 19 µs they do 1/8 of b/19 up to eight tokens, more than b/190; nine go in parts of two, which take
    38 µs, and 1/8 of 9/38 is less than 9/190.
    """
    chip = toy(name="Chip", capacity=Q_("25 MB"), peak={"fp16": Q_("1 TFLOP/s")})
    assert solve(hand, chip, residence=SPREAD, rival=toy()).crossover == 1
    quick = replace(chip, bandwidth=Q_("10 TB/s"), peak={"fp16": Q_("10 TFLOP/s")})
    assert solve(hand, quick, residence=SPREAD, rival=toy()).crossover == 9


def test_a_machine_is_overtaken_when_its_memory_is_full(hand):
    """22 MB of room hold eleven sequences of 100 tokens; the rival overtakes at the twelfth."""
    strong = toy(name="Strong", bandwidth=Q_("1000 TB/s"), capacity=Q_("222 MB"))
    r = solve(hand, strong, rival=toy(), context=100)
    assert (r.crossover, r.outgrown) == (12, True)
    assert "from batch 12, which the machine does not hold" in repr(r)


def test_a_rival_that_does_not_fit_never_overtakes(hand):
    quick = toy(name="Quick", peak={"fp16": Q_("1 GFLOP/s")})
    assert solve(hand, quick, rival=toy(capacity=Q_("100 MB"))).crossover is None


def test_the_zoo_has_wafers_and_chips_without_other_memory():
    """141 GB of Llama-3.1-70B take four CS-3 of 44 GB; 138 GB of Llama-2-70B take 600 LPUs of 230 MB."""
    wafers = solve(Models.Llama3_70B, Hardware.Wafer.Cerebras_CS3, residence=SPREAD)
    assert wafers.devices == 4
    chips = solve(Models.Llama2_70B, Hardware.Wafer.Groq_LPU, residence=SPREAD)
    assert chips.devices == 600
    host = solve(Models.Llama3_70B, Hardware.Cloud.A100, residence=STREAMED, link=Systems.Fabrics.PCIe_4_x16)
    assert not solve(Models.Llama3_70B, Hardware.Cloud.A100).fits
    assert host.fits
    assert host.latency > 100 * wafers.latency


@given(batch=st.integers(1, 3000), context=st.integers(0, 2000), devices=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_laws(batch, context, devices):
    """Streaming is never quicker than having; bounds hold; more chips never take longer."""
    model, hardware = Models.Llama2_7B, Hardware.Cloud.A100
    options = {"context": context, "calibration": "serving"}
    have = solve(model, hardware, batch, **options)
    link = solve(model, hardware, batch, residence=STREAMED, link=Systems.Fabrics.PCIe_4_x16, **options)
    assert have.latency <= link.latency <= link.latency_bound
    assert link.latency_bound.magnitude <= 2 * link.latency.magnitude
    some, more = (
        solve(model, hardware, batch, residence=SPREAD, devices=n, **options) for n in (devices, devices + 1)
    )
    assert more.machine.seconds <= some.machine.seconds * (1 + 1e-12)
    assert some.machine.seconds <= have.machine.seconds * (1 + 1e-12)
    one = solve(model, hardware, batch, residence=SPREAD, devices=1, **options)
    assert one.machine.seconds == have.machine.seconds


@given(speed=st.floats(0.1, 20), watts=st.floats(50, 5000))
@settings(max_examples=15, deadline=None)
def test_the_crossover_is_that_of_a_scan(speed, watts):
    model = Models.Llama2_7B
    mine = toy(bandwidth=Q_("100 TB/s"), peak={"fp16": Q_(speed, "TFLOP/s")}, tdp=Q_(watts, "W"))
    rival = Hardware.Cloud.A100
    r = solve(model, mine, rival=rival, per=Per.WATT)

    def rate(device, batch):
        p = Engine.solve(model, device, batch, calibration="ideal")
        return batch / p.terms.latency / device.figure("tdp")

    scan = next((b for b in range(1, 400) if rate(rival, b) > rate(mine, b)), None)
    assert r.crossover == scan


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"residence": "spread"},
            "residence must be one of Residence, such as Residence.SPREAD; got 'spread'",
        ),
        ({"residence": STREAMED}, "link must be what the weights are streamed over, a Link; got None"),
        ({"link": BUS}, "link must be a Link, and is for weights that are spread or streamed"),
        ({"residence": SPREAD, "link": "bus"}, "link must be a Link, and is for weights"),
        ({"residence": SPREAD, "devices": 0}, "devices must be a whole number of at least 1; got 0"),
        ({"devices": 4}, "devices is for weights that are spread: residence=Residence.SPREAD; got 4"),
        ({"rival": "H100"}, "rival must be a device such as Hardware.Cloud.H100; got 'H100'"),
        ({"per": "watt"}, "per must be Per.DEVICE or Per.WATT; got 'watt'"),
        ({"batch": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"precision": "fp17"}, "precision 'fp17' is unknown"),
    ],
)
def test_a_wrong_argument_is_named(hand, wrong, said):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), **wrong)
    assert said in str(caught.value)


def test_a_network_that_generates_nothing_is_refused():
    net = ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])
    with pytest.raises(ArgumentError, match="model must generate text"):
        solve(net, toy())


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as caught:
        solve(hand, toy(), 0, residence=STREAMED, rival="H100", per="watt")
    for word in ("batch_size", "link", "rival", "per"):
        assert word in str(caught.value)
