"""A sweep is many solves: the same numbers, every point kept, labelled."""

import random
from dataclasses import replace

import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Bottleneck,
    ConvNet,
    Engine,
    Hardware,
    MissingSpecError,
    MLSysError,
    Models,
    SensitivitySolver,
    Transformer,
)
from mlsysim.core.calibration import IDEAL
from mlsysim.core.errors import DoesNotFitError
from mlsysim.core.models import Encoder, Phase, Recommender, UNet, VisionTransformer
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.roofline import BOTTLENECKS, Lever

np = pytest.importorskip("numpy")

TOY = Accelerator(
    name="toy",
    peak={"fp16": Q_("100 TFLOP/s")},
    bandwidth=Q_("1 TB/s"),
    capacity=Q_("1 GB"),
    link=Q_("100 GB/s"),
)
EIGHT = replace(TOY, name="eight", peak={"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TOP/s")})
COLUMNS = ("latency", "throughput", "memory")


def test_a_sweep_worked_by_hand(hand):
    """95e6 x 2 bytes at 1 TB/s take 0.19 ms at batch 1; 2 x 95e6 x 500 FLOP at 100 TFLOP/s, 0.95 ms at 500.

    At 2,000 cached tokens a batch of 500 keeps 20 kB x 2,000 x 500 = 20 GB: it does not fit, and is kept.
    """
    r = Engine.sweep(hand, TOY, [1, 500], context=[0, 2000], calibration="ideal")

    assert r.dims == ("batch_size", "context")
    assert r.latency[:, 0].to("ms").magnitude == pytest.approx([0.19, 0.95])
    assert r.throughput[0, 0].to("token/s").magnitude == pytest.approx(1 / 0.19e-3)
    assert r.bottleneck.tolist() == [[Bottleneck.MEMORY] * 2, [Bottleneck.COMPUTE, Bottleneck.MEMORY]]
    assert r.memory[1, 1].to("GB").magnitude == pytest.approx(20.2)
    assert r.feasible.tolist() == [[True, True], [True, False]]
    assert np.isfinite(r.latency.magnitude).all()


def is_a(*kinds):
    return lambda model: type(model) in kinds


