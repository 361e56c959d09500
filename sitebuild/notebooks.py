"""Notebooks made from an executed page: one for ``pytest --nbval``, one for people."""

from __future__ import annotations

import base64
import html
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nbformat import NotebookNode

from sitebuild import cells
from sitebuild.crossref import KINDS, Labels
from sitebuild.divs import Div, Node, tree
from sitebuild.errors import shown
from sitebuild.execute import Executed
from sitebuild.outputs import WIDGET, listed, ticks
from sitebuild.plain import Translator, visible
from sitebuild.prose import Prose
from sitebuild.qmd import Part

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
FIGURE = re.compile(r"<\w+ size [\d.e+]+x[\d.e+]+ with \d+ Axes>")
HEADING = re.compile(r"^(\#{1,6})[ \t]+(.*?)[ \t]*(?:\{[^{}\n]*\})?[ \t]*$")
LOCAL_IMAGE = re.compile(r"(!\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s:]+)((?:\s[^)]*)?\))")
CITED = re.compile("\ue002(\\d+)\ue002")
Citer = Callable[[list[str]], tuple[dict[str, str], list[str]]]
UNSEEN = "# The page hides this cell: run it, and read on."
NOT_FOR_READERS = ("skip-execution", "nbval-skip", "nbval-ignore-output", "nbval-check-output")


def reference(executed: Executed) -> NotebookNode:
    """Return the executed page as the notebook that ``pytest --nbval`` compares with.

    Two runs of a page whose outputs do not depend on time or chance give the same bytes: ids come
    from content, memory addresses are ``0x0``, widget models and pictures are left out (nbval
    compares neither; a control's text form, and the HTML and text beside a picture, are compared).
    A cell with ``eval: false`` stands as Markdown, so that every code cell has an execution count.
    Where the page sets a figure size, a first cell sets it too, since the size is in the output.
    """
    made = list[NotebookNode]()
    for cell in executed.notebook.cells:
        if cell.cell_type == "code" and cell.execution_count is not None:
            new = cells.code(cell.source, cells.tags(cell))
            new["execution_count"] = cell.execution_count
            new["outputs"] = [_compared(output, cell.execution_count) for output in cell.outputs]
        elif cell.source.strip():
            is_code = cell.cell_type == "code"
            new = cells.markdown(_as_block(cell.source) if is_code else cell.source)
        else:
            continue
        new["id"] = cell["id"]
        made.append(new)
    settings = executed.figures.settings
    if settings and any("image" in mime for mime in _mimes(executed.notebook.cells)):
        setup = cells.code(f"import matplotlib\n\nmatplotlib.rcParams.update({settings!r})")
        setup["execution_count"] = 0
        made.insert(0, setup)
    return cells.notebook(made)


def reader(executed: Executed, cite: Citer) -> NotebookNode:
    """Return the page as a notebook to work in: no outputs, and nothing but what Jupyter shows.

    The title comes first. Callouts are block quotes, folded ones ``<details>`` with any code as
    Markdown, so that a solution neither shows nor runs by itself. Other fenced divs are unwrapped.
    References, inline values and citations are text, and the works that are cited stand at the end.
    Cells that the page hides run with their source folded away. Local images are attached.

    Parameters
    ----------
    executed
        The page.
    cite
        Returns citations as text and the works cited, as `sitebuild.pandoc.cited` does.

    Raises
    ------
    SiteError
        A fenced div is never closed, or a line closes none.
    """
    page = executed.document.path
    labels = Labels.of(_outline(executed))

    def warn(message: str) -> None:
        line = f"{shown(page)}: {message}"
        if line not in executed.warnings:
            executed.warnings.append(line)

    found = list[str]()

    def hold(group: str) -> str:
        found.append(group)
        return f"\ue002{len(found) - 1}\ue002"

    maker = _Reader(executed, labels, Translator(page, labels, warn, hold))
    front = executed.document.front
    title = f"# {maker.translate(str(front['title']))}" if front.get("title") else ""
    subtitle = f"*{maker.translate(str(front['subtitle']))}*" if front.get("subtitle") else ""
    head = "\n\n".join(line for line in (title, subtitle) if line)
    pieces = [*([head] if head else []), *maker.pieces(tree(executed.document.parts, page))]
    texts, works = cite(found)
    if works:
        pieces += ["## References", *works]
    made, text = list[NotebookNode](), list[str]()
    for piece in [*pieces, None]:
        if isinstance(piece, str):
            text.append(piece)
            continue
        if text:
            whole = CITED.sub(lambda m: texts[found[int(m[1])]], "\n\n".join(text))
            made.append(_attached(cells.markdown(whole), page.parent))
            text = []
        if piece is not None:
            made.append(piece)
    return cells.notebook(made)


