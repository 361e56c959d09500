import math

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, Engine, Transformer, plots

TINY = Transformer(
    name="tiny", layers=2, width=256, heads=4, kv_heads=4, head_size=64, ffn_width=1024, gated=False,
    vocab=1000, tied=False, context=512,
)  # fmt: skip
CHIP = Accelerator(
    name="chip", peak={"fp16": Q_("10 TFLOP/s")}, bandwidth=Q_("100 GB/s"), capacity=Q_("8 GB")
)


def profiles():
    return {f"batch {b}": Engine.solve(TINY, CHIP, b, calibration="ideal") for b in (1, 400)}


def curves(figure):
    return {line.get_label(): line.get_xydata() for line in figure.axes[0].get_lines()}


def test_points_lie_on_the_roof_under_ideal():
    """The ridge is 10e12 / 100e9 = 100 FLOP/B: batch 1 lies on the slope, batch 400 on the flat."""
    drawn = curves(plots.roofline(profiles()))
    (x, y), (_, flat) = (drawn[k][0] for k in ("batch 1 (Memory Bound)", "batch 400 (Compute Bound)"))

    assert math.isclose(y, x * 100e9 / 1e12)
    assert math.isclose(flat, 10.0)
    roof = drawn["chip, fp16"]
    assert math.isclose(roof[1][0], 100.0)
    assert math.isclose(roof[2][1], 10.0)


def test_a_device_has_one_roof():
    labels = [line.get_label() for line in plots.roofline(profiles()).axes[0].get_lines()]

    assert labels.count("chip, fp16") == 1


def test_axes_name_their_units():
    ax = plots.roofline(list(profiles().values())).axes[0]

    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Arithmetic intensity [FLOP/B]", "Rate [TFLOP/s]")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_nothing_to_draw_is_refused():
    with pytest.raises(ArgumentError, match="at least one profile"):
        plots.roofline([])


def test_a_figure_is_closed_so_that_a_notebook_shows_it_once():
    import matplotlib.pyplot as plt

    plots.lines({"a": ([1, 2], [3, 4])}, xlabel="x [s]", ylabel="y [s]")

    assert plt.get_fignums() == []


def test_series_differ_without_colour():
    series = {str(i): ([1, 2], [i, i]) for i in range(7)}
    drawn = plots.lines(series, xlabel="x", ylabel="y").axes[0].get_lines()

    assert len({(line.get_linestyle(), line.get_marker()) for line in drawn}) == 7


def test_a_waterfall_ends_at_the_product():
    bars = plots.waterfall({"up": 2.0, "down": 0.75}).axes[0].patches

    spans = [(b.get_y(), b.get_y() + b.get_height()) for b in bars]
    assert spans == [(1.0, 2.0), (1.5, 2.0), (1.0, 1.5)]
