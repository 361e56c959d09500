"""What holds on every page: it loads, alone and light; it is whole, wide enough, and open to every reader."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LIGHT = 300_000
WIDTHS = (390, 768, 1400, 2560)

UNLABELLED = """() => [
  ...[...document.querySelectorAll("img:not([alt])")].map((e) => `no alt: ${e.src}`),
  ...[...document.querySelectorAll("main figure img[alt='']")].map((e) => `empty alt: ${e.src}`),
  ...[...document.querySelectorAll("main table")].filter((e) => !e.querySelector("th"))
    .map((e) => `no header: ${e.innerText}`),
]"""

LINKS = """() => [...document.querySelectorAll("a[href]")].map((e) => [e.getAttribute("href"), e.href])"""

IDS = """() => [...document.querySelectorAll("[id]")].map((e) => e.id)"""

SCROLLS = """() => [...document.querySelectorAll("main pre")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"""

AUDIT = Path(__file__).parents[1] / "sitebuild/audit.js"
TOO_WIDE = AUDIT.read_text(encoding="utf-8") + "; tooWide()"

CHECK = """() => axe.run(document, {
  preload: false,
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  resultTypes: ["violations"],
})"""


def unfold(page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach((e) => { e.open = true; })")


def test_it_loads_without_a_word_on_the_console(visit, name):
    """The fixture also refuses every request beyond the site itself."""
    page = visit(name)

    assert page.title()
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang")


def test_pictures_have_texts_and_tables_have_headers(visit, name):
    assert visit(name).evaluate(UNLABELLED) == []


def test_it_is_light(visit, name):
    """Everything that the page loads by itself, as it lies on the disk."""
    page = visit(name)
    if name.startswith("explore/"):
        pytest.skip("a page of the explorer loads the explorer")
    asked = {unquote(urlsplit(url).path) for url in page.asked if url.startswith("file:")}

    assert sum(Path(file).stat().st_size for file in asked) < LIGHT


@pytest.fixture(scope="module")
def anchors() -> dict[str, set[str]]:
    """The ids of each page, as the browser sees them."""
    return {}


def ids_of(visit, known: dict[str, set[str]], path: str) -> set[str]:
    if path not in known:
        known[path] = set(visit(path).evaluate(IDS))
    return known[path]


def test_every_link_and_anchor_leads_somewhere(visit, site, anchors, name):
    page = visit(name)
    broken = []
    for given, address in page.evaluate(LINKS):
        parts = urlsplit(address)
        if parts.scheme != "file":
            continue
        target = Path(unquote(parts.path))
        path = os.path.relpath(target, site)
        anchor = unquote(parts.fragment)
        whole = anchor in {"", "top"} or not path.endswith(".html")
        if not target.is_file() or not (whole or anchor in ids_of(visit, anchors, path)):
            broken.append(given)

    assert broken == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_sticks_out_and_its_picture_is_kept(visit, root, name, theme):
    """Screenshots go to ``build/screens``, for people to look at."""
    page, screens = visit(name, theme=theme), root / "build/screens"
    screens.mkdir(parents=True, exist_ok=True)
    stem = name.removesuffix(".html").replace("/", "_")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 844 if width == WIDTHS[0] else 1000})
        assert page.evaluate(TOO_WIDE) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        if width != WIDTHS[-1]:
            page.screenshot(path=screens / f"{stem}-{width}-{theme}.png")


def test_code_and_printed_lines_fit_their_column(visit, name):
    """On a wide screen, folded parts included; on a phone they scroll."""
    page = visit(name)
    page.set_viewport_size({"width": 1400, "height": 1000})
    unfold(page)

    assert page.evaluate(SCROLLS) == []


def serious(found: Iterable[dict]) -> list[str]:
    grave = [one for one in found if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {node['html'][:120]}" for one in grave for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, axe, name, theme):
    page = visit(name, theme=theme, reduced_motion="reduce")
    unfold(page)
    page.evaluate(axe)

    assert serious(page.evaluate(CHECK)["violations"]) == []


def test_axe_would_find_a_planted_fault(visit, axe):
    """A picture without a text, and grey words on white."""
    page = visit("index.html")
    page.evaluate("""document.querySelector("main").insertAdjacentHTML(
        "beforeend", '<img src="data:,"><p style="color: #ccc; background: #fff">faint</p>')""")
    page.evaluate(axe)

    found = {line.partition(":")[0] for line in serious(page.evaluate(CHECK)["violations"])}
    assert found >= {"image-alt", "color-contrast"}