GROUPS = {
    "decode": (Phase.DECODE, lambda m: Phase.DECODE in m.phases, {"context": 9000}),
    "prefill": (Phase.PREFILL, lambda m: Phase.PREFILL in m.phases, {"prompt": 9000}),
    "encoders": (Phase.FORWARD, is_a(Encoder), {"prompt": 700}),
    "images": (Phase.FORWARD, is_a(ConvNet, VisionTransformer, UNet, Recommender), {}),
    "training of decoders": (Phase.TRAIN, is_a(Transformer), {"prompt": 9000}),
    "training of others": (Phase.TRAIN, is_a(ConvNet, VisionTransformer), {}),
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_sweep_equals_solve(group):
    """Two hundred points of each group, drawn from everything in the zoo."""
    phase, wanted, lengths = GROUPS[group]
    draw = random.Random(group)  # noqa: S311 - no secret
    able = [m for m in Models.list() if wanted(m)]
    r = Engine.sweep(
        draw.sample(able, min(8, len(able))),
        draw.sample(Hardware.list(), 12),
        sorted(draw.sample(range(1, 5000), 12)),
        draw.sample(list(PRECISIONS), 5),
        phase=phase,
        tp_size=[1, 8] if phase is Phase.DECODE else 1,
        calibration=["ideal", "serving"] if phase in {Phase.DECODE, Phase.PREFILL} else "ideal",
        **{name: sorted(draw.sample(range(1, most), 6)) for name, most in lengths.items()},
    )
    places = list(np.ndindex(r.shape))
    draw.shuffle(places)
    points = 0
    for place in places[:2000]:
        where = {axis.name: axis.entries[i] for axis, i in zip(r.axes, place, strict=True)}
        if r.missing[place]:
            with pytest.raises(MLSysError):
                r.at(**where)
            continue
        p = r.at(**where)
        for name, exact in zip(COLUMNS, (p.latency, p.throughput, p.memory_required), strict=True):
            swept = r[name][place]
            assert swept.units == exact.units
            assert swept.magnitude == pytest.approx(exact.magnitude, rel=1e-12)
        assert r.bottleneck[place] is p.bottleneck
        assert bool(r.feasible[place]) is p.fits
        points += 1
        if points == 200:
            break
    assert points > 100


def test_what_is_missing_is_kept_with_the_reason(hand):
    """One device has no int8 peak, and 5,000 tokens exceed a context of 4,096."""
    r = Engine.sweep(hand, [TOY, EIGHT], 1, ["fp16", "int8"], context=[1, 5000])

    assert r.missing.tolist() == [[[False, True], [True, True]], [[False, True], [False, True]]]
    assert np.isnan(r.latency.magnitude[r.missing]).all()
    assert r.bottleneck[0, 1, 0] is None
    assert not r.feasible[r.missing].any()
    assert "no published int8 peak" in r.point(hardware="toy", precision="int8", context=1).missing
    assert "4,096 tokens" in r.point(hardware="eight", precision="fp16", context=5000).missing
    assert r.point(hardware="eight", precision="int8", context=1).missing == ""
    assert "missing" in repr(r)
    with pytest.raises(MissingSpecError, match="int8"):
        r.at(hardware="toy", precision="int8", context=1)


def test_a_cell_that_cannot_be_asked_is_missing_too(hand):
    """Ten heads are not split over four devices."""
    r = Engine.sweep(hand, TOY, tp_size=[1, 2, 4])

    assert r.missing.tolist() == [False, False, True]
    assert r.reasons == ("tp_size (4) must divide the heads of hand, 10",)


def test_where_nothing_has_an_answer_the_sweep_refuses(hand):
    with pytest.raises(MissingSpecError, match="no point has an answer: toy has no published fp8 peak"):
        Engine.sweep(hand, TOY, [1, 2], "fp8")
    with pytest.raises(ArgumentError, match="prompt must be a whole number"):
        Engine.sweep(hand, TOY, [1, 2], phase="prefill")
    with pytest.raises(ArgumentError, match="phase must be"):
        Engine.sweep(hand, TOY, [1, 2], phase="decod")


def test_a_step_that_takes_for_ever_is_missing(hand):
    """1e-292 of the peak makes the larger of two batches take longer than a float can hold."""
    slow = replace(
        TOY, peak={"fp16": Q_("1e-290 FLOP/s")}, bandwidth=Q_("1 B/s"), capacity=Q_("1 EB"), name="slow"
    )
    r = Engine.sweep(hand, slow, [1, 2**50], calibration="ideal")

    assert r.missing.tolist() == [False, True]
    assert "longer than a float" in r.reasons[0]


def test_all_wrong_arguments_are_named_at_once(hand):
    with pytest.raises(ArgumentError) as error:
        Engine.sweep(
            [hand, "Llama"], TOY, [0, 1], ["fp16", "fp17"], context=[1.5], prompt=[], efficiency=2,
            calibration="servign", tp_size=[[1]],
        )  # fmt: skip
    text = str(error.value)

    assert text.count("\n  - ") == 8
    for name in ("model", "fp17", "batch_size", "context", "prompt", "efficiency", "servign", "tp_size"):
        assert name in text


def test_an_axis_holds_a_name_once(hand):
    other = replace(TOY, bandwidth=Q_("2 TB/s"))
    with pytest.raises(ArgumentError, match="hardware holds 'toy' more than once"):
        Engine.sweep(hand, [TOY, other])


def test_single_values_make_no_axis(hand):
    r = Engine.sweep(hand, TOY, 8)

    assert (r.dims, r.shape, r.size) == ((), (), 1)
    assert r.latency.magnitude == Engine.solve(hand, TOY, 8).latency.magnitude
    assert r.best("latency").coords["batch_size"] == 8
    assert r.to_dict()["batch_size"] == "8"


def test_calibrations_are_an_axis_and_are_named(hand):
    own = replace(IDEAL, name="own", memory_efficiency=0.5)
    r = Engine.sweep(hand, TOY, calibration=["ideal", own])

    assert r.latency.magnitude[1] == pytest.approx(2 * r.latency.magnitude[0])
    assert list(r.coords["calibration"]) == ["ideal", "own"]
    assert "serving" in repr(Engine.sweep(hand, TOY, [1, 2]))


class TestChoosing:
    @pytest.fixture
    def swept(self, hand):
        return Engine.sweep(hand, [TOY, EIGHT], [1, 16, 256], ["fp16", "int8"], context=[0, 2000])

    def test_the_best_point_fits(self, swept):
        """At batch 256 and 2,000 tokens the throughput of the infeasible is highest of its context."""
        chosen = swept.best("throughput", context=">= 2000")
        anyhow = swept.best("throughput", context=">= 2000", infeasible=True)

        assert chosen.feasible
        assert not anyhow.feasible
        assert anyhow.values["throughput"] > chosen.values["throughput"]
        assert "Fits        no" in repr(anyhow)
        usable = swept.feasible[..., 1]
        assert chosen.values["throughput"] == swept.throughput[..., 1][usable].max()

    def test_where_nothing_fits_it_says_so(self, hand):
        r = Engine.sweep(hand, TOY, [256, 512], context=4000)

        with pytest.raises(DoesNotFitError, match="no point of this sweep fits: 2 do not, 0 have no answer"):
            r.best("latency")
        assert not r.best("latency", infeasible=True).feasible

    def test_bounds_hold(self, swept):
        limit = swept.point(hardware="toy", precision="fp16", batch_size=16, context=0).values["latency"]
        chosen = swept.best("throughput", latency=f"<= {limit.to('us').magnitude!r} us")

        assert chosen.values["latency"] <= limit
        with pytest.raises(DoesNotFitError, match="latency <= 1 ns"):
            swept.best("throughput", latency="<= 1 ns")
        with pytest.raises(ArgumentError, match="a bound on latency is a text"):
            swept.best("throughput", latency=Q_("1 ms"))

    def test_the_answer_of_a_point_is_that_of_solve(self, swept, hand):
        chosen = swept.best("latency")

        assert chosen.solve() == swept.at(**{n: chosen.coords[n] for n in swept.dims})
        assert chosen.solve() == Engine.solve(
            hand, chosen.coords["hardware"], 1, chosen.coords["precision"], context=0
        )

    def test_no_point_beats_one_of_the_front(self, swept):
        front = swept.pareto("latency", "throughput")
        pairs = [(p.values["latency"].magnitude, p.values["throughput"].magnitude) for p in front]
        every = list(
            zip(
                swept.latency.magnitude[swept.feasible],
                swept.throughput.magnitude[swept.feasible],
                strict=True,
            )
        )

        assert pairs == sorted(pairs)
        for pair in pairs:
            assert not any(x <= pair[0] and y >= pair[1] and (x, y) != pair for x, y in every)
        for x, y in every:
            assert any(a <= x and b >= y for a, b in pairs)

    def test_an_axis_can_be_traded(self, swept):
        front = swept.pareto("batch_size", "throughput", maximize=("throughput",))

        assert [p.coords["batch_size"] for p in front] == [1, 16, 256]

    def test_unknown_names_are_refused(self, swept):
        for ask in (
            lambda: swept.best("latencies"),
            lambda: swept.best("bottleneck"),
            lambda: swept["latencies"],
            lambda: swept.sel(gpu="toy"),
            lambda: swept.sel(hardware="toi"),
            lambda: swept.sel(batch_size=3),
            lambda: swept.at(hardware="toy"),
            lambda: swept.pareto("latency", "hardware"),
        ):
            with pytest.raises(ArgumentError):
                ask()


class TestSelecting:
    @pytest.fixture
    def swept(self, hand):
        return Engine.sweep(hand, [TOY, EIGHT], range(1, 9), ["fp16", "int8"], context=[0, 64, 2000])

    def test_a_value_takes_its_dimension_along(self, swept):
        part = swept.sel(hardware=EIGHT, context=64)

        assert part.dims == ("precision", "batch_size")
        assert np.array_equal(part.latency.magnitude, swept.latency.magnitude[1, :, :, 1])
        assert part.at(precision="int8", batch_size=3).hardware == EIGHT

    def test_several_values_keep_it(self, swept):
        part = swept.sel(batch_size=[8, 2], precision=["int8"])

        assert part.shape == (2, 1, 2, 3)
        assert part.coords["batch_size"].tolist() == [8, 2]
        assert np.array_equal(part.latency.magnitude, swept.latency.magnitude[:, 1:, [7, 1]], equal_nan=True)

    def test_elasticities_of_a_part_are_the_part_of_elasticities(self, swept):
        whole, part = swept.elasticities(), swept.sel(hardware="eight", context=64).elasticities()

        for lever in part.columns:
            assert np.array_equal(part[lever], whole[lever][1, :, :, 1], equal_nan=True)


def test_elasticities_are_those_of_the_solver(hand):
    """Memory-bound, compute-bound and overhead-bound points, one device and two."""
    r = Engine.sweep(hand, TOY, [1, 50, 400, 4000], context=[0, 500], tp_size=[1, 2])
    e = r.elasticities()

    assert set(r.bottleneck.ravel().tolist()) >= {Bottleneck.OVERHEAD, Bottleneck.COMPUTE}
    for place in np.ndindex(r.shape):
        where = {axis.name: axis.entries[i] for axis, i in zip(r.axes, place, strict=True)}
        exact = (
            SensitivitySolver().solve(hand, TOY, **{name: int(value) for name, value in where.items()}).exact
        )
        for lever in (Lever.PEAK_FLOPS, Lever.MEMORY_BANDWIDTH, Lever.OVERHEAD):
            assert e[lever][place] == pytest.approx(exact[lever], rel=1e-12, abs=1e-15)
        if where["tp_size"] == 2:
            assert e["link_bandwidth"][place] == pytest.approx(exact[Lever.LINK_BANDWIDTH], rel=1e-12)


@pytest.mark.parametrize(("name", "lever"), [("bandwidth", "memory_bandwidth"), ("peak", "peak_flops")])
def test_elasticities_are_slopes(hand, name, lever):
    """One millionth more of a resource, solved again: the change of time is the elasticity's."""
    grid = ([1, 50, 400, 4000], "fp16")
    more = {"fp16": TOY.peak["fp16"] * (1 + 1e-6)} if name == "peak" else TOY.bandwidth * (1 + 1e-6)
    before, after = (Engine.sweep(hand, hw, *grid).latency for hw in (TOY, replace(TOY, **{name: more})))
    slope = (after / before - 1).magnitude / 1e-6

    assert Engine.sweep(hand, TOY, *grid).elasticities()[lever] == pytest.approx(slope, abs=1e-5)


def test_elasticities_of_what_is_missing_are_missing(hand):
    e = Engine.sweep(hand, [TOY, EIGHT], 1, ["fp16", "int8"], context=[0, 5000]).elasticities()

    assert np.array_equal(np.isnan(e["overhead"]), e.missing)
    assert e.missing.sum() == 5


class TestExport:
    @pytest.fixture
    def swept(self, hand):
        return Engine.sweep(hand, [TOY, EIGHT], [1, 4000], ["fp16", "int8"], context=[0, 64])

    def test_a_row_is_a_point(self, swept):
        pytest.importorskip("pandas")
        table = swept.to_pandas()
        row = table[(table.hardware == "eight") & (table.precision == "int8") & (table.batch_size == 4000)]

        assert len(table) == swept.size
        assert row["latency [ms]"].tolist() == swept.latency.magnitude[1, 1, 1].tolist()
        assert row["bottleneck"].tolist() == [str(b) for b in swept.bottleneck[1, 1, 1]]
        assert row["feasible"].tolist() == swept.feasible[1, 1, 1].tolist()
        assert table["missing"].notna().sum() == swept.missing_count == 4
        assert table["latency [ms]"].isna().sum() == 4

    def test_an_axis_is_a_dimension(self, swept):
        pytest.importorskip("xarray")
        data = swept.to_xarray()
        part = data.sel(hardware="eight", precision="int8", batch_size=4000)

        assert data.latency.dims == swept.dims
        assert part.latency.values.tolist() == swept.latency.magnitude[1, 1, 1].tolist()
        assert data.latency.attrs["units"] == "ms"
        assert data.bottleneck.attrs["words"] == [str(b) for b in BOTTLENECKS]
