"""A timeline shows what it is given: a bar a span, a look a kind."""

import pytest

from mlsysim import ArgumentError
from mlsysim.plots_time import timeline

pytest.importorskip("matplotlib")

LANES = {"first": [(0, 2, "forward"), (4, 4, "backward")], "second": [(2, 2, "forward")]}


def bars(figure):
    """Start, width, lane, colour and hatch of each bar."""
    return [
        (b.get_x(), b.get_width(), round(b.get_y() + b.get_height() / 2), b.get_facecolor(), b.get_hatch())
        for b in figure.axes[0].patches
    ]


def test_a_bar_is_a_span():
    drawn = bars(timeline(LANES, xlabel="Time [ms]"))

    assert sorted(bar[:3] for bar in drawn) == [(0, 2, 0), (2, 2, 1), (4, 4, 0)]


def test_kinds_differ_in_colour_and_hatch():
    """Readable without colour."""
    drawn = bars(timeline(LANES, xlabel="Time [ms]"))

    assert len({bar[3:] for bar in drawn}) == 2
    assert len({bar[4] for bar in drawn}) == 2


def test_axes_and_legend_name_what_they_show():
    ax = timeline(LANES, xlabel="Time [ms]").axes[0]

    assert (ax.get_xlabel(), ax.get_xlim()) == ("Time [ms]", (0, 8))
    assert [text.get_text() for text in ax.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["forward", "backward"]
    assert ax.yaxis_inverted()


def test_it_draws_where_it_is_told():
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, axes = plt.subplots(figsize=(3, 2))

    assert timeline(LANES, xlabel="t", axes=axes) is figure
    assert tuple(figure.get_size_inches()) == (3, 2)


@pytest.mark.parametrize(
    ("lanes", "got"),
    [
        ({}, "0 spans of 0 kinds"),
        ({"a": [(0, 0, "x")]}, "1 of them without length"),
        ({"a": [(0, 1, str(n)) for n in range(8)]}, "8 spans of 8 kinds"),
    ],
)
def test_what_cannot_be_drawn_is_refused(lanes, got):
    with pytest.raises(ArgumentError, match=rf"timeline\(\): needs spans .* at most 7 kinds; got .*{got}"):
        timeline(lanes, xlabel="t")
