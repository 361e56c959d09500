"""`compare`: speed-up, factors, what holds back, what to buy instead, fit, and conditions."""

import math

import pytest

from mlsysim import DifferentialExplainer, Engine, Hardware, Models, SensitivitySolver

BASE = "model.name = 'Llama3_8B'\nhardware.name = 'A100'\nworkload.batch_size = 8\nworkload.context = 2048\n"
OURS = BASE.replace("A100", "H100")
HUGE = BASE.replace("Llama3_8B", "Llama3_70B")


@pytest.fixture
def pair(write):
    """Write two scenarios, and return the words that compare them."""

    def written(base=BASE, proposal=OURS):
        return "compare", write(base, "base.toml"), write(proposal, "proposal.toml")

    return written


def profiles():
    return [Engine.solve(Models.Llama3_8B, hw, 8, context=2048) for hw in (Hardware.A100, Hardware.H100)]


def test_it_says_what_the_explainer_says(pair, run):
    data = run(*pair())
    said = DifferentialExplainer.compare_performance(*profiles())

    assert data["speedup"] == pytest.approx(said.speedup)
    assert data["explanations"]["Step"] == said.to_dict()
    assert math.prod(data["explanations"]["Step"]["factors"].values()) == pytest.approx(data["speedup"])
    assert data["base"]["figures"]["latency"]["value"] == profiles()[0].latency.magnitude


def test_it_says_what_holds_the_proposal_back(pair, run):
    data = run(*pair())
    result = SensitivitySolver().solve(Models.Llama3_8B, Hardware.H100, 8, context=2048)

    assert data["sensitivity"]["exact"] == {str(k): v for k, v in result.exact.items()}
    assert "It is bound by memory bandwidth: 10 % more of it makes" in run(*pair(), output="text")


def test_it_says_what_would_have_been_enough(pair, run):
    """Under the textbook roofline by hand: all of 3.35 / 2.039 in bandwidth is delivered."""
    ideal = "workload.calibration = 'ideal'\n"
    data = run(*pair(BASE + ideal, OURS + ideal))

    assert data["speedup"] == pytest.approx(3.35 / 2.039)
    (said,) = data["enough"]
    assert said.startswith("The same time on NVIDIA A100 SXM4 80GB takes 1.64x its bandwidth (3.35 TB/s)")
    assert said.endswith("NVIDIA H100 SXM5 80GB brings 1.64x and 3.17x.")


def test_a_base_that_lacks_memory_would_need_it_too(pair, run):
    said = run(*pair(BASE.replace("A100", "L4"), OURS.replace("context = 2048", "context = 8192")))["enough"]

    assert said[-1].startswith("It also takes ")


def test_offers_hold_the_work_are_as_fast_and_come_by_cost(pair, run):
    offers = run(*pair())["offers"]
    costs = [offer["cost_of_a_million_items"]["value"] for offer in offers if offer["price"]]

    assert len(costs) >= 2
    assert costs == sorted(costs)
    assert all(offer["speedup"] >= 1 and offer["figures"]["fits"] for offer in offers)
    assert [bool(offer["price"]) for offer in offers] == sorted(
        (bool(o["price"]) for o in offers), reverse=True
    )
    assert Hardware.H100.name not in [offer["hardware"] for offer in offers]


def test_the_cost_of_a_million_tokens_by_hand(pair, run):
    """Hourly rent over an hour's tokens, times a million; two devices rent twice."""
    for devices in ("", "hardware.devices = 2\n"):
        offer = run(*pair(BASE + devices, OURS + devices))["offers"][0]
        rate = offer["figures"]["throughput"]["value"]
        rent = offer["price"]["value"] * (2 if devices else 1)

        assert offer["cost_of_a_million_items"]["value"] == pytest.approx(rent / 3600 / rate * 1e6)


def test_other_groups_can_be_bought_from(pair, run):
    offers = run(*pair(), "--candidates", "workstation")["offers"]

    assert {offer["hardware"] for offer in offers} <= {hw.name for hw in Hardware.Workstation}


def test_markdown_has_what_a_reviewer_wants(pair, run):
    text = run(*pair(), output="markdown")

    assert text.startswith("### Llama-3.1-8B on NVIDIA H100 SXM5 80GB against Llama-3.1-8B on NVIDIA A100")
    assert "- Speed-up: 1.41x (latency 12.48 ms to 8.831 ms)." in text
    assert "- The proposal fits: 18.21 GB of 85.52 GB." in text
    for heading in ("Figures", "Step: why", "What holds the proposal back", "What to buy instead"):
        assert f"**{heading}**" in text
    assert "| bandwidth | 1.366x |" in text


def test_a_share_of_peak_is_kept_in_the_advice(pair, run):
    """The vision preset says nothing of decode, and need not where the share is stated."""
    stated = "workload.calibration = 'vision'\nworkload.efficiency = 0.5\n"
    data = run(*pair(BASE + stated, OURS + stated))
    result = SensitivitySolver().solve(
        Models.Llama3_8B, Hardware.H100, 8, context=2048, calibration="vision", efficiency=0.5
    )

    assert data["sensitivity"]["exact"] == {str(k): v for k, v in result.exact.items()}
    assert data["enough"]


