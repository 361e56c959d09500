"""Scores: by hand on small tables, and on the public one."""

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from mlsysim import ArgumentError
from mlsysim.measurements import COVERED
from mlsysim.validation import Row, Score, quantile, ranks, spearman, validate

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "data" / "measurements.csv"

GIVEN = Row(
    id="a",
    category="c",
    source="s",
    metric="m",
    unit="ms",
    measured=10.0,
    predicted=10.0,
    calibration="",
    remarks=(),
    reason="",
    is_sourced=True,
)


def rows(*ratios: float, metric: str = "m") -> tuple[Row, ...]:
    """Rows whose measured values grow."""
    return tuple(
        replace(GIVEN, id=f"{metric}{i}", measured=i, predicted=i * ratio, metric=metric)
        for i, ratio in enumerate(ratios, 1)
    )


@pytest.fixture(scope="module")
def public():
    return validate(TABLE)


def test_errors_are_those_of_the_ratio():
    """A ratio of a half is as wrong as one of two; the bias has a sign."""
    score = Score(rows(0.5, 1.0, 2.0))

    assert [row.error for row in score.predicted] == pytest.approx([1.0, 0.0, 1.0])
    assert score.median_error == pytest.approx(1.0)
    assert score.bias == pytest.approx(0.0)
    assert Score(rows(0.8, 0.8)).bias == pytest.approx(-0.2)
    assert Score(rows(0.8, 0.8)).median_error == pytest.approx(0.25)


def test_the_band_holds_four_fifths_of_the_ratios():
    score = Score(rows(*(0.5 + 0.1 * i for i in range(11))))

    assert score.band == pytest.approx((0.6, 1.4))
    assert Score(rows(1.1)).band == pytest.approx((1.1, 1.1))


def test_the_worst_row_is_the_farthest_either_way():
    worst = Score(rows(1.5, 0.4, 2.0)).worst

    assert worst is not None
    assert worst.id == "m2"


def test_rows_that_are_skipped_are_counted_and_not_scored():
    skipped = replace(GIVEN, predicted=None, reason="why", is_sourced=False)
    score = Score((*rows(2.0), skipped, skipped))

    assert (score.rows, score.scored, score.sourced, score.skipped) == (3, 1, 1, {"why": 2})
    assert score.median_error == pytest.approx(1.0)
    assert math.isnan(skipped.ratio)


def test_nothing_scored_is_none_not_nan():
    score = Score((replace(GIVEN, predicted=None, reason="why"),))

    assert score.to_dict() == {
        "rows": 1,
        "scored": 0,
        "median_error": None,
        "bias": None,
        "p90_error": None,
        "rank_correlation": {},
        "skipped": {"why": 1},
    }
    assert (score.band, score.worst) == (None, None)


def test_ranks_are_never_compared_across_metrics():
    """Each metric is in perfect order; together they would not be."""
    score = Score((*rows(1.0, 1.0, 1.0, metric="ms"), *rows(50.0, 40.0, 30.0, metric="tok")))

    assert score.rank_correlation == {"ms": 1.0, "tok": 1.0}
    assert Score(rows(3.0, 1.0, 0.1)).rank_correlation == {"m": -1.0}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233),  # a published example with a tie
        ([106, 100, 86, 101, 99, 103, 97, 113, 112, 110], [7, 27, 2, 50, 28, 29, 20, 12, 6, 17], -29 / 165),
        ([1, 2], [2, 1], None),
        ([1, 2, 3], [4, 4, 4], None),
    ],
)
def test_spearman(first, second, expected):
    assert spearman(first, second) == (None if expected is None else pytest.approx(expected))


def test_ties_share_the_mean_rank():
    assert ranks([5, 5, 5, 1]) == [3, 3, 3, 1]


def test_quantiles_interpolate():
    assert quantile([3, 1, 2, 4, 5], 0.9) == pytest.approx(4.6)
    assert quantile([7], 0.1) == 7


def test_every_row_of_the_public_table_is_scored_or_has_a_reason(public):
    assert len(public.rows) == 1328
    assert all((row.predicted is None) == bool(row.reason) for row in public.rows)
    for score in public.categories.values():
        assert score.scored + sum(score.skipped.values()) == score.rows
    assert set(public.categories) > set(COVERED)


