"""Heat maps show what the sweep says: one cell a point, veiled where it does not fit."""

import pytest

from mlsysim import Q_, Accelerator, ArgumentError, Engine
from mlsysim.plots_sweep import heat_map

pytest.importorskip("matplotlib")
np = pytest.importorskip("numpy")

TOY = Accelerator(name="toy", peak={"fp16": Q_("100 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("1 GB"))
EIGHT = Accelerator(name="eight", peak={"int8": Q_("100 TOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("1 GB"))


@pytest.fixture
def swept(hand):
    return Engine.sweep(hand, TOY, [1, 100, 500], context=[0, 100, 2000, 5000], calibration="ideal")


def meshes(figure):
    return [np.ma.filled(m.get_array().astype(float), np.nan) for m in figure.axes[0].collections]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_a_cell_is_a_point(swept):
    drawn, veil = meshes(heat_map(swept, "latency"))

    assert np.array_equal(drawn, swept.latency.to("ms").magnitude, equal_nan=True)
    assert np.array_equal(veil == 1, ~swept.feasible & ~swept.missing)


def test_axes_and_bar_name_what_they_show(swept):
    figure = heat_map(swept, "latency")
    ax, bar = figure.axes

    assert (ax.get_xlabel(), ax.get_ylabel(), bar.get_ylabel()) == ("Context", "Batch size", "Latency [ms]")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "100", "2,000", "5,000"]
    assert legend(figure) == ["paler: does not fit", "no answer"]


def test_the_axes_can_change_places(swept):
    figure = heat_map(swept, "memory", x="batch_size")

    assert figure.axes[0].get_xlabel() == "Batch size"
    assert np.array_equal(meshes(figure)[0], swept.memory.magnitude.T, equal_nan=True)


def test_words_have_a_colour_each(swept):
    figure = heat_map(swept, "bottleneck")

    assert legend(figure)[:2] == ["Memory Bound", "Compute Bound"]


def test_things_are_ticks(hand):
    r = Engine.sweep(hand, [TOY, EIGHT], [1], ["fp16", "int8"])
    figure = heat_map(r, "throughput")

    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["toy", "eight"]
    assert legend(figure) == ["no answer"]


def test_two_axes_are_needed(swept):
    with pytest.raises(ArgumentError, match="this sweep has 1"):
        heat_map(swept.sel(context=0), "latency")
    with pytest.raises(ArgumentError, match=r"no output 'latencies'\. Did you mean 'latency'"):
        heat_map(swept, "latencies")
    with pytest.raises(ArgumentError, match="'batch' is no axis"):
        heat_map(swept, "latency", x="batch")
