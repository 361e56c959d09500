"""Figures from results: matplotlib, imported when a figure is drawn.

Every function takes results, draws on given or new axes, and returns a ``Figure`` of matplotlib. Colours are
safe for colour-blind readers, and every series also has a marker or a line style of its own.

References
----------
.. [okabe2008] M. Okabe, K. Ito, "Color universal design", 2008.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from mlsysim.core.errors import ArgumentError
from mlsysim.core.profile import PerformanceProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":")

STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (7.2, 4.2),
    "font.size": 11,
    "grid.alpha": 0.3,
    "svg.hashsalt": "mlsysim",
}
"""The look that all figures share."""


def _axes(axes: "Axes | None") -> "Axes":
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only where a figure is drawn

    if axes is not None:
        return axes
    with plt.rc_context(STYLE):
        return plt.subplots(layout="constrained")[1]


def _figure(axes: "Axes") -> "Figure":
    """Return the figure of *axes*, closed in pyplot so that a notebook shows it once."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure = axes.get_figure(root=True)
    if figure is None:
        msg = "the axes belong to no figure; make them with plt.subplots()"
        raise ArgumentError(msg)
    plt.close(figure)
    return figure


def roofline(
    profiles: Mapping[str, PerformanceProfile] | Sequence[PerformanceProfile],
    *,
    axes: "Axes | None" = None,
) -> "Figure":
    """Draw profiles as points under the roofs of their devices.

    Each device and precision has one roof, from its datasheet. A point's height is the rate that the
    profile reaches: FLOP of the step over its time.

    Parameters
    ----------
    profiles
        Results of ``Engine.solve``, with labels or without.
    axes
        Where to draw; new axes if left out.

    Returns
    -------
    matplotlib.figure.Figure
        Log-log: arithmetic intensity [FLOP/B] against rate [TFLOP/s].

    Raises
    ------
    ArgumentError
        If there is no profile.
    """
    labelled = dict(profiles) if isinstance(profiles, Mapping) else {p.title: p for p in profiles}
    if not labelled:
        msg = "plots.roofline(): give at least one profile from Engine.solve"
        raise ArgumentError(msg)
    ax = _axes(axes)
    points = list(labelled.values())
    intensities = [p.work.flops / p.work.traffic for p in points]
    ridges = [p.terms.peak / p.terms.bandwidth for p in points]
    low, high = min(intensities + ridges) / 4, max(intensities + ridges) * 6
    styles, roofs = cycle(zip(COLOURS, LINES * 2, strict=False)), {}
    for p in points:
        key = (p.hardware.name, p.precision.compute)
        if key not in roofs:
            colour, line = next(styles)
            roofs[key] = colour
            ridge = p.terms.peak / p.terms.bandwidth
            xs = [low, ridge, high]
            ys = [min(p.terms.bandwidth * x, p.terms.peak) / 1e12 for x in xs]
            label = f"{p.hardware.name}, {p.precision.compute}"
            ax.plot(xs, ys, line, color=colour, label=label, lw=1.8)
            ax.plot([ridge], [p.terms.peak / 1e12], "|", color=colour, ms=12)
    for (label, p), marker in zip(labelled.items(), cycle(MARKERS), strict=False):
        x, y = p.work.flops / p.work.traffic, p.work.flops / p.terms.latency / 1e12
        colour = roofs[p.hardware.name, p.precision.compute]
        ax.plot(
            [x],
            [y],
            marker,
            color=colour,
            ms=8,
            mec="white",
            label=f"{label} ({p.bottleneck})",
            linestyle="none",
        )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="Arithmetic intensity [FLOP/B]",
        ylabel="Rate [TFLOP/s]",
        xlim=(low, high),
    )
    ax.legend(fontsize=9, frameon=False)
    return _figure(ax)


def lines(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    log: str = "",
    marks: Mapping[str, tuple[float, float]] | None = None,
    axes: "Axes | None" = None,
) -> "Figure":
    """Draw labelled curves, each with its own colour, line and marker.

    Parameters
    ----------
    series
        x and y values by label.
    xlabel, ylabel
        What the axes show, with units in brackets.
    log
        Which axes are logarithmic: ``"x"``, ``"y"`` or ``"xy"``.
    marks
        Points to annotate, by text.
    axes
        Where to draw; new axes if left out.
    """
    ax = _axes(axes)
    looks = cycle(zip(COLOURS, LINES * 2, MARKERS, strict=False))
    for (label, (xs, ys)), (colour, line, marker) in zip(series.items(), looks, strict=False):
        ax.plot(xs, ys, line, color=colour, marker=marker, ms=5, lw=1.8, label=label)
    for text, point in (marks or {}).items():
        ax.annotate(
            text,
            point,
            xytext=(8, 12),
            textcoords="offset points",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "lw": 0.8},
        )
    ax.set(
        xlabel=xlabel,
        ylabel=ylabel,
        xscale="log" if "x" in log else "linear",
        yscale="log" if "y" in log else "linear",
    )
    if len(series) > 1:
        ax.legend(fontsize=9, frameon=False)
    return _figure(ax)


