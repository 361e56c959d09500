"""Predictions of two other tools for the rows of language models that this package scores.

Run from the root of the repository::

    python -m bench.other_tools

It makes an environment for each tool, installs the tool by pip, puts the same questions to both, and writes
``bench/other_tools.csv``, which the page on accuracy reads: one line for each tool and row, with the
prediction in the row's unit, or the reason why there is none.

Notes
-----
The questions come from the same mapping of rows as this package's own predictions. Devices are the tool's
own cards where it has them, and made through its public types from the figures of the cards here where not.
Networks are made from published figures, for both, so that none is scored on a rounded count of weights.
What else was chosen for a tool stands in the file that asks it: ``bench/ask_mlsysim_030.py`` and
``bench/ask_llm_analysis.py``. Neither tool has presets of software stacks, so each is scored at one setting.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.environments import FOLDER, LLM_ANALYSIS, MLSYSIM_030, Tool, ToolError, interpreter, run
from mlsysim.core.counting import parameters
from mlsysim.core.models import Transformer
from mlsysim.mapping import NotMappedError, Run, map_row
from mlsysim.measurements import Measurement, read
from mlsysim.validation import quantile

ROOT: Final = Path(__file__).parents[1]
TABLE: Final = ROOT / "data" / "measurements.csv"
SAVED: Final = ROOT / "bench" / "other_tools.csv"
CATEGORIES: Final = ("1_llm_decode_b1", "2_llm_throughput", "3_prefill_ttft")
COLUMNS: Final = ("tool", "id", "category", "measured", "predicted", "device", "reason")
SCRIPTS: Final = {MLSYSIM_030: "ask_mlsysim_030.py", LLM_ANALYSIS: "ask_llm_analysis.py"}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a tool says of a row.

    Parameters
    ----------
    tool
        Name and version.
    id, category, measured
        As the table states them.
    predicted
        In the row's unit; None where there is none.
    device
        ``own card`` or ``published figures``; empty where nothing is predicted.
    reason
        Why nothing is predicted; empty where something is.
    """

    tool: str
    id: str
    category: str
    measured: float
    predicted: float | None
    device: str
    reason: str


def mapped(rows: Iterable[Measurement]) -> list[tuple[Measurement, Run]]:
    """Return the rows that this package predicts of the categories that are compared."""
    found = []
    for row in rows:
        if row["category"] in CATEGORIES:
            try:
                run_of = map_row(row)
            except NotMappedError:
                continue
            if isinstance(run_of.model, Transformer):
                found.append((row, run_of))
    return found


def question(asked: Run) -> dict[str, Any]:
    """Return a run as plain figures in SI units, which every tool can be told."""
    m, hardware = asked.model, asked.hardware
    if not isinstance(m, Transformer):
        msg = f"a question is about a language model; got {m!r}"
        raise TypeError(msg)
    total = parameters(m)
    expert = (3 if m.gated else 2) * m.width * m.expert_width
    idle = m.moe_layers * (m.experts - m.experts_per_token) * expert
    link = hardware.figures.get("link") if asked.link is None else asked.link.bandwidth_si
    shape = ("layers", "width", "heads", "kv_heads", "ffn_width", "gated", "vocab", "context")
    moe = ("experts", "experts_per_token", "expert_width")
    return {
        "step": asked.metric.step,
        "batch": asked.batch,
        "prompt": asked.prompt or 0,
        "output": asked.output or 0,
        "context": asked.context,
        "tp_size": asked.tp_size,
        "stages": asked.stages,
        "weight_bits": asked.precision.weight_bits,
        "compute": asked.precision.compute,
        "link": link if asked.tp_size > 1 else None,
        "network": {
            "name": m.name,
            "parameters": total,
            "active_parameters": total - idle,
            **{name: getattr(m, name) for name in (*shape, *moe)},
        },
        "device": {
            "name": hardware.name,
            "year": hardware.year or 0,
            "peak": dict(hardware.peak_si),
            "bandwidth": hardware.bandwidth_si,
            "capacity": hardware.capacity_si,
        },
    }


