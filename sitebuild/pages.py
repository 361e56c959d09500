"""One HTML page: the text from Pandoc, the theme, and everything around the text."""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sitebuild import links, listing
from sitebuild.config import Config, as_list
from sitebuild.errors import SiteError
from sitebuild.execute import Executed
from sitebuild.navigation import Navigation
from sitebuild.pandoc import Body, Snippets
from sitebuild.qmd import Document

THEME = Path(__file__).parent / "theme"
HEADING = re.compile(
    r'(<section id="(?P<outer>[^"]+)"[^>]*>\s*)?'
    r"<h(?P<level>[2-6])(?P<rest>[^>]*)>(?P<text>.*?)</h(?P=level)>",
    re.DOTALL,
)
STATUS = "execution-status"
LOST = "404.qmd"


@dataclass
class Page:
    """A page on its way through the build; ``executed`` and ``body`` come last."""

    path: str
    document: Document
    options: dict[str, Any]
    executed: Executed | None = None
    body: Body = field(default_factory=lambda: Body("", ""))
    listings: list[listing.Listing] = field(default_factory=list)

    @property
    def html(self) -> str:
        """Path of the page in the finished site."""
        return posixpath.splitext(self.path)[0] + ".html"

    @property
    def notebook(self) -> str:
        """Path of the page's notebook in the finished site."""
        return posixpath.splitext(self.path)[0] + ".ipynb"

    @property
    def feed(self) -> str:
        """Path of the page's feed in the finished site, if one of its lists has one."""
        path = posixpath.splitext(self.path)[0] + ".xml"
        return path if any(found.feed for found in self.listings) else ""

    @property
    def runs(self) -> bool:
        """Whether the page has code cells."""
        return any(part.kind == "code" for part in self.document.parts)


def library() -> dict[str, str]:
    """Return the files of the theme that the site needs, by name: one style sheet, one script."""
    files = {}
    for kind in ("css", "js"):
        parts = sorted(THEME.glob(f"*.{kind}"))
        lines = (line.strip() for part in parts for line in part.read_text(encoding="utf-8").splitlines())
        files[f"site.{kind}"] = "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"
    return files


