"""The band around a latency: where it comes from, how it is shown, and where there is none."""

from dataclasses import replace

import pytest

from mlsysim import ArgumentError, Engine, Hardware, Models
from mlsysim.core.calibration import SERVING
from mlsysim.core.models import Phase

BANDED = replace(SERVING, name="mine", band={Phase.DECODE: (0.5, 2.0)})


def solve(**asked):
    return Engine.solve(Models.Llama3_8B, Hardware.A100, **{"calibration": BANDED} | asked)


def test_the_band_scales_the_latency():
    profile = solve()
    low, high = profile.latency_band

    assert low.to("ms").magnitude == pytest.approx(profile.latency.magnitude / 2)
    assert high.to("ms").magnitude == pytest.approx(profile.latency.magnitude * 2)


def test_the_band_is_shown_and_is_plain_data():
    profile = solve()
    plain = profile.to_dict()

    assert "11.39 ms (5.7 to 23)" in repr(profile)
    assert "11.39 ms (5.7 to 23)" in profile._repr_html_()
    assert plain["latency"] == {"value": profile.latency.magnitude, "unit": "ms"}
    assert [end["value"] for end in plain["latency_band"]] == [
        pytest.approx(profile.latency.magnitude * ratio) for ratio in (0.5, 2)
    ]


@pytest.mark.parametrize(
    "asked", [{"calibration": "ideal"}, {"efficiency": 0.4}, {"phase": "prefill", "prompt": 128}]
)
def test_where_no_errors_are_known_there_is_no_band(asked):
    """Not of the textbook, not of a share of peak that was asked for, not of a phase without runs."""
    profile = solve(**asked)

    assert profile.latency_band is None
    assert profile.to_dict()["latency_band"] is None
    assert " to " not in repr(profile).partition("Throughput")[0]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        (0.5, 2.0),
        {Phase.FORWARD: (0.5, 2.0)},
        {Phase.DECODE: (2.0, 0.5)},
        {Phase.DECODE: (0.0, 2.0)},
        {Phase.DECODE: (0.5, float("inf"))},
        {Phase.DECODE: (0.5,)},
        {Phase.DECODE: 1.0},
    ],
)
def test_a_wrong_band_is_named(wrong):
    with pytest.raises(ArgumentError, match="band must map covered phases to two positive ratios"):
        replace(SERVING, band=wrong)
