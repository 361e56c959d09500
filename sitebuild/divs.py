"""The fenced divs of a page as a tree, across the code cells that stand inside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sitebuild.errors import SiteError
from sitebuild.prose import Attributes, Prose, closes_div, opened_div
from sitebuild.qmd import Part

CALLOUTS = {
    "callout-note": "Note",
    "callout-tip": "Tip",
    "callout-warning": "Warning",
    "callout-important": "Important",
    "callout-caution": "Caution",
}
"""Classes of callouts, with the title of one that has no title of its own."""


@dataclass
class Div:
    """A fenced div: its children are runs of Markdown, numbers of code cells, and divs."""

    attributes: Attributes
    file: Path | None = None
    line: int = 0
    children: list[Node] = field(default_factory=list)

    @property
    def callout(self) -> str | None:
        """The title that a callout of this kind has by default; None for any other div."""
        return next((CALLOUTS[c] for c in self.attributes.classes if c in CALLOUTS), None)

    @property
    def folded(self) -> bool:
        """Whether this is a callout that is closed until the reader opens it."""
        return self.callout is not None and self.attributes.values.get("collapse") == "true"


Node = str | int | Div


def tree(parts: Sequence[Part], page: Path) -> list[Node]:
    """Return the page as a tree of divs.

    A child that is a number is the position of a code cell in `parts`.

    Raises
    ------
    SiteError
        A div is never closed, or a line closes a div where none is open.
    """
    stack = [Div(Attributes("", (), {}))]
    for index, part in enumerate(parts):
        if part.kind == "code":
            stack[-1].children.append(index)
            continue
        prose, run, offset = Prose.of(part.text), list[str](), 0
        for line in prose.text.split("\n"):
            file, number = part.place(offset)
            offset += prose.restore(line).count("\n") + 1
            attributes = opened_div(line) and opened_div(prose.restore(line))
            if attributes is None and not closes_div(line):
                run.append(line)
                continue
            _close_run(stack[-1], prose, run)
            if attributes is not None:
                div = Div(attributes, file, number)
                stack[-1].children.append(div)
                stack.append(div)
            elif len(stack) > 1:
                stack.pop()
            else:
                raise SiteError(file or page, number, "::: closes nothing", "remove the line")
        _close_run(stack[-1], prose, run)
    if len(stack) > 1:
        at = stack[-1]
        raise SiteError(at.file or page, at.line, "this ::: block is never closed", "add a line :::")
    return stack[0].children


def _close_run(div: Div, prose: Prose, run: list[str]) -> None:
    text = prose.restore("\n".join(run))
    if text.strip():
        div.children.append(text.strip("\n"))
    run.clear()