@dataclass
class Composer:
    """Put pages together.

    Parameters
    ----------
    config, navigation, snippets
        The website, its navigation, and its short texts as HTML.
    pages
        All pages, by path.
    version
        Changes with the files in ``site_libs``, so that no browser shows old ones.
    """

    config: Config
    navigation: Navigation
    snippets: Snippets
    pages: Mapping[str, Page]
    version: str

    def __post_init__(self) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(THEME),
            autoescape=True,
            trim_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self.environment.filters |= {
            "inline": lambda text: Markup(self.snippets.inline(text)),  # noqa: S704  ours
            "block": lambda text: Markup(self.snippets.block(text)),  # noqa: S704  ours
            "date": date_text,
            "slug": slug,
        }

    def compose(self, page: Page) -> str:
        """Return the page as it is written to the site."""
        body = page.body.html
        for found in page.listings:
            body = listing.place(body, found.ident, self._listing(found))
        body = self._status(body)
        if page.options.get("anchor-sections") is not False:
            body = with_anchors(body)
        html = self.environment.get_template("page.html").render(
            **self._head(page),
            **self._title(page),
            **self._around(page),
            **self._site(page),
            body=Markup(body),  # noqa: S704  Pandoc's, from the project's own sources
            toc=Markup(page.body.toc) if _sections(page.body.toc) > 1 else "",  # noqa: S704
        )
        html = links.localise(html, page.path, self.pages)
        return links.rooted(html, self.config.site_path) if page.path == LOST else html

    # ------------------------------------------------------------------ parts of the context
    def _head(self, page: Page) -> dict[str, Any]:
        front, options, web = page.document.front, page.options, self.config.website
        title = self.snippets.plain(options.get("pagetitle") or self.navigation.title(page.path))
        site = self.snippets.plain(self.config.title)
        description = front.get("description") or web.get("description") or ""
        base = self.config.address
        canonical = f"{base}/{page.html}" if base and page.path != LOST else ""
        image = front.get("image") or web.get("image")
        social = [
            ("og:title", title),
            ("og:description", self.snippets.plain(description)),
            ("og:site_name", site),
            ("og:type", "article"),
        ]
        if canonical:
            social.append(("og:url", canonical))
        if canonical and image:
            social.append(("og:image", f"{base}/{str(options.get('image') or image).lstrip('/')}"))
        return {
            "lang": options.get("lang", "en"),
            "head_title": title if title == site or not site else f"{title} – {site}",
            "description_text": self.snippets.plain(description),
            "keywords": as_list(options.get("keywords")),
            "canonical": canonical,
            "feeds": [(title, f"/{page.feed}")] if page.feed and base else [],
            "social": [pair for pair in social if pair[1]] if web.get("open-graph") else [],
            "favicon": "/" + str(web["favicon"]).lstrip("/") if web.get("favicon") else "",
            "css": as_list(options.get("css")),
            "in_header": self._include(page, "include-in-header"),
            "before_body": self._include(page, "include-before-body"),
            "after_body": self._include(page, "include-after-body"),
        }

    def _title(self, page: Page) -> dict[str, Any]:
        front = page.document.front
        day = listing.date(front.get("date"))
        where = self._category_pages(page.path)
        banner = page.options.get("title-block-banner") or False
        return {
            "title": front.get("title", ""),
            "subtitle": front.get("subtitle"),
            "authors": listing.names(page.options.get("author")),
            "date": date_text(day),
            "date_iso": day.isoformat() if isinstance(day, dt.date) else "",
            "abstract": front.get("abstract"),
            "banner": banner,
            "categories": [
                (str(name), f"/{where}#category-{slug(name)}" if where else None)
                for name in as_list(front.get("categories"))
            ],
            "notebook": f"/{page.notebook}" if page.runs else "",
            "actions": self._actions(page),
            "executed": executed_line(page.executed) if page.executed and page.runs else "",
        }

    def _around(self, page: Page) -> dict[str, Any]:
        web, options = self.config.website, page.options
        sidebar = self.navigation.sidebar(page.path)
        turns = options.get("page-navigation", web.get("page-navigation", False))
        previous, following = self.navigation.neighbours(page.path) if turns else (None, None)
        crumbs = options.get("bread-crumbs", web.get("bread-crumbs", True)) is not False
        return {
            "page": page.path,
            "siblings": self._siblings(page.path),
            "sidebar": sidebar,
            "trail": sidebar.trail(page.path) if sidebar and crumbs else [],
            "previous": previous,
            "next": following,
            "toc_title": options.get("toc-title", "On this page"),
            "footer": self.navigation.footer,
            "footer_border": (web["page-footer"].get("border", True))
            if isinstance(web.get("page-footer"), Mapping)
            else True,
            "back_to_top": options.get("back-to-top-navigation", web.get("back-to-top-navigation", False)),
        }

    def _site(self, page: Page) -> dict[str, Any]:
        web, options = self.config.website, page.options
        bar, given = web.get("navbar"), web.get("search", True)
        navbar = bar if isinstance(bar, Mapping) else {}
        search = dict(given) if isinstance(given, Mapping) else {}
        wanted = given is not False and navbar.get("search") is not False
        title = navbar.get("title", self.config.title)
        return {
            "nav": self.navigation,
            "root": self._root(page),
            "citations_hover": options.get("citations-hover") is not False,
            "footnotes_hover": options.get("footnotes-hover") is not False,
            "version": self.version,
            "brand": title if isinstance(title, str) else "",
            "brand_href": navbar.get("logo-href", f"/{self._home()}"),
            "logo": "/" + str(navbar["logo"]).lstrip("/") if navbar.get("logo") else "",
            "logo_alt": navbar.get("logo-alt", ""),
            "search": str(search.get("location", "navbar")) if wanted else "",
            "search_limit": search.get("limit", 20),
            "search_keys": [str(k) for k in as_list(search.get("keyboard-shortcut", "/"))],
            "reader_mode": bool(web.get("reader-mode")),
            "body_classes": _classes(options, self.navigation.sidebar(page.path) is not None, navbar),
        }

    def _root(self, page: Page) -> str:
        """Return the way to the root of the site; the page for lost addresses may be shown anywhere."""
        if page.path == LOST and self.config.site_path:
            return self.config.site_path
        return posixpath.relpath(".", posixpath.dirname(page.path) or ".") + "/"

    def _home(self) -> str:
        """Return the page that the name of the site leads to."""
        return "index.qmd" if "index.qmd" in self.pages else next(iter(self.pages))

    def _siblings(self, page: str) -> set[str]:
        """Return the pages of a page's directory, to mark its entry in the navbar."""
        here = posixpath.dirname(page)
        return {other for other in self.pages if here and posixpath.dirname(other) == here}

    def _include(self, page: Page, name: str) -> Markup:
        pieces = []
        for given in as_list(page.options.get(name)):
            if isinstance(given, Mapping) and "text" in given:
                pieces.append(str(given["text"]))
                continue
            file = str(given["file"] if isinstance(given, Mapping) else given).lstrip("/")
            path = self.config.root / file
            if not path.is_file():
                raise SiteError(page.document.path, None, f"{name}: no file {file}")
            pieces.append(path.read_text(encoding="utf-8"))
        return Markup("\n".join(pieces))  # noqa: S704  the project's own

    def _listing(self, found: listing.Listing) -> str:
        named = self.environment.get_template("listing.html")
        always = {"title", "subtitle", "description", "categories", "image", "date", "author"}
        return named.render(listing=found, named=set(found.fields) - always)

    def _category_pages(self, page: str) -> str | None:
        """Return the page whose list shows this one and filters by category."""
        for other in self.pages.values():
            for found in other.listings:
                if found.categories and any(e.href == f"/{page}" for e in found.entries):
                    return other.path
        return None

    def _actions(self, page: Page) -> list[tuple[str, str]]:
        web = self.config.website
        repo = str(web.get("repo-url") or "").rstrip("/")
        wanted = as_list(page.options.get("repo-actions", web.get("repo-actions")))
        inside = "/-" if "gitlab" in repo else ""
        branch = web.get("repo-branch", "main")
        file = posixpath.join(str(web.get("repo-subdir") or ""), page.path)
        known = {
            "edit": ("Edit this page", f"{repo}{inside}/edit/{branch}/{file}"),
            "source": ("View source", f"{repo}{inside}/blob/{branch}/{file}"),
            "issue": ("Report an issue", str(web.get("issue-url") or f"{repo}{inside}/issues/new")),
        }
        return [
            known[name]
            for name in wanted
            if name in known and (repo or (name == "issue" and web.get("issue-url")))
        ]

    def _status(self, body: str) -> str:
        """Put a table of all pages that run into ``::: {#execution-status}``, in the place of its text."""
        if f'id="{STATUS}"' not in body:
            return body
        rows = [page for page in self.pages.values() if page.runs and page.executed]
        table = self.environment.get_template("status.html").render(
            rows=[(self.navigation.title(p.path), f"/{p.path}", p.executed) for p in rows],
            versions=versions([p.executed for p in rows if p.executed]),
        )
        holder = re.compile(rf'(<div id="{STATUS}"[^>]*>).*?(</div>)', re.DOTALL)
        return holder.sub(lambda found: found[1] + table + found[2], body, count=1)


