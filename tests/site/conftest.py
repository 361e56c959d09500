"""The finished website in headless Chromium: ``make test-site`` runs this and names the site in ``SITE``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("SITE", "/nowhere")).resolve()
AXE = ROOT / ".cache/npm/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# Other runs of pytest know of no site.
collect_ignore_glob = [] if "SITE" in os.environ else ["test_*.py"]


def pages() -> list[str]:
    """Every page of the site, by its path."""
    found = (path.relative_to(SITE).as_posix() for path in sorted(SITE.rglob("*.html")))
    return [name for name in found if not name.startswith(("site_libs/", "assets/"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``name`` on every page."""
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", pages())


@pytest.fixture(scope="session")
def site() -> Path:
    """The directory of the site."""
    return SITE


@pytest.fixture(scope="session")
def root() -> Path:
    """The directory of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    if not AXE.is_file():
        pytest.skip("axe-core is missing: make test-site fetches it where npm is installed")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    reason = "playwright is missing: make test-site installs it"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    with sync_api.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield found
        found.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open a page from the disk, as a reader without a network does; what goes wrong on it fails the test."""
    wrong, contexts = list[str](), []
    home = SITE.as_uri() + "/"
    own = (home, "data:", "blob:")

    def open_page(path, *, width=1400, height=900, theme="light", context=None, **options):
        if context is None:
            view = {"width": width, "height": height}
            context = browser.new_context(viewport=view, color_scheme=theme, **options)
            contexts.append(context)
        page = context.new_page()
        page.asked = list[str]()
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
        page.on("request", lambda asked: asked.url.startswith(own) or wrong.append(f"foreign {asked.url}"))
        page.goto(home + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
