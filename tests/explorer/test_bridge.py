"""What the live pages show: the package's own answers, and nothing else."""

import json

import pytest

from explorer import bridge
from mlsysim import DifferentialExplainer, Engine, Hardware, Models, ServingModel
from mlsysim.format import text


def shown(result):
    return [[label, text(value)] for label, value in result.rows()]


def state(view, **changes):
    return {**bridge.DEFAULTS[view], **changes}


# ------------------------------------------------------------------ what there is to choose from
def test_the_catalogue_names_every_card():
    found = bridge.catalogue()

    assert [Hardware[device["id"]].name for device in found["hardware"]] == [
        d["name"] for d in found["hardware"]
    ]
    assert len(found["hardware"]) == len(Hardware)
    assert [Models[model["id"]].name for model in found["models"]] == [m["name"] for m in found["models"]]
    assert len(found["models"]) == len(Models)
    assert json.loads(json.dumps(found)) == {**found, "defaults": dict(found["defaults"])}


def test_the_catalogue_says_which_lengths_a_step_takes():
    models = {model["id"]: model for model in bridge.catalogue()["models"]}

    assert models["Llama3_8B"]["phases"]["decode"] == ["context"]
    assert models["Llama3_8B"]["phases"]["prefill"] == ["prompt"]
    assert models["ResNet50"]["phases"]["forward"] == []
    assert models["BERT_Base"]["phases"]["forward"] == ["prompt"]
    assert not models["ResNet50"]["serves"]


# ------------------------------------------------------------------ the views
@pytest.mark.parametrize(
    ("changes", "arguments"),
    [
        ({}, {"batch_size": 16, "phase": "decode", "context": 1024}),
        ({"phase": "prefill", "prompt": "2000"}, {"batch_size": 16, "phase": "prefill", "prompt": 2000}),
        (
            {"batch": "7", "precision": "int4", "calibration": "ideal", "context": "0"},
            {"batch_size": 7, "precision": "int4", "calibration": "ideal", "phase": "decode", "context": 0},
        ),
    ],
)
def test_roofline_shows_the_engines_profile(changes, arguments):
    profile = Engine.solve(Models.Llama3_8B, Hardware.Cloud.A100, **arguments)
    answer = bridge.answer("roofline", state("roofline", **changes))

    assert answer["result"] == profile.to_dict()
    assert answer["rows"] == shown(profile)
    assert answer["headline"] == [text(profile.latency), str(profile.bottleneck), str(profile.fit)]
    point = answer["chart"]["point"]
    assert point["x"] == profile.arithmetic_intensity.to("FLOP/B").magnitude
    assert point["y"] == pytest.approx((profile.flops / profile.latency).to("TFLOP/s").magnitude, rel=1e-12)


def test_a_network_without_lengths_is_solved_too():
    answer = bridge.answer("roofline", state("roofline", model="ResNet50", phase="forward"))

    assert (
        answer["result"] == Engine.solve(Models.ResNet50, Hardware.Cloud.A100, 16, phase="forward").to_dict()
    )


def test_the_roof_is_the_datasheets_and_the_path_that_of_the_batches():
    """A100: 312 TFLOP/s over 2.039 TB/s; at the left end the roof is intensity times bandwidth."""
    chart = bridge.answer("roofline", state("roofline"))["chart"]

    assert chart["ridge"]["x"] == pytest.approx(312 / 2.039)
    left, corner, right = chart["roof"]
    assert left["y"] == pytest.approx(left["x"] * 2.039)
    assert (corner["y"], right["y"]) == (pytest.approx(312), pytest.approx(312))
    assert [p["batch"] for p in chart["path"]] == list(bridge.BATCHES)
    assert chart["path"][4] == chart["point"]


