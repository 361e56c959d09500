"""One step: what it may be asked for, and the one place where its work meets a machine."""

import math
from typing import Any, get_args

from mlsysim.core import counting
from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.models import Encoder, EncoderDecoder, Model, Phase, Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.roofline import Terms
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Fleet, Link

MODELS = get_args(Model)
"""The kinds of network."""


def check_pair(given: Arguments, model: Any, hardware: Any) -> None:
    """Note a network or a device that is none, and tell when the two were swapped."""
    if isinstance(model, Accelerator) and isinstance(hardware, MODELS):
        given.fault(f"model and hardware are swapped: model={model}, hardware={hardware}")
        return
    if not isinstance(model, MODELS):
        given.fault(f"model must be a network such as Models.Llama3_8B; got {model!r}")
    if not isinstance(hardware, Accelerator):
        given.fault(f"hardware must be a device such as Hardware.Cloud.A100; got {hardware!r}")


def check_training_pair(given: Arguments, model: Any, fleet: Any) -> None:
    """Note a network that is no decoder transformer, and a fleet that is none."""
    if not isinstance(model, Transformer):
        given.fault(f"model must be a decoder transformer, as Models.Llama3_8B is; got {model!r}")
    if not isinstance(fleet, Fleet):
        given.fault(f"fleet must be a Fleet, as Systems.Clusters.Selene is; got {fleet!r}")


def phase_of(given: Arguments, model: Model, phase: Any) -> Phase:
    """Return the phase that was asked for, or the family's usual one."""
    if phase is None:
        return model.phases[0]
    if not isinstance(phase, str) or phase not in set(model.phases):
        *others, last = (repr(str(able)) for able in model.phases)
        given.fault(f"phase must be {', '.join(others)} or {last} for {model}; got {phase!r}")
        return model.phases[0]
    return Phase(phase)


def lengths_of(
    given: Arguments, model: Model, phase: Phase, context: Any, prompt: Any
) -> tuple[float, float]:
    """Return context and prompt; the phase says which of them means something."""
    cached = tokens = 0
    if phase is Phase.DECODE:
        cached = given.count("context", 0 if context is None else context, least=0)
    elif context is not None:
        given.fault(f"context is for phase 'decode'; {model} in {phase} has no cache to read")
    if isinstance(model, EncoderDecoder) and model.fixed_source and prompt is None:
        tokens = model.source
    elif _reads(model, phase):
        tokens = given.count("prompt", prompt)
    elif prompt is not None:
        given.fault(
            f"prompt is for the phases 'prefill' and 'train' of text and for encoders; {model} in {phase} "
            f"takes none"
        )
    for length, limit in zip((cached, tokens), limits(model), strict=True):
        if length > limit:
            given.fault(f"{length:,} tokens exceed the context of {model}, {limit:,} tokens")
    return float(cached), float(tokens)


def limits(model: Model) -> tuple[float, float]:
    """Return the most tokens that a network caches, and the most that it reads in one pass."""
    if not isinstance(model, Transformer | Encoder | EncoderDecoder):
        return math.inf, math.inf
    return model.context, model.source if isinstance(model, EncoderDecoder) else model.context


def _reads(model: Model, phase: Phase) -> bool:
    """Return whether the step goes through a sequence whose length the caller says."""
    text = isinstance(model, Encoder | EncoderDecoder)
    return phase is Phase.PREFILL or text or (phase is Phase.TRAIN and isinstance(model, Transformer))


def shards_of(given: Arguments, model: Model, tp_size: Any, link: Any) -> int:
    """Return the devices that split the model, or note why they cannot."""
    shards = given.count("tp_size", tp_size)
    if link is not None and not isinstance(link, Link):
        given.fault(f"link must be a Link such as Systems.Fabrics.NVLink4; got {link!r}")
    if shards == 1:
        return 1
    if not isinstance(model, Transformer):
        given.fault(f"tp_size is for decoder transformers; {model} is split over devices by no rule here")
    elif model.heads % shards:
        given.fault(f"tp_size ({shards}) must divide the heads of {model}, {model.heads}")
    return shards


def _communication(
    work: counting.Work, shards: int, hardware: Accelerator, link: Link | None, chosen: Calibration
) -> dict[str, float]:
    r"""Return the link's terms: each sum over n devices sends 2(n - 1)/n of the tensor."""
    if shards == 1:
        return {}
    bandwidth = hardware.figure("link") if link is None else link.bandwidth_si
    return {
        "devices": float(shards),
        "link_traffic": work.reductions * 2 * (shards - 1) / shards * work.reduced,
        "link_bandwidth": bandwidth * chosen.link_efficiency,
        "link_latency": work.reductions * chosen.link_seconds,
    }


def price(
    work: counting.Work,
    hardware: Accelerator,
    precision: Precision,
    calibration: Calibration,
    *,
    efficiency: float,
    tp_size: int = 1,
    link: Link | None = None,
) -> Terms:
    """Return the terms of the time equation for *work*: the one place where work meets a machine.

    Parameters
    ----------
    work
        What each device has to do.
    hardware, precision, calibration
        The device, the number format whose peak counts, and how far the device falls short of it.
    efficiency
        Share of the peak that matrix products reach.
    tp_size, link
        Devices that share the step, and what joins them; the device's own published link if left out.

    Raises
    ------
    MissingSpecError
        If the device publishes no peak for the precision, or no link where one is needed.
    """
    peak = hardware.require_peak(precision.compute)
    flops = work.padded(calibration.tile)
    if work.scores is not None:
        slower = peak / (hardware.require_peak(precision.scores) * calibration.attention_efficiency)
        flops = flops + work.scores * (slower - 1)
    return Terms(
        flops=tp_size * flops,
        traffic=tp_size * work.traffic,
        peak=peak,
        bandwidth=hardware.bandwidth_si,
        compute_efficiency=efficiency,
        memory_efficiency=calibration.memory_efficiency,
        serial_fraction=calibration.serial_fraction,
        overhead=calibration.step_seconds + work.launches * calibration.layer_seconds,
        **_communication(work, tp_size, hardware, link, calibration),
    )


def evaluate(
    model: Model,
    hardware: Accelerator,
    precision: Precision,
    phase: Phase,
    calibration: Calibration,
    *,
    batch: Any,
    context: Any,
    prompt: Any,
    efficiency: float | None = None,
    tp_size: int = 1,
    link: Link | None = None,
) -> tuple[counting.Work, Terms]:
    """Return work and terms of one step, or of every step of a grid: the call that solves and sweeps make.

    Parameters
    ----------
    model, hardware, precision, phase, calibration
        The step, already checked.
    batch, context, prompt
        Floats, or arrays of floats that broadcast.
    efficiency
        Share of the peak in place of the calibration's.
    tp_size, link
        As for ``price``.

    Raises
    ------
    ArgumentError
        If the calibration does not cover the phase.
    MissingSpecError
        If the device does not publish a figure that is needed.
    """
    eta = calibration.efficiency(phase) if efficiency is None else efficiency
    work = counting.count(
        model, phase, precision, batch=batch, context=context, prompt=prompt, tp_size=tp_size
    )
    terms = price(work, hardware, precision, calibration, efficiency=eta, tp_size=tp_size, link=link)
    hardware.figure("capacity")
    return work, terms
