"""The live pages in a browser: Python runs there, and says what Python says here."""

import http.server
import json
import math
import shutil
import threading
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import pytest

from explorer import bridge
from explorer.build import OUTPUT, current
from sitebuild.build import Settings, build
from sitebuild.report import Report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[2]
STARTED = 120_000

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not current(), reason="the explorer is not there, or an old one is: make explorer"),
]

PROJECT = """
project:
  type: website
  render: [explore/*.qmd, tutorials/00_hello_roofline.qmd, tutorials/01_memory_wall.qmd,
    tutorials/02_differential_explainer.qmd, accuracy.qmd]
  resources: [explore/live/]
website:
  title: mlsysim
format:
  html:
    css: assets/course.css
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A website of the live pages, built once; the pages that they lead to are empty."""
    root = tmp_path_factory.mktemp("explorer")
    shutil.copytree(ROOT / "explore", root / "explore")
    shutil.copytree(ROOT / "assets", root / "assets")
    (root / "_quarto.yml").write_text(PROJECT, encoding="utf-8")
    (root / "tutorials").mkdir()
    for name in ("00_hello_roofline", "01_memory_wall", "02_differential_explainer"):
        (root / "tutorials" / f"{name}.qmd").write_text(f"---\ntitle: {name}\n---\n", encoding="utf-8")
    (root / "accuracy.qmd").write_text("---\ntitle: Accuracy\n---\n", encoding="utf-8")
    report = Report(strict=True)
    output, _ = build(root, settings=Settings(jobs=2), report=report, say=lambda _: None)
    assert not report.failed, report.text()
    return output


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A static server, as any host of the site is."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        found = running.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()


@pytest.fixture(scope="module")
def windows(browser):
    """Open a page in a window of its own; complaints, and words to other hosts, are gathered in ``wrong``."""
    contexts, wrong = [], list[str]()

    def open_page(address, *, width=1400, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        own = (address[: address.index("/explore/")], "data:", "blob:")
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(f"failed {request.url}"))
        context.on("request", lambda request: request.url.startswith(own) or wrong.append(request.url))
        page.add_init_script(
            "addEventListener('DOMContentLoaded', () => document.getElementById('explorer')"
            ".addEventListener('answer', (event) => (window.answers ??= []).push(event.detail)))"
        )
        page.goto(address)
        return page

    open_page.wrong = wrong
    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def visit(windows, address):
    yield lambda name, *, base=address, **options: windows(f"{base}/{name}", **options)
    complaints, windows.wrong[:] = [*windows.wrong], []
    assert complaints == []


@pytest.fixture(scope="module")
def started():
    """Pages on which Python runs already, by view."""
    return {}


@pytest.fixture
def live(started, visit):
    """A page on which Python runs, with the defaults in its controls: each view is started once."""

    def get(view):
        if view not in started:
            started[view] = visit(f"explore/{view}.html")
            start(started[view])
            return started[view]
        page = started[view]
        page.emulate_media(reduced_motion="no-preference", color_scheme="light")
        page.set_viewport_size({"width": 1400, "height": 900})
        next_answer(page, lambda: page.get_by_role("button", name="Reset").click())
        return page

    return get


def start(page):
    page.get_by_role("button", name="Start").click()
    page.wait_for_function("window.answers?.length", timeout=STARTED)
    return page.evaluate("window.answers.at(-1)")


def next_answer(page, act):
    count = page.evaluate("window.answers.length")
    act()
    page.wait_for_function(f"window.answers.length > {count}")
    return page.evaluate("window.answers.at(-1)")


def same(there, here):
    """Whether two answers agree: texts exactly, numbers to the last places of a double."""
    if isinstance(here, dict):
        return there.keys() == here.keys() and all(same(there[k], here[k]) for k in here)
    if isinstance(here, list):
        return len(there) == len(here) and all(map(same, there, here))
    if isinstance(here, float):
        return math.isclose(there, here, rel_tol=1e-13)
    return there == here


def expected(view, **changes):
    return json.loads(bridge.answer_json(view, json.dumps({**bridge.DEFAULTS[view], **changes})))


def cells(page):
    return (
        page.locator("#explorer table")
        .first.locator("tr")
        .evaluate_all("rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))")
    )


# ------------------------------------------------------------------ the numbers
@pytest.mark.parametrize("view", list(bridge.VIEWS))
def test_the_browser_computes_what_python_computes(live, view):
    page = live(view)
    here = expected(view)

    assert same(page.evaluate("window.answers.at(-1)"), here)
    rows = here["rows"] if view != "compare" else here["delivery"]
    assert cells(page) == rows
    assert page.locator("#explorer .explorer-status").inner_text() == " · ".join(here["headline"])
    assert page.locator("#explorer svg").count() >= 1
    assert not page.locator(".explorer-still").first.is_visible()


def test_controls_move_the_numbers_and_the_address_holds_them(live, address):
    page = live("roofline")

    answer = next_answer(page, lambda: page.get_by_label("Batch size", exact=True).fill("256"))
    assert same(answer, expected("roofline", batch="256"))
    answer = next_answer(page, lambda: page.get_by_label("Hardware").select_option("H100"))
    assert same(answer, expected("roofline", batch="256", hardware="H100"))
    assert page.url == f"{address}/explore/roofline.html?" + urlencode({"hardware": "H100", "batch": "256"})
    answer = next_answer(page, lambda: page.get_by_role("button", name="Reset").click())
    assert same(answer, expected("roofline"))
    assert page.url == f"{address}/explore/roofline.html"


