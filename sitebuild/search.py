"""The search index: the sections of each page as plain text, in a script that any page can load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser

HEADINGS = {"h1", "h2", "h3", "h4"}
SKIPPED = {"script", "style", "math", "svg", "button", "template", "nav", "noscript"}
VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input"),
    *("link", "meta", "source", "track", "wbr"),
}
HIDDEN = {"no-search", "visually-hidden", "footnote-ref", "footnote-back", "anchor"}
INLINE = {
    *("a", "abbr", "b", "code", "em", "i", "kbd", "mark", "q", "s"),
    *("small", "span", "strong", "sub", "sup", "u"),
}


@dataclass
class Entry:
    """One section of a page, as the search finds it."""

    href: str
    title: str
    section: str = ""
    text: str = ""
    categories: list[str] = field(default_factory=list)


class _Sections(HTMLParser):
    """Split a page at its headings."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._open: list[tuple[str, bool, str]] = []
        self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        if tag not in INLINE:
            self._say(" ")
        if tag in VOID:
            return
        skip = tag in SKIPPED or bool(HIDDEN.intersection(classes))
        if tag in HEADINGS and not self._skipping and not skip:
            ident = given.get("id") or self._enclosing()
            if ident:
                self.found.append((ident, [], []))
                self._heading = tag
        self._open.append((tag, skip, given.get("id", "") if tag == "section" else ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._heading:
            self._heading = ""
        if tag not in INLINE:
            self._say(" ")
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at][0] == tag:
                del self._open[at:]
                return

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._say(data)

    @property
    def _skipping(self) -> bool:
        return any(skip for _, skip, _ in self._open)

    def _enclosing(self) -> str:
        """The id of a section that has just begun: Pandoc moves the heading's id there."""
        return self._open[-1][2] if self._open else ""

    def _say(self, data: str) -> None:
        _, heading, text = self.found[-1]
        (heading if self._heading else text).append(data)


def sections(body: str) -> list[tuple[str, str, str]]:
    """Return the sections of a page's HTML as (anchor, heading, text).

    What stands before the first heading has an empty anchor. Scripts, styles and mathematics are
    left out.

    Examples
    --------
    >>> sections('<p>a</p><h2 id="x">B</h2><p>c <b>d</b></p><script>e()</script>')
    [('', '', 'a'), ('x', 'B', 'c d')]
    """
    parser = _Sections()
    parser.feed(body)
    parser.close()
    return [(ident, _tidy(head), _tidy(text)) for ident, head, text in parser.found]


def _tidy(parts: Iterable[str]) -> str:
    return re.sub(r"\s+([,.;:)])", r"\1", " ".join("".join(parts).split()))


def entries(href: str, title: str, body: str, categories: Iterable[str] = ()) -> list[Entry]:
    """Return what the search knows of a page.

    Parameters
    ----------
    href
        Path of the page's HTML from the root of the site.
    title
        The title, as text.
    body
        The HTML of the page's own text, without navigation.
    categories
        Words under which the page is found, beside those in its text.
    """
    return [
        Entry(
            href=f"{href}#{ident}" if ident else href,
            title=title,
            section=heading,
            text=text,
            categories=[] if ident else list(categories),
        )
        for ident, heading, text in sections(body)
        if text or heading or not ident
    ]


def script(found: Iterable[Entry]) -> str:
    """Return the index as a script: pages that are opened from a disk may not fetch data."""
    rows = ",\n".join(json.dumps(asdict(e), ensure_ascii=False) for e in found)
    return f"window.siteSearchIndex = [\n{rows}\n];\n".replace("</", "<\\/")
