"""Figures of time: what each lane does when. matplotlib is imported when a figure is drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlsysim.core.errors import ArgumentError
from mlsysim.plots import COLOURS, _axes, _figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo")


def timeline(
    lanes: Mapping[str, Sequence[tuple[float, float, str]]], *, xlabel: str, axes: "Axes | None" = None
) -> "Figure":
    """Draw what happens when, one lane below the other; each kind has a colour and a hatch of its own.

    Parameters
    ----------
    lanes
        Spans by lane, the first on top. A span has its start, its length and its kind.
    xlabel
        What the time axis shows, with its unit in brackets.
    axes
        Where to draw; new axes, as high as the lanes need, if left out.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; kinds stand in its legend in the order of their first span.

    Raises
    ------
    ArgumentError
        If no lane has a span, a span has no length, or there are more kinds than colours.

    Examples
    --------
    >>> figure = timeline({"GPU 0": [(0, 2, "forward"), (2, 4, "backward")]}, xlabel="Time [ms]")
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['forward', 'backward']
    """
    spans = [span for lane in lanes.values() for span in lane]
    kinds = list(dict.fromkeys(kind for _, _, kind in spans))
    if not spans or len(kinds) > len(COLOURS) or any(not length > 0 for _, length, _ in spans):
        empty = sum(not length > 0 for _, length, _ in spans)
        msg = (
            f"timeline(): needs spans with a length above 0, of at most {len(COLOURS)} kinds; "
            f"got {len(spans)} spans of {len(kinds)} kinds, {empty} of them without length"
        )
        raise ArgumentError(msg)
    ax = _axes(axes)
    figure = _figure(ax)
    if axes is None:
        figure.set_size_inches(7.2, 1.3 + 0.36 * len(lanes))
    looks = dict(zip(kinds, zip(COLOURS, HATCHES, strict=True), strict=False))
    for kind, (colour, hatch) in looks.items():
        rows = [
            (number, start, length)
            for number, lane in enumerate(lanes.values())
            for start, length, own in lane
            if own == kind
        ]
        at, left, width = zip(*rows, strict=True)
        ax.barh(
            at,
            width,
            left=left,
            height=0.72,
            label=kind,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            lw=1.4,
        )
    ax.set(xlabel=xlabel, yticks=range(len(lanes)), xlim=(0, max(start + n for start, n, _ in spans)))
    ax.set_yticklabels(lanes)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=len(kinds),
        fontsize=9,
        frameon=False,
        handlelength=1.6,
    )
    return figure
