import json

import pytest

from mlsysim import Q_, Bottleneck
from mlsysim import format as fmt


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0, "0"),
        (1234567, "1,234,567"),
        (1234.56, "1,235"),
        (99999.0, "100,000"),
        (-0.058512, "-0.05851"),
        (0.00012344, "0.0001234"),
        (0.000012344, "1.234e-05"),
        (2.5e18, "2.5e+18"),
        (1.0, "1"),
        (0.9999999, "1"),
    ],
)
def test_a_number_shows_four_significant_digits(value, shown):
    assert fmt.number(value) == shown


def test_text_of_each_kind():
    assert fmt.text(Q_("141.11 GB")) == "141.1 GB"
    assert fmt.text(Bottleneck.MEMORY) == "Memory Bound"
    assert fmt.text({"a": 1.5, "b": None}) == "a 1.5, b —"
    assert fmt.text([]) == "none"
    assert fmt.text(("x", 2)) == "x, 2"


def test_plain_data_survives_json():
    data = fmt.plain({"t": Q_("5 ms"), "b": Bottleneck.COMPUTE, "n": [1, None, True]})
    expected = {"t": {"value": 5.0, "unit": "ms"}, "b": "Compute Bound", "n": [1, None, True]}

    assert json.loads(json.dumps(data)) == expected


def test_html_escapes_what_it_is_given():
    page = fmt.html_table(["<b>"], [["<script>"]], "a & b") + fmt.html_block("<i>", [("<u>", "<s>")])

    assert "<script>" not in page
    assert ">a &amp; b</caption>" in page
    assert all(tag not in page for tag in ("<b>", "<i>", "<u>", "<s>"))


def test_only_columns_of_numbers_are_set_right():
    page = fmt.html_table(["GPU", "ms"], [["A100", "11.0 ms"], ["H100", "7.9 ms"]])

    assert page.count('class="num"') == 3
    assert '<td style="text-align:left">A100</td>' in page


def test_an_empty_table_keeps_its_headers():
    assert fmt.text_table(["GPU"], []).splitlines()[0] == "GPU"
