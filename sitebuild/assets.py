"""Files beside the pages: resources, what pages refer to, redirects, the sitemap, feeds."""

from __future__ import annotations

import datetime as dt
import html
import posixpath
import shutil
from collections.abc import Mapping
from pathlib import Path

from sitebuild import globs, links
from sitebuild.config import Config, as_list
from sitebuild.listing import Entry
from sitebuild.pages import LOST, Page
from sitebuild.pandoc import Snippets

REDIRECT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Moved</title>
<link rel="canonical" href="{0}"><meta http-equiv="refresh" content="0; url={0}"></head>
<body><p>This page has moved: <a href="{0}">{0}</a></p></body></html>
"""


def copy_resources(config: Config, pages: Mapping[str, Page], site: Path) -> None:
    """Copy what ``resources`` names, for the project and for pages."""
    wanted = {config.path: config.project.get("resources")}
    wanted |= {page.document.path: page.options.get("resources") for page in pages.values()}
    for where, given in wanted.items():
        patterns = [str(pattern) for pattern in as_list(given)]
        for pattern in patterns:
            if not pattern.startswith("!") and not globs.select([pattern], config.files):
                config.report.error(where, f"resources: no file matches {pattern.lstrip('/')}")
        for name in globs.select(patterns, config.files) if patterns else []:
            copy(config.root / name, site / name)


def copy_referenced(config: Config, site: Path) -> None:
    """Copy the files of the project that pages and style sheets refer to, as Quarto does."""
    files = set(config.files)
    seen: set[str] = set()
    todo = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    while todo:
        name = todo.pop()
        seen.add(name)
        text = (site / name).read_text(encoding="utf-8")
        if name.endswith(".css"):
            addresses = list(links.css_addresses(text))
        else:
            found = links.references(text)
            addresses = [*found.followed, *found.loaded]
        for address in addresses:
            target = links.file_of(address, name)
            if links.OUTSIDE.match(address) or target in seen or target not in files:
                continue
            if (site / target).exists() or target.endswith((".qmd", ".md")):
                continue
            copy(config.root / target, site / target)
            if target.endswith(".css"):
                todo.add(target)


def copy(source: Path, target: Path) -> None:
    """Copy one file, making the directories that it needs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write_redirects(config: Config, pages: Mapping[str, Page], site: Path) -> None:
    """Write a page at each alias that leads to the page it stands for."""
    for page in pages.values():
        for alias in as_list(page.document.front.get("aliases")):
            rooted = str(alias).startswith("/")
            base = "" if rooted else posixpath.dirname(page.path)
            path = posixpath.normpath(posixpath.join(base, str(alias).lstrip("/")))
            path = path if path.endswith(".html") else f"{path}/index.html"
            if (site / path).exists():
                config.report.error(page.document.path, f"aliases: {alias} is a page already")
                continue
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            to = posixpath.relpath(page.html, posixpath.dirname(path) or ".")
            (site / path).write_text(REDIRECT.format(html.escape(to)), encoding="utf-8")


def write_sitemap(config: Config, pages: Mapping[str, Page], site: Path) -> None:
    """Write the sitemap of a site that has an address."""
    if not config.address:
        return
    shown = [page.html for page in pages.values() if page.path != LOST]
    rows = "".join(f"<url><loc>{html.escape(f'{config.address}/{path}')}</loc></url>\n" for path in shown)
    (site / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{rows}</urlset>\n',
        encoding="utf-8",
    )


def write_feeds(config: Config, pages: Mapping[str, Page], texts: Snippets, site: Path) -> None:
    """Write an RSS feed for each list that asks for one, on a site that has an address."""
    for page in pages.values():
        if not (page.feed and config.address):
            continue
        front = page.document.front
        about = front.get("description") or config.website.get("description") or ""
        entries = [entry for found in page.listings if found.feed for entry in found.entries]
        items = "".join(f"<item>{_item(entry, config, pages, texts)}</item>\n" for entry in entries)
        head = _elements(
            title=texts.plain(front.get("title") or config.title),
            link=f"{config.address}/{page.html}",
            description=texts.plain(about),
        )
        (site / page.feed).write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<rss version="2.0"><channel>{head}\n{items}</channel></rss>\n',
            encoding="utf-8",
        )


def _item(entry: Entry, config: Config, pages: Mapping[str, Page], texts: Snippets) -> str:
    page, day = pages.get(entry.href.lstrip("/")), entry.values.get("date")
    address = f"{config.address}/{page.html}" if page else entry.href
    dated = {"pubDate": f"{day:%a, %d %b %Y} 00:00:00 +0000"} if isinstance(day, dt.date) else {}
    return _elements(
        title=texts.plain(entry.values.get("title") or ""),
        link=address,
        guid=address,
        description=texts.plain(entry.values.get("description") or ""),
        **dated,
    )


def _elements(**values: str) -> str:
    return "".join(f"<{name}>{html.escape(value)}</{name}>" for name, value in values.items() if value)
