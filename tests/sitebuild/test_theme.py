"""The demonstration site in a browser, opened from the disk as a reader without a network would."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sitebuild.pages import THEME

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
PAGES = ("index.html", "guide.html", "lessons/01_fall.html", "lessons/02_bounce.html")

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    """A browser for this module alone: its event loop would be in the way of tests that start kernels."""
    with playwright.sync_playwright() as running:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        found = running.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()


@pytest.fixture
def visit(browser, demo):
    """Open a page in a window of its own; what goes wrong on it fails the test."""
    site, _, _ = demo
    wrong, contexts = list[str](), []

    def open_page(name, *, width=1400, height=900, theme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
        page.on(
            "request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url)
        )
        page.goto((site / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


# ------------------------------------------------------------------ looks
@needs_browser
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_window(visit, name):
    page = visit(name)
    page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    for width in (390, 768, 1100, 1400, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(f"{AUDIT}; tooWide()") == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


@needs_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_from_its_ground(visit, name, theme):
    page = visit(name, theme=theme)
    page.evaluate("document.querySelectorAll('main details').forEach((e) => { e.open = true; })")
    assert page.evaluate(f"{AUDIT}; tooFaint()") == []


@needs_browser
def test_what_scrolls_sideways_can_be_reached_with_the_keyboard(visit):
    page = visit("lessons/02_bounce.html", width=390)
    page.wait_for_function("document.querySelector('.cell-output-display[tabindex]')")
    assert page.evaluate("document.querySelectorAll('.cell-output-display[tabindex]').length") == 1


# ------------------------------------------------------------------ light and dark
@needs_browser
def test_the_theme_is_the_systems_until_the_reader_chooses(visit):
    page = visit("index.html", theme="dark")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    assert page.evaluate("document.body.classList.contains('quarto-dark')")
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{theme} === 'light'")
    page.get_by_role("button", name="Dark or light").click()
    assert page.evaluate(theme) == "dark"
    page.reload()
    assert page.evaluate(theme) == "dark"


# ------------------------------------------------------------------ search
@needs_browser
def test_search_finds_sections_and_marks_the_words(visit):
    page = visit("lessons/01_fall.html")
    page.keyboard.press("/")
    page.keyboard.type("gravity")
    hits = page.locator(".search-hits a")
    hits.first.wait_for()
    assert hits.first.locator("mark").first.inner_text().lower() == "gravity"
    assert page.locator(".search-status").inner_text().endswith("places")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.href").endswith(
        "01_fall.html#" + hits.first.evaluate("e => e.hash.slice(1)")
    )
    page.keyboard.press("Enter")
    assert "#" in page.url
    assert not page.locator(".search-dialog").is_visible()


@needs_browser
@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("how long", "How long does a fall take?"),
        ("GUIDE", "A guide to everything on a page <and> its marks"),
        ("tabs", "2 Tabs · A guide to everything on a page <and> its marks"),
        ("series", "Why does bounce(n) stop, and does ∑en?"),
    ],
)
def test_the_best_place_comes_first(visit, words, first):
    page = visit("index.html")
    page.get_by_role("button", name="Search").click()
    page.keyboard.type(words)
    page.locator(".search-hits a").first.wait_for()
    assert page.locator(".search-hits b").first.inner_text() == first


@needs_browser
def test_a_search_in_vain_says_so_and_marks_of_patterns_are_words(visit):
    page = visit("index.html")
    page.keyboard.press("s")
    page.keyboard.type("xyzzy (.*")
    page.get_by_text("Nothing about “xyzzy (.*”").wait_for()


# ------------------------------------------------------------------ tabs, folds, lists, the list of sections
@needs_browser
def test_tabs_move_with_the_arrow_keys_and_are_remembered(visit):
    page = visit("guide.html")
    page.get_by_role("tab", name="Python").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "C"
    assert page.locator("[role=tabpanel]:visible").get_attribute("data-title") == "C"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.textContent") == "Python"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Python"
    page.keyboard.press("ArrowLeft")
    page.reload()
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "In words"


@needs_browser
def test_categories_filter_a_list_and_an_address_chooses_one(visit):
    page = visit("index.html")
    page.get_by_role("button", name="series").click()
    assert page.locator(".listing-entry:visible").count() == 1
    page.get_by_role("button", name="All").click()
    assert page.locator(".listing-entry:visible").count() == 2
    page.goto(page.url + "#category-time")
    page.locator("#category-time[aria-pressed=true]").wait_for()
    assert page.locator(".listing-entry:visible").count() == 1


@needs_browser
def test_the_list_of_sections_follows_the_reader(visit):
    page = visit("guide.html")
    assert page.locator(".toc a.here").inner_text() == "1 Callouts"
    page.locator(".toc a", has_text="Mathematics").click()
    page.wait_for_function("document.querySelector('.toc a.here').textContent.includes('Mathematics')")


@needs_browser
def test_an_address_opens_the_fold_that_it_leads_into(visit):
    page = visit("lessons/01_fall.html")
    page.evaluate("document.querySelector('details.callout .callout-body').id = 'inside'")
    page.evaluate("location.hash = '#inside'")
    page.wait_for_function("document.querySelector('details.callout').open")


@needs_browser
def test_code_is_copied(visit):
    page = visit("guide.html", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".sourceCode").first.hover()
    page.get_by_role("button", name="Copy this code").first.click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("def double(x: float)")


# ------------------------------------------------------------------ narrow windows, keyboard, paper
@needs_browser
def test_the_drawer_opens_holds_the_navigation_and_gives_the_focus_back(visit):
    page = visit("index.html", width=390)
    assert not page.locator(".sidebar").is_visible()
    page.get_by_role("button", name="Menu").click()
    page.locator(".sidebar").wait_for()
    assert page.locator(".drawer-links a", has_text="Lessons").is_visible()
    assert page.evaluate("document.querySelector('main').inert")
    page.keyboard.press("Escape")
    page.wait_for_function("getComputedStyle(document.querySelector('.drawer')).visibility === 'hidden'")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Menu"
    assert not page.evaluate("document.querySelector('main').inert")


@needs_browser
def test_the_first_stop_of_the_keyboard_skips_to_the_text(visit):
    page = visit("guide.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@needs_browser
def test_paper_shows_the_text_alone_with_every_tab(visit):
    page = visit("guide.html", theme="dark")
    page.emulate_media(media="print")
    assert not page.locator(".navbar").is_visible()
    assert not page.locator(".sidebar").is_visible()
    assert page.locator("[role=tabpanel]:visible").count() == 3
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@needs_browser
def test_what_a_project_includes_works(visit):
    page = visit("lessons/01_fall.html")
    assert page.evaluate("document.documentElement.dataset.demo") == "loaded"
    page.get_by_label("Your prediction in seconds").fill("2")
    page.get_by_role("button", name="Predict").click()
    assert page.locator(".predict output").inner_text() == "Close. Read on."


def test_files_of_the_theme_stay_short():
    for path in Path(THEME).iterdir():
        assert len(path.read_text().splitlines()) <= 400


def test_every_colour_has_a_value_for_the_dark():
    text = (THEME / "10-base.css").read_text()
    light, dark = re.findall(r":root(?:\[[^\]]*\])? \{(.*?)\n\}", text, re.DOTALL)
    colours = set(re.findall(r"(--[\w-]+): (?:#|rgb)", light))
    assert colours == set(re.findall(r"(--[\w-]+): (?:#|rgb)", dark))
