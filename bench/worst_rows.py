"""Why the predictions that are furthest off are off: a cause for each kind of row, its figures computed.

The page on accuracy shows them. A row among the worst that no cause holds for fails the build of the page, so
that a new one is looked at before it is published.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from mlsysim import Hardware
from mlsysim.core.counting import kv_bytes_per_token
from mlsysim.core.models import Transformer
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.training_step import Overlap, Part
from mlsysim.course import claim
from mlsysim.mapping import Run, map_row
from mlsysim.mapping_facts import DeviceHours, map_fact
from mlsysim.mapping_training import map_training
from mlsysim.measurements import Measurement, read
from mlsysim.solvers.training import TrainingModel
from mlsysim.validation import Row

TABLE: Final = Path(__file__).parents[1] / "data" / "measurements.csv"
STEPS_OF_405B: Final = "4-llama-3-1-405b-h100-sxm-80gb-16384-b16m-tokens-mfu"
LIBRARIES: Final = "4-qwen3-30b-a3b-b200-180gb-8-b512-training-tokens-per-s-per-gpu"
"""Rows that a text compares with: published steps, and one run in a newer and (``-2``) an older library."""

HIDDEN: Final = Overlap(name="hidden", source="all of it, for comparison", exchange=1.0, data=0.0)


@cache
def stated() -> Mapping[str, Measurement]:
    """Return the rows of the public table, by id."""
    return {row["id"]: row for row in read(TABLE)}


def measured_seconds(row: Row, run: Run) -> float:
    """Return the measured time of a run of the engine. [s]"""
    predicted = float(sum(times * step.terms.latency for times, step in run.steps()))
    return predicted / row.ratio if row.unit in {"s", "ms", "us"} else predicted * row.ratio


def of_peak(row: Row) -> float:
    """Return the measured rate of arithmetic over the peak of all the row's devices."""
    if row.category == "7_run_facts":
        fact = map_fact(stated()[row.id])
        if not isinstance(fact, DeviceHours):
            return math.nan
        bound = TrainingModel().solve(fact.model, fact.hardware, prompt=fact.prompt, tokens=fact.tokens)
        return row.ratio * bound.mfu
    run = map_row(stated()[row.id])
    work = sum(step.work.flops * (times if run.stages == 1 else 1) for times, step in run.steps())
    return float(work / measured_seconds(row, run) / (run.steps()[0][1].terms.peak * run.stages))


def twin(row: Row, **other: str) -> float:
    """Return the measured value of the row that differs in these columns alone; NaN if there is none."""
    kept = (
        *("model", "precision_weights", "input_len", "software", "metric", "batch_or_concurrency"),
        *("hardware", "n_devices"),
    )
    wanted = {name: other.get(name, stated()[row.id][name]) for name in kept}
    found = (r.value for r in stated().values() if all(r[k] == v for k, v in wanted.items()))
    return next(found, math.nan)


def described(row: Row) -> str:
    """Return network, devices, number format and lengths of a row."""
    m = stated()[row.id]
    if row.category == "7_run_facts":
        return f"{m['model']}, {m['hardware']}, whole run"
    devices = "" if m["n_devices"] == "1" else f"{m['n_devices']} × "
    lengths = f"{m['input_len']} in" + ("" if m["output_len"] in {"", "0"} else f", {m['output_len']} out")
    batch = f"batch {m['batch_or_concurrency']}"
    return f"{m['model']}, {devices}{m['hardware']}, {m['precision_weights']}, {batch}, {lengths}"


def wider_sums(rows: Sequence[Row]) -> str:
    """Explain rates beyond the peak of a GeForce card."""
    shares = [of_peak(row) for row in rows]
    runs = [map_row(stated()[row.id]) for row in rows]
    expected = {float(step.terms.compute_efficiency) for run in runs for _, step in run.steps()}
    for peak in (run.hardware.peak_si for run in runs):
        ratio = peak.get("int8", 4 * peak["fp16"]) / peak["fp16"]
        claim("8-bit integers run at four times the rate", ratio, 4, rel=0.05)
    return (
        "The card's peak is that of 16-bit products summed in 32 bits. llama.cpp also sums in 16 bits or "
        "multiplies 8-bit integers, which a GeForce card does at twice and at four times that rate. "
        f"So {between(shares, '.0%')} of the peak were measured, where the preset, fitted to all devices, "
        f"expects {max(expected):.0%} at most."
    )