def test_an_address_that_was_shared_brings_its_configuration(visit):
    shared = {"b.hardware": "H200", "b.precision": "fp8", "a.batch": "64", "b.batch": "64"}
    page = visit("explore/compare.html?" + urlencode(shared))

    assert same(start(page), expected("compare", **shared))
    words = page.locator(".explorer-words").inner_text()
    assert words == " ".join(expected("compare", **shared)["analysis"])


def test_the_slider_can_be_moved_with_the_keyboard(visit):
    page = visit("explore/roofline.html")
    page.get_by_label("Batch size, slider").focus()  # the first touch starts Python
    page.wait_for_function("window.answers?.length", timeout=STARTED)

    answer = next_answer(page, lambda: page.keyboard.press("End"))
    assert same(answer, expected("roofline", batch="1024"))
    assert page.get_by_label("Batch size", exact=True).input_value() == "1024"


def test_phases_and_lengths_follow_the_model(live):
    page = live("roofline")
    assert not page.get_by_label("Prompt [tokens]", exact=True).is_visible()
    answer = next_answer(page, lambda: page.get_by_label("Model").select_option("ResNet50"))

    assert same(answer, expected("roofline", model="ResNet50", phase="forward"))
    assert page.get_by_label("Phase").input_value() == "forward"
    assert not page.get_by_label("Context [tokens]", exact=True).is_visible()


# ------------------------------------------------------------------ what goes wrong
def test_what_the_package_objects_to_is_shown_and_passes(live):
    page = live("roofline")
    page.get_by_label("Precision").select_option("fp8")
    status = page.locator(".explorer-status.explorer-error")
    status.wait_for()

    assert status.inner_text() == expected("roofline", precision="fp8")["error"]
    answer = next_answer(page, lambda: page.get_by_label("Precision").select_option("int8"))
    assert same(answer, expected("roofline", precision="int8"))
    assert page.locator(".explorer-error").count() == 0


def test_a_name_that_nobody_knows_is_not_replaced(visit):
    page = visit("explore/roofline.html?hardware=H10O")
    page.get_by_role("button", name="Start").click()
    page.locator(".explorer-error").wait_for(timeout=STARTED)

    assert page.locator(".explorer-status").inner_text() == expected("roofline", hardware="H10O")["error"]


# ------------------------------------------------------------------ before the first touch, and without
def test_nothing_heavy_is_loaded_before_the_first_touch(visit):
    page = visit("explore/roofline.html")
    page.get_by_role("button", name="Start").wait_for()

    loaded = page.evaluate("performance.getEntriesByType('resource').map((e) => [e.name, e.encodedBodySize])")
    names = [Path(name).name for name, _ in loaded]
    assert not [name for name in names if "pyodide" in name or "plot" in name or "d3" in name]
    document = page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    assert document + sum(size for _, size in loaded) < 300_000


def test_from_a_file_the_page_keeps_its_figure_and_says_how(visit, site):
    page = visit("explore/serving.html", base=site.as_uri())

    page.get_by_text("make serve").wait_for()
    assert page.locator(".explorer-still img, .explorer-still svg").first.is_visible()


def test_without_scripts_the_page_keeps_its_figure_and_says_how(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/explore/compare.html")

    assert "make serve" in page.locator("#explorer").inner_text()
    assert page.locator(".explorer-still img, .explorer-still svg").first.is_visible()
    context.close()


def test_where_the_explorer_was_skipped_the_page_says_why(visit, site):
    manifest = site / "explore" / "live" / "build" / "manifest.json"
    whole = manifest.read_text("utf-8")
    try:
        manifest.write_text(
            json.dumps({"available": False, "reason": "there is no npm", "key": ""}), encoding="utf-8"
        )
        page = visit("explore/roofline.html")
        page.get_by_text("there is no npm").wait_for()
        assert page.locator(".explorer-still").first.is_visible()
    finally:
        manifest.write_text(whole, encoding="utf-8")


# ------------------------------------------------------------------ looks
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", list(bridge.VIEWS))
def test_live_pages_fit_the_window_and_can_be_read(live, theme, view):
    audit = (ROOT / "tests" / "sitebuild" / "audit.js").read_text(encoding="utf-8")
    page = live(view)
    page.emulate_media(color_scheme=theme)
    for width in (390, 768, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate(f"{audit}; tooWide()") == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(f"{audit}; tooFaint()") == []


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_the_point_moves_unless_the_reader_wants_no_motion(live, motion, moves):
    page = live("roofline")
    page.emulate_media(reduced_motion=motion)
    page.evaluate(
        "() => { window.frames_asked = 0; const next = Window.next ??= requestAnimationFrame.bind(window);"
        " window.requestAnimationFrame = (f) => { window.frames_asked += 1; return next(f); }; }"
    )
    next_answer(page, lambda: page.get_by_label("Batch size", exact=True).fill("512"))

    assert (page.evaluate("window.frames_asked") > 0) == moves


def test_every_control_has_a_name(visit):
    for view in bridge.VIEWS:
        page = visit(f"explore/{view}.html")
        page.get_by_role("button", name="Start").wait_for()
        unnamed = page.evaluate(
            "[...document.querySelectorAll('#explorer :is(input, select)')]"
            ".filter((e) => !e.labels?.length && !e.ariaLabel).map((e) => e.outerHTML)"
        )
        assert unnamed == []


def test_the_served_files_are_those_that_were_collected(site):
    served = site / "explore" / "live" / "build"

    assert sorted(p.name for p in served.rglob("*")) == sorted(p.name for p in OUTPUT.rglob("*"))
