"""An executed page as Markdown with outputs, in the shape of Quarto's own intermediate.

A cell is a ``.cell`` div with a ``.cell-code`` block and ``.cell-output`` divs. A figure cell
with one picture holds an image with the caption and the label; with several, or with other
outputs, a ``.quarto-figure`` div that ends with the caption. A table cell holds a
``.quarto-table`` div that ends with the caption. `crossref` numbers all of them.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from sitebuild import drawing
from sitebuild.errors import shown
from sitebuild.execute import Executed
from sitebuild.kernel import ANSI
from sitebuild.prose import Prose
from sitebuild.qmd import DIAGRAMS, Part

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
PICTURES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
ORDER = ("text/html", *PICTURES, "text/markdown", "text/latex", "text/plain")
CODE_ATTRIBUTES = (
    "code-fold",
    "code-summary",
    "code-line-numbers",
    "code-overflow",
    "filename",
    "lst-cap",
)
DIAGRAM = re.compile(rf"^([ \t]*`{{3,}})[ \t]*\{{({'|'.join(DIAGRAMS)})\}}[ \t]*$", re.MULTILINE)
LITERAL = re.compile(r"^([ \t]*)(`{3,})[ \t]*\{\{([A-Za-z]+)\}\}[ \t]*(\n.*)$", re.DOTALL)
LITERAL_SPAN = re.compile(r"(`+)\{\{(\w+)\}\}([^`]+\1)")


def to_markdown(executed: Executed, *, figures: Path, href: str, defaults: Mapping[str, Any]) -> str:
    """Return the body of the page with its outputs.

    Parameters
    ----------
    executed
        The page. A line is added to its ``warnings`` for an output that a static page cannot show.
    figures
        Directory for pictures; it is made when there is one.
    href
        The same directory, as the page links to it.
    defaults
        Cell options that hold for the whole site; the page's ``execute`` and a cell's own options
        go above them.
    """
    pieces, number = list[str](), 0
    for part, cell in zip(executed.document.parts, executed.notebook.cells, strict=True):
        if part.kind == "markdown":
            pieces.append(_literal(part.text))
            continue
        number += 1
        options = {**defaults, **executed.defaults, **part.options}
        if options.get("include", True) is False:
            continue
        made = _Cell(executed, part, options, number, figures, href)
        block = "\n\n".join(made.blocks(cell.outputs))
        pieces.append("\n" + re.sub(r"(?m)^(?=.)", part.indent, block) + "\n")
    return "\n".join(pieces) + "\n"


def ticks(text: str) -> str:
    """Return a fence that no run of backticks in the text can close.

    Examples
    --------
    >>> ticks("a ```` b")
    '`````'
    """
    return "`" * max(3, 1 + max(map(len, re.findall(r"`+", text)), default=0))


def raw_html(text: str) -> str:
    """Return HTML as a block that Markdown leaves alone."""
    return f"{ticks(text)}{{=html}}\n{text}\n{ticks(text)}"


def quoted(value: object) -> str:
    """Return a value as Markdown writes it in attributes."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").strip() + '"'


def listed(value: object) -> list[str]:
    """Return one text, or a list of them, as a list."""
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


