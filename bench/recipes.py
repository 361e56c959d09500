"""What each preset is fitted to, and which of its parameters are free: one entry for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.sample import Sample
from mlsysim.core.calibration import SERVING, Calibration
from mlsysim.core.models import Phase


def parameters(calibration: Calibration) -> dict[str, float]:
    """Return the parameters of a calibration by name, in SI; a phase's share of peak by the phase's name."""
    return {
        **{str(phase): share for phase, share in calibration.compute_efficiency.items()},
        "memory_efficiency": calibration.memory_efficiency,
        "serial_fraction": calibration.serial_fraction,
        "step_overhead": calibration.step_seconds,
        "layer_overhead": calibration.layer_seconds,
        "link_efficiency": calibration.link_efficiency,
        "link_latency": calibration.link_seconds,
    }


@dataclass(frozen=True)
class Stage:
    """Parameters that are fitted together, and the steps of the runs that they are fitted to.

    Parameters
    ----------
    free
        Names of the parameters, keys of ``LATTICE``.
    steps
        As ``Metric.step`` names them.
    by_source
        Whether sources weigh the same, instead of runs.
    left_out
        What cross-validation leaves out together. By default a source, and a device with a network where
        there are fewer than three sources.
    """

    free: tuple[str, ...]
    steps: tuple[str, ...]
    by_source: bool = False
    left_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a preset is fitted to.

    Parameters
    ----------
    categories, software
        Categories of the rows, and the pattern that the software matches.
    stages
        One after the other; each holds what those before it have found.
    phases
        What the preset covers.
    held
        Parameters that are not fitted; others are without loss.
    tile
        Rows to which hardware pads matrix products; held, not fitted.
    where
        Which of these runs.
    """

    categories: tuple[str, ...]
    software: str
    stages: tuple[Stage, ...]
    phases: tuple[Phase, ...]
    held: Mapping[str, float] = field(default_factory=dict)
    tile: int = 1
    where: Callable[[Sample], bool] = lambda _: True


_DECODE, _THROUGHPUT, _PREFILL = "1_llm_decode_b1", "2_llm_throughput", "3_prefill_ttft"
_VISION, _EDGE = "5_vision_nlp_reco", "8_edge_mcu"
_SINGLE: Final = (_DECODE, _PREFILL, _EDGE)
_WRITE_AND_READ: Final = (Phase.DECODE, Phase.PREFILL)
_UNREACHED: Final = {"decode": SERVING.efficiency(Phase.DECODE)}
"""One sequence never waits for arithmetic: its rows say nothing of this, so it is that of serving."""

RECIPES: Final = {
    # All else stands as the course states it. Runs of one device do not move the link's parameters; they are
    # here for the errors and the band.
    "serving": Recipe(
        categories=(_THROUGHPUT, _PREFILL),
        software=r"TensorRT-LLM 0\.9",
        stages=(Stage(("link_efficiency", "link_latency"), ("request", "prefill")),),
        phases=_WRITE_AND_READ,
        held={k: v for k, v in parameters(SERVING).items() if not k.startswith("link")},
        tile=SERVING.tile,
    ),
    "tuned": Recipe(
        categories=(_THROUGHPUT, _PREFILL),
        software=r"TensorRT-LLM 0\.9",
        stages=(
            Stage(
                (
                    "decode",
                    "prefill",
                    "memory_efficiency",
                    "serial_fraction",
                    "layer_overhead",
                    "link_efficiency",
                    "link_latency",
                ),
                ("request", "prefill"),
            ),
        ),
        phases=_WRITE_AND_READ,
    ),
    "single_user": Recipe(
        categories=_SINGLE,
        software=r"gpt-fast|llama\.cpp|exllama|\bmlc\b",
        stages=(
            Stage(
                ("memory_efficiency", "layer_overhead", "link_latency"),
                ("decode",),
                by_source=True,
                left_out="stack",
            ),
            Stage(("prefill",), ("prefill",), left_out="hardware x network"),
        ),
        phases=_WRITE_AND_READ,
        held=_UNREACHED,
        where=lambda sample: "vLLM" not in sample.row["software"],
    ),
    "single_user_gptfast": Recipe(
        categories=_SINGLE,
        software="gpt-fast",
        stages=(Stage(("memory_efficiency", "layer_overhead"), ("decode",)),),
        phases=(Phase.DECODE,),
        held=_UNREACHED,
    ),
    "single_user_llamacpp": Recipe(
        categories=_SINGLE,
        software=r"llama\.cpp",
        stages=(
            Stage(
                ("memory_efficiency", "layer_overhead", "decode"),
                ("decode",),
                by_source=True,
            ),
            Stage(("prefill",), ("prefill",)),
        ),
        phases=_WRITE_AND_READ,
        # Unpacking runs on the units that multiply: batch-1 rows fix only serial_fraction / decode.
        held={"serial_fraction": 1.0},
    ),
    "single_user_exllama": Recipe(
        categories=_SINGLE,
        software="exllama",
        stages=(
            Stage(("memory_efficiency", "layer_overhead"), ("decode",)),
            Stage(("prefill",), ("prefill",)),
        ),
        phases=_WRITE_AND_READ,
        held=_UNREACHED,
    ),
    "single_user_mlc": Recipe(
        categories=_SINGLE,
        software=r"\bmlc\b",
        stages=(Stage(("memory_efficiency", "layer_overhead", "link_latency"), ("decode",)),),
        phases=(Phase.DECODE,),
        held=_UNREACHED,
    ),
    # step_overhead is held: all batch-1 rows are one network, so they fix only its sum with
    # layers x layer_overhead, and a compiled graph has no scheduler between steps. tile is that of
    # serving, since attention blocks run the same products; no row here depends on it. One source has all
    # large batches, so leaving out a source would leave the efficiencies without evidence.
    "vision": Recipe(
        categories=(_VISION,),
        software=r"_TRT\b|torch\.compile",
        stages=(
            Stage(
                ("forward", "memory_efficiency", "serial_fraction", "layer_overhead"),
                ("forward",),
                by_source=True,
                left_out="hardware x network",
            ),
        ),
        phases=(Phase.FORWARD,),
        tile=8,
        where=lambda sample: sample.run.hardware.kind == "gpu",
    ),
    "vision_tensorrt": Recipe(
        categories=(_VISION, _EDGE),
        software=r"TensorRT(?!-LLM)|_TRT\b",
        stages=(Stage(("forward", "memory_efficiency", "layer_overhead"), ("forward",)),),
        phases=(Phase.FORWARD,),
        tile=8,
    ),
    "vision_eager": Recipe(
        categories=(_VISION,),
        software=r"\beager\b|PyTorch NGC",
        stages=(Stage(("forward", "memory_efficiency", "layer_overhead"), ("forward",)),),
        phases=(Phase.FORWARD,),
        held={"serial_fraction": 1.0},  # one kernel after another, each of them short of one resource
        tile=8,
    ),
    "micro": Recipe(
        categories=(_EDGE,),
        software="MLPerf Tiny",
        stages=(Stage(("layer_overhead",), ("forward",)),),
        phases=(Phase.FORWARD,),
    ),
}
"""How each preset is fitted, by its name."""
