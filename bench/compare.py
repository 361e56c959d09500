"""How much of a reader's time this package takes, and two others: side by side in one run, as ratios.

Run from the root of the repository::

    python -m bench.compare

It makes an environment for each other tool and installs it by pip, times the same questions in turn with
each, prints a table and writes it to ``bench/RESULTS.md``. With ``--site`` it builds the website too.

Notes
-----
A time is the least of several rounds, since whatever else the machine does only adds to it; the tools take
turns within a round. Ratios carry over from one machine to another better than times do.

A question is a :class:`Question`: code for each tool that can answer it, and what comes before the clock
starts. A line of the table is an entry of ``QUESTIONS``.
"""

import argparse
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.environments import FOLDER, LLM_ANALYSIS, MLSYSIM_030, ToolError, interpreter, run

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
OURS: Final = "mlsysim, this package"
ROUNDS: Final = 5
NOT_ASKED: Final = "—"

TIMED: Final = """
import contextlib, os, time
with contextlib.redirect_stdout(open(os.devnull, "w")):
    {before}
    start = time.perf_counter()
    for _ in range({loops}):
        {code}
    seconds = time.perf_counter() - start
print(seconds / ({loops} * {points}))
"""


@dataclass(frozen=True, kw_only=True)
class Code:
    """What one tool does to answer a question.

    Parameters
    ----------
    code
        What is timed, in one line.
    before
        What comes before, in one line.
    loops
        How often *code* runs while the clock does.
    points
        What each run of *code* answers, so that a sweep is timed by the point.
    """

    code: str
    before: str = "pass"
    loops: int = 1
    points: int = 1

    @property
    def program(self) -> str:
        """A program that prints the seconds of one answer."""
        return TIMED.format(before=self.before, code=self.code, loops=self.loops, points=self.points)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A line of the table.

    Parameters
    ----------
    asked
        The question in words.
    answers
        Code by tool; a tool without an answer is left out.
    """

    asked: str
    answers: Mapping[str, Code]


_030, _ANALYSIS = str(MLSYSIM_030), str(LLM_ANALYSIS)

_OURS_MADE: Final = (
    "from mlsysim import Engine, Hardware, Models, ServingModel; "
    "model, device, serving = Models.Llama3_8B, Hardware.Cloud.A100, ServingModel()"
)
_030_MADE: Final = (
    "from mlsysim import Engine, Hardware, Models; from mlsysim.solvers import ServingModel; "
    "model, device, serving = Models.Language.Llama3_8B, Hardware.Cloud.A100, ServingModel()"
)
_ANALYSIS_MADE: Final = (
    "from llm_analysis.analysis import LLMAnalysis; from llm_analysis import config; "
    "config.logger.setLevel(100); "
    "model = config.ModelConfig('Llama-3.1-8B', 32, 32, 4096, 128256, 131072, 8, ffn_embed_dim=21504, "
    "expansion_ratio=5.25); "
    "asked = LLMAnalysis(model, config.gpu_configs['a100-sxm-80gb'])"
)

QUESTIONS: Final = (
    Question(
        asked="Import",
        answers={
            OURS: Code(code="import mlsysim"),
            _030: Code(code="import mlsysim"),
            _ANALYSIS: Code(code="import llm_analysis.analysis"),
        },
    ),
    Question(
        asked="Import, and the solver ready to be called",
        answers={
            OURS: Code(code="from mlsysim import Engine, ServingModel"),
            _030: Code(code="from mlsysim.solvers import ServingModel"),
            _ANALYSIS: Code(code="from llm_analysis.analysis import LLMAnalysis"),
        },
    ),
    Question(
        asked="Import, and all cards of devices and networks read",
        answers={
            OURS: Code(code="import mlsysim; mlsysim.Hardware.list(); mlsysim.Models.list()"),
            _030: Code(code="import mlsysim; mlsysim.Hardware.list(); mlsysim.Models.list()"),
            _ANALYSIS: Code(code="from llm_analysis.config import gpu_configs, model_configs"),
        },
    ),
    Question(
        asked="One step: Llama-3.1-8B on an A100",
        answers={
            OURS: Code(code="Engine.solve(model, device).latency", before=_OURS_MADE, loops=2_000),
            _030: Code(code="Engine.solve(model, device).latency", before=_030_MADE, loops=200),
            _ANALYSIS: Code(code="asked.get_latency_fwd(1, 1)", before=_ANALYSIS_MADE, loops=500),
        },
    ),
    Question(
        asked="One request: first token and time between tokens",
        answers={
            OURS: Code(
                code="r = serving.solve(model, device, prompt=512, output=128); r.ttft; r.tpot",
                before=_OURS_MADE,
                loops=1_000,
            ),
            _030: Code(
                code="r = serving.solve(model, device, 512); r.ttft; r.itl", before=_030_MADE, loops=200
            ),
            _ANALYSIS: Code(
                code="asked.inference(seq_len=512, num_tokens_to_generate=128)",
                before=_ANALYSIS_MADE,
                loops=500,
            ),
        },
    ),
    *(
        Question(
            asked=f"One point of a sweep of {side**2:,} steps: batch x context",
            answers={
                OURS: Code(
                    code="Engine.sweep(model, device, batches, context=contexts).latency",
                    before=f"{_OURS_MADE}; import numpy as np; batches = np.arange(1, {side + 1}); "
                    f"contexts = 8 * np.arange({side})",
                    loops=5,
                    points=side**2,
                ),
                _030: Code(
                    code="[Engine.solve(model, device, batch_size=b).latency for b in range(1, 201)]",
                    before=_030_MADE,
                    points=200,
                ),
                _ANALYSIS: Code(
                    code="[asked.get_latency_fwd(b, 1) for b in range(1, 201)]",
                    before=_ANALYSIS_MADE,
                    points=200,
                ),
            },
        )
        for side in (100, 1000)
    ),
)
"""The lines of the table."""

SITE: Final = Question(
    asked="Website, every page executed",
    answers={
        OURS: Code(
            code="subprocess.run(command, check=True)",
            before="import subprocess, sys; "
            "command = [sys.executable, '-m', 'sitebuild', 'build', '--strict', '--no-cache']",
        )
    },
)
"""A line that takes minutes; the others have no website in the package."""

Times = dict[str, dict[str, float]]
"""Seconds of an answer by question and tool."""


def measure(questions: Sequence[Question], pythons: Mapping[str, list[str]], rounds: int = ROUNDS) -> Times:
    """Return the least time of each answer; the tools take turns.

    Parameters
    ----------
    pythons
        By tool, the command that runs Python; a tool without one is not asked.

    Raises
    ------
    ToolError
        If a program fails, with the question and the tool.
    """
    times: Times = {question.asked: {} for question in questions}
    for _ in range(rounds):
        for question in questions:
            found = times[question.asked]
            for tool, code in question.answers.items():
                if tool in pythons:
                    said = run([*pythons[tool], "-c", code.program], f"{question.asked!r} by {tool}")
                    found[tool] = min(float(said.split()[-1]), found.get(tool, float("inf")))
    return times


def pythons_of(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Return the command of each tool's Python, and a line for each tool that cannot be installed.

    The others are isolated (``-I``), or the working folder would give one of them this package.
    """
    found, missing = {OURS: [sys.executable]}, []
    for tool in (MLSYSIM_030, LLM_ANALYSIS):
        try:
            found[str(tool)] = [str(interpreter(tool, folder)), "-I"]
        except ToolError as fault:
            missing.append(f"{tool} is left out: {fault}")
    return found, missing


