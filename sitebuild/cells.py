"""Notebook cells with stable ids, and the notebook around them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from nbformat import NotebookNode


def node(value: Mapping[str, Any]) -> NotebookNode:
    """Return a mapping, and all mappings inside it, as notebook nodes; the original is not shared.

    Examples
    --------
    >>> node({"metadata": {"tags": ["x"]}}).metadata.tags
    ['x']
    """
    made: NotebookNode = _node(value)
    return made


def markdown(source: str) -> NotebookNode:
    """Return a Markdown cell."""
    return node({"cell_type": "markdown", "metadata": {}, "source": source.strip("\n")})


def code(source: str, tags: Sequence[str] = ()) -> NotebookNode:
    """Return a code cell that has not run."""
    return node(
        {
            "cell_type": "code",
            "metadata": {"tags": list(dict.fromkeys(tags))} if tags else {},
            "source": source.strip("\n"),
            "execution_count": None,
            "outputs": [],
        }
    )


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def notebook(cells: Sequence[NotebookNode]) -> NotebookNode:
    """Return a notebook; its metadata is the same for every version of Python.

    A cell without an id is given one made from its content, and from its rank among equal
    cells, so that a new cell elsewhere leaves the ids of the others alone.

    Examples
    --------
    >>> nb = notebook([markdown("a"), markdown("b"), markdown("a")])
    >>> [cell["id"][-2:] for cell in nb.cells], nb.cells[0]["id"] == nb.cells[2]["id"]
    (['-1', '-1', '-2'], False)
    """
    seen = dict[str, int]()
    for cell in cells:
        if "id" not in cell:
            content = f"{cell.cell_type}\n{cell.source}"
            name = hashlib.sha256(content.encode()).hexdigest()[:12]
            seen[name] = seen.get(name, 0) + 1
            cell["id"] = f"{name}-{seen[name]}"
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return node({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _node(value: Any) -> Any:
    if isinstance(value, Mapping):
        made: Any = NotebookNode
        return made({key: _node(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return [_node(item) for item in value]
    return value