def test_most_rows_whose_hardware_is_sourced_are_scored(public):
    for name in ("1_llm_decode_b1", "3_prefill_ttft", "8_edge_mcu"):
        score = public.categories[name]
        assert sum(row.is_sourced for row in score.predicted) >= 0.85 * score.sourced, name


def test_rows_of_low_confidence_count_for_nothing(public):
    found = public.categories["3_prefill_ttft"]
    low = [row for row in found.members if row.reason == "confidence low"]

    assert len(low) == 3
    assert not any(row.is_sourced for row in low)


def test_static_rows_of_throughput_are_scored(public):
    found = public.categories["2_llm_throughput"]
    static = [row for row in found.members if "v0.9.0" in row.source or "H200 launch" in row.source]

    assert len(static) == 55
    assert sum(row.predicted is not None for row in static) >= 0.85 * len(static)


def test_the_stack_that_serving_was_fitted_to_is_predicted(public):
    """Targets of physics.md, with room for tensor parallel rows: the mapping must not lose them."""
    for metric, limit in (("output_tokens_per_s_per_gpu", 0.15), ("time_to_first_token", 0.15)):
        (score,) = [s for key, s in public.groups.items() if key[1] == metric and "v0.9.0" in key[2]]
        assert score.scored >= 22
        assert score.median_error < limit
        assert score.rank_correlation[metric] > 0.95


def test_json_has_the_agreed_shape(public):
    plain = json.loads(json.dumps(public.to_dict(), allow_nan=False))

    assert set(plain) == {"categories", "rows"}
    for category in plain["categories"].values():
        assert list(category) == [
            "rows",
            "scored",
            "median_error",
            "bias",
            "p90_error",
            "rank_correlation",
            "skipped",
        ]
    assert {tuple(row) for row in plain["rows"]} == {("id", "measured", "predicted", "ratio")}
    first = plain["rows"][0]
    assert first["ratio"] == pytest.approx(first["predicted"] / first["measured"])


def test_categories_can_be_chosen(public):
    one = validate(TABLE, "3_prefill_ttft")
    two = validate(TABLE, ["3_prefill_ttft", "8_edge_mcu"])

    assert list(one.categories) == ["3_prefill_ttft"]
    assert list(two.categories) == ["3_prefill_ttft", "8_edge_mcu"]
    assert one.categories["3_prefill_ttft"].to_dict() == public.categories["3_prefill_ttft"].to_dict()


def test_a_category_that_the_table_lacks_is_refused():
    with pytest.raises(ArgumentError, match=r"no row of category '3_prefill'\. Did you mean '3_pre"):
        validate(TABLE, "3_prefill")


def test_a_calibration_replaces_that_of_every_row(public):
    ideal = validate(TABLE, "2_llm_throughput", "ideal")

    assert {row.calibration for row in ideal.rows} == {"ideal"}
    name = "2_llm_throughput"
    pairs = zip(ideal.categories[name].predicted, public.categories[name].predicted, strict=True)
    assert all(faster.ratio > row.ratio for faster, row in pairs if row.unit != "ms")
    with pytest.raises(ArgumentError, match="calibration must be"):
        validate(TABLE, calibration="magic")


def test_a_calibration_that_does_not_cover_a_phase_is_a_reason():
    skipped = validate(TABLE, "3_prefill_ttft", "vision").categories["3_prefill_ttft"].skipped

    assert skipped["calibration 'vision' covers forward, not prefill"] == 108


def test_the_result_is_a_frozen_value(public):
    with pytest.raises(FrozenInstanceError):
        public.path = "elsewhere"
    assert pickle.loads(pickle.dumps(public)) == public  # noqa: S301 - our own bytes


def test_the_result_shows_itself(public):
    text, page = repr(public), public._repr_html_()

    for said in ("1328 rows", "1_llm_decode_b1", "Rank correlation", "in-flight batching hides the batch"):
        assert said in text
        assert said in page
    assert "nan" not in text.split()
