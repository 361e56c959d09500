"""Stages take what they name, walls are computed, and what does not fit together is told at once."""

from enum import Enum

import pytest

from mlsysim import ArgumentError, Engine, Hardware, Models
from mlsysim.solvers.pipeline import Pipeline, Stage


class Wall(Enum):
    LOW = "low"
    HIGH = "high"


def side(value):
    return Wall.HIGH if value > 5 else Wall.LOW


def two():
    return Pipeline(
        [
            Stage(name="double", solve=lambda x: 2 * x, wall=side),
            Stage(name="sum", solve=lambda x, double: x + double, wall=side),
        ]
    )


def test_a_stage_takes_inputs_and_earlier_results():
    r = two().solve(x=2)
    assert (r["double"], r["sum"]) == (4, 6)
    assert dict(r.walls) == {"double": Wall.LOW, "sum": Wall.HIGH}
    assert r.title == "double → sum"


def test_results_that_know_of_memory_decide_whether_it_fits():
    asked = Pipeline(
        [
            Stage(
                name="step",
                solve=lambda gpu: Engine.solve(Models.Llama3_70B, gpu),
                wall=lambda r: r.bottleneck,
            )
        ]
    )
    assert not asked.solve(gpu=Hardware.Cloud.H100).fits
    assert asked.solve(gpu=Hardware.Cloud.H200).fits
    data = asked.solve(gpu=Hardware.Cloud.H200).to_dict()
    assert data["walls"] == {"step": "Memory Bound"}
    assert data["results"]["step"]["fits"] is True


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "stage 'double' takes 'x'"),
        ({"x": 1, "y": 2}, "no stage takes 'y'"),
        ({"x": 1, "sum": 2}, "input 'sum' has the name of a stage"),
    ],
)
def test_what_does_not_fit_together_is_an_error(inputs, message):
    with pytest.raises(ArgumentError, match=message):
        two().solve(**inputs)


def test_a_stage_does_not_see_later_ones():
    wrong = Pipeline(
        [Stage(name="a", solve=lambda b: b, wall=side), Stage(name="b", solve=lambda x: x, wall=side)]
    )
    with pytest.raises(ArgumentError, match="stage 'a' takes 'b'"):
        wrong.solve(x=1)


@pytest.mark.parametrize("names", [["a", "a"], []])
def test_stages_need_names_of_their_own(names):
    with pytest.raises(ArgumentError, match="names of their own"):
        Pipeline([Stage(name=n, solve=lambda x: x, wall=side) for n in names])


def test_an_unknown_stage_is_told_with_a_near_miss():
    with pytest.raises(ArgumentError, match=r"no stage 'doubel'\. Did you mean 'double'"):
        two().solve(x=1)["doubel"]
