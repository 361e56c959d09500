"""Questions, answers and the saved file, with stubs: the other tools themselves are not run here."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench import ask_llm_analysis, ask_mlsysim_030, environments
from bench import other_tools as bench
from mlsysim.measurements import read

TABLE = read(bench.TABLE)
ROWS = bench.mapped(TABLE)


def of(step, **wanted):
    """The first row and run of a step, with these attributes of the run."""
    return next(
        pair
        for pair in ROWS
        if pair[1].metric.step == step and all(getattr(pair[1], k) == v for k, v in wanted.items())
    )


@pytest.mark.parametrize("step", ["decode", "prefill", "request"])
def test_seconds_become_the_value_that_this_package_predicts(step):
    """A tool that gave the package's own seconds would be scored as the package is."""
    _, run = of(step)
    seconds = sum(times * profile.terms.latency for times, profile in run.steps())

    assert bench.value(run, seconds) == pytest.approx(run.predict())


def test_a_question_is_plain_figures():
    """Mixtral has 46.7e9 weights, of which 12.9e9 are read for a token (arXiv:2401.04088)."""
    _, run = next(pair for pair in ROWS if pair[1].model.name == "Mixtral-8x7B")
    asked = bench.question(run)

    assert json.loads(json.dumps(asked)) == asked
    assert asked["network"]["parameters"] == pytest.approx(46.7e9, rel=0.01)
    assert asked["network"]["active_parameters"] == pytest.approx(12.9e9, rel=0.01)
    assert asked["device"]["bandwidth"] == run.hardware.bandwidth_si


def test_a_link_is_told_where_devices_share_a_step():
    assert bench.question(of("decode", tp_size=1)[1])["link"] is None
    assert bench.question(of("decode", tp_size=2)[1])["link"] > 1e9


def test_an_answer_becomes_a_prediction_or_a_reason():
    rows = [of("decode"), of("prefill")]
    answers = [{"seconds": 0.01, "own_card": True}, {"reason": "too many devices"}]
    first, second = bench.predictions(bench.MLSYSIM_030, rows, answers)

    assert (first.predicted, first.device, first.reason) == (100.0, "own card", "")
    assert (second.predicted, second.device, second.reason) == (None, "", "too many devices")
    assert second.measured == rows[1][0].value


def test_missing_answers_are_not_dropped():
    with pytest.raises(environments.ToolError, match="gave 1 answers to 2 questions"):
        bench.predictions(bench.LLM_ANALYSIS, ROWS[:2], [{"reason": "x"}])


def test_a_tool_that_cannot_be_installed_gives_its_reason_for_each_row(monkeypatch, tmp_path):
    def refuse(tool, _):
        raise environments.ToolError(f"installing {tool} failed: no such version")

    monkeypatch.setattr(bench, "interpreter", refuse)
    found = bench.ask(bench.LLM_ANALYSIS, ROWS[:3], tmp_path)

    assert [one.reason for one in found] == ["installing llm-analysis 0.2.2 failed: no such version"] * 3


def test_what_is_saved_is_read_back(tmp_path):
    rows = [of("decode"), of("prefill")]
    made = bench.predictions(
        bench.MLSYSIM_030, rows, [{"seconds": 0.0123, "own_card": False}, {"reason": "a, b"}]
    )
    bench.save(made, tmp_path / "a.csv", "python -m x")

    assert bench.saved(tmp_path / "a.csv") == ("python -m x", made)


def test_a_summary_counts_every_row():
    """Twice and half the measured value: errors of one, each."""
    good = bench.Prediction(
        tool="t", id="a", category="c", measured=4.0, predicted=8.0, device="own card", reason=""
    )
    rows = [good, replace(good, predicted=2.0), replace(good, predicted=None, device="", reason="why")]

    assert bench.summary(rows) == [f"{'t':<20}{'c':<20}   2 of    3 rows, error 100%", "     1  why"]


def test_the_saved_file_is_of_this_table():
    """Every row of both tools is one of the table, with the value that the table has."""
    command, found = bench.saved()
    values = {row["id"]: row.value for row in TABLE}

    assert command.startswith("python -m bench.other_tools")
    assert {one.tool for one in found} == {str(tool) for tool in environments.TOOLS}
    assert [one for one in found if values.get(one.id) != one.measured] == []
    assert [one for one in found if (one.predicted is None) != bool(one.reason)] == []


class Quantity(float):
    """A number that says which unit it was asked for, like one of pint."""

    @property
    def magnitude(self):
        return float(self)

    def to(self, unit):
        assert unit == "s"
        return self


def serving(calls, *, feasible=True):
    """A ``ServingModel`` that records its calls: a first token after 0.5 s, others each 0.01 s."""

    def solve(_model, _hardware, length, batch, *, precision):
        calls.append((length, batch, precision))
        return SimpleNamespace(ttft=Quantity(0.5), itl=Quantity(0.01), feasible=feasible)

    return SimpleNamespace(solve=solve)


