"""A validation as a page of its own: tables and scatters, with nothing to fetch."""

import html
import math
from collections.abc import Sequence

from mlsysim.format import html_table, number
from mlsysim.validation import Row, ValidationResult

WORST = 10
"""Rows of largest error that are listed for each category."""

_SIDE, _MARGIN = 460, 76
_COLOURS = ("#0b62a4", "#b5460f", "#2a7d4f", "#7a3b8f", "#8a6d00", "#555555")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }}
caption {{ text-align: left; font-weight: 600; padding: .3rem 0; }}
th, td {{ padding: .2rem .6rem; border-bottom: 1px solid #ccc; text-align: left; white-space: nowrap; }}
.num {{ text-align: right; font-variant-numeric: tabular-nums; }}
svg {{ max-width: 100%; height: auto; }}
</style>
</head>
<body>
<h1>Predicted and measured</h1>
{body}
</body>
</html>
"""


def page(result: ValidationResult) -> str:
    """Return tables, the worst rows of each category and a scatter of it, as HTML.

    Parameters
    ----------
    result
        What ``validate`` returned.
    """
    parts = [result._repr_html_()]
    for name, score in result.categories.items():
        if not score.scored:
            continue
        worst = sorted(score.predicted, key=lambda row: row.error, reverse=True)[:WORST]
        heads = ("row", "measured", "predicted", "unit", "ratio", "calibration", "assumed")
        cells = [
            [
                r.id,
                r.measured,
                r.predicted,
                r.unit,
                r.ratio,
                r.calibration or "the family's",
                r.remarks or None,
            ]
            for r in worst
        ]
        parts += [f"<h2>{html.escape(name)}</h2>", scatter(score.predicted)]
        parts.append(html_table(heads, cells, "Largest errors"))
    return _PAGE.format(title=html.escape(result.title), body="\n".join(parts))


def scatter(rows: Sequence[Row]) -> str:
    """Return predicted against measured on logarithmic axes, with a band of a factor of two, as SVG.

    Parameters
    ----------
    rows
        Rows that are scored; each metric has a colour, and a point tells its row.
    """
    values = [v for row in rows for v in (row.measured, row.predicted or row.measured)]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    metrics = sorted({row.metric for row in rows})
    colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(metrics)}

    def x(value: float) -> float:
        return _MARGIN + (math.log10(value) - low) / (high - low) * _SIDE

    def y(value: float) -> float:
        return _SIDE + 8 - (x(value) - _MARGIN)

    ends = (10.0**low, 10.0**high)
    bottom, left = y(ends[0]), x(ends[0])
    label = f"Predicted against measured, {len(rows)} rows"
    box = f"0 0 {_SIDE + _MARGIN + 260} {_SIDE + 64}"
    parts = [
        f'<svg viewBox="{box}" role="img" font-size="12" aria-label="{label}">',
        f'<rect x="{left}" y="{y(ends[1])}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#999"/>',
    ]
    for factor, dash in ((0.5, "3 3"), (1.0, "none"), (2.0, "3 3")):
        start, stop = ends[0] * max(1, 1 / factor), ends[1] * min(1, 1 / factor)
        parts.append(
            f'<line x1="{x(start):.1f}" y1="{y(start * factor):.1f}" x2="{x(stop):.1f}"'
            f' y2="{y(stop * factor):.1f}" stroke="#777" stroke-dasharray="{dash}"/>'
        )
    for power in range(low, high + 1):
        tick = 10.0**power
        parts.append(
            f'<text x="{x(tick):.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{number(tick)}</text>'
        )
        parts.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>')
    for row in rows:
        told = html.escape(f"{row}: {number(row.measured)} measured, {number(row.predicted or 0)} predicted")
        parts.append(
            f'<circle cx="{x(row.measured):.1f}" cy="{y(row.predicted or row.measured):.1f}" r="3.5"'
            f' fill="{colour[row.metric]}" fill-opacity="0.7"><title>{told}</title></circle>'
        )
    for i, name in enumerate(metrics):
        height = y(ends[1]) + 14 + 18 * i
        parts.append(f'<circle cx="{left + _SIDE + 14}" cy="{height - 4}" r="4" fill="{colour[name]}"/>')
        parts.append(f'<text x="{left + _SIDE + 24}" y="{height}">{html.escape(name)}</text>')
    middle, turned = left + _SIDE / 2, f"rotate(-90 12 {y(ends[0]) - _SIDE / 2})"
    parts.append(
        f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">measured; dashed: twice, half</text>'
    )
    parts.append(
        f'<text x="12" y="{bottom - _SIDE / 2}" text-anchor="middle" transform="{turned}">predicted</text>'
    )
    parts.append("</svg>")
    return "".join(parts)