def short_pipeline(rows: Sequence[Row]) -> str:
    """Explain layers on several devices that are hardly faster than on one."""
    gains = [row.measured / twin(row, n_devices="1") for row in rows]
    ideal = [1 / map_row(stated()[row.id]).steps()[0][0] for row in rows]
    return (
        "The layers are split over several devices, and parts of a long prompt could follow each other "
        f"through them. That would make them {max(ideal):.1f} times as fast as one device; with quantised "
        f"weights they were {between(gains, '.1f')} times as fast, so the parts hardly overlapped."
    )


def peak_out_of_reach(rows: Sequence[Row]) -> str:
    """Explain an H100 that reads a prompt hardly faster than an A100."""
    against = [row.measured / twin(row, hardware="A100 PCIe 80GB") for row in rows]
    h100, a100 = map_row(stated()[rows[0].id]).hardware, Hardware.Cloud.A100_PCIe_80GB
    claim("about the same bandwidth", h100.bandwidth_si, a100.bandwidth_si, rel=0.05)
    claim("less than half the peak", a100.peak_si["fp16"] < h100.peak_si["fp16"] / 2, expected=True)
    return (
        f"The prompt was read only {max(against):.1f} times as fast as on an A100 PCIe, which has about the "
        "same bandwidth and less than half the peak. So the matrix unit was not the limit: what is left is "
        "work that goes through memory, such as unpacking weights and attention that is not fused, and the "
        "preset counts it as a share of the peak."
    )


def cache_too_large(rows: Sequence[Row]) -> str:
    """Explain a batch whose cache fits in 8 bits alone."""
    run = map_row(stated()[rows[0].id])
    if not isinstance(run.model, Transformer) or run.prompt is None or run.output is None:
        raise TypeError(f"{rows[0].id} is no request to a decoder transformer")
    whole = run.batch * (run.prompt + run.output) * kv_bytes_per_token(run.model, PRECISIONS["fp16"])
    left = run.tp_size * (run.hardware.capacity_si - run.steps()[1][1].work.weights)
    return (
        f"At its full length the cache takes {whole / 1e9:.0f} GB in 16 bits, and {left / 1e9:.0f} GB are "
        "left beside the weights. The prediction takes it to be in 8 bits, which fits; the source does not "
        "say. With 16 bits, requests would have had to wait for each other. The source, on TensorRT-LLM, "
        "calls its figures preliminary."
    )


