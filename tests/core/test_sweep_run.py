"""A sweep runs in blocks and on any executor, says how far it is, and asks what solve asks."""

from dataclasses import replace

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    Engine,
    Hardware,
    Models,
)
from mlsysim.core.sweeps import cells, run

np = pytest.importorskip("numpy")

TOY = Accelerator(
    name="toy",
    peak={"fp16": Q_("100 TFLOP/s")},
    bandwidth=Q_("1 TB/s"),
    capacity=Q_("1 GB"),
    link=Q_("100 GB/s"),
)
EIGHT = replace(TOY, name="eight", peak={"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TOP/s")})


def same(one, other):
    """Whether two sweeps agree in every bit."""
    assert one.columns.keys() == other.columns.keys()
    for name, column in one.columns.items():
        assert column.data.dtype == other.columns[name].data.dtype
        assert column.data.tobytes() == other.columns[name].data.tobytes(), name
    assert np.array_equal(one.feasible, other.feasible)
    assert np.array_equal(one.reason_codes, other.reason_codes)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_change_no_bit(monkeypatch, block):
    """Experts raise a share to the power of the batch: the one operation that a processor may round."""
    experts = [m for m in Models.list() if getattr(m, "experts", 0)][:2]
    arguments = (experts, [Hardware.A100, Hardware.H100], range(1, 40), ["fp16", "fp8"])
    whole = Engine.sweep(*arguments, context=range(0, 500, 37))
    monkeypatch.setattr(run, "BLOCK", block)

    same(whole, Engine.sweep(*arguments, context=range(0, 500, 37)))


def test_progress_counts_every_point(hand, monkeypatch):
    monkeypatch.setattr(run, "BLOCK", 6)
    seen = []
    Engine.sweep(hand, [TOY, EIGHT], range(1, 7), ["fp16", "int8"], progress=lambda *at: seen.append(at))

    assert seen == [(12, 24), (18, 24), (24, 24)]


def test_an_executor_gives_the_same_bits(hand, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(run, "TASK", 5)
    arguments = (hand, [TOY, EIGHT], range(1, 8), ["fp16", "int8"])
    with ThreadPoolExecutor(2) as pool:
        far = Engine.sweep(*arguments, context=[0, 64, 5000], client=pool)

    same(far, Engine.sweep(*arguments, context=[0, 64, 5000]))


def test_a_sweep_asks_the_counting_and_the_price_that_solve_asks(hand, monkeypatch):
    """No second formula: doubling what one call returns doubles the sweep."""
    before = Engine.sweep(hand, TOY, [1, 2], calibration="ideal").latency.magnitude
    honest = cells.evaluate

    def doubled(*args, **options):
        work, terms = honest(*args, **options)
        return work, replace(terms, traffic=2 * terms.traffic, flops=2 * terms.flops)

    monkeypatch.setattr(cells, "evaluate", doubled)
    assert Engine.sweep(hand, TOY, [1, 2], calibration="ideal").latency.magnitude == pytest.approx(2 * before)


def test_networks_of_two_kinds_share_a_sweep(hand):
    """Tokens and samples do not add up: their rate has no common unit but per second."""
    r = Engine.sweep([hand, Models.ResNet50], TOY, [1, 2])

    assert not r.missing.any()
    assert r.throughput.check("1/[time]")
    assert "serving, vision" in repr(r)
