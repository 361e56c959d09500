"""Addresses: made relative when a page is written, and each one looked up when all are."""

from __future__ import annotations

import html
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from sitebuild.report import Report

ATTRIBUTES = r"""((?:[^>"']|"[^"]*"|'[^']*')*)"""
TAG = re.compile(
    rf"<!--.*?-->|<(script|style)\b{ATTRIBUTES}>.*?</\1\s*>|<([a-zA-Z][\w-]*){ATTRIBUTES}>",
    re.DOTALL,
)
ADDRESS = re.compile(r"""(\s(?:href|src|poster|data)\s*=\s*)(?:"([^"]*)"|'([^']*)')""")
CARRIERS = {
    *("a", "area", "audio", "embed", "iframe", "img", "link"),
    *("object", "script", "source", "track", "video"),
}
OUTSIDE = re.compile(r"[a-zA-Z][\w+.-]*:|//")
REMOTE = re.compile(r"(?:https?:|wss?:|ftp:|//)", re.IGNORECASE)
FETCHED = CARRIERS - {"a", "area"}
FETCHING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch"}
CSS_ADDRESS = re.compile(r"""url\(\s*['"]?([^'")]+)['"]?\s*\)|@import\s+['"]([^'"]+)['"]""")


def target(address: str, page: str, pages: Collection[str]) -> str:
    """Return an address as it stands on a page: relative, and ``.html`` for a page of the site.

    An address that begins with ``/`` counts from the root of the site. Addresses elsewhere and
    anchors stay as they are.

    Examples
    --------
    >>> target("/b.qmd#x", "tutorials/a.qmd", {"b.qmd"})
    '../b.html#x'
    >>> target("https://example.org/b.qmd", "a.qmd", {"b.qmd"})
    'https://example.org/b.qmd'
    """
    if not address or address.startswith("#") or OUTSIDE.match(address):
        return address
    path, tail = re.fullmatch(r"(?s)([^?#]*)(.*)", address).groups()  # type: ignore[union-attr]
    here = posixpath.dirname(page)
    rooted = path.startswith("/")
    full = posixpath.normpath(path.lstrip("/") if rooted else posixpath.join(here, path))
    if path.endswith("/") or full == ".":
        full = posixpath.normpath(posixpath.join(full, "index.html"))
    elif unquote(full) in pages:
        full = posixpath.splitext(full)[0] + ".html"
    elif not rooted:
        return address
    return posixpath.relpath(full, here or ".") + tail


def localise(markup: str, page: str, pages: Collection[str]) -> str:
    """Return HTML in which every address that a tag carries has gone through `target`.

    The text of scripts and comments is left alone.
    """

    def address(found: re.Match[str]) -> str:
        given = html.unescape(found[2] if found[2] is not None else found[3])
        return f'{found[1]}"{html.escape(target(given, page, pages))}"'

    def tag(found: re.Match[str]) -> str:
        name = found[1] or found[3]
        if name is None or name.lower() not in CARRIERS:
            return found[0]
        attributes = found[2] if found[1] else found[4]
        changed = ADDRESS.sub(address, attributes)
        return found[0].replace(attributes, changed, 1) if attributes else found[0]

    return TAG.sub(tag, markup)


def rooted(markup: str, base: str) -> str:
    """Return HTML whose relative addresses begin with ``base``; nothing changes where that is empty.

    Examples
    --------
    >>> rooted('<a href="b.html"></a><a href="#x"></a>', "/course/")
    '<a href="/course/b.html"></a><a href="#x"></a>'
    """

    def address(found: re.Match[str]) -> str:
        given = found[2] if found[2] is not None else found[3]
        stays = not given or given.startswith(("#", "/")) or OUTSIDE.match(given)
        return found[0] if stays else f'{found[1]}"{base}{given}"'

    return TAG.sub(lambda found: ADDRESS.sub(address, found[0]), markup) if base else markup