def only_a_bound(rows: Sequence[Row]) -> str:
    """Explain device-hours of which the row tells no more than tokens and device."""
    return (
        "The row states tokens and a device, and not how the run was split. So the prediction is a bound: "
        "one device's step, with nothing lost between devices or in restarts. The hours come to "
        f"{between([of_peak(row) for row in rows], '.0%')} of the peak, where the steps of the family's "
        f"largest network reached {stated()[STEPS_OF_405B].value:.0f} %. What else the hours hold, the "
        "source does not say."
    )


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What a prediction leaves out: its name, a text on rows that show it, and which rows those are."""

    name: str
    why: Callable[[Sequence[Row]], str]
    holds: Callable[[Row, Measurement], bool]


def _llamacpp(row: Row, m: Measurement) -> bool:
    return "llama.cpp" in m["software"] and row.metric == "prefill_tokens_per_s"


CAUSES: Final = (
    Cause(
        name="Faster than the card's peak",
        why=wider_sums,
        holds=lambda r, m: _llamacpp(r, m) and "RTX" in m["hardware"] and r.ratio < 1,
    ),
    Cause(
        name="A peak out of reach",
        why=peak_out_of_reach,
        holds=lambda r, m: _llamacpp(r, m) and "H100" in m["hardware"] and r.ratio > 1,
    ),
    Cause(
        name="Pipeline that does not fill",
        why=short_pipeline,
        holds=lambda r, m: _llamacpp(r, m) and m["n_devices"] != "1" and r.ratio > 1,
    ),
    Cause(
        name="Cache larger than memory",
        why=cache_too_large,
        holds=lambda r, m: "H200" in m["hardware"] and "TensorRT-LLM 0.5" in m["software"] and r.ratio > 1,
    ),
    Cause(
        name="Bound, not a run",
        why=only_a_bound,
        holds=lambda r, _: r.metric == "pretraining_gpu_hours" and r.ratio < 1,
    ),
)


def explained(rows: Iterable[Row], causes: Sequence[Cause] = CAUSES) -> dict[str, list[Row]]:
    """Return the rows of each cause, by its name, in the order of *causes*.

    Raises
    ------
    ClaimError
        If no cause holds for a row.
    """
    found: dict[str, list[Row]] = {cause.name: [] for cause in causes}
    alone: list[Row] = []
    for row in rows:
        name = next((c.name for c in causes if c.holds(row, stated()[row.id])), None)
        (alone if name is None else found[name]).append(row)
    claim("each of the worst rows has an explanation", [row.id for row in alone], [])
    return {name: members for name, members in found.items() if members}


def between(values: Iterable[float], form: str = ".2f") -> str:
    """Return the least and the greatest value, in words."""
    ends = sorted(values)
    return f"{ends[0]:{form}} to {ends[-1]:{form}}"


def training_gaps(scored: Iterable[Row]) -> list[tuple[str, int, str, str]]:
    """Return what the prediction of a training step misses: a name, rows, their ratios, what they show."""
    rows = [row for row in scored if row.category == "4_training"]
    return [_libraries(rows), _parts(rows), _exchanges(rows)]


def _libraries(rows: Sequence[Row]) -> tuple[str, int, str, str]:
    new, old = (next(row for row in rows if row.id == LIBRARIES + end) for end in ("", "-2"))
    names = [stated()[row.id]["software"].replace("NeMo container", "NeMo") for row in (new, old)]
    text = (
        "Qwen3-30B-A3B on eight B200, experts on all of them, 512 sequences a step: "
        f"{new.measured / old.measured:.1f} times as fast with {names[0]} as with {names[1]} (MBS is the "
        f"microbatch), predicted {(new.predicted or 0) / (old.predicted or 1):.1f} times. One preset serves "
        "both libraries."
    )
    return "The library's release", 2, between([old.ratio, new.ratio]), text


def _parts(rows: Sequence[Row]) -> tuple[str, int, str, str]:
    herd = [row for row in rows if "Herd" in row.source and row.metric == "model_tflops_per_gpu"]
    runs = [map_training(stated()[row.id]) for row in herd]
    parts = (runs[0].model.layers + 2) // runs[0].split.pp_size
    finer = [replace(run, split=replace(run.split, interleave=parts)).predict() for run in runs]
    ratios = [predicted / row.measured for predicted, row in zip(finer, herd, strict=True)]
    text = (
        f"Llama 3.1 405B: the table of its report gives {runs[0].split.pp_size} stages and not how many "
        f"parts each holds, so one is taken. With the {parts} that follow from its text (a part is a layer, "
        f"the embedding or the head) the ratio is {between(ratios)}."
    )
    return "Parts of a pipeline", len(herd), between(row.ratio for row in herd), text


def _exchanges(rows: Sequence[Row]) -> tuple[str, int, str, str]:
    routed, shares, hidden = [], [], []
    for row in rows:
        m = stated()[row.id]
        if re.search(r"\bep[1-9]", m["parallelism"]) and row.metric == "training_tokens_per_s_per_gpu":
            run = map_training(m)
            step = run.solve().step
            if (share := step.parts[Part.EXPERT] / step.total) > 1 / 2:
                routed.append(row)
                shares.append(share)
                hidden.append(run.predict(overlap=HIDDEN) / row.measured)
    where = {stated()[row.id]["hardware_key"] for row in routed}
    claim("tokens go to experts between nodes of H100", where, {"H100 SXM 80GB"})
    text = (
        "Experts on several nodes of H100: the exchange of tokens would take "
        f"{between(shares, '.0%')} of the step, and nothing is taken to hide. Were all of it hidden behind "
        f"compute, the ratio would be {between(hidden)}."
    )
    return "Exchanges that hide", len(routed), between(row.ratio for row in routed), text
