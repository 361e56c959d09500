"""What a reader does: search, follow, choose the dark, predict, keep a place, and do it all by keyboard."""

from __future__ import annotations

import json
import re

import pytest

LESSON = "tutorials/00_hello_roofline.html"
THEME = "document.documentElement.dataset.theme"


# ------------------------------------------------------------------ the landing page
def shown(page) -> list[float]:
    return [float(text.rstrip("×")) for text in page.locator(".live-says strong").all_inner_texts()]


def test_the_roofline_that_moves_shows_what_the_package_computes(visit):
    """At every batch that is tried, the speed-up is the quotient of two latencies of the engine."""
    from mlsysim import Engine, Hardware, Models

    page = visit("index.html")
    for device in ("H100", "B200"):
        page.get_by_label("A100 against").select_option(device)
        for step in (0, 5, 8):
            page.get_by_label("Batch size").fill(str(step))
            latency = [
                Engine.solve(model=Models.Llama3_8B, hardware=hardware, batch_size=2**step).latency
                for hardware in (Hardware.Cloud.A100, Hardware[device])
            ]
            assert shown(page)[1] == pytest.approx((latency[0] / latency[1]).m_as(""), abs=0.006)


def test_the_roofline_moves_by_keyboard_and_by_dragging(visit):
    page = visit("index.html")
    batch = page.get_by_label("Batch size")
    batch.focus()
    page.keyboard.press("ArrowRight")
    assert batch.get_attribute("aria-valuetext") == "batch 2"

    place = page.locator(".live svg").bounding_box()
    page.mouse.click(place["x"] + 0.75 * place["width"], place["y"] + place["height"] / 2)
    assert int(batch.get_attribute("aria-valuetext").removeprefix("batch ")) > 32


def test_the_point_is_made_on_one_screen(visit):
    page = visit("index.html", width=1400, height=900)
    for part in (".hero-number", ".live svg", ".live-says", ".hero-links"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] < 900


def test_without_scripts_the_landing_page_shows_its_figure_and_the_path(visit):
    page = visit("index.html", java_script_enabled=False)

    assert page.locator("#live-roofline figure img").is_visible()
    assert page.locator(".listing-title a").count() >= 5


# ------------------------------------------------------------------ progress
def test_progress_is_kept_from_page_to_page_and_forgotten_on_demand(visit):
    lesson = visit(LESSON)
    button = lesson.get_by_role("button", name="Mark this page as finished")
    button.focus()
    lesson.keyboard.press("Enter")
    assert lesson.locator(".course-done button").get_attribute("aria-pressed") == "true"
    assert lesson.locator(".sidebar a[aria-current='page']").get_attribute("data-progress") == "finished"

    lesson.goto(lesson.url.replace(LESSON, "index.html"))
    assert lesson.locator(".course-state").all_inner_texts() == ["Finished"]
    assert re.match(r"1 of \d+ finished", lesson.locator("#course-progress span").inner_text())
    assert lesson.locator("#course-progress a").get_attribute("href").endswith("01_memory_wall.html")

    lesson.get_by_role("button", name="Forget my progress").click()
    assert lesson.locator(".course-state").count() == 0
    lesson.reload()
    assert lesson.locator("#course-progress").inner_text() == ""


# ------------------------------------------------------------------ search
def test_search_finds_marks_and_leads_to_the_place(visit):
    page = visit("index.html")
    page.keyboard.press("/")
    page.keyboard.type("ridge point")
    hits = page.locator(".search-hits a")
    hits.first.wait_for()
    assert hits.first.locator("mark").count() > 0

    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("html"))
    page.wait_for_function("CSS.highlights.get('search-words')?.size > 0")


@pytest.mark.parametrize("words", ["KV cache", "Shapley", "H100", "Engine.solve", "exercise 1"])
def test_search_finds_what_the_course_is_about(visit, words):
    page = visit(LESSON)
    page.keyboard.press("/")
    page.keyboard.type(words)
    page.locator(".search-hits a").first.wait_for()


# ------------------------------------------------------------------ light and dark, motion
def test_the_dark_is_the_systems_choice_and_the_readers(visit):
    page = visit(LESSON, theme="dark")
    assert page.evaluate(THEME) == "dark"
    page.get_by_role("button", name="Dark or light").click()
    assert page.evaluate(THEME) == "light"
    page.reload()
    assert page.evaluate(THEME) == "light"


