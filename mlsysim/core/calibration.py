r"""How far real machines fall short of the roofline: a few factors, each with its source.

.. math:: T = \max(T_c, T_m) + \gamma \min(T_c, T_m) + t_{step} + L\,t_{layer}

with :math:`T_c = \mathrm{FLOP} / (\mathrm{peak}\,\eta_c)` and
:math:`T_m = \mathrm{bytes} / (\mathrm{bandwidth}\,\eta_m)`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Q_, Quantity
from mlsysim.core.errors import ArgumentError, suggestion
from mlsysim.core.models import Model, Phase
from mlsysim.core.specs import FrozenMap

_NO_TIME = Q_("0 us")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The factors of the time equation, under one name.

    Parameters
    ----------
    name, source
        What it is called, and what it was fitted to.
    compute_efficiency
        Share of the peak rate that matrix products reach, by phase; a phase that is not named
        here is not covered.
    attention_efficiency
        Rate of attention scores in training over that of matrix products.
    memory_efficiency
        Share of the memory bandwidth that is reached.
    serial_fraction
        Share of the shorter of compute and memory time that the longer one does not hide:
        0 is the textbook roofline, 1 is one after the other.
    step_overhead, layer_overhead
        Time of scheduler and launches, for each step and for each layer. [s]
    tile
        Rows to which hardware pads matrix products.
    link_efficiency, link_latency
        Share of the link bandwidth that a sum over devices reaches, and the time that one such sum
        takes without content. [s]
    band
        10th and 90th percentile of measured over predicted time, by phase, over runs that the fit did not
        see. A phase without enough of them has none.

    Examples
    --------
    >>> IDEAL.compute_efficiency[Phase.DECODE]
    1.0
    >>> preset("serving").serial_fraction
    0.35
    """

    name: str
    source: str
    compute_efficiency: Mapping[Phase, float]
    memory_efficiency: float
    serial_fraction: float
    step_overhead: Quantity
    layer_overhead: Quantity
    tile: int
    attention_efficiency: float = 1.0
    link_efficiency: float = 1.0
    link_latency: Quantity = _NO_TIME
    band: Mapping[Phase, tuple[float, float]] = field(default_factory=dict)
    step_seconds: float = field(init=False, repr=False, compare=False)
    layer_seconds: float = field(init=False, repr=False, compare=False)
    link_seconds: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = Arguments(f"Calibration {self.name!r}")
        shares = self.compute_efficiency
        if not isinstance(shares, Mapping) or not shares:
            given.fault(f"compute_efficiency must map phases to shares of peak; got {shares!r}")
            shares = {}
        for phase, value in shares.items():
            if phase not in set(Phase):
                given.fault(f"compute_efficiency: {phase!r} is no phase. {suggestion(str(phase), Phase)}")
            given.fraction(f"compute_efficiency[{phase}]", value)
        memory = given.fraction("memory_efficiency", self.memory_efficiency)
        given.fraction("attention_efficiency", self.attention_efficiency)
        hidden = self.serial_fraction
        serial = given.number("serial_fraction", hidden, "from 0 to 1", lambda x: 0 <= x <= 1)
        given.count("tile", self.tile)
        step = given.quantity("step_overhead", self.step_overhead, "ms", positive=False)
        layer = given.quantity("layer_overhead", self.layer_overhead, "us", positive=False)
        sum_time = given.quantity("link_latency", self.link_latency, "us", positive=False)
        reached = given.fraction("link_efficiency", self.link_efficiency)
        bands = self.band if isinstance(self.band, Mapping) else {None: None}
        if not set(bands) <= set(shares) or not all(map(_is_band, bands.values())):
            given.fault(f"band must map covered phases to two positive ratios, low first; got {self.band!r}")
        given.close()
        put = object.__setattr__
        put(self, "compute_efficiency", FrozenMap({Phase(p): float(x) for p, x in shares.items()}))
        put(self, "band", FrozenMap({Phase(p): (float(a), float(b)) for p, (a, b) in self.band.items()}))
        put(self, "memory_efficiency", memory)
        put(self, "serial_fraction", serial)
        put(self, "step_seconds", step)
        put(self, "layer_seconds", layer)
        put(self, "link_seconds", sum_time)
        put(self, "link_efficiency", reached)

    def efficiency(self, phase: Phase) -> float:
        """Return the share of peak that *phase* reaches, or say that it is not covered."""
        try:
            return self.compute_efficiency[phase]
        except KeyError:
            covered = ", ".join(self.compute_efficiency)
            able = ", ".join(c.name for c in PRESETS.values() if phase in c.compute_efficiency)
            msg = (
                f"calibration {self.name!r} covers {covered}, not {phase}. "
                f"Choose one that covers it ({able}) or pass a Calibration of your own."
            )
            raise ArgumentError(msg) from None

    def __str__(self) -> str:
        return self.name


