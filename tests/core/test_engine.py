"""The engine, on a network and a machine whose sums are round."""

from dataclasses import replace

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Bottleneck,
    Calibration,
    ConvNet,
    Engine,
    MissingSpecError,
    Precision,
)
from mlsysim.core.models import Encoder, Phase


@pytest.fixture
def toy():
    return Accelerator(
        name="Toy",
        peak={"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TOP/s")},
        bandwidth=Q_("1 TB/s"),
        capacity=Q_("64 GB"),
    )


@pytest.fixture
def net():
    return ConvNet(name="net", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])


def test_one_token_under_the_textbook(hand, toy):
    """190e6 FLOP at 1e14: 1.9 µs; 190e6 B at 1e12: 190 µs; they overlap."""
    p = Engine.solve(hand, toy, calibration="ideal")
    assert p.compute_time.to("us").magnitude == pytest.approx(1.9, rel=1e-12)
    assert p.memory_time.to("us").magnitude == pytest.approx(190, rel=1e-12)
    assert p.latency.to("us").magnitude == pytest.approx(190, rel=1e-12)
    assert p.bottleneck is Bottleneck.MEMORY


def test_one_token_as_it_is_served(hand, toy):
    """One row is padded to eight: 8·190e6 / (0.275·1e14) = 55.2727 µs; memory 190 µs;
    2.2 ms + 10·42 µs = 2,620 µs overhead; 190 + 0.35·55.2727 + 2620 = 2,829.345 µs.
    """
    p = Engine.solve(hand, toy)
    assert p.calibration.name == "serving"
    assert p.latency.to("us").magnitude == pytest.approx(2829.345454, rel=1e-9)
    assert p.bottleneck is Bottleneck.OVERHEAD


def test_a_prompt_under_the_textbook(hand, toy):
    """Two prompts of 100: 36e9 + 20e6 + 400e6 FLOP take 364.2 µs, 194e6 B take 194 µs."""
    p = Engine.solve(hand, toy, 2, phase="prefill", prompt=100, calibration="ideal")
    assert p.latency.to("us").magnitude == pytest.approx(364.2, rel=1e-12)
    assert p.bottleneck is Bottleneck.COMPUTE
    assert p.throughput.to("token/s").magnitude == pytest.approx(200 / 364.2e-6, rel=1e-12)


def test_weights_only_formats_compute_in_sixteen_bits(hand, toy):
    """w8a16: half the weight bytes, the peak of fp16; int8: the peak of int8."""
    w8 = Engine.solve(hand, toy, precision="w8a16", calibration="ideal")
    i8 = Engine.solve(hand, toy, precision="int8", calibration="ideal")
    assert (w8.terms.peak, i8.terms.peak) == (1e14, 2e14)
    assert w8.terms.traffic == i8.terms.traffic == 95e6


def test_efficiency_replaces_the_share_of_peak_alone(hand, toy):
    a = Engine.solve(hand, toy)
    b = Engine.solve(hand, toy, efficiency=0.55)
    assert b.terms == replace(a.terms, compute_efficiency=0.55)
    assert b.terms.compute_time == pytest.approx(a.terms.compute_time / 2, rel=1e-12)


def test_a_calibration_of_ones_own(hand, toy):
    """Half of peak and of bandwidth, nothing hidden, 1 ms and 10·10 µs: 3.8 + 380 + 1,100 µs."""
    mine = Calibration(
        name="mine",
        source="invented here",
        compute_efficiency={Phase.DECODE: 0.5},
        memory_efficiency=0.5,
        serial_fraction=1.0,
        step_overhead=Q_("1 ms"),
        layer_overhead=Q_("10 us"),
        tile=1,
    )
    p = Engine.solve(hand, toy, calibration=mine)
    assert p.latency.to("us").magnitude == pytest.approx(1483.8, rel=1e-12)
    assert p.calibration is mine
    with pytest.raises(ArgumentError, match="'mine' covers decode, not prefill"):
        Engine.solve(hand, toy, phase="prefill", prompt=10, calibration=mine)


def test_arguments_may_stand_in_order(hand, toy):
    a = Engine.solve(hand, toy, 4, "int8")
    b = Engine.solve(model=hand, hardware=toy, batch_size=4, precision="int8")
    assert a == b
    assert (a.batch_size, str(a.precision), a.phase, a.context) == (4, "int8", Phase.DECODE, 0)


