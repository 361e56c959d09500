"""The options of cells and pages that are honoured when a page runs, and the values they take."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SWITCH = (bool,)
TEXT = (str,)

CELL_OPTIONS: Mapping[str, tuple[type | str, ...]] = {
    "eval": SWITCH,
    "echo": (bool, "fenced"),
    "output": (bool, "asis"),
    "warning": SWITCH,
    "error": SWITCH,
    "include": SWITCH,
    "label": TEXT,
    "tags": (list,),
    "classes": (str, list),
    "fig-cap": (str, list),
    "fig-subcap": (list,),
    "fig-alt": (str, list),
    "out-width": (str, int),
    "layout-ncol": (int,),
    "tbl-cap": TEXT,
    "lst-cap": TEXT,
    "lst-label": TEXT,
    "code-fold": (bool, "show"),
    "code-summary": TEXT,
    "code-line-numbers": (bool, str),
    "code-overflow": ("scroll", "wrap"),
    "filename": TEXT,
}
"""Cell options that are honoured, with the types or words that each takes."""

PAGE_DEFAULTS = ("eval", "echo", "output", "warning", "error", "include", "enabled")
"""Keys of ``execute:`` that are honoured: defaults for the cells, and whether any runs."""

OFF_ONLY = ("cache", "freeze", "keep-md", "keep-ipynb", "debug", "daemon")
"""Keys of ``execute:`` that are accepted only when they are switched off."""


class Problem(NamedTuple):
    """What is wrong with an option; ``fatal`` where the page cannot be built as written."""

    name: str
    message: str
    fatal: bool


def cell_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the ``#|`` options of one cell.

    Examples
    --------
    >>> [p.message for p in cell_problems({"eco": False})]
    ['the cell option eco is not honoured; did you mean echo?']
    """
    for name, value in options.items():
        if name not in CELL_OPTIONS:
            near = difflib.get_close_matches(name, CELL_OPTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield Problem(name, f"the cell option {name} is not honoured{hint}", fatal=False)
        elif wrong := _wrong(name, value):
            yield Problem(name, wrong, fatal=True)
        elif isinstance(value, str) and "`{python}" in value:
            yield Problem(name, f"inline code in {name} is not evaluated", fatal=False)


def page_problems(front: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with ``execute``, ``engine`` and ``jupyter`` in a front matter.

    Examples
    --------
    >>> [p.message for p in page_problems({"execute": {"cache": True}})]
    ['execute: cache is not honoured']
    """
    execute = {} if front.get("execute") is None else front["execute"]
    if not isinstance(execute, Mapping):
        message = f"execute takes 'key: value' lines, and it is given {execute!r}"
        yield Problem("execute", message, fatal=True)
        return
    for name, value in execute.items():
        if name in PAGE_DEFAULTS:
            if wrong := _wrong(name, value):
                yield Problem(name, f"execute: {wrong}", fatal=True)
        elif not (name in OFF_ONLY and value in (False, None)):
            yield Problem(name, f"execute: {name} is not honoured", fatal=False)
    if front.get("engine", "jupyter") != "jupyter":
        message = f"engine: {front['engine']} is not run; cells run in Jupyter's Python"
        yield Problem("engine", message, fatal=False)
    if front.get("jupyter", "python3") != "python3":
        message = f"jupyter: {front['jupyter']} is not used; cells run in the builder's Python"
        yield Problem("jupyter", message, fatal=False)


def _wrong(name: str, value: object) -> str | None:
    kinds = CELL_OPTIONS.get(name, SWITCH)
    if any(value == kind if isinstance(kind, str) else type(value) is kind for kind in kinds):
        return None
    return f"{name} takes {' or '.join(map(_word, kinds))}, and it is given {value!r}"


def _word(kind: type | str) -> str:
    names = {bool: "true or false", str: "text", int: "a whole number", list: "a list"}
    return f"'{kind}'" if isinstance(kind, str) else names[kind]