def test_nothing_moves_for_those_who_ask_for_rest(visit):
    page = visit("index.html", width=390, reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll("*")]
      .filter((e) => getComputedStyle(e).transitionDuration.split(", ").some((time) => parseFloat(time) > 0))
      .map((e) => e.outerHTML.slice(0, 80))"""

    assert page.evaluate(moving) == []


# ------------------------------------------------------------------ predict and reveal, folds, notes
def test_an_answer_waits_for_a_prediction(visit):
    page = visit("tutorials/01_memory_wall.html")
    box = page.locator(".mls-predict").first
    answer = page.locator(f".mls-reveal[data-for='{box.get_attribute('data-id')}']").first
    beside = page.locator(".cell", has=answer).locator("table").first
    assert answer.locator(".mls-reveal-answer").is_hidden()
    assert beside.is_hidden()

    if box.locator("input").count():
        box.locator("input").fill("2")
        box.get_by_role("button", name="Commit").click()
    else:
        box.locator("form button").first.click()

    assert answer.locator(".mls-reveal-answer").is_visible()
    assert beside.is_visible()
    assert answer.locator(".mls-reveal-verdict").inner_text().startswith("You said")


def test_solutions_are_folded_and_open_by_keyboard(visit):
    page = visit(LESSON)
    fold = page.locator("details.callout").first
    assert fold.evaluate("e => e.open") is False
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.evaluate("e => e.open") is True


def test_a_term_is_linked_at_its_first_use_and_says_what_it_means(visit):
    page = visit(LESSON)
    term = page.locator("a.term", has_text="ridge point").first
    term.scroll_into_view_if_needed()
    term.hover()
    note = page.locator("#note-card")
    note.wait_for()
    assert note.inner_text() == "The arithmetic intensity at which compute time and memory time are equal."
    page.keyboard.press("Escape")
    assert note.is_hidden()

    targets = page.locator("a.term").evaluate_all("links => links.map((link) => link.hash)")
    assert len(targets) == len(set(targets))


def test_a_citation_shows_its_work(visit):
    page = visit(LESSON)
    citation = page.locator("a[role='doc-biblioref']").first
    citation.scroll_into_view_if_needed()
    citation.hover()
    note = page.locator("#note-card")
    note.wait_for()
    assert len(note.inner_text()) > 40


# ------------------------------------------------------------------ finding one's way
def test_the_way_through_a_lesson(visit):
    page = visit(LESSON)
    assert page.locator(".breadcrumbs li").first.inner_text() == "Tutorials"
    assert page.locator(".page-navigation .next").get_attribute("href").endswith("01_memory_wall.html")
    assert page.locator("a.tool[download]").get_attribute("href").endswith(".ipynb")
    page.locator(".toc a", has_text="Your turn").click()
    page.wait_for_function("document.querySelector('.toc a.here').textContent.includes('Your turn')")
    assert page.locator("h2 .anchor").count() > 5


def test_code_is_copied(visit):
    page = visit(LESSON, permissions=["clipboard-read", "clipboard-write"])
    code = page.locator("div.sourceCode").first
    code.hover()
    code.get_by_role("button", name="Copy this code").click()
    page.get_by_text("Copied").first.wait_for()
    assert (
        page.evaluate("navigator.clipboard.readText()").strip() == code.locator("code").inner_text().strip()
    )


def test_the_keyboard_reaches_every_control_of_the_landing_page(visit):
    page = visit("index.html")
    controls = """[...document.querySelectorAll("a[href], button, input, select, summary")]
      .filter((e) => e.closest("header, main, footer") && e.tabIndex >= 0)
      .filter((e) => e.checkVisibility({ visibilityProperty: true }))"""
    names = page.evaluate(f"{controls}.map((e) => e.textContent || e.ariaLabel || e.type)")
    seen = set()
    for _ in range(len(names) + 10):
        page.keyboard.press("Tab")
        seen.add(page.evaluate(f"{controls}.indexOf(document.activeElement)"))

    assert [name for at, name in enumerate(names) if at not in seen] == []


def test_the_reference_names_everything_that_is_public(visit):
    import mlsysim

    page = visit("api.html")
    named = set(page.locator("main h3 code").all_inner_texts())
    assert named >= set(mlsysim.__all__)


def test_the_notebook_for_download_is_one(site):
    book = json.loads((site / LESSON).with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
