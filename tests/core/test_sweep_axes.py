"""Axes and blocks of a grid, and the front of two scores."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlsysim import Q_, ArgumentError, Hardware
from mlsysim.core.arguments import Arguments
from mlsysim.core.arrays import choose, largest, minimum
from mlsysim.core.sweeps.axes import anything, blocks, counts, listed
from mlsysim.core.sweeps.choice import front

np = pytest.importorskip("numpy")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 40))
def test_blocks_tile_the_grid(shape, limit):
    seen = np.zeros(shape, dtype=int)
    for box in blocks(shape, limit):
        seen[box] += 1
        assert math.prod(s.stop - s.start for s in box) <= limit

    assert (seen == 1).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), min_size=1, max_size=12))
def test_a_front_holds_what_nothing_beats(points):
    xs, ys, usable = (np.array(column) for column in zip(*points, strict=True))
    if not usable.any():
        return
    chosen = [points[i][:2] for i in front(xs, ys, usable)]
    able = [p[:2] for p in points if p[2]]

    assert len(set(chosen)) == len(chosen)
    assert set(chosen) == {
        (x, y) for x, y in able if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in able)
    }


@given(st.lists(st.tuples(*[st.integers(0, 2).map(float)] * 4), min_size=1, max_size=8))
def test_the_largest_of_arrays_is_that_of_floats(rows):
    """Ties go to the first in both."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]

    assert largest(columns).tolist() == [largest(row) for row in rows]
    assert largest((columns[0], 1.0, columns[2])).tolist() == [largest((a, 1.0, c)) for a, _, c, _ in rows]
    assert choose(columns[0] > 1, columns[1], 9.0).tolist() == [choose(a > 1, b, 9.0) for a, b, *_ in rows]
    assert minimum(columns[0], 1.0).tolist() == [minimum(a, 1.0) for a, *_ in rows]


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("fp16", None),
        (8, None),
        (np.int64(8), None),
        (np.array(8), None),
        (Q_("50 ms"), None),
        ({"a": 1}, None),
        ((1, 2), [1, 2]),
        (range(2), [0, 1]),
        (np.arange(2), [0, 1]),
        (Q_([1, 2], "ms"), [Q_("1 ms"), Q_("2 ms")]),
    ],
)
def test_what_makes_an_axis(value, items):
    assert listed(value) == items


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ([], "row of at least one"),
        ([[1, 2]], r"shape \(1, 2\)"),
        ([1.0, 2.0], "float64 from 1.0 to 2.0"),
        ([0, 1], "from 1 to 2"),
        ([True, False], "bool"),
        ([1, 2**60], "from 1 to 2"),
        (1.5, "at least 1; got 1.5"),
    ],
)
def test_counts_are_whole_numbers(value, complaint):
    noted = Arguments("test")
    counts(noted, "batch_size", value)

    with pytest.raises(ArgumentError, match=complaint):
        noted.close()


def test_a_place_is_found_by_value_or_label():
    noted = Arguments("test")
    gpus = anything(noted, "hardware", [Hardware.A100, Hardware.H100])
    targets = anything(noted, "target", [Q_("50 ms"), Q_("0.1 s")])
    shares = anything(noted, "share", [0.5, np.float64(0.75)])

    assert gpus.place(Hardware.H100) == gpus.place(Hardware.H100.name) == 1
    assert targets.place(Q_("100 ms")) == targets.place(100.0) == 1
    assert targets.heading == "target [ms]"
    assert shares.place(0.75) == 1
    assert (gpus.is_number, targets.is_number, shares.is_number) == (False, True, True)
    with pytest.raises(ArgumentError, match="Did you mean"):
        gpus.place(Hardware.A100.name[:-1])
    with pytest.raises(ArgumentError, match=r"it has 2 values, 50\.0 to 100\.0 ms"):
        targets.place(Q_("1 ms"))
