"""Quarto's Markdown as the Markdown that Jupyter shows: no attributes, labels or shortcodes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sitebuild.crossref import EQUATION, IMAGE, TABLE, Labels, references
from sitebuild.prose import COMMENT, Attributes, Prose
from sitebuild.qmd import project_root

HEADER = re.compile(r"^([ \t]*)(`{3,}|~{3,})[ \t]*\{(.*)\}[ \t]*$")
RAW = re.compile(r"^=(\w+)$")
RAW_SPAN = re.compile("(\ue001\\d+\ue001)\\{=(\\w+)\\}")
SPAN_ATTRIBUTES = re.compile("(\ue001\\d+\ue001)\\{[^{}\n]*\\}")
BRACKETED = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\](?:\([^)]*\))?)*)\]\{([^{}\n]*)\}")
TARGET_ATTRIBUTES = re.compile(r"(\]\([^)\n]*\))\{[^{}\n]*\}")
HEADING = re.compile(r"^(\#{1,6}[ \t]+.*?)[ \t]*\{[^{}\n]*\}[ \t]*$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?![a-z][\w+.-]*:)([^)\s#]+\.qmd)(?:#[^)\s]*)?\)")
CITATION = re.compile(
    r"\[[^\[\]\n]*(?<![\w\\@])-?@[\w{][^\[\]\n]*\](?![({])"
    r"|(?<![\w\\@/.])-?@(?:\{[^{}\s]+\}|\w(?:[\w:.#$%&+?<>~/-]*\w)?)"
)
SUBSCRIPT = re.compile(r"(?<![~\\])~([^~\s]+)~(?!~)")
SUPERSCRIPT = re.compile(r"(?<![\[\\^])\^([^^\s\[\]]+)\^")
CAPTION_BELOW = re.compile(r"^(\|.*\n)\s*\n?(?:Table)?:[ \t]+(.+)$", re.MULTILINE)
VIDEO = re.compile(r"\{\{<\s*video\s+(\S+?)(?:\s[^>]*)?>\}\}")
PAGEBREAK = re.compile(r"^\{\{<\s*pagebreak\s*>\}\}[ \t]*\n?", re.MULTILINE)


def visible(attributes: Attributes) -> bool:
    """Tell whether conditional content is meant for a notebook.

    Examples
    --------
    >>> visible(Attributes.of('.content-visible when-format="html"'))
    False
    """
    named = {"ipynb", "jupyter"}
    values = attributes.values
    holds = values.get("when-format", "ipynb") in named
    holds = holds and values.get("unless-format") not in named
    if "content-visible" in attributes.classes:
        return holds
    return not ("content-hidden" in attributes.classes and holds)


@dataclass
class Translator:
    """Turns the prose of one page into Jupyter's Markdown.

    Attributes
    ----------
    page
        The page; links to pages beside it become links to notebooks, other pages just text.
    labels
        The page's numbered figures, tables and so on.
    warn
        Called with one line for each reference to a label that the page does not have.
    cite
        Returns what stands in the place of a citation.
    """

    page: Path
    labels: Labels
    warn: Callable[[str], None]
    cite: Callable[[str], str]

    def __call__(self, markdown: str) -> str:
        """Return a run of Markdown, without fenced divs, as Jupyter shows it."""
        prose = Prose.of(markdown)
        prose.text = COMMENT.sub("", prose.text)
        prose.text = EQUATION.sub(self._equation, prose.text)
        prose = Prose.of(prose.whole(), maths=True)
        prose.held = [self._block(held) for held in prose.held]
        text = RAW_SPAN.sub(lambda m: _raw(prose.restore(m[1]), m[2]), prose.text)
        text = SPAN_ATTRIBUTES.sub(r"\1", text)
        text = IMAGE.sub(lambda m: f"![{self.labels.caption(m[4], m[1])}]{m[2]}", text)
        text = TABLE.sub(lambda m: f"\n*{self.labels.caption(m[4], m[2])}*", text)
        text = CAPTION_BELOW.sub(r"\1\n*\2*", text)
        text = TARGET_ATTRIBUTES.sub(r"\1", text)
        text = references(text, self.labels, self.warn, linked=False)
        text = _brackets(text)
        text = HEADING.sub(r"\1", text)
        text = LINK.sub(self._link, text)
        text = CITATION.sub(lambda m: self.cite(m[0]), text)
        text = SUBSCRIPT.sub(r"<sub>\1</sub>", text)
        text = SUPERSCRIPT.sub(r"<sup>\1</sup>", text)
        text = PAGEBREAK.sub("", VIDEO.sub(r"[Video: \1](\1)", text))
        prose.text = text
        return re.sub(r"\n{3,}", "\n\n", prose.whole()).strip("\n")

    def _equation(self, match: re.Match[str]) -> str:
        return f"$${match[1]} \\tag{{{self.labels.numbers[match[2]]}}}$$"

    def _block(self, held: str) -> str:
        """Return a fenced block with a plain language in place of attributes."""
        header, _, rest = held.partition("\n")
        match = HEADER.match(header)
        if not match:
            return held
        margin, fence, inside = match[1], match[2], match[3].strip()
        if raw := RAW.match(inside):
            return "\n".join(rest.split("\n")[:-1]) if raw[1] in ("html", "html5") else ""
        attributes = Attributes.of(inside)
        language = attributes.classes[0] if attributes.classes else inside.strip("{}").split()[0]
        block = f"{margin}{fence}{language}\n{rest}"
        label = attributes.identifier
        if label in self.labels.numbers:
            caption = self.labels.caption(label, attributes.values.get("lst-cap", ""))
            return f"{margin}*{caption}*\n\n{block}"
        return block

    def _link(self, match: re.Match[str]) -> str:
        target, folder = match[2], self.page.resolve().parent
        base = project_root(self.page) if target.startswith("/") else folder
        wanted = Path(posixpath.normpath((base / target.lstrip("/")).as_posix()))
        return f"[{match[1]}]({wanted.stem}.ipynb)" if wanted.parent == folder else match[1]


def _raw(span: str, kind: str) -> str:
    return span.strip("`") if kind in ("html", "html5") else ""


def _brackets(text: str) -> str:
    """Take the brackets and attributes of spans away, inner ones first."""

    def content(match: re.Match[str]) -> str:
        return match[1] if visible(Attributes.of(match[2])) else ""

    while (plain := BRACKETED.sub(content, text)) != text:
        text = plain
    return text