def test_a_software_change_has_nothing_to_buy_for_the_same_time(pair, run):
    data = run(*pair(OURS, OURS + "workload.precision = 'fp8'\n"))

    assert data["speedup"] > 1
    assert data["enough"] == []


def test_the_same_twice(pair, run):
    data = run(*pair(BASE, BASE), "--fail-if", "latency > 1x", "--fail-if", "speedup < 1")

    assert data["speedup"] == 1
    assert [limit["met"] for limit in data["limits"]] == [True, True]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("latency > 1.1x", 0),
        ("latency > 0.7x", 3),
        ("latency > 8 ms", 3),
        ("speedup < 1.5", 3),
        ("memory_required > 1x", 0),
        ("bottleneck == compute", 0),
        ("fits == no", 0),
    ],
)
def test_conditions(condition, code, pair, run):
    (limit,) = run(*pair(), "--fail-if", condition, code=code)["limits"]

    assert limit["met"] is (code == 0)
    assert limit["rule"] == "fails if"


def test_a_broken_condition_is_named_with_its_value(pair, capsys):
    from mlsysim.cli import main

    assert main([*pair(), "--fail-if", "latency > 0.7x"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlsysim: --fail-if 'latency > 0.7x': latency is 8.831 ms, 0.7074x of the base's")


def test_the_proposals_own_limits_count_and_the_bases_do_not(pair, run):
    limit = "assert.latency = '<= 10 ms'\n"

    assert run(*pair(BASE + limit, OURS))["speedup"] > 1
    run(*pair(OURS, BASE + limit), code=3)


def test_a_proposal_that_does_not_fit(pair, run):
    data = run(*pair(BASE, HUGE), "--fail-if", "latency > 1.1x", code=3)

    assert data["speedup"] is None
    assert data["sensitivity"] is None
    assert data["enough"] == []
    assert data["offers"]
    assert all(offer["speedup"] is None for offer in data["offers"])
    text = run(*pair(BASE, HUGE), output="text")
    assert "Speed-up: none, since not both fit." in text
    assert "The proposal does not fit: needs" in text
    assert "Memory: Llama-3.1-70B on NVIDIA A100 SXM4 80GB does not fit" in text


def test_a_base_that_does_not_fit_breaks_nothing(pair, run):
    data = run(*pair(HUGE, OURS), "--fail-if", "latency > 1.1x")

    assert data["limits"][0]["says"].endswith("the base has no value to compare with")


def test_serving_is_compared_by_phase(write, run):
    text = "task = 'serve'\nmodel.name = 'Llama3_8B'\nhardware.name = 'A100'\nworkload.prompt = 1024\n"
    words = ("compare", write(text, "a.toml"), write(text.replace("A100", "H100"), "b.toml"))
    data = run(*words, "--fail-if", "ttft > 0.9x")

    assert set(data["explanations"]) == {"First token", "Every further token"}
    ratio = data["base"]["figures"]["latency"]["value"] / data["proposal"]["figures"]["latency"]["value"]
    assert data["speedup"] == pytest.approx(ratio)
    assert "ttft" in data["offers"][0]["figures"]


def test_training_is_compared_by_part(write, run):
    text = (
        "task = 'train'\nmodel.name = 'Llama3_8B'\nhardware.fleet = 'DGX_SuperPOD_SU_H100'\n"
        "workload.batch_size = 512\nworkload.prompt = 8192\nparallelism.dp_size = 64\n"
    )
    words = (
        "compare",
        write(f"{text}parallelism.tp_size = 4\n", "a.toml"),
        write(f"{text}parallelism.tp_size = 2\nparallelism.pp_size = 2\n", "b.toml"),
    )
    shown = run(*words, output="text")

    assert "Speed-up: " in shown
    assert "Where the time goes" in shown
    assert "pipeline bubble" in shown
    assert "Its largest loss is " in shown
    assert "What to buy instead" not in shown


def test_a_stated_run_is_compared(write, run):
    text = (
        "task = 'train'\nmodel.name = 'Llama3_8B'\nhardware.name = 'A100'\nhardware.devices = 64\n"
        "workload.tokens = 1e12\nworkload.mfu = 0.4\n"
    )
    words = ("compare", write(text, "a.toml"), write(text.replace("A100", "H100"), "b.toml"))
    data = run(*words)

    assert data["speedup"] == pytest.approx(989 / 312, rel=1e-3)
    assert "states its utilisation, which says nothing of memory" in run(*words, output="text")


def test_a_step_and_a_run_are_not_compared(write, capsys):
    from mlsysim.cli import main

    text = (
        "task = 'train'\nmodel.name = 'Llama3_8B'\nhardware.fleet = 'DGX_SuperPOD_SU_H100'\n"
        "workload.batch_size = 512\nworkload.prompt = 8192\nparallelism.dp_size = 256\n"
    )
    words = [write(text, "a.toml"), write(f"{text}workload.tokens = 1e12", "b.toml")]

    assert main(["compare", *words]) == 2
    assert "give both [workload] tokens, or neither" in capsys.readouterr().err
