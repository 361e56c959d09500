"""The table of times, with stubs: the other tools are neither installed nor run here."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import compare, environments

OTHERS = [str(tool) for tool in environments.TOOLS]
PYTHON = {compare.OURS: [sys.executable, "-I"]}


def question(code, **how):
    return compare.Question(asked="q", answers={compare.OURS: compare.Code(code=code, **how)})


def test_a_table_has_times_and_ratios():
    times = {"Import": {compare.OURS: 0.01, OTHERS[0]: 4.8}, "Step": {compare.OURS: 2e-5, OTHERS[1]: 1e-5}}

    assert compare.table(times).splitlines() == [
        f"| | {compare.OURS} | mlsysim 0.3.0 | llm-analysis 0.2.2 |",
        "|:--|--:|--:|--:|",
        "| Import | 10 ms | 4.8 s (480x) | — |",
        "| Step | 20 µs | — | 10 µs (0.5x) |",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1234.0, "1,200 s"), (0.999, "1,000 ms"), (1e-3, "1 ms"), (2.55e-4, "260 µs"), (3e-9, "3 ns")],
)
def test_a_time_has_two_figures(seconds, text):
    assert compare.duration(seconds) == text


def test_a_page_names_its_command_and_no_machine():
    page = compare.report({"q": {compare.OURS: 1.0}}, "python -m bench.compare", ["x is left out: why"])

    assert "`python -m bench.compare`" in page
    assert "x is left out: why" in page
    assert str(Path.home()) not in page
    assert sys.executable not in page


def test_a_program_prints_the_time_of_one_answer():
    """Two loops of half a second's sleep that is not slept: only the division is looked at."""
    code = compare.Code(
        before="time.perf_counter = iter([0.0, 8.0]).__next__", code="pass", loops=2, points=4
    )
    said = subprocess.run(
        [sys.executable, "-c", code.program], capture_output=True, text=True, check=True
    ).stdout

    assert float(said) == 8.0 / (2 * 4)


def test_what_a_tool_prints_does_not_reach_the_time():
    times = compare.measure([question("print('7')", loops=3)], PYTHON, rounds=1)

    assert times["q"][compare.OURS] != 7


def test_the_best_round_counts(monkeypatch):
    said = iter(["3.0", "1.0", "2.0"])
    monkeypatch.setattr(compare, "run", lambda *_: next(said))

    assert compare.measure([question("pass")], PYTHON, rounds=3) == {"q": {compare.OURS: 1.0}}


def test_a_tool_that_is_not_there_is_not_asked():
    other = compare.Question(asked="q", answers={OTHERS[0]: compare.Code(code="raise SystemExit(1)")})

    assert compare.measure([other], PYTHON, rounds=1) == {"q": {}}


def test_a_program_that_fails_says_of_whom():
    with pytest.raises(environments.ToolError, match=r"'q' by mlsysim, this package failed: KeyError: 1"):
        compare.measure([question("{}[1]")], PYTHON, rounds=1)


def test_a_tool_that_cannot_be_installed_is_left_out_aloud(monkeypatch, tmp_path):
    def refuse(tool, _):
        raise environments.ToolError(f"installing {tool} failed: offline")

    monkeypatch.setattr(compare, "interpreter", refuse)
    pythons, missing = compare.pythons_of(tmp_path)

    assert list(pythons) == [compare.OURS]
    assert missing == [f"{tool} is left out: installing {tool} failed: offline" for tool in OTHERS]


def test_the_others_cannot_see_the_working_folder(monkeypatch, tmp_path):
    """One of them has this package's import name."""
    monkeypatch.setattr(compare, "interpreter", lambda tool, folder: folder / tool.name)
    pythons, _ = compare.pythons_of(tmp_path)

    assert [pythons[tool][1:] for tool in OTHERS] == [["-I"], ["-I"]]


def test_an_environment_is_made_once(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(environments.venv, "create", lambda home, **_: (made.append(home), home.mkdir()))
    monkeypatch.setattr(environments, "run", lambda command, purpose: made.append((command[1:], purpose)))
    tool = environments.Tool("tool", "1.2")
    first, second = environments.interpreter(tool, tmp_path), environments.interpreter(tool, tmp_path)

    home = tmp_path / "tool-1.2"
    install = ["-m", "pip", "install", "--quiet", "tool==1.2"]
    assert first == second
    assert first.is_relative_to(home)
    assert made == [home, (install, "installing tool 1.2")]


def test_an_install_that_failed_is_tried_again(monkeypatch, tmp_path):
    def fail(*_):
        raise environments.ToolError("offline")

    monkeypatch.setattr(environments.venv, "create", lambda home, **_: home.mkdir(exist_ok=True))
    monkeypatch.setattr(environments, "run", fail)

    for _ in range(2):
        with pytest.raises(environments.ToolError, match="offline"):
            environments.interpreter(environments.Tool("tool", "1.2"), tmp_path)


def test_our_own_code_of_each_question_runs():
    """Once through, so that a renamed name is seen before someone waits for an environment."""
    for asked in compare.QUESTIONS:
        own = asked.answers[compare.OURS]
        once = compare.Code(code=own.code, before=own.before)
        assert float(environments.run([sys.executable, "-c", once.program], asked.asked)) > 0


def test_the_saved_page_is_of_these_questions():
    page = compare.RESULTS.read_text("utf-8")

    assert [q.asked for q in compare.QUESTIONS if f"| {q.asked} |" not in page] == []