@dataclass
class _Cell:
    """One code cell on its way to Markdown."""

    executed: Executed
    part: Part
    options: Mapping[str, Any]
    number: int
    figures: Path
    href: str
    pictures: list[str] = field(default_factory=list)

    def blocks(self, outputs: list[NotebookNode]) -> list[str]:
        """Return the blocks of the cell, its div included."""
        label, kind = self.label, self.label.partition("-")[0]
        shown = self.outputs(outputs) if self.options.get("output", True) is not False else []
        if (columns := self.options.get("layout-ncol")) and shown:
            shown = [f"::: {{layout-ncol={columns}}}", *shown, ":::"]
        caption = self.options.get("tbl-cap" if kind == "tbl" else "fig-cap")
        if shown and kind in ("fig", "tbl") and not self.alone:
            name = "table" if kind == "tbl" else "figure"
            end = [" ".join(listed(caption))] if caption else []
            shown = [f"::: {{#{label} .quarto-{name}}}", *shown, *end, ":::"]
        elif shown and self.options.get("tbl-cap"):
            end = ["::: {.table-caption}", str(self.options["tbl-cap"]), ":::"]
            shown = ["::: {.quarto-table}", *end, *shown, ":::"]
        classes = self.options.get("classes", [])
        names = classes.split() if isinstance(classes, str) else classes
        head = " ".join([".cell", *(f".{str(name).lstrip('.')}" for name in names)])
        if label and kind not in ("fig", "tbl", "lst"):
            head = f"#{label} {head}"
        source = self.source()
        if self.options.get("output") == "asis" and not source:
            return shown
        return [f"::: {{{head}}}", *source, *shown, ":::"]

    @property
    def label(self) -> str:
        return str(self.options.get("label", ""))

    @property
    def alone(self) -> bool:
        """Whether one picture is all that the label is for; it carries the caption then."""
        return self.label.startswith("fig-") and len(self.pictures) == 1 and not self.subcaptions

    @property
    def subcaptions(self) -> list[str]:
        return listed(self.options.get("fig-subcap", []))

    def source(self) -> list[str]:
        """Return the code block, or nothing where it is not shown."""
        code, echo = self.part.code.strip("\n"), self.options.get("echo", True)
        if echo is False or not code.strip():
            return []
        names = [".python", ".cell-code"]
        if echo == "fenced":
            kept = [line for line in self.part.text.split("\n") if "echo: fenced" not in line]
            body = "\n".join(kept).strip("\n")
            code, names = f"{ticks(body)}{{python}}\n{body}\n{ticks(body)}", [".markdown", names[1]]
        listing = self.options.get("lst-label")
        if not listing and self.label.startswith("lst-"):
            listing = self.label
        if listing:
            names.insert(0, f"#{listing}")
        names += [f"{k}={quoted(self.options[k])}" for k in CODE_ATTRIBUTES if k in self.options]
        return [f"{ticks(code)}{{{' '.join(names)}}}\n{code}\n{ticks(code)}"]

    def outputs(self, outputs: list[NotebookNode]) -> list[str]:
        """Return the outputs that are shown, each in its div."""
        for position, output in enumerate(outputs, 1):
            mime = next((m for m in ORDER if m in output.get("data", {})), None)
            if mime in PICTURES:
                self.pictures.append(self._write(output.data[mime], mime, position))
        names, found = iter(list(self.pictures)), list[str]()
        rank = 0
        for output in outputs:
            mime = next((m for m in ORDER if m in output.get("data", {})), None)
            if WIDGET in output.get("data", {}):
                found.append(self._div("display", _widget(self.executed.notebook, output.data)))
            elif mime in PICTURES:
                found.append(self._div("display", self._image(next(names), output, mime, rank)))
                rank += 1
            else:
                found += self._text(output, mime)
        return found

    def _text(self, output: NotebookNode, mime: str | None) -> Iterator[str]:
        if output.output_type == "stream":
            if output.name == "stderr" and self.options.get("warning", True) is False:
                return
            text = ANSI.sub("", output.text)
            if self.options.get("output") == "asis" and output.name == "stdout":
                yield text
            else:
                yield self._div(output.name, _fenced(text))
        elif output.output_type == "error":
            lines = [line for line in output.traceback if "Cell In[" in ANSI.sub("", line)]
            text = "\n".join([*lines, f"{output.ename}: {output.evalue}"])
            yield self._div("error", _fenced(ANSI.sub("", text)))
        elif mime is None:
            place = f"{shown(self.part.file or self.executed.document.path)}:{self.part.line}"
            kinds = ", ".join(output.data)
            self.executed.warnings.append(f"{place}: an output ({kinds}) cannot be shown on a page")
        else:
            value = output.data[mime]
            asis = {"text/html": raw_html, "text/plain": _fenced}
            yield self._div("display", asis.get(mime, str)(value))

    def _div(self, kind: str, body: str) -> str:
        if self.options.get("output") == "asis" and kind == "display":
            return body
        return f"::: {{.cell-output .cell-output-{kind}}}\n{body}\n:::"

    def _write(self, data: str, mime: str, position: int) -> str:
        """Write a picture and return its file name."""
        stem = self.label or f"cell-{self.number}"
        name = f"{stem}-output-{position}.{PICTURES[mime]}"
        self.figures.mkdir(parents=True, exist_ok=True)
        if mime == "image/svg+xml":
            (self.figures / name).write_text(drawing.slim(data), encoding="utf-8")
        else:
            (self.figures / name).write_bytes(base64.b64decode(data))
        return name

    def _image(self, name: str, output: NotebookNode, mime: str, rank: int) -> str:
        captions, attributes = listed(self.options.get("fig-cap", [])), list[str]()
        alternatives = listed(self.options.get("fig-alt", []))
        caption = ""
        if self.subcaptions:
            caption = self.subcaptions[rank] if rank < len(self.subcaptions) else ""
            attributes.append(f"#{self.label}-{rank + 1}" if self.label.startswith("fig-") else "")
        elif self.alone or not self.label.startswith("fig-"):
            caption = captions[rank] if rank < len(captions) else ""
            attributes.append(f"#{self.label}" if self.alone else "")
        if rank < len(alternatives):
            attributes.append(f"fig-alt={quoted(alternatives[rank])}")
        width = self.options.get("out-width") or output.metadata.get(mime, {}).get("width")
        if width:
            attributes.append(f"width={quoted(width)}")
        text = " ".join(item for item in attributes if item)
        return f"![{' '.join(caption.split())}]({self.href}/{name})" + (f"{{{text}}}" if text else "")