def test_compare_shows_the_explainers_words():
    sides = [
        Engine.solve(Models.Llama3_8B, hw, 1, phase="decode", context=0)
        for hw in (Hardware.Cloud.A100, Hardware.Cloud.H100)
    ]
    why = DifferentialExplainer.compare_performance(*sides)
    answer = bridge.answer("compare", state("compare"))

    assert answer["result"] == why.to_dict()
    assert answer["headline"] == why.headline()
    assert answer["analysis"] == why.sentences()
    assert answer["rows"] == [shown(side) for side in sides]
    assert answer["bars"][-1]["to"] == pytest.approx(why.speedup, rel=1e-12)
    assert [bar["from"] for bar in answer["bars"]][1:] == [bar["to"] for bar in answer["bars"]][:-1]


def test_compare_attributes_nothing_to_what_does_not_fit():
    answer = bridge.answer("compare", state("compare", **{"b.model": "Llama3_70B"}))

    assert answer["bars"] == []
    assert answer["delivery"] == []
    assert "does not fit" in " ".join(answer["analysis"])


def test_serving_shows_the_models_result():
    result = ServingModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, 32, prompt=1024, output=256)
    answer = bridge.answer("serving", state("serving"))

    assert answer["result"] == result.to_dict()
    assert answer["rows"][: len(result.rows())] == shown(result)
    (chosen,) = [point for point in answer["sweep"] if point["chosen"]]
    assert chosen["tpot"] == result.tpot.to("ms").magnitude
    assert chosen["throughput"] == result.throughput.to("token/s").magnitude


def test_most_users_are_those_that_a_search_of_all_finds():
    """Counted one by one: 15 ms a token on an A100, and a first token after 3 s."""
    changes = {"hardware": "A100", "ttft": "3000", "tpot": "15", "prompt": "512", "output": "64"}

    def meets(users):
        r = ServingModel().solve(Models.Llama3_8B, Hardware.Cloud.A100, users, prompt=512, output=64)
        return r.fits and r.ttft.to("s").magnitude <= 3 and r.tpot.to("ms").magnitude <= 15

    expected = max(users for users in range(1, 300) if meets(users))
    assert 1 < expected < 299
    assert bridge.answer("serving", state("serving", **changes))["most"] == expected


def test_nobody_is_served_where_the_target_is_out_of_reach():
    assert bridge.answer("serving", state("serving", tpot="0.1"))["most"] == 0


# ------------------------------------------------------------------ what the package objects to
@pytest.mark.parametrize(
    ("view", "changes", "message"),
    [
        ("roofline", {"batch": "many"}, "batch_size must be a whole number"),
        ("roofline", {"batch": "0"}, "batch_size"),
        ("roofline", {"hardware": "H10O"}, "Did you mean"),
        ("roofline", {"model": ""}, "has no ''"),
        ("roofline", {"precision": "fp17"}, "Did you mean 'fp16'?"),
        ("roofline", {"precision": "fp8"}, "fp8"),
        ("roofline", {"calibration": "vision"}, "covers forward, not decode"),
        ("roofline", {"context": "10000000"}, "exceed the context"),
        ("roofline", {"phase": "dream"}, "phase must be"),
        ("compare", {"b.batch": "1.5"}, "batch_size"),
        ("serving", {"model": "ResNet50"}, "must generate text"),
        (
            "serving",
            {"ttft": "soon"},
            "target for TTFT must be a positive number of milliseconds; got 'soon'",
        ),
        ("serving", {"tpot": "nan"}, "target for TPOT must be a positive number"),
        ("serving", {"devices": "3"}, "tp_size (3) must divide the heads"),
    ],
)
def test_what_the_package_objects_to_is_what_the_reader_sees(view, changes, message):
    answer = bridge.answer(view, state(view, **changes))

    assert list(answer) == ["error"]
    assert message in answer["error"]


def test_an_answer_is_json():
    for view in bridge.VIEWS:
        given = bridge.answer_json(view, json.dumps(state(view)))

        assert json.loads(given) == json.loads(json.dumps(bridge.answer(view, state(view))))