@dataclass
class _Reader:
    """Turns the tree of a page into Markdown and code cells for a reader."""

    executed: Executed
    labels: Labels
    translate: Callable[[str], str]

    def pieces(self, nodes: Iterable[Node]) -> list[str | NotebookNode]:
        """Return Markdown texts and code cells, in order."""
        found = list[str | NotebookNode]()
        for node in nodes:
            if isinstance(node, str):
                found += [text] if (text := self.translate(node)) else []
            elif isinstance(node, int):
                found += self._cell(node)
            else:
                found += self._div(node)
        return found

    def _part(self, index: int) -> tuple[Part, Mapping[str, Any]]:
        part = self.executed.document.parts[index]
        return part, {**self.executed.defaults, **part.options}

    def _cell(self, index: int) -> Iterable[str | NotebookNode]:
        part, options = self._part(index)
        source = self.executed.notebook.cells[index]
        if not part.code.strip():
            return
        tags = [tag for tag in cells.tags(source) if tag not in NOT_FOR_READERS]
        if "skip-execution" in cells.tags(source):
            tags.append("raises-exception")
        hidden = options.get("include", True) is False or options.get("echo", True) is False
        cell = cells.code(f"{UNSEEN}\n{part.code}" if hidden else part.code, tags)
        if hidden:
            cell.metadata["jupyter"] = {"source_hidden": True}
        cell["id"] = source["id"]
        yield cell
        caption = self._caption(options) if source.outputs else ""
        if caption and _is_shown(options):
            yield f"*{caption}*"

    def _caption(self, options: Mapping[str, Any]) -> str:
        label = str(options.get("label", ""))
        given = options.get("tbl-cap" if label.startswith("tbl-") else "fig-cap", "")
        text = self.translate(" ".join(" ".join(listed(given)).split()))
        return self.labels.caption(label, text) if label in self.labels.numbers else text

    def _div(self, div: Div) -> list[str | NotebookNode]:
        attributes = div.attributes
        if not visible(attributes) or "hidden" in attributes.classes:
            return []
        if div.folded:
            return [self._folded(div)]
        if div.callout:
            title, body = self._titled(div)
            return list(_quoted([f"**{title}**", *body]))
        children = div.children
        if "panel-tabset" in attributes.classes:
            children = _tabs(children)
        label = attributes.identifier
        if label in self.labels.numbers and label.startswith(("fig-", "tbl-")):
            children = _captioned(children, lambda text: self.labels.caption(label, text))
        return self.pieces(children)

    def _titled(self, div: Div) -> tuple[str, list[str | NotebookNode]]:
        """Return the title of a callout, and what stands below it."""
        title, children = div.attributes.values.get("title"), list(div.children)
        if title is None and children and isinstance(children[0], str):
            first, _, rest = children[0].partition("\n")
            if heading := HEADING.match(first):
                title, children[0] = heading[2], rest
        return self.translate(title or div.callout or ""), self.pieces(children)

    def _folded(self, div: Div) -> str:
        """Return a folded callout as one text; code inside it is shown and does not run."""
        title, body = self._titled(div)
        texts = [piece if isinstance(piece, str) else _block_of(piece) for piece in body]
        inner = "\n\n".join(text for text in texts if text)
        summary = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(title, quote=False))
        return f"<details>\n<summary>{summary}</summary>\n\n{inner}\n\n</details>\n\n<br>"


def _is_shown(options: Mapping[str, Any]) -> bool:
    return options.get("include", True) is not False and options.get("output", True) is not False


