"""Read a .qmd file: front matter, Markdown, Python cells and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sitebuild.errors import SiteError, shown
from sitebuild.options import cell_problems, page_problems

FRONT = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
CELL = re.compile(r"^([ \t]*)(`{3,})[ \t]*\{([A-Za-z]+)((?:[ ,].*)?)\}[ \t]*$")
FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$")
INCLUDE = re.compile(r"^[ \t]*\{\{<\s*include\s+[\"']?([^\s\"'>]+)[\"']?\s*>\}\}[ \t]*$")
INLINE = re.compile(r"(?<!`)`\{python\}[ \t]+((?:[^`\n]|\n(?!\s*\n))+)`(?!`)")
OPTION = re.compile(r"^#\|[ ]?")

DIAGRAMS = ("mermaid", "dot")
"""Languages whose fences are diagrams, shown and never run."""


@dataclass
class Part:
    """A run of Markdown, or one Python cell.

    Attributes
    ----------
    kind
        ``"markdown"`` or ``"code"``.
    text
        The lines of the part; of a cell, the lines between its fences with ``#|`` lines kept.
    line
        Line of the first of them in `file`, counted from 1.
    indent
        White space in front of the fences of a cell (a cell inside a list).
    options
        The cell's own ``#|`` options.
    file
        The file that holds the first line: the page, or one that it includes.
    places
        File and line of every line of `text`.
    """

    kind: str
    text: str
    line: int
    indent: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None
    places: list[tuple[Path, int]] = field(default_factory=list)

    @property
    def code(self) -> str:
        """The cell without its ``#|`` lines."""
        return "\n".join(self.text.split("\n")[self.option_lines :])

    @property
    def option_lines(self) -> int:
        """Count the ``#|`` lines at the top of the cell."""
        lines = self.text.split("\n")
        return next((k for k, line in enumerate(lines) if not OPTION.match(line)), len(lines))

    def place(self, offset: int) -> tuple[Path | None, int]:
        """Return file and line of the line `offset` lines below the first."""
        if offset < len(self.places):
            return self.places[offset]
        return self.file, self.line + offset


@dataclass
class Document:
    """A parsed page; ``warnings`` say, one line each, what the page asks for in vain."""

    path: Path
    front: dict[str, Any]
    parts: list[Part]
    raw_front: str = ""
    warnings: list[str] = field(default_factory=list)

    def warn(self, place: tuple[Path | None, int], message: str) -> None:
        """Add a warning about a line."""
        self.warnings.append(f"{shown(place[0] or self.path)}:{place[1]}: {message}")


class Line(NamedTuple):
    """One line of a page once its includes are expanded."""

    text: str
    file: Path
    number: int


def parse(path: Path) -> Document:
    """Parse a page, with the files that it includes.

    Returns
    -------
    Document
        Front matter, and parts in order. Its ``warnings`` name options that are unknown or not
        honoured, and cells in languages that are not run here.

    Raises
    ------
    SiteError
        A file is missing or not UTF-8, YAML is malformed or says a key twice, an option has a
        value that it does not take, a cell is never closed, files include each other.
    """
    text = _read(path, path, None)
    match = FRONT.match(text)
    if match is None and re.match(r"---[ \t]*\n[ \t]*\S", text):
        raise SiteError(path, 1, "the front matter is never closed", "add a line --- below it")
    raw, body = (match[0], text[match.end() :]) if match else ("", text)
    front = yaml_mapping(match[1], path, 2) if match else {}
    document = Document(path, front, [], raw)
    _check_front(document)
    lines = _expand(body, path, raw.count("\n") + 1, (path.resolve(),))
    document.parts = list(_parts(document, lines))
    return document


