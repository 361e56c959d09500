"""Run the cells of a page in a fresh kernel, or take their outputs from the cache."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from sitebuild import cells, records
from sitebuild.errors import CellError, SiteError
from sitebuild.kernel import Failure, Figures, Kernel, start
from sitebuild.qmd import Document, Part, inline_expressions, project_root

FORMAT = 2
IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([^#;\n]+))", re.MULTILINE)
CARRIAGE = re.compile(r"[^\n]*\r(?=[^\n])")


@dataclass
class Executed:
    """A page with its outputs.

    Attributes
    ----------
    document
        The page, with the values of inline expressions filled in.
    notebook
        One cell for each part of the page, in the same order; ``#|`` lines are left out.
    seconds
        Time of the run that made the outputs; 0 for a page with nothing to run.
    cached
        Whether the outputs were taken from the cache.
    executed_at
        When that run began, as an ISO date-time in UTC; empty for a page with nothing to run.
    versions
        Python's version, and those of the packages that the page imports.
    defaults
        Cell options in force for the whole page.
    figures
        How matplotlib was set.
    warnings
        What execution has to report; ``document.warnings`` holds what parsing had.
    """

    document: Document
    notebook: NotebookNode
    seconds: float
    cached: bool
    executed_at: str
    versions: dict[str, str]
    defaults: dict[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    warnings: list[str] = field(default_factory=list)


def tree_hash(paths: Iterable[Path]) -> str:
    """Return a hash of the content of files and directories, wherever they lie.

    Names and bytes count, times and ``__pycache__`` do not.

    Raises
    ------
    SiteError
        A path does not exist.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        if not path.exists():
            raise SiteError(path, None, "no such file or directory to hash")
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            name = file.relative_to(path.parent)
            if "__pycache__" in name.parts:
                continue
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{name.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def execute(
    document: Document,
    *,
    cache: Path | None,
    salt: str,
    options: Mapping[str, Any],
    timeout: int = 600,
) -> Executed:
    """Run the cells and inline expressions of a page, in order, in one kernel.

    Parameters
    ----------
    document
        The page; it is left as it is.
    cache
        Directory for outputs; None runs the page each time.
    salt
        Whatever else the outputs depend on, such as `tree_hash` of a package.
    options
        Options of the page from ``_quarto.yml`` and its front matter, merged: ``execute`` (with
        ``cache: false`` for a page that reads what no key knows of),
        ``fig-width``, ``fig-height``, ``fig-dpi`` and ``fig-format`` are read. The page's own
        ``execute`` goes above ``options["execute"]``, a cell's options above both.
    timeout
        Limit for one cell. [s]

    Raises
    ------
    CellError
        A cell without ``error: true``, or an inline expression, raised an exception.
    SiteError
        A figure option has no meaning, or the kernel does not start.
    """
    defaults = {**(options.get("execute") or {}), **(document.front.get("execute") or {})}
    figures = Figures.of(options, document.path)
    notebook = _notebook(document.parts, defaults)
    expressions = {
        index: [_expression(match) for match in inline_expressions(part.text)]
        for index, part in enumerate(document.parts)
        if part.kind == "markdown" and defaults.get("enabled", True)
    }
    done = Executed(document, notebook, 0.0, False, "", {}, defaults, figures)
    if not any(expressions.values()) and not any(map(_runs, notebook.cells)):
        return done
    keep = cache if defaults.get("cache", True) else None
    entry = keep / f"{_key(document, notebook, expressions, figures, salt)}.json" if keep else None
    record = records.load(entry, done.warnings.append) if entry else None
    done.cached = record is not None
    if record is None:
        record = _run(document, notebook, expressions, figures, timeout)
        if entry:
            records.store(entry, record)
    _fill(done, record)
    return done


def _notebook(parts: list[Part], defaults: Mapping[str, Any]) -> NotebookNode:
    made = []
    for part in parts:
        if part.kind == "markdown":
            made.append(cells.markdown(part.text))
            continue
        options = {**defaults, **part.options}
        tags = [str(tag) for tag in options.get("tags", [])]
        if options.get("eval", True) is False or options.get("enabled", True) is False:
            tags += ["skip-execution", "nbval-skip"]
        if options.get("error") is True:
            tags += ["raises-exception"]
        made.append(cells.code(part.code, tags))
    return cells.notebook(made)


def _runs(cell: NotebookNode) -> bool:
    runs = cell.cell_type == "code" and bool(cell.source.strip())
    return runs and "skip-execution" not in cells.tags(cell)


def _expression(match: re.Match[str]) -> str:
    return " ".join(match[1].split("\n")).strip()


def _key(
    document: Document,
    notebook: NotebookNode,
    expressions: Mapping[int, list[str]],
    figures: Figures,
    salt: str,
) -> str:
    path = document.path.resolve()
    code = [(c.source, cells.tags(c)) for c in notebook.cells if c.cell_type == "code"]
    inline = sorted((index, found) for index, found in expressions.items() if found)
    page = path.relative_to(project_root(path)).as_posix()
    parts = [FORMAT, page, code, inline, asdict(figures), salt, sys.version, _environment()]
    return records.key(parts)


@functools.cache
def _environment() -> list[tuple[str, str]]:
    """Name and version of every installed package: outputs depend on them."""
    found = {(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()}
    return sorted(found)


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _sources_of(module: str) -> list[str]:
    """Return a package that runs from its sources and what it requires, or nothing for other modules."""
    try:
        found = importlib.metadata.distribution(module)
    except importlib.metadata.PackageNotFoundError:
        return []
    required = [line for line in found.requires or [] if "extra ==" not in line]
    return [module, *(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required)]


def _versions(notebook: NotebookNode) -> dict[str, str]:
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    imports = [name for found in IMPORT.findall(code) for name in "".join(found).split(",")]
    modules = {name.split()[0].partition(".")[0] for name in imports if name.strip()}
    names = {name for module in modules for name in _distributions().get(module) or _sources_of(module)}
    return {
        "python": sys.version.split()[0],
        **{name: importlib.metadata.version(name) for name in sorted(names)},
    }


def _run(
    document: Document,
    notebook: NotebookNode,
    expressions: Mapping[int, list[str]],
    figures: Figures,
    timeout: int,
) -> dict[str, Any]:
    began, clock = datetime.now(UTC), time.monotonic()
    outputs, counts, inline = dict[str, Any](), dict[str, int](), dict[str, list[str]]()
    copy = cells.node(notebook)
    with start(copy, page=document.path, figures=figures, timeout=timeout) as kernel:
        for index, cell in enumerate(copy.cells):
            if _runs(cell):
                _run_cell(document, kernel, cell, index)
                outputs[str(index)] = _joined(cell.outputs)
                counts[str(index)] = cell.execution_count
            elif expressions.get(index):
                inline[str(index)] = _evaluate(document, kernel, index)
        widgets = kernel.widgets()
    return {
        "outputs": outputs,
        "counts": counts,
        "inline": inline,
        "widgets": widgets,
        "seconds": round(time.monotonic() - clock, 3),
        "executed_at": began.isoformat(timespec="seconds"),
        "versions": _versions(notebook),
    }


def _run_cell(document: Document, kernel: Kernel, cell: NotebookNode, index: int) -> None:
    try:
        kernel.run(cell, index)
    except Failure as failure:
        part = document.parts[index]
        number = sum(p.kind == "code" for p in document.parts[: index + 1])
        below = (failure.line_in_cell(cell.execution_count) or 1) - 1
        file, line = part.place(part.option_lines + below)
        raise CellError(
            file or document.path, line, number, failure.ename, failure.evalue, failure.details()
        ) from None


def _evaluate(document: Document, kernel: Kernel, index: int) -> list[str]:
    part, values = document.parts[index], []
    for match in inline_expressions(part.text):
        try:
            values.append(kernel.evaluate(_expression(match)))
        except Failure as failure:
            file, line = part.place(part.text.count("\n", 0, match.start()))
            raise CellError(
                file or document.path,
                line,
                None,
                failure.ename,
                failure.evalue,
                failure.details(),
                _expression(match),
            ) from None
    return values


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: where a kernel cuts them is chance."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last["text"] += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            output["text"] = CARRIAGE.sub("", output.text)
    return joined


def _fill(done: Executed, record: Mapping[str, Any]) -> None:
    done.seconds, done.executed_at = record["seconds"], record["executed_at"]
    done.versions = record["versions"]
    if record["widgets"]:
        done.notebook.metadata["widgets"] = cells.node(record["widgets"])
    parts = []
    for index, (part, cell) in enumerate(zip(done.document.parts, done.notebook.cells, strict=True)):
        kept = part
        if str(index) in record["outputs"]:
            cell["outputs"] = [cells.node(out) for out in record["outputs"][str(index)]]
            cell["execution_count"] = record["counts"][str(index)]
        elif str(index) in record["inline"]:
            kept = replace(part, text=_filled(part.text, record["inline"][str(index)]))
            cell["source"] = kept.text.strip("\n")
        parts.append(kept)
    done.document = replace(done.document, parts=parts)


def _filled(text: str, values: list[str]) -> str:
    pieces, at = [], 0
    for match, value in zip(inline_expressions(text), values, strict=True):
        pieces += [text[at : match.start()], value]
        at = match.end()
    return "".join([*pieces, text[at:]])
