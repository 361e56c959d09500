"""Any solver can be swept: its answers over a grid, labelled as the engine's are."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from mlsysim import (
    Q_,
    ArgumentError,
    Bottleneck,
    Engine,
    Hardware,
    Models,
    ServingModel,
    SynthesisSolver,
)
from mlsysim.sweeping import sweep

np = pytest.importorskip("numpy")

GPUS = [Hardware.A100, Hardware.H100]


def test_every_point_is_an_answer_of_the_solver():
    r = sweep(ServingModel, model=Models.Llama3_8B, hardware=GPUS, batch_size=[1, 8, 512], prompt=1024)

    assert r.dims == ("hardware", "batch_size")
    for i, gpu in enumerate(GPUS):
        for j, batch in enumerate([1, 8, 512]):
            one = ServingModel().solve(Models.Llama3_8B, gpu, batch, prompt=1024)
            assert r["tpot"][i, j].to("ms").magnitude == pytest.approx(one.tpot.to("ms").magnitude, rel=1e-12)
            assert r["max_concurrency"][i, j] == one.max_concurrency
            assert bool(r.feasible[i, j]) is one.fits
            assert r.at(hardware=gpu, batch_size=batch) == one


def test_outputs_are_named_with_dots():
    r = sweep(
        ServingModel(),
        model=Models.Llama3_8B,
        hardware=GPUS,
        batch_size=[1, 256],
        outputs=["ttft", "decode.bottleneck", "fit.fits"],
    )

    assert tuple(r.columns) == ("ttft", "decode.bottleneck", "fit.fits")
    assert r["decode.bottleneck"].tolist()[1] == [Bottleneck.MEMORY, Bottleneck.COMPUTE]
    assert r["fit.fits"].all()


def test_what_a_solver_refuses_is_missing():
    r = sweep(ServingModel, model=[Models.ResNet50, Models.Llama3_8B], hardware=GPUS, outputs=["ttft"])

    assert r.missing.tolist() == [[True, True], [False, False]]
    assert np.isnan(r["ttft"].magnitude[0]).all()
    assert "must generate text" in r.point(model=Models.ResNet50, hardware=GPUS[0]).missing
    assert r.point(model=Models.ResNet50, hardware=GPUS[0]).values["ttft"] is None
    with pytest.raises(ArgumentError, match=r"no point has an answer: .* must generate text"):
        sweep(ServingModel, model=[Models.ResNet50], hardware=GPUS)


def test_quantities_are_an_axis():
    """Twice the time, half the bandwidth: 2.78 TB/s at 50 ms."""
    r = sweep(
        SynthesisSolver,
        model=Models.Llama3_70B,
        target_latency=[Q_("50 ms"), Q_("0.1 s")],
        outputs=["required_bw"],
    )

    assert r["required_bw"].to("TB/s").magnitude == pytest.approx([2.78, 1.39], rel=1e-3)
    assert r.axes[0].heading == "target_latency [ms]"
    assert r.at(target_latency=Q_("100 ms")).required_bw.to("TB/s").magnitude == pytest.approx(1.39, rel=1e-3)


def test_an_argument_that_is_a_list_is_no_axis_when_it_is_fixed():
    r = sweep(
        SynthesisSolver,
        model=Models.Llama3_70B,
        target_latency=[Q_("50 ms")],
        outputs=["required_bw"],
        fixed={"candidates": GPUS},
    )

    assert r.dims == ("target_latency",)
    assert r.at() == SynthesisSolver().solve(Models.Llama3_70B, Q_("50 ms"), candidates=GPUS)


def test_the_engine_is_swept_by_the_engine():
    one = sweep(Engine, model=Models.Llama3_8B, hardware=GPUS, batch_size=[1, 8])

    assert type(one) is type(Engine.sweep(Models.Llama3_8B, GPUS))
    mfu = sweep(Engine, model=Models.Llama3_8B, hardware=GPUS, batch_size=[1, 8], outputs=["mfu"])
    assert mfu["mfu"][1, 1] == Engine.solve(Models.Llama3_8B, GPUS[1], 8).mfu
    assert mfu.best("mfu").coords["batch_size"] == 8


@dataclass(frozen=True)
class Answer:
    word: str
    number: float
    part: object = None


def echo(word="a", number=1.0):
    if number < 0:
        raise ArgumentError("number must not be negative")
    return Answer(word, number)


def test_a_function_is_swept():
    r = sweep(echo, word=["x", "y"], number=[1.5, -1.0], outputs=["word", "number"])

    assert r["word"].tolist() == [["x", None], ["y", None]]
    assert r["number"][:, 0].tolist() == [1.5, 1.5]
    assert r.feasible.tolist() == [[True, False]] * 2


def test_what_cannot_be_kept_is_refused():
    with pytest.raises(ArgumentError, match="output 'part' is a list"):
        sweep(lambda n: Answer("a", n, [n]), n=[1, 2], outputs=["part"])
    with pytest.raises(ArgumentError, match="has no attribute 'numer'"):
        sweep(echo, number=[1], outputs=["numer"])
    with pytest.raises(ArgumentError, match="output 'word' takes 300 different words"):
        sweep(lambda n: Answer(str(n), n), n=range(300), outputs=["word"])
    with pytest.raises(ArgumentError, match="must be a solver"):
        sweep("Engine", n=[1])
    with pytest.raises(ArgumentError, match="has no number to keep"):
        sweep(str, object=[1])
    with pytest.raises(ArgumentError, match="hold at least one value"):
        sweep(echo, number=[])
    with pytest.raises(TypeError, match="unexpected keyword"):
        sweep(echo, nmber=[1])


def test_an_executor_gives_the_same():
    arguments = {"model": Models.Llama3_8B, "hardware": GPUS, "batch_size": range(1, 90)}
    here = sweep(ServingModel, **arguments, outputs=["tpot", "throughput"])
    with ThreadPoolExecutor(2) as pool:
        far = sweep(ServingModel, **arguments, outputs=["tpot", "throughput"], client=pool)

    for name, column in here.columns.items():
        assert np.array_equal(column.data, far.columns[name].data)


def test_progress_is_told():
    seen = []
    sweep(echo, number=[-1, 2, 3], outputs=["number"], progress=lambda *at: seen.append(at))

    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_without_numpy_the_remedy_is_said(elsewhere):
    """A scalar needs no NumPy; a sweep says what to install."""
    shown = elsewhere(
        "from mlsysim import Engine, Hardware, Models\n"
        "try:\n    Engine.sweep(Models.Llama3_8B, Hardware.A100, [1, 2])\n"
        "except ImportError as error:\n    print(error)"
    )

    assert "pip install 'mlsysim[arrays]'" in shown
