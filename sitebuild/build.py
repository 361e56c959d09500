"""The whole site: every page run and rendered, side by side, then put in place at once."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from sitebuild import (
    assets,
    crossref,
    links,
    listing,
    notebooks,
    outputs,
    pandoc,
    search,
    shortcodes,
)
from sitebuild.config import Config, as_list, load, read_yaml
from sitebuild.conversion import Conversion
from sitebuild.errors import SiteError, shown
from sitebuild.execute import execute, tree_hash
from sitebuild.navigation import Navigation
from sitebuild.pages import Composer, Page, library
from sitebuild.qmd import parse
from sitebuild.report import Report


@dataclass(frozen=True)
class Settings:
    """How to build: ``jobs`` pages at once, ``cache`` for outputs, ``salt`` for its keys."""

    jobs: int = 2
    cache: Path | None = None
    salt: str = ""


def salt_of(root: Path, trees: Sequence[str]) -> str:
    """Return what the outputs depend on beside the pages: a hash of source trees."""
    return tree_hash([root / tree for tree in trees]) if trees else ""


# ---------------------------------------------------------------------- reading
def read_pages(config: Config, paths: Sequence[str]) -> dict[str, Page]:
    """Return the pages with their options; what is wrong with them goes to the report."""
    pages: dict[str, Page] = {}
    for path in paths:
        try:
            document = parse(config.root / path)
            options = config.page_options(path, document.front)
        except SiteError as error:
            config.report.fail(error)
            continue
        for warning in document.warnings:
            config.report.warn_as(warning)
        if options.get("draft"):
            config.report.notice(config.root / path, "a draft, left out")
            continue
        pages[path] = Page(path, document, options)
    return pages


# ---------------------------------------------------------------------- one page
def render(page: Page, config: Config, settings: Settings, site: Path) -> None:
    """Run a page and turn it into HTML, with its figures under ``site``.

    Raises
    ------
    SiteError
        A cell failed, or the page cannot be read.
    """

    def warn(message: str) -> None:
        config.report.warn(page.document.path, message, line=_line_of(message, page))

    folder = posixpath.splitext(page.path)[0] + "_files"
    page.executed = execute(page.document, cache=settings.cache, salt=settings.salt, options=page.options)
    markdown = outputs.to_markdown(
        page.executed, figures=site / folder, href=posixpath.basename(folder), defaults={}
    )
    for warning in page.executed.warnings:
        config.report.warn_as(warning)
    variables = config.root / "_variables.yml"
    markdown = shortcodes.expand(
        markdown,
        metadata=page.options,
        variables=read_yaml(variables) if variables.is_file() else {},
        warn=warn,
    )
    conversion = Conversion(page.options, page.document.path, config.root, warn, settings.cache)
    page.body = conversion.body(crossref.resolve(markdown, warn))
    if page.runs:
        write_notebook(notebooks.reader(page.executed, conversion.cited), site / page.notebook)


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook, making the directory that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    path.write_text(text + "\n", encoding="utf-8")


def _line_of(message: str, page: Page) -> int | None:
    """Return the line of the source that a message quotes, where one line alone holds it."""
    needles = [word for word in message.replace("$", " ").split() if word.startswith(("@", "{{<"))]
    for needle in needles[:1]:
        lines = page.document.path.read_text(encoding="utf-8").splitlines()
        found = [number for number, line in enumerate(lines, 1) if needle in line]
        return found[0] if found else None
    return None


def render_all(
    pages: Sequence[Page],
    config: Config,
    settings: Settings,
    site: Path,
    say: Callable[[str], None],
) -> bool:
    """Render pages side by side; each one that ends is told, each one that fails is reported.

    Returns
    -------
    bool
        Whether all of them succeeded.
    """
    failed = 0
    with ThreadPoolExecutor(max_workers=max(1, settings.jobs)) as pool:
        clock = {}

        def timed(page: Page) -> None:
            began = time.monotonic()
            try:
                render(page, config, settings, site)
            finally:
                clock[page.path] = time.monotonic() - began

        running = {pool.submit(timed, page): page for page in pages}
        try:
            for number, done in enumerate(as_completed(running), 1):
                page, error = running[done], done.exception()
                if error is None:
                    cached = page.executed is not None and page.executed.cached
                    state = "cached" if cached else f"{clock[page.path]:.1f} s"
                else:
                    state, failed = "failed", failed + 1
                    if isinstance(error, SiteError):
                        config.report.fail(error)
                    else:
                        config.report.crash(page.document.path, error)
                say(f"[{number}/{len(pages)}] {page.path}  {state}")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return not failed


# ---------------------------------------------------------------------- the site
def build(
    root: Path, *, settings: Settings, report: Report, say: Callable[[str], None] = print
) -> tuple[Path, int]:
    """Build the website in ``root``; the old one stays where the new one cannot be built.

    Returns
    -------
    tuple
        The directory of the site, and the number of its pages. Whether the site was replaced is
        told by ``report.failed``.

    Raises
    ------
    SiteError
        ``_quarto.yml`` cannot be read.
    """
    config = load(root, report)
    pages = read_pages(config, config.pages)
    navigation = Navigation(config, {p.path: p.document.front for p in pages.values()})
    for page in pages.values():
        page.listings = listing.read(page.document.front.get("listing"), page.path, config, navigation.fronts)
    config.flush_unused()
    if report.stopped:
        return config.output, len(pages)
    with staging(config.output) as site:
        if render_all(list(pages.values()), config, settings, site, say):
            assemble(config, navigation, pages, site)
        if not report.failed:
            replace(site, config.output)
    return config.output, len(pages)


def assemble(config: Config, navigation: Navigation, pages: dict[str, Page], site: Path) -> None:
    """Write everything around the rendered texts, and check every link."""
    snippets = pandoc.Snippets()
    fronts = [page.document.front for page in pages.values()]
    titles = [navigation.title(path) for path in pages]
    texts = [str(f[key]) for f in fronts for key in ("subtitle", "description") if f.get(key)]
    snippets.prepare([config.title, *titles, *texts, *navigation.texts()])

    index = [
        entry
        for page in pages.values()
        if page.options.get("search") is not False
        for entry in search.entries(
            page.html,
            snippets.plain(navigation.title(page.path)),
            page.body.html,
            [str(c) for c in as_list(page.document.front.get("categories"))],
        )
    ]
    files = {**library(), "search.js": search.script(index)}
    (site / "site_libs").mkdir()
    for name, content in files.items():
        (site / "site_libs" / name).write_text(content, encoding="utf-8")

    version = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:8]
    composer = Composer(config, navigation, snippets, pages, version)
    for page in pages.values():
        target = site / page.html
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_text(composer.compose(page), encoding="utf-8")
        except SiteError as error:
            config.report.fail(error)
    assets.copy_resources(config, pages, site)
    assets.copy_referenced(config, site)
    assets.write_redirects(config, pages, site)
    assets.write_sitemap(config, pages, site)
    assets.write_feeds(config, pages, snippets, site)
    links.check(site, {p.html: p.document.path for p in pages.values()}, config.report, config.site_path)


# ---------------------------------------------------------------------- putting it in place
@contextmanager
def staging(output: Path) -> Iterator[Path]:
    """Give a directory beside the output, and take it away afterwards if it is still there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    site = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    site.chmod(0o755)
    try:
        yield site
    finally:
        shutil.rmtree(site, ignore_errors=True)


def replace(site: Path, output: Path) -> None:
    """Put a finished site in the place of the old one, by renaming."""
    old = site.with_name(site.name + "-old")
    if output.exists():
        os.rename(output, old)  # noqa: PTH104
    os.rename(site, output)  # noqa: PTH104
    shutil.rmtree(old, ignore_errors=True)


def tell(report: Report, output: Path, pages: int) -> int:
    """Print the report and how it ended; return the exit status."""
    text = report.text()
    if text:
        print(text, file=sys.stderr)
    if report.failed:
        print(f"not built; {shown(output)} is as it was", file=sys.stderr)
        return 1
    print(f"{pages} pages in {shown(output)}")
    return 0
