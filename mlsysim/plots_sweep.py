"""Heat maps of sweeps: matplotlib, imported when a figure is drawn."""

from typing import TYPE_CHECKING, Any

from mlsysim.core.arrays import numpy
from mlsysim.core.errors import ArgumentError, suggestion
from mlsysim.core.sweeps.axes import Axis
from mlsysim.core.sweeps.columns import NOWHERE, Column
from mlsysim.core.sweeps.result import SweepResult
from mlsysim.plots import COLOURS, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = 9
_LOG_FROM = 30.0
"""Ratio of largest to least from which the colours go by the logarithm."""

_EMPTY = "#D9D9D9"


def heat_map(
    result: SweepResult, output: str, *, x: str | None = None, axes: "Axes | None" = None
) -> "Figure":
    """Draw one answer of a sweep over two of its axes.

    Points that do not fit are veiled, points without an answer are grey; a legend says so.

    Parameters
    ----------
    result
        A sweep with two axes of more than one value; ``sel`` leaves the others out.
    output
        The answer: numbers are drawn on a scale of colours, words each in one colour.
    x
        The axis that goes across; the last one if left out.
    axes
        Where to draw; new axes if left out.

    Returns
    -------
    matplotlib.figure.Figure
        One cell a point.

    Raises
    ------
    ArgumentError
        If the sweep has more or fewer axes, or no such answer.
    """
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only where a figure is drawn
    from matplotlib.patches import Patch  # noqa: PLC0415

    across, down, column, feasible, missing = _plane(result, output, x)
    if axes is None:
        with plt.rc_context({**STYLE, "axes.grid": False}):
            axes = plt.subplots(layout="constrained")[1]
    axes.set_facecolor(_EMPTY)
    legend = _words(axes, column) if column.words else _scale(axes, column, output)
    veil = numpy().ma.masked_where(feasible | missing, numpy().ones(feasible.shape))
    if veil.count():
        axes.pcolormesh(veil, cmap="gray", vmin=0, vmax=1, alpha=0.6)
        legend.append(Patch(facecolor="white", edgecolor="black", alpha=0.6, label="paler: does not fit"))
    if missing.any():
        legend.append(Patch(facecolor=_EMPTY, edgecolor="black", label="no answer"))
    _ticks(axes.xaxis, across)
    _ticks(axes.yaxis, down)
    if legend:
        axes.legend(
            handles=legend, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False
        )
    figure = axes.get_figure(root=True)
    if figure is None:
        msg = "the axes belong to no figure; make them with plt.subplots()"
        raise ArgumentError(msg)
    plt.close(figure)
    return figure


def _plane(result: SweepResult, output: str, x: str | None) -> tuple[Axis, Axis, Column, Any, Any]:
    """Return the axis across, the axis up, and what is drawn over them."""
    result = result.compute()
    for axis in result.axes:
        if len(axis) == 1:
            result = result.sel(**{axis.name: axis.entries[0]})
    if len(result.axes) != 2:
        msg = (
            f"heat_map(): a heat map has two axes, this sweep has {len(result.axes)} "
            f"({', '.join(result.dims)}); choose values of the others with sel()"
        )
        raise ArgumentError(msg)
    if output not in result.columns:
        msg = f"heat_map(): this sweep has no output {output!r}. {suggestion(str(output), result.columns)}"
        raise ArgumentError(msg)
    if x is not None and x not in result.dims:
        msg = f"heat_map(): {x!r} is no axis of this sweep. {suggestion(x, result.dims)}"
        raise ArgumentError(msg)
    column, feasible, missing = result.columns[output], result.feasible, result.missing
    down, across = result.axes
    if x == down.name:
        down, across = across, down
        column = Column(column.data.T, column.units, column.scale, column.words)
        feasible, missing = feasible.T, missing.T
    return across, down, column, feasible, missing


def _scale(axes: "Axes", column: Column, output: str) -> list[Any]:
    """Draw numbers, with a bar that says which colour is which."""
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    np = numpy()
    values = np.ma.masked_invalid(column.magnitude)
    low, high = values.min(), values.max()
    norm = LogNorm() if low > 0 and high / low > _LOG_FROM else None
    drawn = axes.pcolormesh(values, cmap="viridis", norm=norm)
    label = f"{output.replace('_', ' ').capitalize()}" + (f" [{column.units}]" if column.units else "")
    axes.figure.colorbar(drawn, ax=axes, label=label)
    return []


def _words(axes: "Axes", column: Column) -> list[Any]:
    """Draw words, and return a legend of those that occur."""
    from matplotlib.colors import ListedColormap  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    np = numpy()
    many = len(column.words)
    if many > len(COLOURS):
        msg = f"heat_map(): {many} words are more than can be told apart, {len(COLOURS)}"
        raise ArgumentError(msg)
    codes = np.ma.masked_equal(column.data, NOWHERE)
    axes.pcolormesh(codes, cmap=ListedColormap(COLOURS[:many]), vmin=-0.5, vmax=many - 0.5)
    return [Patch(facecolor=COLOURS[i], label=str(column.words[i])) for i in np.unique(codes.compressed())]


def _ticks(side: Any, axis: Axis) -> None:
    """Label some cells, first and last among them."""
    np = numpy()
    places = np.unique(np.linspace(0, len(axis) - 1, min(_TICKS, len(axis))).round().astype(int))
    labels = [f"{axis.labels[i]:,}" if axis.is_number else axis.labels[i] for i in places]
    side.set_ticks(places + 0.5, labels=labels)
    side.set_label_text(axis.heading.replace("_", " ").capitalize())
