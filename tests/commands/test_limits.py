"""Limits: what they compare, and what they say."""

import pytest

from mlsysim import Q_, ArgumentError, Bottleneck, UnitError
from mlsysim.commands.limits import asserted, failing, judge
from mlsysim.core.errors import UnknownNameError

FIGURES = {
    "latency": Q_("50 ms"),
    "mfu": 0.4,
    "devices": 8,
    "fits": True,
    "bottleneck": Bottleneck.MEMORY,
    "ttft": None,
}
BASE = {"latency": Q_("0.04 s"), "mfu": 0.5, "devices": 0, "fits": True, "ttft": None, "bottleneck": None}


def verdict(limit, base=None):
    (found,) = judge([limit], FIGURES, base, why="it is too large")
    return found


@pytest.mark.parametrize(
    ("figure", "limit", "met"),
    [
        ("latency", "<= 50 ms", True),
        ("latency", "<= 0.05 s", True),
        ("latency", "< 50 ms", False),
        ("latency", ">= 50 ms", True),
        ("latency", "> 0.05s", False),
        ("latency", "== 50 ms", True),
        ("latency", "!= 50 ms", False),
        ("mfu", ">= 0.4", True),
        ("mfu", ">0.4", False),
        ("devices", "<= 8", True),
        ("fits", True, True),
        ("fits", False, False),
        ("fits", "== yes", True),
        ("fits", "!= true", False),
        ("bottleneck", "== memory", True),
        ("bottleneck", "== Memory Bound", True),
        ("bottleneck", "== compute", False),
        ("bottleneck", "!= 'compute'", True),
        ("ttft", "<= 1 s", False),
    ],
)
def test_what_must_hold(figure, limit, met):
    assert verdict(asserted(figure, limit, "[assert]")).met is met


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("latency > 1.1x", False),
        ("latency>1.3x", True),
        ("latency > 1.25×", True),
        ("latency >= 1.25x", False),
        ("latency > 45 ms", False),
        ("mfu < 0.9x", False),
        ("mfu < .7x", True),
        ("devices > 2x", False),
        ("fits == no", True),
        ("ttft > 1.1x", False),
    ],
)
def test_what_must_not_hold(condition, met):
    """50 ms over 40 ms is 1.25x."""
    assert verdict(failing(condition, "--fail-if"), BASE).met is met


def test_a_base_without_a_value_says_so_and_breaks_nothing():
    (found,) = judge([failing("latency > 1.1x", "--fail-if")], FIGURES, {**BASE, "latency": None})

    assert found.met
    assert found.says == "latency is 50 ms; the base has no value to compare with"


def test_nothing_over_nothing_is_no_change():
    figures = {"overhead": Q_("0 ms")}
    (found,) = judge([failing("overhead > 1.1x", "--fail-if")], figures, figures)

    assert found.met


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (asserted("latency", "<= 40 ms", "f"), "latency is 50 ms; the limit is <= 40 ms"),
        (failing("latency > 45 ms", "f"), "latency is 50 ms; it fails if > 45 ms"),
        (failing("latency > 1.1x", "f"), "latency is 50 ms, 1.25x of the base's; it fails if > 1.1x"),
        (asserted("ttft", "<= 1 s", "f"), "ttft has no value: it is too large"),
        (asserted("fits", value=False, where="f"), "fits is yes; the limit is == no"),
    ],
)
def test_sentences(limit, says):
    assert verdict(limit, BASE).says == says


@pytest.mark.parametrize(
    ("limit", "error", "says"),
    [
        (
            asserted("latencie", "<= 1 s", "f"),
            UnknownNameError,
            "f: 'latencie' is no figure of this answer. Did",
        ),
        (asserted("latency", "<= 1", "f"), UnitError, "f: latency is in ms; the limit '1' is not"),
        (asserted("latency", "<= 1 GB", "f"), UnitError, "f: latency is in ms; the limit '1 GB' is not"),
        (asserted("latency", "<= 9**9**9 ms", "f"), UnitError, "f: '9**9**9 ms' is no quantity"),
        (asserted("latency", "<= 1 parsec", "f"), UnitError, "unknown unit 'parsec'"),
        (
            asserted("mfu", "<= 40 ms", "f"),
            ArgumentError,
            "f: mfu is a bare number; the limit '40 ms' is not",
        ),
        (asserted("fits", "<= yes", "f"), ArgumentError, "f: fits is yes or no, as in '== yes'"),
        (asserted("fits", "== perhaps", "f"), ArgumentError, "f: fits is yes or no"),
        (asserted("bottleneck", "> memory", "f"), ArgumentError, "f: bottleneck is a word"),
        (asserted("latency", "<= 1.1x", "f"), ArgumentError, "only `mlsysim compare` has two"),
    ],
)
def test_what_cannot_be_compared(limit, error, says):
    with pytest.raises(error) as caught:
        verdict(limit)
    assert says in str(caught.value)


def test_a_ratio_of_a_word_means_nothing():
    with pytest.raises(ArgumentError, match="bottleneck is no number, so 2x of it means nothing"):
        verdict(failing("bottleneck > 2x", "f"), {**BASE, "bottleneck": Bottleneck.COMPUTE})


@pytest.mark.parametrize("text", ["", "latency", "latency >", "> 5 ms", "latency => 5 ms", "a b > 3"])
def test_a_condition_is_a_comparison(text):
    with pytest.raises(ArgumentError, match="must be a comparison"):
        failing(text, "--fail-if")