# ---------------------------------------------------------------------- what a page refers to
@dataclass
class References(HTMLParser):
    """The anchors of a page, and the addresses on it."""

    anchors: Counter[str] = field(default_factory=Counter)
    followed: dict[str, None] = field(default_factory=dict)
    loaded: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one tag brings."""
        given = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        if given.get("id"):
            self.anchors[given["id"]] += 1
        if tag == "a" and given.get("name"):
            self.anchors[given["name"]] += 1
        self._css(given.get("style", ""))
        if tag not in CARRIERS:
            return
        loads = tag in FETCHED
        if tag == "link":
            loads = bool(FETCHING_LINKS & set(given.get("rel", "").lower().split()))
        for name in ("href", "src", "poster", "data"):
            if name in given:
                (self.loaded if loads else self.followed).setdefault(given[name])
        for part in given.get("srcset", "").split(","):
            if part.strip():
                self.loaded.setdefault(part.split()[0])

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        self._style = self._style and tag != "style"

    def handle_data(self, data: str) -> None:
        """Look for addresses in a style sheet."""
        if self._style:
            self._css(data)

    def _css(self, text: str) -> None:
        self.loaded.update(dict.fromkeys(css_addresses(text)))


def css_addresses(text: str) -> Iterator[str]:
    """Yield the addresses in a style sheet.

    Examples
    --------
    >>> list(css_addresses("a { background: url('b.png') }"))
    ['b.png']
    """
    for found in CSS_ADDRESS.finditer(text):
        address = (found[1] or found[2]).strip()
        if not address.startswith(("data:", "#")):
            yield address


def references(markup: str) -> References:
    """Return the anchors and addresses of a page."""
    parser = References()
    parser.feed(markup)
    parser.close()
    return parser


def file_of(address: str, here: str) -> str:
    """Return the file of the site that an address on the page ``here`` names.

    Examples
    --------
    >>> file_of("../b.html?v=1#x", "tutorials/a.html")
    'b.html'
    """
    path = unquote(re.split(r"[?#]", address, maxsplit=1)[0])
    if not path:
        return here
    full = posixpath.normpath(posixpath.join(posixpath.dirname(here), path))
    return posixpath.join(full, "index.html") if path.endswith("/") else full


# ---------------------------------------------------------------------- the check
def check(site: Path, sources: Mapping[str, Path], report: Report, base: str = "") -> None:
    """Look up every address on every page; put those that lead nowhere on the report.

    Parameters
    ----------
    site
        The directory with the finished site.
    sources
        The source of each page, by the path of its HTML in the site.
    report
        Gets an error for each address that names no file or no anchor, and for each thing that a
        page would load from another host; a warning for an id that stands twice.
    base
        The path at which the site will stand, as `rooted` writes it.
    """
    pages = {
        path.relative_to(site).as_posix(): references(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
    for page, found in pages.items():
        source = sources.get(page, site / page)
        for ident, count in found.anchors.items():
            if count > 1:
                report.warn(source, f"the id {ident} stands {count} times")
        for address in filter(REMOTE.match, found.loaded):
            _say(report, source, f"the page loads {address} from another host", address)
        for address in (*found.followed, *found.loaded):
            problem = _problem(address.removeprefix(base), page, site, pages)
            if problem:
                _say(report, source, f"broken link {address}: {problem}", address)
    _check_sheets(site, report)


def _check_sheets(site: Path, report: Report) -> None:
    for sheet in sorted(site.rglob("*.css")):
        name = sheet.relative_to(site).as_posix()
        for address in css_addresses(sheet.read_text(encoding="utf-8")):
            if REMOTE.match(address):
                report.error(name, f"the style sheet loads {address} from another host")
            elif not (site / file_of(address, name)).is_file():
                report.error(name, f"broken address {address}: no such file")


def _problem(address: str, page: str, site: Path, pages: Mapping[str, References]) -> str | None:
    if OUTSIDE.match(address):
        return None
    path, _, anchor = address.partition("#")
    name = file_of(path, page)
    if name.startswith(".."):
        return "it leaves the site"
    if not (site / name).is_file():
        return "no such page is rendered" if name.endswith((".qmd", ".md")) else "no such file"
    if name in pages and anchor and unquote(anchor) != "top":
        known = pages[name].anchors
        return None if anchor in known or unquote(anchor) in known else "no such anchor"
    return None


def _say(report: Report, source: Path, message: str, address: str) -> None:
    """Report an address with the line of the source that holds it, if one line alone does."""
    path, _, anchor = address.partition("#")
    path = path.removeprefix("./")
    needles = ["#" + anchor] if anchor else [path, posixpath.splitext(path)[0]]
    lines: list[int] = []
    if source.is_file() and source.suffix != ".html":
        text = source.read_text(encoding="utf-8").splitlines()
        found = ([n for n, line in enumerate(text, 1) if needle in line] for needle in needles)
        lines = next(filter(None, found), [])
    report.error(source, message, line=lines[0] if len(lines) == 1 else None)
