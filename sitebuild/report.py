"""What a build has to say: errors, warnings and notices, gathered and printed together."""

from __future__ import annotations

import re
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sitebuild.errors import CellError, SiteError, shown

Kind = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Message:
    """One line for the author; ``details`` is what follows below it."""

    kind: Kind
    text: str
    details: str = ""


@dataclass
class Report:
    """The messages of one build. Threads may add to it.

    An *error* means that the site cannot be built. A *warning* is a defect of a page that can be
    built all the same; where the report is ``strict``, the site is not put in place for it either.
    A *notice* is told and has no consequence.

    Examples
    --------
    >>> report = Report(strict=True)
    >>> report.warn("a.qmd", "unknown citation @x", line=3)
    >>> report.stopped, report.failed
    (False, True)
    >>> print(report.text())
    error: a.qmd:3: unknown citation @x
    1 error
    """

    strict: bool = False
    messages: list[Message] = field(default_factory=list)

    def error(
        self, page: str | Path, message: str, *, line: int | None = None, remedy: str | None = None
    ) -> None:
        """Note a mistake that keeps the site from being built."""
        self.fail(SiteError(page, line, message, remedy))

    def fail(self, error: SiteError) -> None:
        """Note an exception that a page ended with."""
        details = error.details if isinstance(error, CellError) else ""
        self._add(Message("error", str(error), details))

    def crash(self, page: str | Path, error: BaseException) -> None:
        """Note an exception that is no mistake of the page's author."""
        text = str(SiteError(page, None, f"sitebuild stopped with {type(error).__name__}: {error}"))
        self._add(Message("error", text, "".join(traceback.format_exception(error))))

    def warn(
        self, page: str | Path, message: str, *, line: int | None = None, remedy: str | None = None
    ) -> None:
        """Note a defect."""
        self.warn_as(str(SiteError(page, line, message, remedy)))

    def warn_as(self, text: str) -> None:
        """Note a defect that a line of its own already tells, place included."""
        self._add(Message("warning", text))

    def notice(self, page: str | Path, message: str) -> None:
        """Tell something that needs no action."""
        self._add(Message("notice", f"{shown(page)}: {message}"))

    def _add(self, message: Message) -> None:
        if message not in self.messages:
            self.messages.append(message)

    @property
    def stopped(self) -> bool:
        """Whether there is an error."""
        return any(message.kind == "error" for message in self.messages)

    @property
    def failed(self) -> bool:
        """Whether there is an error, or a warning and the report is strict."""
        return self.stopped or (self.strict and any(m.kind == "warning" for m in self.messages))

    def text(self) -> str:
        """Return everything, notices first and errors last, by place, with a count at the end."""
        kinds = {"notice": "notice", "warning": "error" if self.strict else "warning", "error": "error"}
        lines, count = [], Counter[str]()
        for kind in ("notice", "warning", "error"):
            shown = [message for message in self.messages if kinds[message.kind] == kind]
            count[kind] = len(shown)
            for message in sorted(shown, key=_place):
                lines.append(f"{kind}: {message.text}")
                lines += [f"    {line}" for line in message.details.splitlines()]
        told = [f"{n} {kind}{'s' * (n > 1)}" for kind in ("error", "warning") if (n := count[kind])]
        return "\n".join([*lines, ", ".join(told)] if told else lines)


def _place(message: Message) -> tuple[str, int]:
    found = re.match(r"(.*?):(?:(\d+):)?", message.text)
    return (found[1], int(found[2] or 0)) if found else ("", 0)
