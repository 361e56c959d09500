"""Markdown to HTML: one call of Pandoc for a page, one for all short texts together."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pypandoc

from sitebuild import settings
from sitebuild.config import as_list
from sitebuild.errors import SiteError

HERE = Path(__file__).parent
READER = "markdown+autolink_bare_uris-tex_math_single_backslash"
INLINE = "markdown-raw_html-native_spans-citations"
PLAIN = re.compile(r"(?:[^\W_]|[ .,:;()?!/%+&=-])*")
FILTER_OPTIONS = (
    "callout-appearance",
    "callout-icon",
    "code-fold",
    "code-summary",
    "code-line-numbers",
    "code-overflow",
    "link-external-icon",
    "link-external-newwindow",
    "number-sections",
    "number-depth",
)


@dataclass(frozen=True)
class Body:
    """A page as HTML: its text, and the list of its sections (empty where it has none)."""

    html: str
    toc: str


@cache
def program() -> str:
    """Return the path of Pandoc."""
    return str(pypandoc.get_pandoc_path())


def convert(
    markdown: str,
    *,
    options: Mapping[str, Any],
    page: Path,
    root: Path,
    warn: Callable[[str], None],
) -> Body:
    """Return a page's Markdown as HTML; mathematics is MathML.

    Parameters
    ----------
    markdown
        The body of the page, cells run and references resolved.
    options
        The options of the page; paths in them begin with ``/`` and count from ``root``.
    page
        The source of the page, for messages and as the place where relative paths begin.
    root
        The directory of the website.
    warn
        Called with everything that Pandoc or the filter complains of.

    Raises
    ------
    SiteError
        Where Pandoc cannot read the page, or a bibliography does not exist.
    """
    mark = uuid.uuid4().hex
    for given in as_list(options.get("filters")):
        if not str(given).endswith(".lua"):
            warn(f"filters: {str(given).lstrip('/')} is not run, only Lua filters of the project are")
    filters = [
        _file(root, given, page, "filters")
        for given in as_list(options.get("filters"))
        if str(given).endswith(".lua")
    ]
    citing = _citing(options, page, root)
    with tempfile.TemporaryDirectory() as scratch:
        metadata, template, log = (Path(scratch) / n for n in ("meta.json", "page.html", "log.json"))
        metadata.write_text(json.dumps(_metadata(options, markdown, bool(citing))), encoding="utf-8")
        template.write_text(
            f"{mark}\n$if(toc)$\n$table-of-contents$\n$endif$\n{mark}\n$body$\n", encoding="utf-8"
        )
        arguments = [
            *("--from", READER, "--to", "html5", "--mathml", "--wrap", "none"),
            *("--template", str(template), "--metadata-file", str(metadata), "--log", str(log)),
            *("--shift-heading-level-by", str(options.get("shift-heading-level-by", 0))),
        ]
        if options.get("toc"):
            arguments += ["--toc", "--toc-depth", str(options.get("toc-depth", 3))]
        arguments += [x for one in filters for x in ("--lua-filter", one)]
        arguments += [*citing, "--lua-filter", str(HERE / "filter.lua")]
        out = _run(arguments, markdown, page, root)
        for message in _messages(log):
            warn(message)
    _, toc, body = out.split(mark)
    body = re.sub(r'(<span class="citation") data-cites="[^"]*"', r"\1", body)
    return Body(body.strip(), re.sub(r' id="toc-[^"]*"', "", toc).strip())


def cited(
    groups: Iterable[str], *, options: Mapping[str, Any], page: Path, root: Path
) -> tuple[dict[str, str], list[str]]:
    """Return citations as text, and the works that they cite, one line of HTML each.

    Where the page has no bibliography, a citation is its key in brackets.

    Parameters
    ----------
    groups
        Citations as they are written: ``@key`` in a sentence, ``[@a; @b, p. 3]`` beside it.
    options, page, root
        As for `convert`.
    """
    wanted = list(dict.fromkeys(groups))
    citing = _citing(options, page, root)
    if not citing or not wanted:
        return {group: f"[{re.sub('-?@|[][{}]', '', group)}]" for group in wanted}, []
    source = "\n\n".join(wanted) + "\n\n::: {#refs}\n:::\n"
    arguments = ["--from", READER, "--to", "html5", "--wrap", "none", *citing]
    out = _run([*arguments, "--metadata", "link-citations=false"], source, page, root)
    texts, works = out.split('<div id="refs"', 1)
    shown = [strip(text) for text in re.findall(r"(?s)<p>(.*?)</p>", texts)]
    entries = re.findall(r'(?s)<div id="ref-[^>]*>(.*?)</div>', works)
    plain = [" ".join(re.sub(r"</?span[^>]*>", "", entry).split()) for entry in entries]
    return dict(zip(wanted, shown, strict=True)), plain


def _citing(options: Mapping[str, Any], page: Path, root: Path) -> list[str]:
    """Return what Pandoc needs to be told to cite; nothing where the page has no bibliography."""
    flags = {"bibliography": "--bibliography", "csl": "--csl"}
    found = [
        (flag, _file(root, given, page, name))
        for name, flag in flags.items()
        for given in as_list(options.get(name))
    ]
    if not as_list(options.get("bibliography")) or options.get("citeproc") is False:
        return []
    return ["--citeproc", *(word for pair in found for word in pair)]


def _file(root: Path, given: str, page: Path, name: str) -> str:
    path = root / given.lstrip("/")
    if not path.is_file():
        raise SiteError(page, None, f"{name}: no file {given.lstrip('/')}", "correct the path")
    return str(path)


def _metadata(options: Mapping[str, Any], markdown: str, cites: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"pagetitle": "page", "lang": options.get("lang", "en")}
    found["link-citations"] = options.get("link-citations", True)
    for name in ("nocite", "suppress-bibliography"):
        if name in options:
            found[name] = options[name]
    if cites and not re.search(r"\{[^}\n]*#refs\b", markdown):
        found["sitebuild-reference-title"] = options.get("reference-section-title", "References")
    for name in FILTER_OPTIONS:
        if options.get(name) is not None:
            value = options[name]
            found[f"sitebuild-{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    if not cites:
        found["sitebuild-no-bibliography"] = "true"
    own = {name: value for name, value in options.items() if name not in settings.TABLES["top"]}
    return {**{n: v for n, v in own.items() if isinstance(v, str | bool | int | float)}, **found}


def _run(arguments: list[str], text: str, page: Path | None, root: Path | None = None) -> str:
    # Filters find the project as they find it under Quarto.
    project = {"QUARTO_PROJECT_DIR": str(root)} if root else {}
    done = subprocess.run(  # noqa: S603  the program is Pandoc and the arguments are ours
        [program(), *arguments],
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=page.parent if page else None,
        env={**os.environ, **project},
    )
    if done.returncode:
        raise SiteError(page or "pandoc", None, f"Pandoc stopped: {done.stderr.strip()}")
    return done.stdout


def _messages(log: Path) -> Iterable[str]:
    for entry in json.loads(log.read_text(encoding="utf-8")):
        if entry["verbosity"] not in ("WARNING", "ERROR"):
            continue
        kind, text = entry["type"], str(entry.get("message", entry["pretty"]))
        if kind == "CiteprocWarning" and (found := re.match(r"citation (\S+) not found", text)):
            yield f"unknown citation @{found[1]}"
        elif kind == "CouldNotConvertTeXMath":
            reason = [line.strip() for line in text.splitlines() if "unexpected" in line]
            source = " ".join(str(entry["contents"]).split())
            yield f"this mathematics cannot be shown: ${source}$" + "".join(f" ({r})" for r in reason)
        elif kind == "ScriptingWarning":
            yield text.removeprefix("sitebuild: ")
        elif kind in ("UnclosedDiv", "Fenced div unclosed"):
            yield "a ::: block is never closed"
        else:
            yield " ".join(str(entry["pretty"]).split())


# ---------------------------------------------------------------------- titles, short texts
@dataclass
class Snippets:
    """Short Markdown texts as HTML, converted together and remembered."""

    inlines: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)

    def prepare(self, texts: Iterable[str]) -> None:
        """Convert many one-line texts in one call of Pandoc."""
        new = []
        for text in dict.fromkeys(texts):
            if PLAIN.fullmatch(text) and "--" not in text and ".." not in text:
                self.inlines[text] = html.escape(text)
            elif text not in self.inlines:
                new.append(text)
        if not new:
            return
        # As line blocks, because "1. Introduction" is to stay a title and not become a list.
        source = "\n\n".join("| " + " ".join(text.split()) for text in new)
        out = _run(["--from", INLINE, "--to", "html5", "--mathml", "--wrap", "none"], source, None)
        found = re.findall(r'(?s)<div class="line-block">(.*?)</div>', out)
        if len(found) != len(new):
            raise SiteError("pandoc", None, f"{len(new)} titles gave {len(found)} texts: {new}")
        self.inlines |= dict(zip(new, found, strict=True))

    def inline(self, text: Any) -> str:
        """Return one line of Markdown as HTML. Raw HTML in it is shown, not obeyed.

        Examples
        --------
        >>> Snippets().inline("*a* <b> & c")
        '<em>a</em> &lt;b&gt; &amp; c'
        """
        key = str(text)
        if key not in self.inlines:
            self.prepare([key])
        return self.inlines[key]

    def plain(self, text: Any) -> str:
        """Return one line of Markdown as text without any markup."""
        return strip(self.inline(text))

    def block(self, text: Any) -> str:
        """Return a longer Markdown text as HTML; raw HTML in it counts."""
        key = str(text)
        if key not in self.blocks:
            arguments = ["--from", READER, "--to", "html5", "--mathml", "--wrap", "none"]
            found = _run(arguments, key, None).strip()
            single = re.fullmatch(r"<p>((?:(?!</?p\b).)*)</p>", found, re.DOTALL)
            self.blocks[key] = single[1] if single else found
        return self.blocks[key]


def strip(markup: str) -> str:
    """Return the text of HTML.

    Examples
    --------
    >>> strip("<em>a</em> &lt; b")
    'a < b'
    """
    text = re.sub(r"(?s)<annotation\b.*?</annotation>|<[^>]+>", "", markup)
    return " ".join(html.unescape(text).split())