def _outline(executed: Executed) -> str:
    """Return Markdown with the page's labels in order, those of code cells included."""
    lines = list[str]()
    for part, cell in zip(executed.document.parts, executed.notebook.cells, strict=True):
        if part.kind == "markdown":
            lines.append(part.text)
            continue
        options = {**executed.defaults, **part.options}
        if options.get("include", True) is False:
            continue
        names = [options.get("lst-label"), options.get("label")]
        for label in (str(name) for name in names if name):
            kind = label.partition("-")[0]
            if kind in KINDS and (kind == "lst" or (cell.outputs and _is_shown(options))):
                lines += ["", f"::: {{#{label}}}", ":::", ""]
    return "\n".join(lines)


def _mimes(found: Iterable[NotebookNode]) -> Iterable[str]:
    return (m for c in found for output in c.get("outputs", []) for m in output.get("data", {}))


def _compared(output: NotebookNode, count: int) -> NotebookNode:
    """Return an output with what nbval compares, and nothing that differs from run to run."""
    new = cells.node(output)
    if output.output_type == "stream":
        new["text"] = ADDRESS.sub("at 0x0", output.text)
    elif output.output_type == "error":
        new["evalue"] = ADDRESS.sub("at 0x0", output.evalue)
        new["traceback"] = [f"{output.ename}: {new['evalue']}"]
    else:
        drawn = FIGURE.fullmatch(output.data.get("text/plain", ""))
        dropped = {WIDGET, "image/png", "image/jpeg"} | ({"image/svg+xml"} if drawn else set())
        new["data"] = {
            mime: ADDRESS.sub("at 0x0", value) if isinstance(value, str) else value
            for mime, value in output.data.items()
            if mime not in dropped
        }
        new["metadata"] = {}
        if output.output_type == "execute_result":
            new["execution_count"] = count
    return new


def _as_block(source: str) -> str:
    fence = ticks(source)
    return f"{fence}python\n{source}\n{fence}"


def _block_of(cell: NotebookNode) -> str:
    """Return a code cell as a Markdown block; nothing where the page does not show it."""
    hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
    return "" if hidden else _as_block(cell.source)


def _quoted(pieces: Iterable[str | NotebookNode]) -> Iterable[str | NotebookNode]:
    """Yield neighbouring texts as one block quote; cells and folded parts stand by themselves."""
    text = list[str]()
    for piece in [*pieces, None]:
        if isinstance(piece, str) and not piece.startswith("<details>"):
            text.append(piece)
            continue
        if text:
            yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(text).split("\n"))
            text = []
        if piece is not None:
            yield piece


def _tabs(children: Iterable[Node]) -> list[Node]:
    """Return the children of a tabset with the titles of tabs in bold."""
    level, found = "", list[Node]()
    for child in children:
        if isinstance(child, str):
            lines = child.split("\n")
            for number, line in enumerate(lines):
                heading = HEADING.match(line)
                level = level or (heading[1] if heading else "")
                if heading and heading[1] == level:
                    lines[number] = f"**{heading[2]}**"
            found.append("\n".join(lines))
        else:
            found.append(child)
    return found


def _captioned(children: list[Node], caption: Callable[[str], str]) -> list[Node]:
    """Return the children of a figure div with its last paragraph as the caption."""
    *before, last = children or [""]
    if not isinstance(last, str):
        return [*children, f"*{caption('')}*"]
    body, _, paragraph = last.rpartition("\n\n")
    if paragraph.lstrip().startswith(("!", "|", "<", "`", "#")):
        body, paragraph = last, ""
    text = " ".join(paragraph.split())
    return [*before, *([body] if body.strip() else []), f"*{caption(text)}*"]


def _attached(cell: NotebookNode, folder: Path) -> NotebookNode:
    """Return a Markdown cell that holds its local images itself."""
    attachments = dict[str, dict[str, str]]()

    def attach(match: re.Match[str]) -> str:
        file = folder / unquote(match[2])
        kind = mimetypes.guess_type(file.name)[0]
        if not (kind and file.is_file()):
            return match[0]
        attachments[file.name] = {kind: base64.b64encode(file.read_bytes()).decode()}
        return f"{match[1]}attachment:{file.name}{match[3]}"

    prose = Prose.of(cell.source)
    prose.text = LOCAL_IMAGE.sub(attach, prose.text)
    cell["source"] = prose.whole()
    if attachments:
        cell["attachments"] = cells.node(attachments)
    return cell
