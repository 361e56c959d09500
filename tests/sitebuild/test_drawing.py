import re

import pytest

from sitebuild.drawing import slim


def test_names_that_are_used_are_numbered_and_others_go():
    given = """<svg xmlns:xlink="http://www.w3.org/1999/xlink"><defs><path id="DejaVu-41" d="M 0 0"/></defs>
    <g id="text_1" clip-path="url(#p1)"><use xlink:href="#DejaVu-41" transform="translate(63.623047 0)"/></g>
    <clipPath id="p1"/></svg>"""

    assert slim(given) == (
        '<svg><defs><path id="i1" d="M0 0"/></defs><g clip-path="url(#i0)">'
        '<use href="#i1" x="63.62"/></g><clipPath id="i0"/></svg>'
    )


def test_scales_keep_all_their_digits():
    text = '<g transform="translate(1.23456 2.5) scale(0.015625 -0.015625)"/>'

    assert slim(text) == '<g transform="translate(1.23 2.5) scale(0.015625 -0.015625)"/>'


CIRCLE = """M 0 2.5 C 0.663008 2.5 1.298937 2.236584 1.767767 1.767767 C 2.236584 1.298937 2.5 0.663008 2.5 0
C 2.5 -0.663008 2.236584 -1.298937 1.767767 -1.767767 C 1.298937 -2.236584 0.663008 -2.5 0 -2.5
C -0.663008 -2.5 -1.298937 -2.236584 -1.767767 -1.767767 C -2.236584 -1.298937 -2.5 -0.663008 -2.5 0
C -2.5 0.663008 -2.236584 1.298937 -1.767767 1.767767 C -1.298937 2.236584 -0.663008 2.5 0 2.5 z"""


def test_a_circle_of_curves_is_two_arcs():
    """A marker of radius 2.5 about the origin."""
    assert slim(f'<path d="{CIRCLE}"/>') == '<path d="M-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0z"/>'


def test_another_closed_curve_stays_as_it_is():
    wide = re.sub(r"(?<=C )2.5 ", "9.5 ", CIRCLE)

    assert slim(f'<path d="{wide}"/>').count("C") == 8


@pytest.mark.parametrize("text", ["a  <b> c", "1.23456"])
def test_words_in_a_drawing_stay(text):
    escaped = text.replace("<", "&lt;").replace(">", "&gt;")

    assert slim(f"<text>{escaped}</text>") == f"<text>{escaped}</text>"


def test_marks_that_look_alike_share_their_style():
    mark = '<use href="#a" x="{}" style="fill: #56b4e9"/>'
    given = f'<path id="a"/><g clip-path="url(#a)">{mark.format(1)}{mark.format(2)}</g>'

    assert slim(given) == (
        '<path id="i0"/><g clip-path="url(#i0)" style="fill: #56b4e9">'
        '<use href="#i0" x="1"/><use href="#i0" x="2"/></g>'
    )


@pytest.mark.parametrize("other", [' style="fill: red"', ""])
def test_marks_that_differ_keep_their_own(other):
    given = f'<path id="i0"/><g><use href="#i0" style="fill: #56b4e9"/><use href="#i0"{other}/></g>'

    assert slim(given) == given


def test_a_group_of_one_mark_is_that_mark():
    assert slim('<g><g><path d="M0 0z"/></g></g>') == '<path d="M0 0z"/>'


def test_a_mark_with_a_style_of_its_own_takes_none_from_its_place():
    own = '<path id="i0" d="M0 0z" style="stroke: red; stroke-width: 2"/>'
    use = '<use href="#i0" x="1"{}/>'

    assert slim(own + use.format(' style="stroke: blue"')) == own + use.format("")
    assert slim(own + use.format(' style="fill: blue"')) == own + use.format(' style="fill: blue"')
