"""What the page asks of the package: plain calls, with plain data in and out.

This module runs in the reader's browser beside the wheel, and in the tests. It computes no time and counts no
byte; each number in an answer is one of the package's, and each text is how the package shows it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlsysim import (
    Q_,
    Accelerator,
    ArgumentError,
    Engine,
    Hardware,
    MLSysError,
    Models,
    ServingModel,
    Transformer,
    __version__,
)
from mlsysim.core.calibration import PRESETS
from mlsysim.core.explainers import DifferentialExplainer
from mlsysim.core.precision import PRECISIONS
from mlsysim.core.profile import PerformanceProfile
from mlsysim.format import plain, text
from mlsysim.solvers.serving import ServingResult

State = Mapping[str, str]
"""What the controls hold, as they stand in the address of the page: texts by name."""

STEP = {
    "model": "Llama3_8B",
    "hardware": "A100",
    "precision": "fp16",
    "phase": "decode",
    "batch": "16",
    "context": "1024",
    "prompt": "1024",
    "calibration": "",
}
DEFAULTS: Mapping[str, State] = {
    "roofline": STEP,
    "compare": {
        f"{side}.{name}": value
        for side, own in (("a", {}), ("b", {"hardware": "H100"}))
        for name, value in {**STEP, "batch": "1", "context": "0", **own}.items()
    },
    "serving": {
        "model": "Llama3_8B",
        "hardware": "H100",
        "devices": "1",
        "precision": "fp16",
        "users": "32",
        "prompt": "1024",
        "output": "256",
        "ttft": "2000",
        "tpot": "30",
        "calibration": "",
    },
}
"""What the controls hold before they are touched, by view."""

BATCHES = tuple(2**i for i in range(11))
"""Batches at which the path of a configuration is drawn."""

ANY_DEVICE = Accelerator(
    name="any", peak={"fp32": Q_("1 TFLOP/s")}, bandwidth=Q_("1 TB/s"), capacity=Q_("1 TB")
)


# ---------------------------------------------------------------------- what there is to choose from
def catalogue() -> dict[str, Any]:
    """Return the names that the controls offer, and the defaults."""
    from mlsysim.catalogue import entries  # noqa: PLC0415 - asked when the site is built, not in the browser

    return {
        "version": __version__,
        "models": [
            {
                "id": stem,
                "group": group,
                "name": model.name,
                "serves": isinstance(model, Transformer),
                "phases": {str(phase): _lengths(model, str(phase)) for phase in model.phases},
            }
            for group, stem, model in entries(Models)
        ],
        "hardware": [
            {"id": stem, "group": group, "name": device.name, "peaks": list(device.peak)}
            for group, stem, device in entries(Hardware)
        ],
        "precisions": {name: precision.compute for name, precision in PRECISIONS.items()},
        "calibrations": {name: list(map(str, c.compute_efficiency)) for name, c in PRESETS.items()},
        "defaults": DEFAULTS,
    }


def _lengths(model: Any, phase: str) -> list[str]:
    """Return the lengths that a step takes: the engine is asked, on a device of no account."""
    taken = []
    for name in ("context", "prompt"):
        try:
            Engine.solve(
                model,
                ANY_DEVICE,
                precision="fp32",
                phase=phase,
                calibration="ideal",
                context=1 if name == "context" else None,
                prompt=1 if name == "prompt" else None,
            )
        except ArgumentError:
            continue
        taken.append(name)
    return taken


# ---------------------------------------------------------------------- what the controls say
def _number(state: State, name: str) -> Any:
    """Return a number; what is none goes to the package as it is, which says what is wrong with it."""
    given = state[name].strip()
    try:
        return int(given)
    except ValueError:
        return given


def _milliseconds(state: State, name: str, label: str) -> float:
    try:
        limit = float(state[name])
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        msg = f"{label} must be a positive number of milliseconds; got {state[name]!r}"
        raise ArgumentError(msg)
    return limit


def _step(state: State, prefix: str = "") -> Callable[[int | None], PerformanceProfile]:
    """Return the step that the controls describe, as a function of another batch."""
    one = {name: state[prefix + name] for name in STEP}
    model, hardware = Models[one["model"]], Hardware[one["hardware"]]
    wanted = _lengths(model, one["phase"])
    lengths = {name: _number(one, name) for name in wanted}

    def solve(batch: int | None = None) -> PerformanceProfile:
        return Engine.solve(
            model,
            hardware,
            _number(one, "batch") if batch is None else batch,
            one["precision"],
            phase=one["phase"],
            calibration=one["calibration"] or None,
            **lengths,
        )

    return solve


def _shown(rows: Sequence[tuple[str, Any]]) -> list[list[str]]:
    return [[label, text(value)] for label, value in rows]


# ---------------------------------------------------------------------- the views
def roofline(state: State) -> dict[str, Any]:
    """Return one step: its rows, its place under the roof, and the parts of its time."""
    solve = _step(state)
    profile = solve(None)
    path = [solve(batch) for batch in BATCHES]
    t = profile.terms
    peaks = {
        "roof": (t.peak, t.bandwidth),
        "reach": (t.peak * t.compute_efficiency, t.bandwidth * t.memory_efficiency),
    }
    places = [_place(p)["x"] for p in (profile, *path)]
    ridges = [peak / bandwidth for peak, bandwidth in peaks.values()]
    low, high = min(places + ridges) / 3, max(places + ridges) * 4
    return {
        "title": profile.title,
        "headline": [text(profile.latency), str(profile.bottleneck), str(profile.fit)],
        "rows": _shown(profile.rows()),
        "result": profile.to_dict(),
        "chart": {
            "point": _place(profile),
            "path": [_place(p) for p in path],
            "ridge": {"x": ridges[0], "y": t.peak / 1e12, "text": text(profile.ridge_point)},
            **{
                name: [{"x": x, "y": min(peak, bandwidth * x) / 1e12} for x in (low, peak / bandwidth, high)]
                for name, (peak, bandwidth) in peaks.items()
            },
        },
        "parts": [
            {"label": label, **plain(value), "text": text(value)}
            for label, value in (
                ("Compute time", profile.compute_time),
                ("Memory time", profile.memory_time),
                ("Overhead", profile.overhead),
                ("Latency", profile.latency),
            )
        ],
    }


def _place(profile: PerformanceProfile) -> dict[str, Any]:
    return {
        "x": profile.work.flops / profile.work.traffic,
        "y": profile.work.flops / profile.terms.latency / 1e12,
        "batch": profile.batch_size,
        "fits": profile.fits,
        "text": f"batch {text(profile.batch_size)}: {text(profile.latency)}, {profile.bottleneck}",
    }


def compare(state: State) -> dict[str, Any]:
    """Return two steps and what the explainer says about them."""
    before, after = (_step(state, f"{side}.")(None) for side in "ab")
    why = DifferentialExplainer.compare_performance(baseline=before, proposal=after)
    level, bars = 1.0, []
    for player, factor in why.factors.items():
        bars.append({"label": str(player), "from": level, "to": level * factor, "text": f"{factor:.3f}x"})
        level *= factor
    return {
        "titles": [before.title, after.title],
        "headline": why.headline(),
        "analysis": why.sentences(),
        "bars": bars,
        "delivery": [[label, f"{f:.3f}x"] for label, f in why.delivery.rows()] if why.delivery else [],
        "rows": [_shown(before.rows()), _shown(after.rows())],
        "result": why.to_dict(),
        "profiles": [before.to_dict(), after.to_dict()],
    }


def serving(state: State) -> dict[str, Any]:
    """Return a batch of requests, the same for other numbers of users, and what the targets allow."""
    model: Any = Models[state["model"]]
    hardware = Hardware[state["hardware"]]
    first = _milliseconds(state, "ttft", "the target for TTFT")
    each = _milliseconds(state, "tpot", "the target for TPOT")

    def solve(users: int | None = None) -> ServingResult:
        return ServingModel().solve(
            model=model,
            hardware=hardware,
            batch_size=_number(state, "users") if users is None else users,
            precision=state["precision"],
            prompt=_number(state, "prompt"),
            output=_number(state, "output"),
            tp_size=_number(state, "devices"),
            calibration=state["calibration"] or None,
        )

    def meets(r: ServingResult) -> bool:
        return bool(r.ttft.to("ms").magnitude <= first and r.tpot.to("ms").magnitude <= each)

    result = solve()
    most = most_users(lambda users: meets(solve(users)), result.max_concurrency)
    top = max(result.max_concurrency, result.decode.batch_size, 1)
    users = sorted({*(2**i for i in range(top.bit_length() + 1)), result.decode.batch_size, top})
    return {
        "title": result.title,
        "headline": [
            f"TTFT {text(result.ttft)}",
            f"TPOT {text(result.tpot)}",
            f"{text(result.throughput)}",
            str(result.fit),
            f"within both targets: {text(most)} users",
        ],
        "rows": _shown(
            [
                *result.rows(),
                ("TTFT within the target", result.ttft.to("ms").magnitude <= first),
                ("TPOT within the target", result.tpot.to("ms").magnitude <= each),
                ("Most users within both targets", most),
            ]
        ),
        "result": result.to_dict(),
        "most": most,
        "targets": {"ttft": first, "tpot": each},
        "sweep": [
            {
                "users": n,
                "ttft": r.ttft.to("ms").magnitude,
                "tpot": r.tpot.to("ms").magnitude,
                "throughput": r.throughput.to("token/s").magnitude,
                "fits": r.fits,
                "meets": meets(r),
                "chosen": n == result.decode.batch_size,
                "text": f"{text(n)} users: TTFT {text(r.ttft)}, TPOT {text(r.tpot)}, {text(r.throughput)}",
            }
            for n in users
            for r in (solve(n),)
        ],
    }


def most_users(serves: Callable[[int], bool], fitting: int) -> int:
    """Return the largest number of users, up to *fitting*, that is served; 0 if none is.

    A step's time never falls when users are added, so the interval can be halved.

    Examples
    --------
    >>> most_users(lambda users: users <= 13, 100), most_users(lambda users: False, 100)
    (13, 0)
    """
    low, high = 0, fitting
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if serves(middle) else (low, middle - 1)
    return low


VIEWS: Mapping[str, Callable[[State], dict[str, Any]]] = {
    "roofline": roofline,
    "compare": compare,
    "serving": serving,
}


def answer(view: str, state: State) -> dict[str, Any]:
    """Return the answer of a view, or what the package objects to under ``error``."""
    try:
        return VIEWS[view](state)
    except MLSysError as error:
        return {"error": str(error)}


def answer_json(view: str, state: str) -> str:
    """Return the answer as JSON, to a question in JSON."""
    return json.dumps(answer(view, json.loads(state)), allow_nan=False)
