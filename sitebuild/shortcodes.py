"""Quarto's shortcodes, ``{{< name … >}}``, in Markdown."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from sitebuild.prose import Prose

CALL = re.compile(r"(\{?)\{\{<\s*([\w-]+)\s*(.*?)\s*>\}\}(\}?)")
REMOTE = re.compile(r"[a-z]+:|//")


def expand(
    markdown: str,
    *,
    metadata: Mapping[str, Any],
    variables: Mapping[str, Any],
    warn: Callable[[str], None],
) -> str:
    """Return the Markdown with its shortcodes carried out; code is left alone.

    ``meta`` and ``var`` look a dotted name up in the page's metadata and in ``_variables.yml``;
    ``video`` shows a file of the site, and links to a film elsewhere, because no page loads
    anything from another host; ``pagebreak`` and ``kbd`` are known as well. Any other one is
    reported and left out.

    Examples
    --------
    >>> expand("by {{< meta author >}}", metadata={"author": "A"}, variables={}, warn=print)
    'by A'
    """

    def one(found: re.Match[str]) -> str:
        if found[1] and found[4]:  # {{{< name >}}} is how one writes about a shortcode
            return found[0][1:-1]
        name, words = found[2], _split(found[3])
        if name in ("meta", "var"):
            return _lookup(words[:1], metadata if name == "meta" else variables, found[0], warn)
        if name == "video":
            return _video(words)
        if name == "kbd":
            return "".join(f"<kbd>{html.escape(word)}</kbd>" for word in words if "=" not in word)
        if name == "pagebreak":
            return '<div class="pagebreak"></div>'
        warn(f"unknown shortcode {found[0]}")
        return ""

    prose = Prose.of(markdown)
    prose.text = CALL.sub(one, prose.text)
    return prose.whole()


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # an apostrophe in a title is not the beginning of a quotation
        return text.split()


def _lookup(name: list[str], mapping: Mapping[str, Any], call: str, warn: Callable[[str], None]) -> str:
    value: Any = mapping
    for key in ".".join(name).split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if value is None:
        warn(f"{call} names nothing")
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _video(words: list[str]) -> str:
    given = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    address = words[0] if words else ""
    title = given.get("title") or address.rsplit("/", 1)[-1]
    if REMOTE.match(address):
        link = f'<a href="{html.escape(address)}">Video: {html.escape(title)}</a>'
        return f'<p class="video-link">{link}</p>'
    return (
        f'<video controls preload="metadata" src="{html.escape(address)}" '
        f'title="{html.escape(title)}"></video>'
    )