def waterfall(factors: Mapping[str, float], *, axes: "Axes | None" = None) -> "Figure":
    """Draw factors as steps from 1x to their product, on a log axis.

    Parameters
    ----------
    factors
        Multiplicative factors by label, in order.
    axes
        Where to draw; new axes if left out.
    """
    ax = _axes(axes)
    level, labels = 1.0, [*factors, "product"]
    for i, factor in enumerate(factors.values()):
        up = factor >= 1
        ax.bar(
            i,
            abs(level * factor - level),
            bottom=min(level, level * factor),
            color=COLOURS[2] if up else COLOURS[1],
            hatch="" if up else "//",
            edgecolor="white",
        )
        top = max(level, level * factor)
        ax.annotate(f"{factor:.3f}x", (i, top), ha="center", va="bottom", fontsize=9)
        level *= factor
    ax.bar(len(factors), abs(level - 1), bottom=min(1.0, level), color=COLOURS[0])
    ax.annotate(f"{level:.3f}x", (len(factors), max(1.0, level)), ha="center", va="bottom", fontsize=9)
    ax.axhline(1.0, color="black", lw=0.8)
    ax.set(yscale="log", ylabel="Speed-up [x]", xticks=range(len(labels)))
    ax.set_xticklabels(labels, rotation=15, ha="right", fontsize=9)
    ax.yaxis.set_major_formatter("{x:g}x")
    ax.yaxis.set_minor_formatter("{x:g}x")
    ax.grid(visible=False, axis="x")
    return _figure(ax)


def scatter(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    *,
    factor: float = 2.0,
    columns: int = 2,
) -> "Figure":
    """Draw predicted against measured values, log-log, with the band in which they agree to a factor.

    Parameters
    ----------
    panels
        For each panel, by its title with the unit: measured and predicted values by label. A panel has axes
        of its own, since values of different units have no common ones; a label looks the same in all.
    factor
        The band holds predictions between measured / factor and measured x factor.
    columns
        Panels side by side.

    Returns
    -------
    matplotlib.figure.Figure
        The middle line is a perfect prediction; above it a value is predicted too high.

    Raises
    ------
    ArgumentError
        If there is no panel, a value has no logarithm, or there are more labels than markers.
    """
    import matplotlib.pyplot as plt  # noqa: PLC0415

    values = [v for series in panels.values() for pair in series.values() for side in pair for v in side]
    if not values or min(values) <= 0:
        msg = f"plots.scatter(): needs positive values; got {min(values) if values else 'no panel'}"
        raise ArgumentError(msg)
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    if len(labels) > len(MARKERS):
        msg = f"plots.scatter(): {len(labels)} labels for {len(MARKERS)} markers; put some together"
        raise ArgumentError(msg)
    looks = dict(zip(labels, zip(COLOURS, MARKERS, strict=True), strict=False))
    drawn: dict[str, Any] = {}
    rows = -(-len(panels) // columns)
    with plt.rc_context(STYLE):
        size = (3.7 * columns, 3.7 * rows)
        figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=size, layout="constrained")
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    for ax, (title, series) in zip(grid.flat, panels.items(), strict=False):
        both = [v for pair in series.values() for side in pair for v in side]
        ends = (min(both) / factor, max(both) * factor)
        low, high = ([end / factor for end in ends], [end * factor for end in ends])
        ax.fill_between(ends, low, high, color="grey", alpha=0.18, lw=0)
        ax.plot(ends, ends, color="grey", lw=1)
        for label, (measured, predicted) in series.items():
            colour, marker = looks[label]
            (drawn[label],) = ax.plot(
                measured, predicted, marker, color=colour, ms=4.5, alpha=0.75, ls="none"
            )
        ax.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        ax.set_title(title, fontsize=10)
        ax.set(xlabel="Measured", ylabel="Predicted")
    figure.legend(
        drawn.values(), drawn.keys(), loc="outside lower center", ncols=4, fontsize=9, frameon=False
    )
    return _figure(grid.flat[0])
