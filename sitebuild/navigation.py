"""Navbar, sidebar, breadcrumbs, previous and next page, from ``_quarto.yml`` and page titles."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sitebuild import globs
from sitebuild.config import Config, as_list

URL = re.compile(r"[a-zA-Z][\w+.-]*:|//|#")


@dataclass(frozen=True)
class Item:
    """One entry. ``text`` is Markdown; ``href`` is an address, or a path from the root with ``/``.

    An item without an address is the heading of its ``children``; one without a text is a line.
    """

    text: str
    href: str | None = None
    label: str | None = None
    rel: str | None = None
    target: str | None = None
    children: tuple[Item, ...] = ()

    @property
    def page(self) -> str | None:
        """The page that the item leads to, if it is one of this site."""
        path = (self.href or "").partition("#")[0]
        return path[1:] if path.endswith((".qmd", ".md")) and path.startswith("/") else None

    def holds(self, page: str) -> bool:
        """Whether the item leads to a page, itself or through an item below it."""
        return self.page == page or any(child.holds(page) for child in self.children)


@dataclass(frozen=True)
class Sidebar:
    """One side navigation."""

    items: tuple[Item, ...]
    ident: str = ""
    title: str = ""
    header: str = ""
    footer: str = ""
    search: bool = False
    collapse: int = 2

    def holds(self, page: str) -> bool:
        """Whether the sidebar leads to a page."""
        return any(item.holds(page) for item in self.items)

    def flat(self) -> list[Item]:
        """Return the items that are pages, in reading order, each page once."""
        found: dict[str, Item] = {}
        for item in _flatten(self.items):
            if item.page:
                found.setdefault(item.page, item)
        return list(found.values())

    def trail(self, page: str) -> list[Item]:
        """Return the sections above a page, outermost first."""
        return _trail(self.items, page)


def _flatten(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flatten(item.children)


def _trail(items: tuple[Item, ...], page: str) -> list[Item]:
    for item in items:
        if item.page == page:
            return []
        if item.holds(page):
            return [item, *_trail(item.children, page)]
    return []


@dataclass
class Navigation:
    """All navigation of a site.

    Parameters
    ----------
    config
        The website; mistakes in its navigation go to its report.
    fronts
        Front matter of every page that is rendered.
    """

    config: Config
    fronts: Mapping[str, Mapping[str, Any]]
    left: tuple[Item, ...] = ()
    right: tuple[Item, ...] = ()
    sidebars: list[Sidebar] = field(default_factory=list)
    footer: dict[str, str | tuple[Item, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        web = self.config.website
        for given in as_list(web.get("sidebar")):
            if isinstance(given, Mapping):
                self.sidebars.append(self._sidebar(given))
        navbar = web.get("navbar")
        if isinstance(navbar, Mapping):
            self.left = self._items(navbar.get("left"), "website.navbar.left")
            self.right = self._items(navbar.get("right"), "website.navbar.right")
            self.right += self._items(navbar.get("tools"), "website.navbar.tools")
        given = web.get("page-footer")
        for side, content in (given if isinstance(given, Mapping) else {"left": given}).items():
            if isinstance(content, list):
                self.footer[side] = self._items(content, f"website.page-footer.{side}")
            elif isinstance(content, str):
                self.footer[side] = content

    # ------------------------------------------------------------------ questions of a page
    def title(self, page: str) -> str:
        """Return the title of a page, or its file name in words."""
        return str(self.fronts[page].get("title") or words(posixpath.splitext(page)[0]))

    def sidebar(self, page: str) -> Sidebar | None:
        """Return the sidebar of a page: the one it names, the one that leads to it, the only."""
        wanted = self.fronts[page].get("sidebar")
        if wanted is False:
            return None
        if isinstance(wanted, str):
            named = next((s for s in self.sidebars if s.ident == wanted), None)
            if named is None:
                known = ", ".join(s.ident for s in self.sidebars if s.ident) or "none has an id"
                self.config.report.error(
                    self.config.root / page, f"no sidebar {wanted}", remedy=f"known: {known}"
                )
            return named
        holding = next((s for s in self.sidebars if s.holds(page)), None)
        return holding or (self.sidebars[0] if len(self.sidebars) == 1 else None)

    def neighbours(self, page: str) -> tuple[Item | None, Item | None]:
        """Return the previous and the next page in the order of the sidebar."""
        sidebar = self.sidebar(page)
        order = sidebar.flat() if sidebar else []
        at = next((i for i, item in enumerate(order) if item.page == page), None)
        if at is None:
            return None, None
        return (order[at - 1] if at else None), (order[at + 1] if at + 1 < len(order) else None)

    def texts(self) -> Iterator[str]:
        """Yield every text of the navigation, to be converted together."""
        sidebars = [item for sidebar in self.sidebars for item in sidebar.items]
        lists = [f for f in self.footer.values() if isinstance(f, tuple)]
        for item in _flatten((*self.left, *self.right, *sidebars, *(i for f in lists for i in f))):
            yield item.text

    # ------------------------------------------------------------------ from _quarto.yml
    def _sidebar(self, given: Mapping[str, Any]) -> Sidebar:
        title = given.get("title")
        return Sidebar(
            items=self._items(given.get("contents"), "website.sidebar.contents"),
            ident=str(given.get("id", "")),
            title=title if isinstance(title, str) else "",
            header=str(given.get("header") or ""),
            footer=str(given.get("footer") or ""),
            search=bool(given.get("search", False)),
            collapse=int(given.get("collapse-level", 2)),
        )

    def _items(self, given: Any, key: str) -> tuple[Item, ...]:
        if given is None:
            return ()
        if isinstance(given, str):
            return self._auto(given, key)
        if isinstance(given, Mapping):
            given = [given]
        if not isinstance(given, list):
            self.config.report.error(self.config.path, f"{key} is {given!r}", remedy="give a list")
            return ()
        found: list[Item] = []
        for at, item in enumerate(given):
            found += self._item(item, f"{key}[{at}]")
        return tuple(found)

    def _item(self, given: Any, key: str) -> tuple[Item, ...]:
        text = given.get("text") if isinstance(given, Mapping) else given
        if isinstance(text, str) and re.fullmatch(r"-{3,}", text):
            return (Item(""),)
        if isinstance(given, str):
            if given == "auto" or globs.is_glob(given):
                return self._auto(given, key)
            return (self._plain({"href": given}, key, address=key),)
        if isinstance(given, Mapping):
            if "auto" in given:
                return self._auto(given["auto"], f"{key}.auto")
            return (self._plain(given, key, address=f"{key}.href"),)
        self.config.report.error(
            self.config.path, f"{key} is {given!r}", remedy="expected a page or a mapping"
        )
        return ()

    def _plain(self, given: Mapping[str, Any], key: str, *, address: str) -> Item:
        """Return one item; ``address`` is the key under which its address stands."""
        section, text = given.get("section"), given.get("text")
        href = given.get("href", given.get("file"))
        if isinstance(section, str) and section.endswith((".qmd", ".md")):
            href, section = section, None
        contents = given.get("contents")
        if section and not href and isinstance(contents, str):
            index = posixpath.join(contents.split("*", maxsplit=1)[0].rstrip("/"), "index.qmd")
            href = index if index in self.fronts else None
        name = "contents" if "contents" in given else "menu"
        children = self._items(given.get(name), f"{key}.{name}")
        leads = self._address(str(href), address) if href else None
        text = text or section or given.get("aria-label")
        if not text and leads:
            page = leads.partition("#")[0][1:]
            text = self.title(page) if page in self.fronts else given.get("icon") or str(href)
        if not text and not children:
            self.config.report.error(
                self.config.path, f"{key} has neither text nor href", remedy="give one of them"
            )
        if given.get("icon"):
            self.config.unused.setdefault("icons in the navigation (an item shows its text)")
        return Item(
            text=str(text or ""),
            href=leads,
            label=given.get("aria-label"),
            rel=given.get("rel"),
            target=given.get("target"),
            children=children,
        )

    def _address(self, href: str, key: str) -> str:
        if href.startswith("sidebar:"):
            wanted = href.partition(":")[2]
            pages = next((s.flat() for s in self.sidebars if s.ident == wanted), [])
            if pages and pages[0].href:
                return pages[0].href
            self.config.report.error(self.config.path, f"{key}: no sidebar {wanted} with a page")
            return "/"
        if URL.match(href):
            return href
        path, mark, anchor = href.lstrip("/").partition("#")
        path = posixpath.normpath(path)
        if path.endswith((".qmd", ".md")) and path not in self.fronts:
            self._missing(path, key)
        return f"/{path}{mark}{anchor}"

    def _missing(self, path: str, key: str) -> None:
        report, where = self.config.report, self.config.path
        if (self.config.root / path).is_file():
            remedy = "project.render leaves it out, or it is a draft"
            report.error(where, f"{key}: {path} is not rendered", remedy=remedy)
            return
        near = difflib.get_close_matches(path, self.fronts, 1, 0.6)
        remedy = f"did you mean {near[0]}?" if near else "create it or take it out"
        report.error(where, f"{key}: no page {path}", remedy=remedy)

    # ------------------------------------------------------------------ contents by pattern
    def _auto(self, given: Any, key: str) -> tuple[Item, ...]:
        patterns = ["**"] if given in (True, "auto") else [str(pattern) for pattern in as_list(given)]
        if len(patterns) == 1 and patterns[0] in self.fronts:
            return (self._plain({"href": patterns[0]}, key, address=key),)
        found = [p for p in globs.select(patterns, self.fronts) if p != "index.qmd"]
        if not found:
            shown = ", ".join(patterns)
            self.config.report.error(
                self.config.path, f"{key}: no page matches {shown}", remedy="correct the pattern"
            )
            return ()
        top = ""
        if len(patterns) == 1 and globs.is_glob(patterns[0]):
            top = re.split(r"/?[^/]*[*?\[{]", patterns[0].lstrip("/"), maxsplit=1)[0]
        elif len(patterns) == 1:
            top = posixpath.dirname(patterns[0].strip("/"))
        return self._level(found, top)

    def _level(self, pages: list[str], top: str) -> tuple[Item, ...]:
        """Return the pages below a directory, a section for each directory in it."""
        entries: list[tuple[tuple[Any, ...], Item]] = []
        below: dict[str, list[str]] = {}
        for page in pages:
            rest = page[len(top) + 1 :] if top else page
            directory, slash, _ = rest.partition("/")
            if slash:
                below.setdefault(posixpath.join(top, directory), []).append(page)
            elif rest != "index.qmd":
                entries.append((self._order(page), Item(self.title(page), f"/{page}")))
        for directory, inside in below.items():
            index = f"{directory}/index.qmd"
            known = index in self.fronts
            item = Item(
                text=self.title(index) if known else words(directory),
                href=f"/{index}" if known else None,
                children=self._level(inside, directory),
            )
            entries.append((self._order(index, directory), item))
        return tuple(item for _, item in sorted(entries, key=lambda entry: entry[0]))

    def _order(self, page: str, directory: str = "") -> tuple[Any, ...]:
        """Sort by ``order``; pages without one follow by file name, directories last."""
        order = self.fronts.get(page, {}).get("order")
        name = posixpath.basename(directory or page).upper()
        if isinstance(order, int | float):
            return (0, order, name)
        return (1, bool(directory), name)


def words(path: str) -> str:
    """Return a file name as a title.

    Examples
    --------
    >>> words("tutorials/memory_wall")
    'Memory Wall'
    """
    name = posixpath.basename(path)
    return name if " " in name else re.sub(r"[_-]+", " ", name).strip().title()
