"""Bad input: one error, of the right kind, that says what was wrong and what to do."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pint
import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Calibration,
    CrossoverSolver,
    DifferentialExplainer,
    Engine,
    MissingSpecError,
    MLSysError,
    Precision,
    SensitivitySolver,
    ServingModel,
    SingleNodeModel,
    SynthesisSolver,
    Transformer,
    UnitError,
)
from mlsysim.core.errors import SpecError

NAN = math.nan

TOY = Accelerator(
    name="Toy",
    peak={"fp16": Q_("100 TFLOP/s"), "fp32": Q_("10 TFLOP/s")},
    bandwidth=Q_("1 TB/s"),
    capacity=Q_("64 GB"),
)
NET = Transformer(
    name="net",
    layers=10,
    width=1000,
    heads=10,
    kv_heads=5,
    head_size=100,
    ffn_width=2000,
    gated=True,
    vocab=5000,
    tied=False,
    context=4096,
)


def synthesise(model: Any = NET, hardware: Any = TOY, **options: Any) -> Any:
    """Ask for hardware as the other solvers are asked for a time."""
    return SynthesisSolver().solve(model, Q_("50 ms"), like=hardware, **options)


SOLVERS: dict[str, Callable[..., Any]] = {
    "Engine": Engine.solve,
    "SensitivitySolver": SensitivitySolver().solve,
    "ServingModel": ServingModel().solve,
    "SingleNodeModel": SingleNodeModel().solve,
    "SynthesisSolver": synthesise,
}


@pytest.fixture(params=SOLVERS)
def solve(request):
    return SOLVERS[request.param]


@dataclass(frozen=True)
class Bad:
    """Arguments with a fault, the error, and what its message must say."""

    given: dict[str, Any]
    error: type[Exception]
    says: tuple[str, ...]


BATCH = "batch_size must be a whole number of at least 1; got "

EVERYWHERE = [
    Bad({"batch_size": 0}, ArgumentError, (BATCH + "0",)),
    Bad({"batch_size": -1}, ArgumentError, (BATCH + "-1",)),
    Bad({"batch_size": 1.5}, ArgumentError, (BATCH + "1.5",)),
    Bad({"batch_size": NAN}, ArgumentError, (BATCH + "nan",)),
    Bad({"batch_size": "8"}, ArgumentError, (BATCH + "'8'",)),
    Bad({"batch_size": True}, ArgumentError, (BATCH + "True",)),
    Bad({"batch_size": None}, ArgumentError, (BATCH + "None",)),
    Bad({"batch_size": Q_("8")}, ArgumentError, (BATCH,)),
    Bad({"precision": "fp17"}, ArgumentError, ("precision 'fp17' is unknown", "Did you mean 'fp16'")),
    Bad({"precision": "zebra"}, ArgumentError, ("precision 'zebra' is unknown", "Known: bf16, fp16")),
    Bad({"precision": 16}, ArgumentError, ("precision must be a name such as 'fp16'", "got 16")),
    Bad({"precision": "fp8"}, MissingSpecError, ("Toy has no published fp8 peak", "it has fp16, fp32")),
    Bad({"precision": "bf16"}, MissingSpecError, ("no published bf16 peak", "nothing is substituted")),
    Bad({"calibration": "idael"}, ArgumentError, ("got 'idael'", "Did you mean 'ideal'")),
    Bad({"calibration": 5}, ArgumentError, ("calibration must be a Calibration or the name of a preset",)),
    Bad({"model": "Llama3_8B"}, ArgumentError, ("model must", "got 'Llama3_8B'")),
    Bad({"model": None}, ArgumentError, ("model must", "got None")),
    Bad({"hardware": "H100"}, ArgumentError, ("a device such as Hardware.Cloud.A100", "got 'H100'")),
    Bad({"hardware": NET}, ArgumentError, ("a device such as Hardware.Cloud.A100", "got <Transformer net>")),
]


def label(bad):
    ((name, value),) = list(bad.given.items())[:1]
    return f"{name}={value!r}"


@pytest.mark.parametrize("bad", EVERYWHERE, ids=label)
def test_every_solver_says_what_is_wrong(solve, bad):
    with pytest.raises(bad.error) as caught:
        solve(**{"model": NET, "hardware": TOY, **bad.given})
    for words in bad.says:
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["Engine", "SensitivitySolver", "ServingModel", "SingleNodeModel"])
def test_swapped_arguments_are_called_that(name):
    with pytest.raises(ArgumentError, match="swapped"):
        SOLVERS[name](model=TOY, hardware=NET)


def test_a_target_and_a_network_that_were_swapped_are_both_named():
    with pytest.raises(ArgumentError) as caught:
        SynthesisSolver().solve(Q_("50 ms"), NET)
    assert "model must" in str(caught.value)
    assert "target_latency" in str(caught.value)


def test_two_things_in_one_place_are_named(solve):
    with pytest.raises(ArgumentError, match="got <Accelerator Toy"):
        solve(model=TOY, hardware=TOY)


def test_an_unknown_argument_is_refused(solve):
    with pytest.raises(TypeError, match="batchsize"):
        solve(model=NET, hardware=TOY, batchsize=4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"efficiency": 0}, "efficiency must be above 0 and at most 1; got 0"),
        ({"efficiency": 5}, "efficiency must be above 0 and at most 1; got 5"),
        ({"efficiency": -0.1}, "efficiency must be above 0 and at most 1; got -0.1"),
        ({"efficiency": NAN}, "efficiency must be above 0 and at most 1; got nan"),
        ({"efficiency": "half"}, "efficiency must be above 0 and at most 1; got 'half'"),
        ({"context": -1}, "context must be a whole number of at least 0; got -1"),
        ({"context": 1.5}, "context must be a whole number of at least 0; got 1.5"),
        ({"context": "all"}, "context must be a whole number of at least 0; got 'all'"),
        ({"context": 4097}, "4,097 tokens exceed the context of net, 4,096 tokens"),
        ({"prompt": 10}, "prompt is for the phases 'prefill' and 'train' of text and for encoders"),
        ({"phase": "prefill"}, "prompt must be a whole number of at least 1; got None"),
        ({"phase": "prefill", "prompt": 0}, "prompt must be a whole number of at least 1; got 0"),
        ({"phase": "prefill", "prompt": 5000}, "5,000 tokens exceed the context of net"),
        ({"phase": "prefill", "prompt": 5, "context": 5}, "context is for phase 'decode'"),
        ({"phase": "forward"}, "phase must be 'decode', 'prefill' or 'train' for net; got 'forward'"),
        ({"phase": "training"}, "phase must be 'decode', 'prefill' or 'train' for net; got 'training'"),
        ({"phase": 1}, "phase must be 'decode', 'prefill' or 'train' for net; got 1"),
    ],
)
@pytest.mark.parametrize("name", ["Engine", "SensitivitySolver", "SingleNodeModel", "SynthesisSolver"])
def test_arguments_of_the_engine_are_checked_wherever_they_come_from(name, given, says):
    with pytest.raises(ArgumentError) as caught:
        SOLVERS[name](model=NET, hardware=TOY, **given)
    assert says in str(caught.value)


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        Engine.solve(NET, TOY, 0, "fp17", phase="forward", context=-1, calibration="x", efficiency=5)
    head, *lines = str(caught.value).splitlines()
    assert head == "Engine.solve():"
    assert len(lines) == 6
    for word in ("batch_size", "fp17", "phase", "context", "calibration", "efficiency"):
        assert sum(word in line for line in lines) >= 1


@pytest.mark.parametrize("width", [0, -10, 100, NAN, math.inf, "10", None])
def test_perturbations(width):
    with pytest.raises(ArgumentError) as caught:
        SensitivitySolver().solve(NET, TOY, perturbation_pct=width)
    assert f"perturbation_pct must be above 0 and below 100; got {width!r}" in str(caught.value)


TARGETS = [
    (0, UnitError, 'target_latency needs a unit, as in Q_("1 ms"); got the bare 0'),
    (0.05, UnitError, 'target_latency needs a unit, as in Q_("1 ms"); got the bare 0.05'),
    ("50 ms", UnitError, "target_latency needs a unit"),
    (Q_("50 GB"), UnitError, "target_latency needs [time], as in ms; got 50 GB ([data])"),
    (Q_("50"), UnitError, "target_latency needs [time], as in ms; got 50"),
    (pint.UnitRegistry().Quantity(50, "ms"), UnitError, "belongs to another unit registry"),
    (Q_("0 ms"), ArgumentError, "target_latency must be a finite positive quantity; got 0 ms"),
    (Q_("-50 ms"), ArgumentError, "target_latency must be a finite positive quantity; got -50 ms"),
    (Q_("nan ms"), ArgumentError, "target_latency must be a finite positive quantity; got nan ms"),
    (Q_("2.62 ms"), ArgumentError, "is not above the overhead, 2.62 ms under 'serving'"),
    (Q_("1 ms"), ArgumentError, "no hardware shortens that. Ask for more, or use a calibration with less"),
    (NET, UnitError, "target_latency needs a unit"),
]


@pytest.mark.parametrize(("target", "error", "says"), TARGETS, ids=lambda x: str(x)[:40])
def test_targets(target, error, says):
    with pytest.raises(error) as caught:
        SynthesisSolver().solve(NET, target, calibration="serving", like=TOY)
    assert says in str(caught.value)


@pytest.mark.parametrize("like", ["A100", NET, 5])
def test_patterns(like):
    with pytest.raises(ArgumentError, match=r"like must be a device such as Hardware\.Cloud\.A100; got "):
        SynthesisSolver().solve(NET, Q_("50 ms"), like=like)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Q_("5 GBs"), UnitError, "unknown unit 'GBs' in '5 GBs'. Did you mean 'Gbps' or 'GB/s'"),
        (lambda: Q_(5, "zebras"), UnitError, "unknown unit 'zebras'"),
        (lambda: Q_("2 €/hour"), UnitError, "'€' (euro). Money is in USD ('2 USD/hour')"),
        (lambda: Q_("fifty ms"), UnitError, "fifty"),
        (lambda: Q_(""), UnitError, "Write a number and a unit, as in '50 ms'"),
        (lambda: Q_(None), UnitError, "Write a number and a unit, as in '50 ms'"),
        (lambda: Q_("1 GB").to("€"), UnitError, "euro"),
        (
            lambda: Q_("1 GB") + Q_("1 s"),
            pint.DimensionalityError,
            "'gigabyte' ([data]) to 'second' ([time])",
        ),
        (lambda: Q_("1 GB") + 1, pint.DimensionalityError, "'gigabyte' to 'dimensionless'"),
    ],
)
def test_quantities(make, error, says):
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"bandwidth": 1e12}, 'bandwidth needs a unit, as in Q_("1 GB/s"); got the bare 1000000000000.0'),
        ({"bandwidth": Q_("1 TB")}, "bandwidth needs [data] / [time], as in GB/s; got 1 TB ([data])"),
        ({"bandwidth": Q_("0 TB/s")}, "bandwidth must be a finite positive quantity; got 0.0 TB/s"),
        ({"capacity": Q_("0 GB")}, "capacity must be a finite positive quantity; got 0 GB"),
        ({"peak": {}}, "peak must map number formats to rates, as in {'fp16': Q_('312 TFLOP/s')}"),
        ({"peak": {"fp17": Q_("1 TFLOP/s")}}, "peak.fp17 is no number format. Did you mean 'fp16'?"),
        ({"peak": {"fp16": Q_("1 TFLOP")}}, "peak.fp16 needs [work] / [time], as in TFLOP/s"),
        ({"name": None}, "name must be a text; got None"),
    ],
)
def test_accelerators(given, says):
    fields = {"name": "Mine", "peak": TOY.peak, "bandwidth": TOY.bandwidth, "capacity": TOY.capacity}
    with pytest.raises(SpecError) as caught:
        Accelerator(**{**fields, **given})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"layers": 0}, "layers must be a whole positive number; got 0"),
        ({"layers": 1.5}, "layers must be a whole positive number; got 1.5"),
        ({"heads": True}, "heads must be a whole positive number; got True"),
        ({"vocab": "many"}, "vocab must be a whole positive number; got 'many'"),
        ({"kv_heads": 3}, "kv_heads (3) must divide heads (10)"),
        ({"gated": 1}, "gated must be true or false; got 1"),
        ({"window": 0}, "window must be a whole positive number or None; got 0"),
        ({"window": True}, "window must be a whole positive number or None; got True"),
        ({"positions": -1}, "positions must be"),
        ({"name": ""}, "name must be"),
        ({"name": 5}, "name must be"),
    ],
)
def test_networks(given, says):
    shape = {"layers": 10, "width": 1000, "heads": 10, "kv_heads": 5, "head_size": 100, "ffn_width": 2000}
    rest = {"name": "mine", "gated": True, "vocab": 5000, "tied": False, "context": 4096}
    with pytest.raises(SpecError) as caught:
        Transformer(**{**shape, **rest, **given})
    assert says in str(caught.value)


def test_a_shape_may_hold_numpy_integers():
    """A shape read with NumPy is as whole and positive as any other."""
    np = pytest.importorskip("numpy")
    shape = {"layers": 2, "width": 64, "heads": 4, "kv_heads": 4, "head_size": 16, "ffn_width": 256}
    rest = {"name": "mine", "gated": False, "vocab": 1000, "tied": True, "context": 128}
    net = Transformer(**{k: np.int64(v) for k, v in shape.items()}, **rest)
    assert Engine.solve(net, TOY) == Engine.solve(Transformer(**shape, **rest), TOY)


CALIBRATION = {
    "name": "mine",
    "source": "invented here",
    "compute_efficiency": {"decode": 0.5},
    "memory_efficiency": 1.0,
    "serial_fraction": 0.0,
    "step_overhead": Q_("0 s"),
    "layer_overhead": Q_("0 s"),
    "tile": 1,
}


def test_a_calibration_that_does_not_cover_the_phase(solve):
    """`mine` knows decode alone: asked for prefill it names what covers that."""
    mine = Calibration(**CALIBRATION)
    given = {"prompt": 10} if solve.__qualname__.startswith("Serving") else {"phase": "prefill", "prompt": 10}
    with pytest.raises(ArgumentError) as caught:
        solve(model=NET, hardware=TOY, calibration=mine, **given)
    assert "calibration 'mine' covers decode, not prefill" in str(caught.value)
    assert "serving" in str(caught.value)


MISTAKES = {
    "Engine": lambda: Engine.solve(NET, TOY, 0),
    "SensitivitySolver": lambda: SensitivitySolver().solve(NET, TOY, perturbation_pct=0),
    "ServingModel": lambda: ServingModel().solve(NET, TOY, prompt=0),
    "SynthesisSolver": lambda: SynthesisSolver().solve(NET, 5),
    "CrossoverSolver": lambda: CrossoverSolver().solve(NET, TOY, axis="x"),
    "DifferentialExplainer": lambda: DifferentialExplainer.compare_performance(1, 2),
    "Accelerator": lambda: Accelerator(name="x", peak={}, bandwidth=1, capacity=1),
    "Precision": lambda: Precision("x", 0, "fp16", 16, 16),
    "Calibration": lambda: Calibration(**{**CALIBRATION, "tile": 0}),
}


@pytest.mark.parametrize("where", MISTAKES)
def test_a_message_says_where_it_happened_and_hides_the_machinery(where):
    """It begins with what was called, is caught as one kind of error, and drags no other along."""
    with pytest.raises(MLSysError) as caught:
        MISTAKES[where]()
    assert re.match(where, str(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