# ---------------------------------------------------------------------- small texts
def with_anchors(body: str) -> str:
    """Return HTML in which each section heading ends with a link to itself.

    Examples
    --------
    >>> with_anchors('<h2 id="a">A</h2>')
    '<h2 id="a">A<a class="anchor" href="#a" aria-label="Link to this section"></a></h2>'
    """

    def add(found: re.Match[str]) -> str:
        own = re.search(r'\bid="([^"]+)"', found["rest"])
        ident = own[1] if own else found["outer"]
        if not ident:
            return found[0]
        link = f'<a class="anchor" href="#{ident}" aria-label="Link to this section"></a>'
        end = f"</h{found['level']}>"
        return found[0].removesuffix(end) + link + end

    return HEADING.sub(add, body)


def executed_line(executed: Executed) -> str:
    """Return the line that says when, in what time and with what a page ran."""
    day = date_text(dt.datetime.fromisoformat(executed.executed_at)) if executed.executed_at else ""
    if not day:
        return "Nothing on this page was executed."
    packages = ", ".join(
        f"{'Python' if name == 'python' else name} {version}" for name, version in executed.versions.items()
    )
    return f"Executed {day} in {executed.seconds:.1f} s with {packages}."


def versions(executed: Sequence[Executed]) -> list[tuple[str, str]]:
    """Return every package that any page ran with."""
    found = {item for one in executed for item in one.versions.items()}
    return sorted(found, key=lambda item: (item[0] != "python", item[0].lower()))


def date_text(value: Any) -> str:
    """Return a date in words; a text stays as it is.

    Examples
    --------
    >>> date_text(dt.date(2025, 3, 1))
    '1 March 2025'
    """
    if isinstance(value, dt.date):
        return f"{value.day} {value:%B %Y}"
    return str(value or "")


def slug(text: Any) -> str:
    """Return a text as an anchor.

    Examples
    --------
    >>> slug("Memory wall")
    'memory-wall'
    """
    return re.sub(r"[^\w]+", "-", str(text).lower()).strip("-")


def _sections(toc: str) -> int:
    return toc.count("<li")


def _classes(options: Mapping[str, Any], sidebar: bool, navbar: Mapping[str, Any]) -> str:
    copy = options.get("code-copy", "hover")
    found = {
        "has-sidebar": sidebar,
        "layout-full": options.get("page-layout") == "full",
        "copy-always": copy is True,
        "copy-never": copy is False,
        "code-wrap": options.get("code-overflow") == "wrap",
        "smooth-scroll": bool(options.get("smooth-scroll")),
        "navbar-static": navbar.get("pinned") is False,
    }
    own = str(options.get("body-classes") or "")
    return " ".join([*(name for name, on in found.items() if on), *own.split()])