def types(calls, **result):
    """The names of the tool, as stubs."""
    made = dict.fromkeys(
        (
            "TransformerWorkload",
            "SparseTransformerWorkload",
            "HardwareNode",
            "ComputeCore",
            "MemoryHierarchy",
        ),
        SimpleNamespace,
    )
    cards = SimpleNamespace(Cloud=SimpleNamespace(A100="their A100", H100="their H100"))
    return SimpleNamespace(
        Q_=lambda n, _: n, Hardware=cards, ServingModel=lambda: serving(calls, **result), **made
    )


def asked(**changed):
    return {**bench.question(of("request", tp_size=1)[1]), "batch": 2, "prompt": 30, "output": 11} | changed


def test_a_request_is_the_first_token_and_the_others():
    """0.5 s and ten times 0.01 s; the cache of the others has the mean context."""
    calls = []
    said = ask_mlsysim_030.answer(asked(context=35, compute="fp16"), types(calls))

    assert said["seconds"] == pytest.approx(0.6)
    assert calls == [(30, 2, "fp16"), (35, 2, "fp16")]


def test_one_phase_is_asked_for_alone():
    calls = []
    first = ask_mlsysim_030.answer(asked(step="prefill"), types(calls))
    other = ask_mlsysim_030.answer(asked(step="decode"), types(calls))

    assert (first["seconds"], other["seconds"], len(calls)) == (0.5, 0.01, 2)


def test_a_tool_gets_its_own_card_where_it_has_one():
    card = {"name": "NVIDIA A100 SXM4 80GB"}
    unknown = bench.question(next(p for p in ROWS if "RTX 4090" in p[1].hardware.name)[1])["device"]

    assert ask_mlsysim_030.device(card, types([])) == ("their A100", True)
    made, is_own = ask_mlsysim_030.device(unknown, types([]))
    assert (made.memory.bandwidth, is_own) == (unknown["bandwidth"], False)


def test_quantised_weights_are_told_by_their_bytes():
    """4.5 bits for each of 8e9 weights are 4.5e9 bytes."""
    figures = {**asked()["network"], "parameters": 8e9}

    assert ask_mlsysim_030.network(figures, 4.5, types([])).model_size == pytest.approx(4.5e9)
    assert ask_mlsysim_030.network(figures, 16, types([])).model_size is None


def test_what_a_tool_does_not_cover_is_a_reason():
    reason = "predicted not to fit in memory"

    assert "takes one" in ask_mlsysim_030.answer(asked(tp_size=2), types([]))["reason"]
    assert ask_mlsysim_030.answer(asked(), types([], feasible=False)) == {"reason": reason}
    assert "pipeline" in ask_llm_analysis.answer(asked(stages=4), None, None)["reason"]
    assert ask_llm_analysis.reason("model is too large (requiring 7 GB) to fit") == reason
    assert ask_llm_analysis.reason("") == "refused: a check of the tool on itself fails"


def analysis(calls, refusal=None):
    """``llm_analysis.analysis`` as a stub, whose latencies differ."""

    def inference(**call):
        calls.append(call)
        assert refusal is None, refusal
        return {"prefill_latency": 1.0, "decode_latency": 2.0, "total_latency": 3.0}

    return SimpleNamespace(LLMAnalysis=lambda *_, **__: SimpleNamespace(inference=inference))


CONFIG = SimpleNamespace(
    ModelConfig=SimpleNamespace,
    GPUConfig=SimpleNamespace,
    DtypeConfig=SimpleNamespace,
    ParallelismConfig=SimpleNamespace,
    gpu_configs={"a100-sxm-80gb": "their A100"},
)


@pytest.mark.parametrize(("step", "seconds"), [("prefill", 1.0), ("decode", 2.0), ("request", 3.0)])
def test_each_step_has_its_latency(step, seconds):
    calls = []
    device = {"name": "NVIDIA A100 SXM4 80GB"}
    said = ask_llm_analysis.answer(asked(step=step, device=device, prompt=0), analysis(calls), CONFIG)

    assert said == {"seconds": seconds, "own_card": True}
    assert calls == [{"batch_size_per_gpu": 2, "seq_len": 1, "num_tokens_to_generate": 11}]


def test_a_refusal_is_a_reason():
    device = {"name": "NVIDIA A100 SXM4 80GB"}
    said = ask_llm_analysis.answer(asked(device=device), analysis([], "fit in GPU memory"), CONFIG)

    assert said == {"reason": "predicted not to fit in memory"}


def test_a_gated_layer_keeps_its_weights():
    """Three matrices of 14,336 hold as much as two of 21,504 (Llama 3, arXiv:2407.21783)."""
    figures = bench.question(next(p for p in ROWS if p[1].model.name == "Llama-3.1-8B")[1])["network"]

    assert ask_llm_analysis.network(figures, CONFIG).ffn_embed_dim == 21_504