def value(asked: Run, seconds: float) -> float:
    """Return the time of a run in the metric's unit."""
    tokens = {"request": asked.output, "prefill": asked.prompt}.get(asked.metric.step) or 1
    return asked.metric.value(seconds, asked.batch * tokens, asked.tp_size)


def predictions(
    tool: Tool, rows: Sequence[tuple[Measurement, Run]], answers: Sequence[Mapping[str, Any]]
) -> list[Prediction]:
    """Return what a tool's answers say, row by row.

    Raises
    ------
    ToolError
        If there is not one answer for each row.
    """
    if len(answers) != len(rows):
        msg = f"{tool} gave {len(answers)} answers to {len(rows)} questions"
        raise ToolError(msg)
    found = []
    for (row, asked), said in zip(rows, answers, strict=True):
        seconds = said.get("seconds")
        found.append(
            Prediction(
                tool=str(tool),
                id=row["id"],
                category=row["category"],
                measured=row.value,
                predicted=None if seconds is None else float(f"{value(asked, seconds):.6g}"),
                device="" if seconds is None else "own card" if said["own_card"] else "published figures",
                reason=said.get("reason", ""),
            )
        )
    return found


def ask(tool: Tool, rows: Sequence[tuple[Measurement, Run]], folder: Path) -> list[Prediction]:
    """Return a tool's predictions; if it cannot be installed or fails, each row says so."""
    script = str(ROOT / "bench" / SCRIPTS[tool])
    asked = "".join(json.dumps(question(of)) + "\n" for _, of in rows)
    try:
        said = run([str(interpreter(tool, folder)), "-I", script], f"asking {tool}", asked)
        answers = [json.loads(line) for line in said.splitlines()]
    except ToolError as fault:
        answers = [{"reason": str(fault)}] * len(rows)
    return predictions(tool, rows, answers)


def save(found: Iterable[Prediction], path: Path, command: str) -> None:
    """Write predictions as CSV below a line with the command that made them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {command}\n")
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in found:
            cells = {name: getattr(one, name) for name in COLUMNS}
            writer.writerow({**cells, "predicted": "" if one.predicted is None else repr(one.predicted)})


def saved(path: Path = SAVED) -> tuple[str, list[Prediction]]:
    """Return the command that made a file of predictions, and the predictions."""
    with path.open(encoding="utf-8", newline="") as file:
        command = file.readline().removeprefix("#").strip()
        return command, [_prediction(cells) for cells in csv.DictReader(file)]


def _prediction(cells: Mapping[str, str]) -> Prediction:
    texts = {name: cells[name] for name in ("tool", "id", "category", "device", "reason")}
    predicted = float(cells["predicted"]) if cells["predicted"] else None
    return Prediction(measured=float(cells["measured"]), predicted=predicted, **texts)


def summary(found: Iterable[Prediction]) -> list[str]:
    """Return a line for each tool and category, and one for each reason."""
    groups: dict[tuple[str, str], list[Prediction]] = {}
    for one in found:
        groups.setdefault((one.tool, one.category), []).append(one)
    lines = []
    for (tool, category), members in groups.items():
        ratios = [one.predicted / one.measured for one in members if one.predicted is not None]
        error = quantile([max(r, 1 / r) - 1 for r in ratios], 0.5)
        shown = "—" if error is None else f"{error:.0%}"
        lines.append(f"{tool:<20}{category:<20}{len(ratios):>4} of {len(members):>4} rows, error {shown}")
        reasons = Counter(one.reason for one in members if one.reason)
        lines.extend(f"  {number:>4}  {why}" for why, number in reasons.most_common())
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask every tool, write the file and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.other_tools", description=__doc__.split("\n")[0])
    parser.add_argument("--environments", type=Path, default=FOLDER, help="folder of the tools' environments")
    folder = parser.parse_args(arguments).environments
    rows = mapped(read(TABLE))
    found = [one for tool in SCRIPTS for one in ask(tool, rows, folder)]
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    save(found, SAVED, f"python -m bench.other_tools (Python {python})")
    print("\n".join(summary(found)))


if __name__ == "__main__":
    main()
