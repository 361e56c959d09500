"""What can go wrong while a page is built: one line for the author, the details apart."""

from __future__ import annotations

from pathlib import Path


class SiteError(Exception):
    """A mistake in a source file, told in one line.

    ``str(error)`` is ``page:line: message; remedy``, with the page relative to the working
    directory where that is shorter. Arguments survive pickling, so that a worker process can
    hand the error to its parent.

    Parameters
    ----------
    page
        The file that holds the mistake.
    line
        Line in that file, counted from 1; None where no single line is to blame.
    message
        What is wrong and what was expected.
    remedy
        What to do about it.

    Examples
    --------
    >>> print(SiteError("tutorials/x.qmd", 12, "the cell is never closed", "add ``` below it"))
    tutorials/x.qmd:12: the cell is never closed; add ``` below it
    """

    def __init__(self, page: str | Path, line: int | None, message: str, remedy: str | None = None) -> None:
        super().__init__(page, line, message, remedy)
        self.page = page
        self.line = line
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        where = shown(self.page) if self.line is None else f"{shown(self.page)}:{self.line}"
        return f"{where}: {self.message}" + (f"; {self.remedy}" if self.remedy else "")


class CellError(SiteError):
    """A code cell, or an expression inside a sentence, failed while the page ran.

    Parameters
    ----------
    page, line
        Where the failing line stands.
    cell
        Number of the code cell in the page, counted from 1; None for an inline expression.
    ename, evalue
        Name and text of the exception.
    details
        The traceback: the frames of the page in full, one line for each frame elsewhere.
    expression
        The inline expression that failed; None for a cell.

    Examples
    --------
    >>> print(CellError("x.qmd", 8, 2, "ZeroDivisionError", "division by zero"))
    x.qmd:8: cell 2 raised ZeroDivisionError: division by zero
    """

    def __init__(  # noqa: PLR0917 (an exception is rebuilt from its positional arguments)
        self,
        page: str | Path,
        line: int | None,
        cell: int | None,
        ename: str,
        evalue: str,
        details: str = "",
        expression: str | None = None,
    ) -> None:
        who = f"cell {cell}" if expression is None else f"the inline expression `{expression}`"
        first = evalue.strip().split("\n")[0]
        super().__init__(page, line, f"{who} raised {ename}" + (f": {first}" if first else ""))
        self.args = (page, line, cell, ename, evalue, details, expression)
        self.cell = cell
        self.ename = ename
        self.evalue = evalue
        self.details = details
        self.expression = expression


def shown(page: str | Path) -> str:
    """Return the path of a page as an author would type it: relative where that is shorter.

    Examples
    --------
    >>> shown("tutorials/x.qmd")
    'tutorials/x.qmd'
    """
    given = Path(page)
    here = Path.cwd()
    return given.relative_to(here).as_posix() if given.is_relative_to(here) else str(page)
