"""Set the code of a Markdown text aside, so that the prose around it can be edited."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sitebuild.qmd import fences

CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:[^\n]|\n(?!\s*\n))+?)(?<!`)\1(?!`)")
MATHS = re.compile(r"(?<!\\)\$\$(?:[^$]|\\\$)+\$\$|(?<![\\$])\$(?=\S)(?:[^$\n]|\\\$)+?(?<=\S)\$(?!\d)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

BLOCK = re.compile("\ue000(\\d+)\ue000")
SPAN = re.compile("\ue001(\\d+)\ue001")
HELD = re.compile("([\ue000\ue001])(\\d+)\\1")

DIV_OPEN = re.compile(r"^[ \t]*:{3,}[ \t]*(?:\{([^\n]*)\}|([\w-]+))[ \t]*:*[ \t]*$")
DIV_CLOSE = re.compile(r"^[ \t]*:{3,}[ \t]*$")
ATTRIBUTE = re.compile(
    r"""\#(?P<id>[\w:.-]+)|\.(?P<cls>[\w-]+)|(?P<key>[\w-]+)=(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<bare>[^\s"'}]+))"""
)


@dataclass
class Prose:
    """A Markdown text with placeholders for fenced blocks, code spans and, if asked, formulas.

    A placeholder for a fenced block stands alone on its line. Edit `text`, or an entry of
    `held`, and put everything together again with `whole`.

    Examples
    --------
    >>> prose = Prose.of("see @x and `@x`")
    >>> prose.text = prose.text.replace("@x", "Figure 1")
    >>> prose.whole()
    'see Figure 1 and `@x`'
    """

    text: str
    held: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, markdown: str, *, maths: bool = False) -> Prose:
        """Set fenced blocks and code spans aside, and formulas too where `maths` is true."""
        prose, at, pieces = cls(""), 0, list[str]()
        for start, end in fences(markdown):
            pieces += [markdown[at:start], prose._hold(markdown[start:end], "\ue000")]
            at = end
        prose.text = "".join([*pieces, markdown[at:]])
        prose.text = CODE_SPAN.sub(lambda m: prose._hold(m[0], "\ue001"), prose.text)
        if maths:
            prose.text = MATHS.sub(lambda m: prose._hold(m[0], "\ue001"), prose.text)
        return prose

    def _hold(self, code: str, mark: str) -> str:
        self.held.append(code)
        return f"{mark}{len(self.held) - 1}{mark}"

    def block(self, line: str) -> str | None:
        """Return the fenced block that a line stands for; None for any other line."""
        match = BLOCK.fullmatch(line.strip())
        return self.held[int(match[1])] if match else None

    def restore(self, text: str) -> str:
        """Return a piece of the text with everything that was set aside in place again."""
        while HELD.search(text):
            text = HELD.sub(lambda m: self.held[int(m[2])], text)
        return text

    def whole(self) -> str:
        """Return the text with everything that was set aside in place again."""
        return self.restore(self.text)


@dataclass(frozen=True)
class Attributes:
    """Identifier, classes and other attributes of a div, a span or a fenced block."""

    identifier: str
    classes: tuple[str, ...]
    values: dict[str, str]

    @classmethod
    def of(cls, text: str) -> Attributes:
        """Read what stands between braces.

        Examples
        --------
        >>> Attributes.of('#tip-a .callout-tip title="Try it"').values
        {'title': 'Try it'}
        """
        identifier, classes, values = "", list[str](), dict[str, str]()
        for match in ATTRIBUTE.finditer(text):
            if match["id"]:
                identifier = match["id"]
            elif match["cls"]:
                classes.append(match["cls"])
            else:
                values[match["key"]] = match["dq"] or match["sq"] or match["bare"] or ""
        return cls(identifier, tuple(classes), values)


def opened_div(line: str) -> Attributes | None:
    """Return the attributes of the fenced div that a line opens; None for any other line.

    Examples
    --------
    >>> opened_div("::: {.callout-note}").classes, opened_div("::: aside").classes
    (('callout-note',), ('aside',))
    >>> opened_div(":::") is None
    True
    """
    match = DIV_OPEN.match(line)
    if not match:
        return None
    return Attributes("", (match[2],), {}) if match[2] else Attributes.of(match[1])


def closes_div(line: str) -> bool:
    """Tell whether a line closes a fenced div."""
    return DIV_CLOSE.match(line) is not None