def _is_band(ends: object) -> bool:
    """Return whether *ends* are two ratios, the lower first."""
    return (
        isinstance(ends, tuple)
        and len(ends) == 2
        and all(isinstance(end, int | float) for end in ends)
        and 0 < ends[0] <= ends[1] < math.inf
    )


IDEAL: Final = Calibration(
    name="ideal",
    source="The textbook roofline: Williams, Waterman, Patterson, CACM 52(4), 2009",
    compute_efficiency=dict.fromkeys(Phase, 1.0),
    memory_efficiency=1.0,
    serial_fraction=0.0,
    step_overhead=Q_("0 s"),
    layer_overhead=Q_("0 s"),
    tile=1,
)
"""Every resource fully used, compute and memory fully overlapped, nothing else costs time."""

SERVING: Final = Calibration(
    name="serving",
    source=(
        "Fitted to static single-device throughput and first-token latency of TensorRT-LLM v0.9 and "
        "decode rates of gpt-fast (data/measurements.csv, categories 1 to 3); its link to the "
        "tensor-parallel rows. Over all rows of TensorRT-LLM v0.9: decode 43 rows, median error 13.1 %, "
        "13.4 % with each hardware x network left out; prefill 22 rows, median error 7.7 %, 8.2 % with each "
        "hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.275, Phase.PREFILL: 0.58},
    memory_efficiency=1.0,
    serial_fraction=0.35,
    step_overhead=Q_("2.2 ms"),
    layer_overhead=Q_("42 us"),
    tile=8,
    link_efficiency=0.86,
    link_latency=Q_("43.5 us"),
    band={Phase.DECODE: (0.66, 1.19), Phase.PREFILL: (0.82, 1.16)},
)
"""Language models in a serving system: the default for decode and prefill."""

TUNED: Final = Calibration(
    name="tuned",
    source=(
        "Fitted to static throughput and first-token latency of TensorRT-LLM v0.9, on one device and "
        "tensor-parallel (data/measurements.csv, categories 2 and 3): decode 43 rows, median error 9.8 %, "
        "10.4 % with each hardware x network left out; prefill 22 rows, median error 4.5 %, 9.2 % with "
        "each hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.55, Phase.PREFILL: 0.63},
    memory_efficiency=0.88,
    serial_fraction=0.6,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("101.5 us"),
    tile=1,
    link_efficiency=0.6,
    link_latency=Q_("16.5 us"),
    band={Phase.DECODE: (0.82, 1.24), Phase.PREFILL: (0.85, 1.19)},
)
"""Language models in TensorRT-LLM, batch and lengths fixed: the closest fit to its rows."""

SINGLE_USER: Final = Calibration(
    name="single_user",
    source=(
        "Fitted to single sequences in gpt-fast, llama.cpp, ExLlama and MLC (data/measurements.csv, "
        "categories 1, 3 and 8): decode 134 rows, median error 10.2 %, 10.7 % with each stack left out; "
        "prefill 84 rows, median error 67.2 %, 72.9 % with each hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.275, Phase.PREFILL: 0.37},
    memory_efficiency=0.81,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("40.5 us"),
    tile=1,
    link_latency=Q_("20.5 us"),
    band={Phase.DECODE: (0.89, 1.65), Phase.PREFILL: (0.39, 2.18)},
)
"""One sequence at a time, whatever the software."""

SINGLE_USER_GPTFAST: Final = Calibration(
    name="single_user_gptfast",
    source=(
        "Fitted to gpt-fast (data/measurements.csv, category 1): decode 8 rows, median error 2.1 %, 8.8 % "
        "with each hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.275},
    memory_efficiency=0.82,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("82 us"),
    tile=1,
    band={Phase.DECODE: (0.91, 1.22)},
)
"""One sequence at a time in gpt-fast: PyTorch in a compiled graph."""

SINGLE_USER_LLAMACPP: Final = Calibration(
    name="single_user_llamacpp",
    source=(
        "Fitted to llama.cpp (data/measurements.csv, categories 1 and 3): decode 87 rows, median error "
        "9.1 %, 8.8 % with each source left out; prefill 81 rows, median error 55.9 %, 59.7 % with each "
        "hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.94, Phase.PREFILL: 0.37},
    memory_efficiency=0.88,
    serial_fraction=1.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("90 us"),
    tile=1,
    band={Phase.DECODE: (0.92, 1.53), Phase.PREFILL: (0.43, 2.06)},
)
"""One sequence at a time in llama.cpp."""

SINGLE_USER_EXLLAMA: Final = Calibration(
    name="single_user_exllama",
    source=(
        "Fitted to ExLlama and ExLlamaV2 (data/measurements.csv, categories 1 and 3): decode 24 rows, "
        "median error 5.4 %, 12.9 % with each source left out; prefill 3 rows, median error 18.2 %, 18.2 "
        "% with each hardware x network left out"
    ),
    compute_efficiency={Phase.DECODE: 0.275, Phase.PREFILL: 1.0},
    memory_efficiency=0.89,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("48.5 us"),
    tile=1,
    band={Phase.DECODE: (0.69, 1.12)},
)
"""One sequence at a time in ExLlama."""

SINGLE_USER_MLC: Final = Calibration(
    name="single_user_mlc",
    source=(
        "Fitted to MLC-LLM (data/measurements.csv, categories 1 and 8): decode 15 rows, median error 2.4 "
        "%, 10.9 % with each source left out"
    ),
    compute_efficiency={Phase.DECODE: 0.275},
    memory_efficiency=0.81,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("32 us"),
    tile=1,
    link_latency=Q_("50 us"),
    band={Phase.DECODE: (0.98, 1.53)},
)
"""One sequence at a time in MLC-LLM."""

VISION: Final = Calibration(
    name="vision",
    source=(
        "Fitted to compiled graphs on single GPUs from 5 sources: ResNet-50 in int8 at batch 1 (TensorRT, "
        "MLPerf Inference) and eight networks in fp16 on RTX 4090 and RTX 5090 (torch.compile, timm); "
        "data/measurements.csv, category 5. One source has all large batches: forward 22 rows, median "
        "error 5.9 %, 9.5 % with each hardware x network left out"
    ),
    compute_efficiency={Phase.FORWARD: 0.94},
    memory_efficiency=0.44,
    serial_fraction=0.55,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("7.5 us"),
    tile=8,
    band={Phase.FORWARD: (0.81, 1.32)},
)
"""ConvNets, vision transformers and encoders in a compiled graph: the default for forward."""

VISION_TENSORRT: Final = Calibration(
    name="vision_tensorrt",
    source=(
        "Fitted to single images in TensorRT (data/measurements.csv, categories 5 and 8): forward 18 "
        "rows, median error 12.6 %, 17.8 % with each source left out"
    ),
    compute_efficiency={Phase.FORWARD: 0.33},
    memory_efficiency=0.56,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("8 us"),
    tile=8,
    band={Phase.FORWARD: (0.76, 1.61)},
)
"""Vision networks in TensorRT."""

VISION_EAGER: Final = Calibration(
    name="vision_eager",
    source=(
        "Fitted to PyTorch without a compiler (data/measurements.csv, category 5): forward 36 rows, "
        "median error 16.8 %, 24.3 % with each source left out"
    ),
    compute_efficiency={Phase.FORWARD: 1.0},
    memory_efficiency=0.26,
    serial_fraction=1.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("168 us"),
    tile=8,
    band={Phase.FORWARD: (0.61, 1.17)},
)
"""Vision networks in PyTorch, one kernel after another."""

MICRO: Final = Calibration(
    name="micro",
    source=(
        "Fitted to three networks of MLPerf Tiny on one microcontroller, the only one with all figures: "
        "too few for a band (data/measurements.csv, category 8): forward 3 rows, median error 1.7 %, "
        "131.7 % with each hardware x network left out"
    ),
    compute_efficiency={Phase.FORWARD: 1.0},
    memory_efficiency=1.0,
    serial_fraction=0.0,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("44 us"),
    tile=1,
)
"""Networks on a microcontroller."""

TRAINING: Final = Calibration(
    name="training",
    source=(
        "Fitted to training steps of language models on 8 to 16,384 devices from 7 sources, exchanges by the "
        "preset 'nccl' and nothing hidden (data/measurements.csv, category 4): train 143 runs, median error "
        "12.0 %, 14.6 % with each source left out"
    ),
    compute_efficiency={Phase.TRAIN: 0.75},
    attention_efficiency=0.25,
    memory_efficiency=0.25,
    serial_fraction=0.45,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("95 us"),
    tile=8,
    band={Phase.TRAIN: (0.72, 1.32)},
)
"""Forward and backward of language models: the default for train."""

PRESETS: Final = {
    c.name: c
    for c in (
        IDEAL,
        SERVING,
        TUNED,
        SINGLE_USER,
        SINGLE_USER_GPTFAST,
        SINGLE_USER_LLAMACPP,
        SINGLE_USER_EXLLAMA,
        SINGLE_USER_MLC,
        VISION,
        VISION_TENSORRT,
        VISION_EAGER,
        MICRO,
        TRAINING,
    )
}
"""Calibrations by name."""


def preset(value: "str | Calibration") -> Calibration:
    """Return the calibration of that name.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    if isinstance(value, Calibration):
        return value
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    known = suggestion(str(value), PRESETS)
    msg = f"calibration must be a Calibration or the name of a preset; got {value!r}. {known}"
    raise ArgumentError(msg)


def default(model: Model, phase: Phase) -> Calibration:
    """Return the preset that fits a family of networks in a phase."""
    if phase is Phase.TRAIN:
        return TRAINING
    return SERVING if Phase.DECODE in model.phases else VISION
