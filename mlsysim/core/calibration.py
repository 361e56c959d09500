r"""How far real machines fall short of the roofline: a few factors, each with its source.

.. math:: T = \max(T_c, T_m) + \gamma \min(T_c, T_m) + t_{step} + L\,t_{layer}

with :math:`T_c = \mathrm{FLOP} / (\mathrm{peak}\,\eta_c)` and
:math:`T_m = \mathrm{bytes} / (\mathrm{bandwidth}\,\eta_m)`.
"""

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
    link_efficiency: float = 1.0
    link_latency: Quantity = _NO_TIME
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
        hidden = self.serial_fraction
        serial = given.number("serial_fraction", hidden, "from 0 to 1", lambda x: 0 <= x <= 1)
        given.count("tile", self.tile)
        step = given.quantity("step_overhead", self.step_overhead, "ms", positive=False)
        layer = given.quantity("layer_overhead", self.layer_overhead, "us", positive=False)
        sum_time = given.quantity("link_latency", self.link_latency, "us", positive=False)
        reached = given.fraction("link_efficiency", self.link_efficiency)
        given.close()
        put = object.__setattr__
        put(self, "compute_efficiency", FrozenMap({Phase(p): float(x) for p, x in shares.items()}))
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
        "Fitted to static single-GPU TensorRT-LLM v0.9 throughput and first-token latency "
        "and gpt-fast decode rates (data/measurements.csv, categories 1 to 3)"
    ),
    compute_efficiency={Phase.DECODE: 0.275, Phase.PREFILL: 0.58},
    memory_efficiency=1.0,
    serial_fraction=0.35,
    step_overhead=Q_("2.2 ms"),
    layer_overhead=Q_("42 us"),
    tile=8,
)
"""Language models in a serving system: the default for decode and prefill."""

VISION: Final = Calibration(
    name="vision",
    source=(
        "Fitted to 22 runs of compiled graphs on single GPUs from 5 sources: ResNet-50 in int8 at batch 1 "
        "(TensorRT, MLPerf Inference) and eight networks in fp16 at batch 256 on RTX 4090 and RTX 5090 "
        "(torch.compile, timm); data/measurements.csv, category 5. Median error 5.8 %; cross-validated 8.4 % "
        "with each device x network left out, 31.9 % with each source left out, for one source has all "
        "large batches"
    ),
    compute_efficiency={Phase.FORWARD: 0.94},
    memory_efficiency=0.44,
    serial_fraction=0.55,
    step_overhead=Q_("0 ms"),
    layer_overhead=Q_("7.5 us"),
    tile=8,
)
"""ConvNets, vision transformers and encoders in a compiled graph: the default for forward."""

PRESETS: Final = {c.name: c for c in (IDEAL, SERVING, VISION)}
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


def default(model: Model) -> Calibration:
    """Return the preset that fits a family of networks."""
    return SERVING if Phase.DECODE in model.phases else VISION
