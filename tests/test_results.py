"""Results as values: they copy, pickle, freeze, show themselves, and hold no NaN."""

import copy
import json
import math
import pickle
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from html.parser import HTMLParser
from threading import Barrier
from typing import Any

import pint
import pytest

from mlsysim import (
    Q_,
    Accelerator,
    ConvNet,
    CrossoverSolver,
    DifferentialExplainer,
    Engine,
    SensitivitySolver,
    ServingModel,
    SingleNodeModel,
    SynthesisSolver,
    Transformer,
)
from mlsysim.core.models import Encoder, VisionTransformer

TOY = Accelerator(
    name="Toy <fast> & cheap",
    peak={"fp16": Q_("100 TFLOP/s"), "int8": Q_("200 TOP/s")},
    bandwidth=Q_("1 TB/s"),
    capacity=Q_("64 GB"),
)
SMALL = replace(TOY, capacity=Q_("1 MB"))
SHAPE = {"layers": 2, "width": 64, "heads": 4, "head_size": 16, "ffn_width": 256}
TEXT = {"vocab": 1000, "context": 512}
NET = Transformer(name="net", **SHAPE, **TEXT, kv_heads=2, gated=True, tied=False)
READER = Encoder(name="reader", **SHAPE, **TEXT, positions=512)
VIT = VisionTransformer(name="vit", **SHAPE, image=32, patch=8, channels=3, classes=10)
CONV = ConvNet(name="conv", input=(3, 8, 8), layers=[{"op": "linear", "out": 10}])


def compare(hardware: Accelerator) -> Any:
    return DifferentialExplainer.compare_performance(
        Engine.solve(NET, TOY), Engine.solve(NET, hardware, precision="int8")
    )


MAKE = {
    "decode": lambda: Engine.solve(NET, TOY, 4, context=9),
    "prefill": lambda: Engine.solve(NET, TOY, 4, phase="prefill", prompt=9),
    "encoder": lambda: Engine.solve(READER, TOY, prompt=100, calibration="ideal"),
    "vision transformer": lambda: Engine.solve(VIT, TOY, calibration="ideal"),
    "convnet": lambda: Engine.solve(CONV, TOY, calibration="ideal"),
    "does not fit": lambda: Engine.solve(NET, SMALL),
    "extreme": lambda: Engine.solve(NET, TOY, 2**50, context=512),
    "sensitivity": lambda: SensitivitySolver().solve(NET, TOY),
    "sensitivity, textbook": lambda: SensitivitySolver().solve(NET, TOY, calibration="ideal"),
    "sensitivity, does not fit": lambda: SensitivitySolver().solve(NET, SMALL),
    "synthesis": lambda: SynthesisSolver().solve(NET, Q_("50 ms"), candidates=[TOY, SMALL]),
    "synthesis, scaled": lambda: SynthesisSolver().solve(
        NET, Q_("50 ms"), like=TOY, calibration="serving", candidates=[SMALL]
    ),
    "serving": lambda: ServingModel().solve(NET, TOY, prompt=100, output=10),
    "serving, does not fit": lambda: ServingModel().solve(NET, SMALL, prompt=100, output=10),
    "crossover": lambda: CrossoverSolver().solve(NET, TOY, calibration="ideal"),
    "no crossover": lambda: CrossoverSolver().solve(NET, TOY, axis="context", calibration="ideal"),
    "single node": lambda: SingleNodeModel().solve(NET, TOY, 4, context=9),
    "explanation": lambda: compare(TOY),
    "explanation, does not fit": lambda: compare(SMALL),
}


@pytest.fixture(params=MAKE)
def result(request):
    return MAKE[request.param]()


def numbers(value: Any) -> Any:
    """Every number inside a result: of fields, properties, mappings and quantities."""
    if isinstance(value, pint.Quantity):
        yield float(value.magnitude)
    elif isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from numbers(inner)
    elif is_dataclass(value):
        names = {f.name for f in fields(value)}
        names |= {n for n, p in vars(type(value)).items() if isinstance(p, property)}
        for name in names:
            yield from numbers(getattr(value, name))


def test_there_is_no_nan_and_no_infinity(result):
    found = list(numbers(result))
    assert found
    assert all(map(math.isfinite, found))


def test_copies_and_pickles_are_equal(result):
    pickled = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
    for again in (pickled, copy.deepcopy(result), copy.copy(result)):
        assert again == result
        assert repr(again) == repr(result)
        assert again.to_dict() == result.to_dict()


def test_a_result_cannot_be_changed(result):
    for field in fields(result):
        with pytest.raises(FrozenInstanceError):
            setattr(result, field.name, None)
    for value in (getattr(result, f.name) for f in fields(result)):
        if isinstance(value, Mapping):
            with pytest.raises(TypeError):
                value["new"] = 1


def test_plain_data_is_json(result):
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text) == json.loads(json.dumps(result.to_dict()))
    assert "Quantity" not in text
    assert "Lever." not in text
    assert "Bottleneck." not in text


def test_text_is_for_readers(result):
    text = repr(result)
    assert text == str(result)
    for machinery in ("Quantity", "<Accelerator", "Bottleneck.", "Lever.", "Phase.", "nan", "Terms(", "None"):
        assert machinery not in text


class Nesting(HTMLParser):
    """Tags that are open, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 - the parser's signature
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_well_formed_and_escaped(result):
    """The toy's name holds an angle bracket and an ampersand: they are text, in whatever shows it."""
    page = Nesting()
    shown = result._repr_html_()
    page.feed(shown)
    page.close()
    assert page.open == []
    assert "<fast>" not in shown
    assert page.text.strip()


def test_html_and_text_hold_the_same_rows():
    for name, make in MAKE.items():
        result = make()
        if name.startswith("explanation"):
            continue
        page = Nesting()
        page.feed(result._repr_html_())
        for label, _ in result.rows():
            assert label in page.text
            assert label in repr(result)


def test_labels_are_distinct(result):
    """`to_dict` is made of labels: two alike would hide one another."""
    if hasattr(result, "rows"):
        labels = [label for label, _ in result.rows()]
        keys = {label.lower().replace(" ", "_") for label in labels}
        assert len(keys) == len(labels)
        assert keys <= result.to_dict().keys()


def test_results_of_equal_questions_are_equal():
    for make in MAKE.values():
        assert make() == make()


def test_threads_do_not_disturb_each_other():
    """Eight threads start together and ask everything in different order: each gets what one alone gets."""
    alone = {name: make().to_dict() for name, make in MAKE.items()}
    names = list(MAKE)
    together = Barrier(8)

    def ask(turn: int) -> dict[str, Any]:
        together.wait()
        order = names[turn:] + names[:turn]
        return {name: MAKE[name]().to_dict() for name in order}

    with ThreadPoolExecutor(8) as pool:
        for answers in pool.map(ask, range(8)):
            assert answers == alone


def test_threads_can_read_units_and_cards_at_once():
    from mlsysim.registry import Models, Registry  # the class, so that nothing has been read yet

    fresh = Registry("Models", "models", Models._build)
    together = Barrier(4)

    def read(turn: int) -> tuple[str, float]:
        together.wait()
        return fresh.Language.Llama3_8B.name, Q_(f"{turn} GB/s").to("MB/s").magnitude

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(read, range(4)))
    assert [name for name, _ in answers] == ["Llama-3.1-8B"] * 4
    assert [value for _, value in answers] == pytest.approx([0, 1000, 2000, 3000], rel=1e-12)
