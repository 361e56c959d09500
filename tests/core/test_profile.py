"""What the engine answers, in units, and whether it fits."""

import pytest

from mlsysim import Q_, Accelerator, Engine, Transformer
from mlsysim.core.errors import DoesNotFitError
from mlsysim.core.profile import Fit


@pytest.fixture
def hand():
    """P = 95e6 matmul parameters, 100e6 in all, 20,000 B of cache a token, 40,000 FLOP a pair of tokens."""
    return Transformer(
        name="hand",
        layers=10,
        width=1000,
        heads=10,
        kv_heads=5,
        head_size=100,
        ffn_width=2000,
        gated=True,
        vocab=5000,
        tied=False,
        context=4096,
    )


def toy(capacity="64 GB"):
    return Accelerator(
        name="Toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_(capacity)
    )


@pytest.fixture
def profile(hand):
    """Batch 4 at context 1000: 920e6 FLOP in 9.2 µs, 270e6 B in 270 µs."""
    return Engine.solve(hand, toy(), 4, context=1000, calibration="ideal")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flops", "920 MFLOP"),
        ("traffic", "270 MB"),
        ("arithmetic_intensity", "3.407407407407407 FLOP/B"),
        ("ridge_point", "100 FLOP/B"),
        ("effective_ridge_point", "100 FLOP/B"),
        ("compute_time", "9.2 us"),
        ("memory_time", "270 us"),
        ("overhead", "0 s"),
        ("latency", "270 us"),
        ("throughput", "14814.814814814816 token/s"),
        ("memory_required", "280 MB"),
    ],
)
def test_a_quantity_is_worth_what_the_sum_says(profile, name, expected):
    got, want = getattr(profile, name), Q_(expected)
    assert got.dimensionality == want.dimensionality
    assert got.to(want.units).magnitude == pytest.approx(want.magnitude, rel=1e-12)


def test_utilisations_are_shares_of_the_datasheet(profile):
    """920e6 FLOP in 270 µs of 1e14 FLOP/s; 270e6 B in 270 µs of 1e12 B/s."""
    assert profile.mfu == pytest.approx(920e6 / (270e-6 * 1e14), rel=1e-12)
    assert profile.mbu == pytest.approx(1, rel=1e-12)


def test_efficiencies_move_the_effective_ridge_point(hand):
    """100 · 0.275 / 1 under `serving`; the datasheet's own stays at 100."""
    p = Engine.solve(hand, toy())
    assert p.effective_ridge_point.to("FLOP/B").magnitude == pytest.approx(27.5, rel=1e-12)
    assert p.ridge_point.to("FLOP/B").magnitude == pytest.approx(100, rel=1e-12)


def test_padding_counts_as_time_and_not_as_useful_work(hand):
    """One row in eight is useful: MFU uses 190e6 FLOP, though eight times as many are executed."""
    p = Engine.solve(hand, toy())
    assert p.terms.flops == 8 * 190e6
    assert p.mfu == pytest.approx(190e6 / (p.terms.latency * 1e14), rel=1e-12)


@pytest.mark.parametrize(
    ("capacity", "devices", "short"),
    [("280 MB", 1, 0), ("279 MB", 2, 1), ("140 MB", 2, 140), ("139 MB", 3, 141), ("1 MB", 280, 279)],
)
def test_the_shortfall_and_the_least_number_of_devices(hand, capacity, devices, short):
    """200e6 B of weights and 4·1000·20,000 B of cache are 280 MB."""
    p = Engine.solve(hand, toy(capacity), 4, context=1000)
    assert p.fits is (short == 0)
    assert p.fit.least_devices == devices
    assert p.fit.shortfall.to("MB").magnitude == pytest.approx(short, abs=1e-9)


def test_not_fitting_is_an_outcome_and_an_exception_on_request(hand):
    roomy, tight = (Engine.solve(hand, toy(c)) for c in ("1 GB", "150 MB"))
    assert roomy.raise_if_infeasible() is roomy
    with pytest.raises(DoesNotFitError) as caught:
        tight.raise_if_infeasible()
    message = str(caught.value)
    assert "hand on Toy does not fit: needs 0.2 GB, has 0.15 GB, 0.05 GB short" in message
    assert "at least 2 devices" in message


def test_a_fit_reads_as_a_sentence():
    assert str(Fit(required=2e9, capacity=4e9)) == "fits: 2 GB of 4 GB"


def test_the_short_form_holds_the_question_and_the_answer(profile):
    text = repr(profile)
    assert text.startswith("hand on Toy\n")
    for line in ("Context", "Batch size", "Calibration", "ideal", "Latency", "0.27 ms", "Memory Bound"):
        assert line in text


def test_a_prompt_is_shown_where_there_is_one(hand):
    labels = [k for k, _ in Engine.solve(hand, toy(), phase="prefill", prompt=9).rows()]
    assert "Prompt" in labels
    assert "Context" not in labels


def test_plain_data_is_unrounded(profile):
    data = profile.to_dict()
    assert data["latency"] == {"value": pytest.approx(0.27, rel=1e-12), "unit": "ms"}
    assert data["batch_size"] == 4
    assert data["calibration"] == "ideal"
    assert data["mfu"] == profile.mfu
