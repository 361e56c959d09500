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


def test_a_scatter_has_a_panel_for_each_unit_and_a_band():
    """A factor of two about 10 spans 5 to 20; the axes reach from half the least to twice the most."""
    series = {"a": ([10.0, 40.0], [10.0, 20.0])}
    figure = plots.scatter({"rates [1/s]": series, "times [s]": {"b": ([1.0], [3.0])}})
    ax = figure.axes[0]
    diagonal, points = ax.get_lines()
    band = ax.collections[0].get_paths()[0].vertices

    assert [a.get_title() for a in figure.axes] == ["rates [1/s]", "times [s]"]
    assert (ax.get_xlim(), ax.get_ylim(), ax.get_xscale(), ax.get_yscale()) == (
        (5, 80),
        (5, 80),
        "log",
        "log",
    )
    assert diagonal.get_xydata().tolist() == [[5, 5], [80, 80]]
    assert points.get_xydata().tolist() == [[10, 10], [40, 20]]
    assert {tuple(v) for v in band.tolist()} == {(5.0, 2.5), (5.0, 10.0), (80.0, 40.0), (80.0, 160.0)}


def test_a_label_of_a_scatter_looks_the_same_in_every_panel():
    one = ([1.0], [1.0])
    figure = plots.scatter({"p": {"a": one, "b": one}, "q": {"b": one}})
    looks = [[(m.get_marker(), m.get_color()) for m in ax.get_lines()[1:]] for ax in figure.axes]

    assert looks[1] == [looks[0][1]]
    assert looks[0][0][0] != looks[0][1][0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_a_scatter_of_what_has_no_logarithm_is_refused():
    with pytest.raises(ArgumentError, match=r"needs positive values; got 0\.0"):
        plots.scatter({"p": {"a": ([1.0], [0.0])}})
    with pytest.raises(ArgumentError, match="got no panel"):
        plots.scatter({})


def test_more_labels_than_markers_are_refused():
    with pytest.raises(ArgumentError, match="8 labels for 7 markers"):
        plots.scatter({"p": {str(i): ([1.0], [1.0]) for i in range(8)}})