def duration(seconds: float) -> str:
    """Return a time in the unit that fits it.

    Examples
    --------
    >>> duration(4.81), duration(0.0123), duration(2.61e-05)
    ('4.8 s', '12 ms', '26 µs')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_figures(seconds / size)} {unit}"
    return f"{_figures(seconds / 1e-9)} ns"


def _figures(value: float) -> str:
    """Return a number with two significant figures, never as a power of ten."""
    return f"{float(f'{value:.2g}'):,g}"


def table(times: Times) -> str:
    """Return the times as a Markdown table: in brackets, how many times as long as here."""
    tools = [OURS, _030, _ANALYSIS]
    lines = [f"| | {' | '.join(tools)} |", "|:--|" + "--:|" * len(tools)]
    for asked, found in times.items():
        cells = [duration(found[OURS])]
        for tool in tools[1:]:
            shown = NOT_ASKED
            if tool in found:
                shown = f"{duration(found[tool])} ({_figures(found[tool] / found[OURS])}x)"
            cells.append(shown)
        lines.append(f"| {asked} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(times: Times, command: str, missing: Sequence[str] = ()) -> str:
    """Return the page that is saved."""
    notes = "".join(f"\n{line}\n" for line in missing)
    return (
        "# How long it takes\n\n"
        "In brackets: how many times as long as in this package, on the same machine in the same run.\n\n"
        f"{table(times)}\n{notes}\n"
        f"Made by `{command}` with {platform.python_implementation()} {platform.python_version()} on "
        f"{platform.system()}. The other tools run in environments of their own.\n"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Time every question, print the page and save it."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__.split("\n")[0])
    parser.add_argument("--environments", type=Path, default=FOLDER, help="folder of the tools' environments")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds, of which the best counts")
    parser.add_argument("--site", action="store_true", help="build the website too, which takes minutes")
    chosen = parser.parse_args(arguments)
    pythons, missing = pythons_of(chosen.environments)
    times = measure(QUESTIONS, pythons, chosen.rounds)
    if chosen.site:
        times |= measure([SITE], pythons, 1)
    rounds = "" if chosen.rounds == ROUNDS else f" --rounds {chosen.rounds}"
    page = report(times, f"python -m bench.compare{rounds}{' --site' * chosen.site}", missing)
    RESULTS.write_text(page, "utf-8")
    print(page)


if __name__ == "__main__":
    main()
