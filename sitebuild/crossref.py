"""Number figures, tables, equations, listings and callouts of a page, and resolve references.

A label has the kind in front, as in Quarto: ``fig-x``, ``tbl-x``, ``eq-x``, ``lst-x``, ``sec-x``,
``tip-x``. Numbers follow the order of the page. In the result a figure div ends with a
``.figure-caption`` div, a table div begins with a ``.table-caption`` div, an equation is an
``.equation`` span with its number inside, a listing is a ``.quarto-listing`` div with a
``.listing-caption``, and a reference is a link ``[Figure 1](#fig-x)``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field

from sitebuild.prose import SPAN, Attributes, Prose, closes_div, opened_div

KINDS = {
    "fig": "Figure",
    "tbl": "Table",
    "eq": "Equation",
    "sec": "Section",
    "lst": "Listing",
    "nte": "Note",
    "tip": "Tip",
    "wrn": "Warning",
    "imp": "Important",
    "cau": "Caution",
}
_KIND = "|".join(f"[{kind[0].upper()}{kind[0]}]{kind[1:]}" for kind in KINDS)
_LABEL = rf"(?:{'|'.join(KINDS)})-[\w-]*\w"
ID = re.compile(rf"\{{[^{{}}\n]*\#({_LABEL})(?=[\s}}])[^{{}}\n]*\}}")
HEADING = re.compile(r"^\#+[ \t]+(.*?)[ \t]*\{[^}\n]*\#(sec-[\w-]*\w)(?=[\s}])[^}\n]*\}[ \t]*$")
CITED = rf"(-)?@((?:{_KIND})-[\w-]*\w)"
REF = re.compile(rf"(?<![\w\\@]){CITED}")
GROUP = re.compile(rf"\[([^\[\]\n]*(?<![\w\\@])@(?:{_KIND})-\w[^\[\]\n]*)\](?![(\[{{])")
ITEM = re.compile(rf"\s*([^@;]*?)\s*{CITED}\s*([^@;]*)")
EQUATION = re.compile(
    r"\$\$((?:(?!\$\$).)+?)\s*\$\$[ \t]*\{[^}\n]*\#(eq-[\w-]*\w)(?=[\s}])[^}\n]*\}", re.DOTALL
)
IMAGE = re.compile(
    r"!\[((?:[^\[\]]|\[[^\]]*\])*)\](\([^)\n]*\))"
    r"(\{[^{}\n]*\#(fig-[\w-]*\w)(?=[\s}])[^{}\n]*\})"
)
TABLE = re.compile(
    r"^([ \t]*(?:Table)?:[ \t]+)(.*?)([ \t]*\{[^{}\n]*\#(tbl-[\w-]*\w)(?=[\s}])[^{}\n]*\})",
    re.MULTILINE,
)


@dataclass
class Labels:
    """Labels of a page with their numbers; a section's is its title, a part's is ``2 (a)``."""

    numbers: dict[str, str] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, markdown: str | Prose) -> Labels:
        """Return the labels of a page, numbered in order.

        Examples
        --------
        >>> Labels.of("![A](a.png){#fig-a}").text("fig-a")
        'Figure 1'
        """
        prose = Prose.of(markdown) if isinstance(markdown, str) else markdown
        labels, stack = cls(), list[str]()
        for line in prose.text.split("\n"):
            block = prose.block(line)
            if div := opened_div(line):
                if re.fullmatch(_LABEL, div.identifier):
                    labels._add(div.identifier, stack)
                stack.append(div.identifier)
            elif closes_div(line):
                del stack[-1:]
            elif heading := HEADING.match(line):
                labels._add(heading[2], stack, prose.restore(heading[1]))
            else:
                for match in ID.finditer(block.split("\n")[0] if block else line):
                    labels._add(match[1], stack)
        return labels

    def _add(self, label: str, stack: list[str], title: str = "") -> None:
        if label in self.numbers:
            self.twice.append(label)
            return
        kind = label.partition("-")[0]
        above = next((name for name in reversed(stack) if name.startswith(f"{kind}-")), "")
        if title:
            self.numbers[label] = title
            return
        count = self._counts[above or kind] = self._counts.get(above or kind, 0) + 1
        if above:
            self.numbers[label] = f"{self.numbers[above]} ({string.ascii_lowercase[count - 1]})"
        else:
            self.numbers[label] = str(count)

    def text(self, label: str, prefix: str | None = None) -> str:
        """Return what a reference says: ``Figure 1``, ``Section “Title”``."""
        kind, number = label.partition("-")[0], self.numbers[label]
        number = f"“{number}”" if kind == "sec" else number
        words = [KINDS[kind] if prefix is None else prefix, number]
        return " ".join(word for word in words if word)

    def caption(self, label: str, caption: str) -> str:
        """Return a caption with its number in front."""
        number = self.numbers[label]
        part = number.partition(" ")[2]
        head = part or self.text(label)
        return f"{head}{' ' if part else ': '}{caption}" if caption else head


def resolve(markdown: str, warn: Callable[[str], None]) -> str:
    """Return the page with numbers in captions and links in place of references.

    Parameters
    ----------
    markdown
        Body of the page, outputs included.
    warn
        Called with one line for each label that is given twice or referred to in vain.
    """
    prose = Prose.of(markdown)
    labels = Labels.of(prose)
    for label in labels.twice:
        warn(f"the label {label} is given twice")
    for number, held in enumerate(prose.held):
        prose.held[number] = _listing(held, labels)
    prose.text = "\n".join(_captions(prose, labels))
    prose.text = EQUATION.sub(
        lambda m: f"[$${m[1]} \\qquad({labels.numbers[m[2]]})$$]{{#{m[2]} .equation}}", prose.text
    )
    prose.text = IMAGE.sub(lambda m: f"![{labels.caption(m[4], m[1])}]{m[2]}{m[3]}", prose.text)
    prose.text = TABLE.sub(lambda m: f"{m[1]}{labels.caption(m[4], m[2])}{m[3]}", prose.text)
    prose.text = references(prose.text, labels, warn, linked=True)
    return prose.whole()


def references(text: str, labels: Labels, warn: Callable[[str], None], *, linked: bool) -> str:
    """Return prose with its references resolved, as links or as plain text.

    Examples
    --------
    >>> labels = Labels.of("![A](a.png){#fig-a}")
    >>> references("See @fig-a, part [-@fig-a], [Fig. @fig-a].", labels, print, linked=False)
    'See Figure 1, part 1, Fig. 1.'
    """

    def one(label: str, prefix: str | None) -> str:
        label = label[0].lower() + label[1:]
        if label not in labels.numbers:
            warn(f"unknown cross-reference @{label}")
            return f"**?\\@{label}**"
        shown = labels.text(label, prefix)
        return f"[{shown}](#{label})" if linked else shown

    def group(match: re.Match[str]) -> str:
        items = [ITEM.fullmatch(item) for item in match[1].split(";")]
        if not all(items):
            return match[0]
        shown = [
            one(item[3], item[1] or ("" if item[2] else None))
            + (item[4] if item[4][:1] in ",.;" else f" {item[4]}" if item[4] else "")
            for item in items
            if item
        ]
        return ", ".join(shown)

    text = GROUP.sub(group, text)
    return REF.sub(lambda m: one(m[2], "" if m[1] else None), text)


def _captions(prose: Prose, labels: Labels) -> list[str]:
    """Turn the last paragraph of each figure or table div into its caption."""
    lines, stack = list[str](), list[tuple[str, int]]()
    for line in prose.text.split("\n"):
        if div := opened_div(line):
            stack.append((div.identifier, len(lines)))
        elif closes_div(line) and stack:
            label, start = stack.pop()
            if label in labels.numbers and label.startswith(("fig-", "tbl-")):
                _set_caption(lines, start + 1, label, labels)
        lines.append(line)
    return lines


def _set_caption(lines: list[str], start: int, label: str, labels: Labels) -> None:
    end = len(lines)
    while end > start and not lines[end - 1].strip():
        end -= 1
    first = end
    while first > start and lines[first - 1].strip():
        first -= 1
    if first == end or _is_block(lines[first]) or closes_div(lines[end - 1]):
        return
    text = labels.caption(label, " ".join(line.strip() for line in lines[first:end]))
    indent = re.match(r"[ \t]*", lines[start - 1])
    margin = indent[0] if indent else ""
    kind = "table" if label.startswith("tbl-") else "figure"
    caption = [f"{margin}{line}" for line in (f"::: {{.{kind}-caption}}", text, ":::")]
    del lines[first:]
    if kind == "table":
        lines[start:start] = ["", *caption, ""]
    else:
        lines += [*caption, ""]


def _is_block(line: str) -> bool:
    """Tell whether a line begins something other than a paragraph of text."""
    return bool(re.match(r"\s*(?:!\[|[|+<>#:\ue000]|[-*]\s|\d+\.\s)", line)) and not SPAN.match(line)


def _listing(block: str, labels: Labels) -> str:
    """Return a labelled fenced block inside a listing div; any other block as it is."""
    header, _, rest = block.partition("\n")
    match = ID.search(header)
    if not match or not match[1].startswith("lst-"):
        return block
    attributes = Attributes.of(match[0].strip("{}"))
    margin = header[: len(header) - len(header.lstrip())]
    plain = re.sub(rf"\#{match[1]}\s*|lst-cap=(?:\"[^\"]*\"|'[^']*'|\S+?(?=[\s}}]))\s*", "", header)
    caption = labels.caption(match[1], attributes.values.get("lst-cap", ""))
    lines = [f"::: {{#{match[1]} .quarto-listing}}", "::: {.listing-caption}", caption, ":::", ""]
    return "\n".join([*(margin + line for line in lines), plain, rest, f"{margin}:::"])
