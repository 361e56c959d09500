"""Tables, key figures and banners: text in a terminal, HTML in a notebook."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from mlsysim import format as fmt
from mlsysim.core.errors import ArgumentError


def _emit(text: str, html: str) -> None:
    """Print in a terminal; in a notebook hand over both forms, and let the front end choose."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        print(text)
        return
    from IPython.display import display  # noqa: PLC0415 - only where a notebook already runs

    display({"text/plain": text, "text/html": html}, raw=True)  # type: ignore[no-untyped-call]


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> None:
    """Show rows under headers.

    Parameters
    ----------
    headers
        One title for each column.
    rows
        Cells: text, numbers (shown with four significant digits), quantities, enums.
    caption
        A line above the table.

    Raises
    ------
    ArgumentError
        If a row has another length than the headers.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> table(["GPU", "Latency"], [["A100", Q_("11.02 ms")], ["H100", Q_("7.9 ms")]])
    GPU   Latency
    ────  ────────
    A100  11.02 ms
    H100    7.9 ms
    """
    names, body = [str(h) for h in headers], [list(row) for row in rows]
    for i, row in enumerate(body):
        if len(row) != len(names):
            msg = (
                f"show.table(): row {i} has {len(row)} cells, and there are {len(names)} headers "
                f"({', '.join(names)}). Give each row one cell for each header."
            )
            raise ArgumentError(msg)
    text = fmt.text_table(names, body)
    _emit(f"{caption}\n{text}" if caption else text, fmt.html_table(names, body, caption))


def info(title: str, /, **rows: Any) -> None:
    """Show a title over labelled values.

    Parameters
    ----------
    title
        The heading.
    **rows
        Values by label; underscores in a label become spaces.

    Examples
    --------
    >>> from mlsysim.core.constants import Q_
    >>> info("Configuration", Model="Llama-3.1-70B", Baseline_latency=Q_("78.27 ms"))
    Configuration
      Model             Llama-3.1-70B
      Baseline latency  78.27 ms
    """
    pairs = [(label.replace("_", " "), value) for label, value in rows.items()]
    _emit(fmt.text_block(title, pairs), fmt.html_block(title, pairs))


def banner(title: str, subtitle: str = "") -> None:
    """Show a heading between two rules.

    Examples
    --------
    >>> banner("Full-stack audit", "Llama-3.1-70B")
    ════════════════
    Full-stack audit
    Llama-3.1-70B
    ════════════════
    """
    lines = [title, *([subtitle] if subtitle else [])]
    rule = "═" * max(map(len, lines))
    _emit("\n".join([rule, *lines, rule]), fmt.html_banner(title, subtitle))
