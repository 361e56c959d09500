"""What a command answers, and how it is written: text, JSON, Markdown or CSV."""

import csv
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import pint

from mlsysim.commands.limits import Verdict
from mlsysim.core.errors import ArgumentError
from mlsysim.format import is_numeric, text, text_table


@dataclass(frozen=True)
class Table:
    """Rows under headers; those of records may come from a generator, which is read once."""

    headers: Sequence[str]
    rows: Iterable[Sequence[Any]]
    caption: str = ""


@dataclass(frozen=True)
class Facts:
    """Labelled values."""

    rows: Sequence[tuple[str, Any]]
    caption: str = ""


@dataclass(frozen=True)
class Prose:
    """Sentences, a paragraph."""

    sentences: Sequence[str]
    caption: str = ""


Part = Table | Facts | Prose


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer.

    Parameters
    ----------
    title
        What was asked, in a line.
    parts
        What a reader sees, in order.
    data
        The same and more as plain data, unrounded.
    records
        What a spreadsheet gets: plain cells, the units in columns or headings of their own.
    verdicts
        What became of the limits.
    """

    title: str
    parts: Sequence[Part]
    data: Mapping[str, Any]
    records: Table
    verdicts: tuple[Verdict, ...] = field(default=())

    @property
    def broken(self) -> list[Verdict]:
        """Limits that are not kept."""
        return [verdict for verdict in self.verdicts if not verdict.met]

    def blocks(self) -> list[Part]:
        """Return what a reader sees, the limits as a table below the first part."""
        if not self.verdicts:
            return [*self.parts]
        rows = [("kept" if v.met else "BROKEN", _rule(v), v.says) for v in self.verdicts]
        return [*self.parts[:1], Table(("", "limit", "found"), rows, "Limits"), *self.parts[1:]]


def _rule(verdict: Verdict) -> str:
    return f"not {verdict.limit}" if verdict.limit.fails else str(verdict.limit)


def figures_table(figures: Mapping[str, Any]) -> Table:
    """Return figures as records: name, value and unit."""
    rows = [
        (name, value.magnitude, f"{value.units:~P}")
        if isinstance(value, pint.Quantity)
        else (name, value, "")
        for name, value in figures.items()
    ]
    return Table(("figure", "value", "unit"), rows)


def write(page: Page, output: str, stream: TextIO) -> None:
    """Write a page; as text on a terminal with Rich's tables, where Rich is installed."""
    if output == "text" and stream.isatty() and importlib.util.find_spec("rich"):
        _write_rich(page, stream)
    elif output == "csv":
        _write_csv(page, stream)
    else:
        stream.write(_WRITERS[output](page))


def as_text(page: Page) -> str:
    """Return a page as plain text."""
    blocks = [_text_part(part) for part in page.blocks()]
    return "\n\n".join([page.title, *blocks]) + "\n"


def _text_part(part: Part) -> str:
    head = [part.caption] if part.caption else []
    if isinstance(part, Prose):
        return "\n".join([*head, *(f"  {sentence}" for sentence in part.sentences)])
    if isinstance(part, Facts):
        width = max((len(label) for label, _ in part.rows), default=0)
        return "\n".join([*head, *(f"  {label.ljust(width)}  {text(value)}" for label, value in part.rows)])
    return "\n".join([*head, text_table(part.headers, part.rows)])


def as_markdown(page: Page) -> str:
    """Return a page as Markdown, for a pull request or a report."""
    blocks = [_markdown_part(part) for part in page.blocks()]
    return "\n\n".join([f"### {_escape(page.title)}", *blocks]) + "\n"


def _markdown_part(part: Part) -> str:
    head = [f"**{_escape(part.caption)}**", ""] if part.caption else []
    if isinstance(part, Prose):
        return "\n".join([*head, *(f"- {_escape(sentence)}" for sentence in part.sentences)])
    headers: Sequence[str] = part.headers if isinstance(part, Table) else ("", "")
    cells = [[_escape(text(cell)) for cell in row] for row in part.rows]
    marks = ["---:" if right else "---" for right in _right(cells, len(headers))]
    lines = [[_escape(header) for header in headers], marks, *cells]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)])


def _escape(said: str) -> str:
    """Return a text that Markdown shows as it stands."""
    return "".join(f"\\{c}" if c in "|*_`<>[]\\#" else c for c in said)


def _right(rows: Sequence[Sequence[str]], columns: int) -> list[bool]:
    """Return which columns hold numbers alone, and are set flush right."""
    filled = [[row[i] for row in rows if row[i] not in {"", "—"}] for i in range(columns)]
    return [bool(cells) and all(map(is_numeric, cells)) for cells in filled]


def as_json(page: Page) -> str:
    """Return a page's data as JSON."""
    verdicts = {"limits": [v.to_dict() for v in page.verdicts]} if page.verdicts else {}
    try:
        return json.dumps({**page.data, **verdicts}, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError:
        msg = "the answer holds a number that is not finite, and JSON has none: ask for something smaller"
        raise ArgumentError(msg) from None


_WRITERS: Final = {"text": as_text, "json": as_json, "markdown": as_markdown}


def _write_csv(page: Page, stream: TextIO) -> None:
    """Write a page's records, row by row: there may be millions."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(page.records.headers)
    shown = {None: "", True: "true", False: "false"}
    for row in page.records.rows:
        writer.writerow([shown[c] if c is None or isinstance(c, bool) else c for c in row])


def _write_rich(page: Page, stream: TextIO) -> None:
    """Write a page with Rich."""
    from rich import box  # noqa: PLC0415 - an extra, and only on a terminal
    from rich.console import Console  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table as Grid  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, highlight=False)
    console.print(Text(page.title, style="bold"))
    for part in page.blocks():
        console.print()
        if part.caption:
            console.print(Text(part.caption, style="bold"))
        if isinstance(part, Prose):
            for sentence in part.sentences:
                console.print(Padding(Text(sentence), (0, 2)))
            continue
        headers = part.headers if isinstance(part, Table) else ("", "")
        cells = [[text(cell) for cell in row] for row in part.rows]
        right = _right(cells, len(headers)) if isinstance(part, Table) else [False, False]
        grid = Grid(box=box.SIMPLE_HEAD, show_header=isinstance(part, Table), pad_edge=False)
        for header, flush in zip(headers, right, strict=True):
            grid.add_column(Text(header), justify="right" if flush else "left", overflow="fold")
        for row in cells:
            grid.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        console.print(grid)


_STYLES: Final = {"BROKEN": "bold red", "kept": "green"}