def test_numpy_integers_are_integers(hand, toy):
    np = pytest.importorskip("numpy")
    a = Engine.solve(hand, toy, np.int64(4), context=np.int32(7))
    assert a == Engine.solve(hand, toy, 4, context=7)
    assert type(a.batch_size) is int


def test_flop_counts_beyond_sixty_four_bits_are_no_trouble(hand, toy):
    """A batch of 2**40 is 2e20 FLOP; time grows with it and nothing wraps."""
    p = Engine.solve(hand, toy, 2**40, calibration="ideal")
    assert p.latency.to("s").magnitude == pytest.approx(2**40 * 190e6 / 1e14, rel=1e-12)


def test_what_was_asked_is_reported_as_it_was_asked(hand, toy):
    """2**53 + 1 is the first integer that a float cannot hold: it is refused or reported, not rounded."""
    try:
        reported = Engine.solve(hand, toy, 2**53 + 1).batch_size
    except ArgumentError as error:
        assert "batch_size" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert reported == 2**53 + 1


def test_an_encoder_needs_a_prompt_and_has_no_cache(toy):
    reader = Encoder(
        name="reader",
        layers=1,
        width=64,
        heads=4,
        head_size=16,
        ffn_width=256,
        vocab=1000,
        positions=128,
        context=128,
    )
    assert Engine.solve(reader, toy, prompt=128, calibration="ideal").prompt == 128
    with pytest.raises(ArgumentError, match="prompt must be a whole number of at least 1; got None"):
        Engine.solve(reader, toy, calibration="ideal")
    with pytest.raises(ArgumentError, match="129 tokens exceed the context of reader, 128 tokens"):
        Engine.solve(reader, toy, prompt=129, calibration="ideal")
    with pytest.raises(ArgumentError, match="context is for phase 'decode'"):
        Engine.solve(reader, toy, prompt=8, context=8, calibration="ideal")


def test_a_network_that_does_not_generate_goes_forward(net, toy):
    assert Engine.solve(net, toy, calibration="ideal").phase is Phase.FORWARD
    with pytest.raises(ArgumentError, match="phase must be 'forward' or 'train' for net; got 'decode'"):
        Engine.solve(net, toy, phase="decode")


def test_a_full_context_is_accepted_and_no_more(hand, toy):
    assert Engine.solve(hand, toy, context=4096).context == 4096
    with pytest.raises(ArgumentError, match="4,097 tokens exceed the context of hand, 4,096 tokens"):
        Engine.solve(hand, toy, context=4097)


def test_a_missing_peak_is_never_replaced(hand, toy):
    for name in ("fp8", "bf16", "fp32", "tf32"):
        with pytest.raises(MissingSpecError, match=f"Toy has no published {name} peak"):
            Engine.solve(hand, toy, precision=name)


@pytest.mark.parametrize("missing", ["bandwidth", "capacity"])
def test_a_figure_that_is_not_published_is_refused_at_once(hand, toy, missing):
    """Time needs a bandwidth, and "does it fit" a capacity: no profile comes out that cannot be shown."""
    with pytest.raises(MissingSpecError, match=f"Toy has no published {missing}"):
        Engine.solve(hand, replace(toy, **{missing: None}))


@pytest.mark.parametrize(
    "extreme",
    [
        {"batch_size": 10**308, "context": 100},
        {"efficiency": 5e-324},
        {"precision": Precision("vast", 1e308, "fp16", 16, 16)},
    ],
)
def test_a_time_that_no_float_can_hold_is_refused(hand, toy, extreme):
    """Beyond 1.8e308 a float is infinite, and infinity over infinity is no number."""
    with pytest.raises(ArgumentError):
        Engine.solve(hand, toy, **extreme)


def test_a_text_in_the_place_of_a_phase_is_an_argument_error(hand, toy):
    for wrong in ("Decode", "forward", 5, ["decode"]):
        with pytest.raises(ArgumentError, match="phase must be 'decode', 'prefill' or 'train' for hand"):
            Engine.solve(hand, toy, phase=wrong)
