"""`validate`: predictions scored against a table of published measurements."""

from argparse import Namespace

from mlsysim.commands.page import Page, Table
from mlsysim.report import page as report
from mlsysim.validation import validate as score


def validate(given: Namespace) -> Page:
    """Return scores by group, and every row as a record."""
    result = score(given.table, given.category, given.calibration)
    if given.out is not None:
        given.out.write_text(report(result), encoding="utf-8")
    heads = ("id", "category", "metric", "unit", "measured", "predicted", "ratio", "reason")
    rows = [
        tuple(None if name == "ratio" and row.predicted is None else getattr(row, name) for name in heads)
        for row in result.rows
    ]
    return Page(
        title=result.title,
        parts=[Table(headers, body, caption) for caption, headers, body in result.tables() if body],
        data=result.to_dict(),
        records=Table(heads, rows),
    )
