"""Quantities, numbers and rows as text, as HTML and as plain data."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pint

_NUMBER = re.compile(r"[+\-−]?\d[\d,.]*(e[+-]?\d+)?([x%]?$|\s)")

DIGITS = 4
"""Significant digits of a number that is shown."""


def number(value: float, digits: int = DIGITS) -> str:
    """Return a number with *digits* significant digits and thousands separators.

    Examples
    --------
    >>> number(1234.5), number(0.0012345), number(3.0), number(1e15)
    ('1,234', '0.001234', '3', '1e+15')
    """
    if isinstance(value, int) and abs(value) < 1e15:
        return f"{value:,}"
    magnitude = abs(value)
    if magnitude != 0 and not 1e-4 <= magnitude < 1e15:
        return f"{value:.{digits}g}"
    text = f"{float(f'{value:.{digits}g}'):,.{max(0, digits - len(str(int(magnitude))))}f}"
    if magnitude < 1:
        text = f"{float(f'{value:.{digits}g}'):.10f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Banded:
    """A quantity with the ends of the band in which it is likely to lie.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> text(Banded(Q_("78.27 ms"), Q_("67.3 ms"), Q_("92.1 ms")))
    '78.27 ms (67 to 92)'
    """

    value: "pint.Quantity[Any]"
    low: "pint.Quantity[Any]"
    high: "pint.Quantity[Any]"

    def __str__(self) -> str:
        low, high = (number(end.to(self.value.units).magnitude, 2) for end in (self.low, self.high))
        return f"{text(self.value)} ({low} to {high})"


class Share(float):
    """A part of a whole, which is shown in percent.

    Examples
    --------
    >>> text(Share(0.4186)), text(Share(0.0058321)), Share(0.5) + 0.25
    ('41.9%', '0.583%', 0.75)
    """


def text(value: Any) -> str:
    """Return any value as a reader wants to see it.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> text(Q_("2.77943 TB/s")), text(True), text(None), text(0.25)
    ('2.779 TB/s', 'yes', '—', '0.25')
    """
    if value is None or isinstance(value, bool):
        return {None: "—", True: "yes", False: "no"}[value]
    if isinstance(value, pint.Quantity):
        units = f"{value.units:~P}"
        return f"{number(value.magnitude)} {units}".rstrip()
    if isinstance(value, int | float) and not isinstance(value, Enum):
        return f"{100 * value:.3g}%" if isinstance(value, Share) else number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(v) for v in value) or "none"
    return str(value)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; a quantity becomes its value and its unit.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> plain(Q_("2 TB/s"))
    {'value': 2.0, 'unit': 'TB/s'}
    """
    if isinstance(value, Banded):
        return plain(value.value)
    if isinstance(value, pint.Quantity):
        return {"value": float(value.magnitude), "unit": f"{value.units:~P}"}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    return str(value)


def text_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows in aligned columns; columns of numbers are set flush right.

    Examples
    --------
    >>> print(text_table(["GPU", "ms"], [["A100", 11.0], ["H100", 7.9]]))
    GPU    ms
    ────  ───
    A100   11
    H100  7.9
    """
    body = [[text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *body, strict=True)]
    right = [_is_column_of_numbers([row[i] for row in body]) for i in range(len(headers))]

    def line(cells: Sequence[str]) -> str:
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(headers), line(["─" * w for w in widths]), *map(line, body)])


def is_numeric(cell: str) -> bool:
    """Return whether a shown cell starts as a number does.

    Examples
    --------
    >>> is_numeric("+0.88"), is_numeric("78 ms"), is_numeric("1.39x"), is_numeric("1_decode")
    (True, True, True, False)
    """
    return bool(_NUMBER.match(cell))


def _is_column_of_numbers(cells: Sequence[str]) -> bool:
    """Return whether every cell that says anything is a number."""
    said = [cell for cell in cells if cell != "—"]
    return bool(said) and all(map(is_numeric, said))


_LEFT, _RIGHT = ' style="text-align:left"', ' class="num"'
_ONE_LINE = ' style="white-space:nowrap"'
"""Marks of cells and captions. Notebooks set every cell flush right, and know no style sheet of ours."""


def html_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """Return rows as an HTML table that the site's style sheet knows, and that a notebook shows alike."""
    body = [[text(cell) for cell in row] for row in rows]
    numeric = [_is_column_of_numbers([row[i] for row in body]) for i in range(len(headers))]
    mark = [_RIGHT if n else _LEFT for n in numeric]
    head = "".join(f'<th scope="col"{m}>{html.escape(h)}</th>' for h, m in zip(headers, mark, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{m}>{html.escape(c)}</td>" for c, m in zip(row, mark, strict=True)) + "</tr>"
        for row in body
    )
    title = f"<caption{_ONE_LINE}>{html.escape(caption)}</caption>" if caption else ""
    return (
        f'<table class="table mls-table">{title}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'
    )


def text_block(title: str, rows: Iterable[tuple[str, Any]]) -> str:
    """Return a title over labelled values.

    Examples
    --------
    >>> print(text_block("Result", [("Latency", 3.5), ("Fits", True)]))
    Result
      Latency  3.5
      Fits     yes
    """
    pairs = [(label, text(value)) for label, value in rows]
    width = max((len(label) for label, _ in pairs), default=0)
    return "\n".join([title, *(f"  {label.ljust(width)}  {value}".rstrip() for label, value in pairs)])


def html_block(title: str, rows: Iterable[tuple[str, Any]]) -> str:
    """Return a title over labelled values as an HTML table."""
    lines = "".join(
        f'<tr><th scope="row"{_LEFT}>{html.escape(label)}</th><td{_LEFT}>{html.escape(text(value))}</td></tr>'
        for label, value in rows
    )
    caption = f"<caption{_ONE_LINE}>{html.escape(title)}</caption>"
    return f'<table class="table mls-info">{caption}<tbody>{lines}</tbody></table>'


def html_banner(title: str, subtitle: str = "") -> str:
    """Return a heading as HTML that leaves the page's outline alone."""
    second = f"<br><span>{html.escape(subtitle)}</span>" if subtitle else ""
    return f'<div class="mls-banner"><strong>{html.escape(title)}</strong>{second}</div>'


class Shown:
    """A result that shows itself as text, as HTML and as plain data.

    A subclass gives ``title`` and ``rows``.
    """

    __slots__ = ()

    @property
    def title(self) -> str:
        """The heading."""
        raise NotImplementedError

    def rows(self) -> list[tuple[str, Any]]:
        """Return labelled values in the order in which they are read."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return text_block(self.title, self.rows())

    def _repr_html_(self) -> str:
        return html_block(self.title, self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the rows as plain data, unrounded, with their labels in snake case."""
        return {label.lower().replace(" ", "_"): plain(value) for label, value in self.rows()}