def yaml_mapping(text: str, page: Path, line: int) -> dict[str, Any]:
    """Load YAML that has to be a mapping; a key given twice is an error.

    Parameters
    ----------
    text
        The YAML.
    page, line
        Where its first line stands, for messages.

    Raises
    ------
    SiteError
        The YAML is malformed, repeats a key, or is not a mapping.
    """
    try:
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader underneath)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = line + mark.line if mark else line
        raise SiteError(page, at, f"malformed YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise SiteError(page, line, f"malformed YAML: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SiteError(page, line, f"expected 'key: value' lines, found {value!r}")
    return {str(key): item for key, item in value.items()}


def fences(text: str) -> list[tuple[int, int]]:
    """Return start and end of every fenced code block, one that is never closed included.

    Examples
    --------
    >>> text = chr(10).join(["a", "```", "b", "```", "c"])
    >>> [text[start:end].split() for start, end in fences(text)]
    [['```', 'b', '```']]
    """
    spans, fence, start, at = [], "", 0, 0
    for line in text.split("\n"):
        match = FENCE.match(line)
        if not fence and _opens(match):
            fence, start = match[1] if match else "", at
        elif fence and _closes(match, fence):
            spans.append((start, at + len(line)))
            fence = ""
        at += len(line) + 1
    if fence:
        spans.append((start, len(text)))
    return spans


def inline_expressions(text: str) -> list[re.Match[str]]:
    """Return the ``{python}`` expressions in a run of Markdown, those in fenced blocks left out.

    Examples
    --------
    >>> [m[1] for m in inline_expressions("twice `{python} 1 + 1`, once `1 + 1`")]
    ['1 + 1']
    """
    blocks = fences(text)
    return [
        match
        for match in INLINE.finditer(text)
        if not any(start <= match.start() < end for start, end in blocks)
    ]


def project_root(page: Path) -> Path:
    """Return the nearest directory above a page with a ``_quarto.yml``, else the page's own."""
    folder = page.resolve().parent
    for above in (folder, *folder.parents):
        if (above / "_quarto.yml").is_file():
            return above
    return folder


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses to lose a key that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                if key.value in seen:
                    problem = f"the key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(file: Path, page: Path, line: int | None) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SiteError(page, line, f"there is no file {shown(file)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SiteError(page, line, f"{shown(file)} cannot be read as UTF-8: {error}") from None


def _expand(text: str, file: Path, first: int, stack: tuple[Path, ...]) -> Iterator[Line]:
    for number, line in enumerate(text.removesuffix("\n").split("\n"), first):
        match = INCLUDE.match(line)
        if not match:
            if re.search(r"(?<!\{)\{\{<\s*include\b", line):
                raise SiteError(file, number, "this include is not understood", "write it alone on its line")
            yield Line(line, file, number)
            continue
        base = project_root(file) if match[1].startswith("/") else file.parent
        wanted = (base / match[1].lstrip("/")).resolve()
        if wanted in stack:
            raise SiteError(file, number, f"{match[1]} includes itself")
        inner = _read(wanted, file, number)
        front = FRONT.match(inner)
        start = front.end() if front else 0
        yield from _expand(inner[start:], wanted, inner[:start].count("\n") + 1, (*stack, wanted))


def _opens(match: re.Match[str] | None) -> bool:
    return match is not None and not (match[1][0] == "`" and "`" in match[2])


def _closes(match: re.Match[str] | None, fence: str) -> bool:
    return match is not None and match[1].startswith(fence) and not match[2].strip()


def _parts(document: Document, lines: Iterator[Line]) -> Iterator[Part]:
    held: list[Line] = []
    cell: Line | None = None
    fence = ""
    for line in lines:
        match, opened = FENCE.match(line.text), CELL.match(line.text)
        if fence and _closes(match, fence):
            fence = ""
            if cell:
                yield _cell(document, held, cell)
                held, cell = [], None
                continue
        elif not fence and match and _opens(match):
            fence = match[1]
            _check_header(document, line, opened)
            if opened and opened[3] == "python":
                yield from _markdown(held)
                held, cell = [], line
                continue
        held.append(line)
    if cell:
        remedy = f"add {fence} after its last line"
        raise SiteError(cell.file, cell.number, "this cell is never closed", remedy)
    yield from _markdown(held)


def _check_header(document: Document, line: Line, opened: re.Match[str] | None) -> None:
    place = (line.file, line.number)
    if opened and opened[3] == "python" and opened[4].strip():
        message = f"'{opened[4].strip()}' beside {{python}} is ignored; write #| lines instead"
        document.warn(place, message)
    elif opened and opened[3] not in ("python", *DIAGRAMS):
        document.warn(place, f"a cell in {opened[3]} is shown and not run")


def _markdown(held: list[Line]) -> Iterator[Part]:
    text = "\n".join(line.text for line in held)
    if text.strip():
        places = [(line.file, line.number) for line in held]
        yield Part("markdown", text, places[0][1], file=places[0][0], places=places)


def _cell(document: Document, held: list[Line], opened: Line) -> Part:
    indent = opened.text[: len(opened.text) - len(opened.text.lstrip())]
    places = [(line.file, line.number) for line in held]
    text = "\n".join(line.text.removeprefix(indent) for line in held)
    part = Part("code", text, opened.number + 1, indent, file=opened.file, places=places)
    count = part.option_lines
    yaml_text = "\n".join(OPTION.sub("", line) for line in text.split("\n")[:count])
    part.options = yaml_mapping(yaml_text, opened.file, part.line)
    for offset, line in enumerate(text.split("\n")[count:], count):
        if OPTION.match(line):
            document.warn(part.place(offset), "#| lines count only at the top of a cell")
    _check_options(document, part)
    return part


def _check_options(document: Document, part: Part) -> None:
    for problem in cell_problems(part.options):
        file, line = _place(part, problem.name)
        if problem.fatal:
            raise SiteError(file or document.path, line, problem.message)
        document.warn((file, line), problem.message)


def _place(part: Part, name: str) -> tuple[Path | None, int]:
    for offset, line in enumerate(part.text.split("\n")[: part.option_lines]):
        if OPTION.sub("", line).startswith(name):
            return part.place(offset)
    return part.place(0)


def _check_front(document: Document) -> None:
    for problem in page_problems(document.front):
        line = _line_of(document.raw_front, problem.name)
        if problem.fatal:
            raise SiteError(document.path, line, problem.message)
        document.warn((document.path, line), problem.message)


def _line_of(raw_front: str, name: str) -> int:
    """Return the line of a front matter that says a key; 1 where none does so plainly."""
    for number, line in enumerate(raw_front.split("\n"), 1):
        if re.match(rf"[\s{{]*{re.escape(name)}\s*:", line):
            return number
    return 1