def _fenced(text: str) -> str:
    return f"{ticks(text)}\n{text.rstrip(chr(10))}\n{ticks(text)}"


def _literal(markdown: str) -> str:
    """Show diagrams as classed blocks, and ``{{python}}`` as ``{python}``."""
    prose = Prose.of(markdown)
    for index, held in enumerate(prose.held):
        block = LITERAL.match(held)
        if block:
            margin, fence = block[1], ticks(held)
            inner = f"{margin}{block[2]}{{{block[3]}}}{block[4]}"
            prose.held[index] = f"{margin}{fence}{{.markdown}}\n{inner}\n{margin}{fence}"
        else:
            prose.held[index] = LITERAL_SPAN.sub(r"\1{\2}\3", DIAGRAM.sub(r"\1 {.\2}", held))
    return prose.whole()


def _widget(notebook: NotebookNode, data: Mapping[str, Any]) -> str:
    """Return what a control shows as it stands: names, values, and the HTML beside them."""
    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    rows = "".join(_widget_rows(state, str(data[WIDGET]["model_id"])))
    note = "<p>The control moves when you run this page in Jupyter.</p>"
    return raw_html(f'<div class="widget-static">{rows}{note}</div>')


def _widget_rows(state: Mapping[str, Any], model: str) -> Iterator[str]:
    values = state.get(model.removeprefix("IPY_MODEL_"), {}).get("state", {})
    kind, value = values.get("_model_name", ""), values.get("value")
    for child in values.get("children", []):
        yield from _widget_rows(state, str(child))
    for output in values.get("outputs", []):
        inner = output.get("data", {})
        text = output.get("text") or inner.get("text/plain", "")
        yield inner.get("text/html") or f"<pre>{html.escape(ANSI.sub('', text))}</pre>"
    if kind.startswith("HTML"):
        yield f"<div>{value}</div>"
    elif kind == "LabelModel":
        yield f"<p>{html.escape(str(value))}</p>"
    elif (choices := values.get("_options_labels")) and values.get("index") is not None:
        chosen = values["index"]
        picked = [choices[k] for k in (chosen if isinstance(chosen, list) else [chosen])]
        yield _control(values, ", ".join(map(str, picked)))
    elif value is not None:
        yield _control(values, " to ".join(map(str, value)) if isinstance(value, list) else value)


def _control(values: Mapping[str, Any], value: object) -> str:
    name = str(values.get("description") or "").rstrip(": ")
    text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    label = f"<span>{html.escape(name)}</span> " if name else ""
    return f'<p class="widget-control">{label}<output>{html.escape(text)}</output></p>'
