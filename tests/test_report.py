"""The page: complete, well formed, and with nothing to fetch."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from mlsysim.report import page, scatter
from mlsysim.validation import validate

TABLE = Path(__file__).parents[1] / "data" / "measurements.csv"


@pytest.fixture(scope="module")
def result():
    return validate(TABLE, ["3_prefill_ttft", "9_kernel_peak"])


def circles(svg: str) -> list[ET.Element]:
    return [c for c in ET.fromstring(svg).iter("circle") if len(c)]  # noqa: S314 - our own text


def test_the_page_needs_no_other_host(result):
    text = page(result)

    assert re.findall(r"https?:|src=|href=|@import|url\(", text) == []
    assert text.count("<svg") == 1  # nothing of 9_kernel_peak is scored
    assert text.count("Largest errors") == 1


def test_every_scored_row_is_a_point(result):
    scored = result.categories["3_prefill_ttft"].predicted

    assert len(circles(scatter(scored))) == len(scored)


def test_a_perfect_prediction_lies_on_the_diagonal_and_a_higher_one_above(result):
    row = replace(result.categories["3_prefill_ttft"].predicted[0], measured=3.0, predicted=3.0)
    high = replace(row, measured=3.0, predicted=6.0)
    low, top = replace(row, measured=1.0, predicted=1.0), replace(row, measured=10.0, predicted=10.0)
    at = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in circles(scatter([row, high, low, top]))]
    (x, y), (_, higher), (x0, y0), (x1, y1) = at

    assert (y0 - y) / (x - x0) == pytest.approx((y0 - y1) / (x1 - x0), rel=1e-3) == pytest.approx(1, rel=1e-3)
    assert higher < y  # the y axis of SVG points down


def test_text_from_the_table_is_escaped(result):
    row = replace(result.categories["3_prefill_ttft"].predicted[0], id="<b>&", metric="<i>")

    assert "<b>" not in scatter([row])
    assert "<i>" not in page(replace(result, rows=(row,)))
