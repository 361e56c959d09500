"""The engine: a network, a machine and a batch in; the time, and what limits it, out."""

import math
from typing import Any, get_args

from mlsysim.core import calibration as calibrations
from mlsysim.core import counting
from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import Encoder, EncoderDecoder, Model, Phase, Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Terms
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Fleet, Link

_MODELS = get_args(Model)


def check_pair(given: Arguments, model: Any, hardware: Any) -> None:
    """Note a network or a device that is none, and tell when the two were swapped."""
    if isinstance(model, Accelerator) and isinstance(hardware, _MODELS):
        given.fault(f"model and hardware are swapped: model={model}, hardware={hardware}")
        return
    if not isinstance(model, _MODELS):
        given.fault(f"model must be a network such as Models.Llama3_8B; got {model!r}")
    if not isinstance(hardware, Accelerator):
        given.fault(f"hardware must be a device such as Hardware.Cloud.A100; got {hardware!r}")


def check_training_pair(given: Arguments, model: Any, fleet: Any) -> None:
    """Note a network that is no decoder transformer, and a fleet that is none."""
    if not isinstance(model, Transformer):
        given.fault(f"model must be a decoder transformer, as Models.Llama3_8B is; got {model!r}")
    if not isinstance(fleet, Fleet):
        given.fault(f"fleet must be a Fleet, as Systems.Clusters.Selene is; got {fleet!r}")


def _phase(given: Arguments, model: Model, phase: Any) -> Phase:
    if phase is None:
        return model.phases[0]
    if not isinstance(phase, str) or phase not in set(model.phases):
        *others, last = (repr(str(able)) for able in model.phases)
        given.fault(f"phase must be {', '.join(others)} or {last} for {model}; got {phase!r}")
        return model.phases[0]
    return Phase(phase)


def _lengths(given: Arguments, model: Model, phase: Phase, context: Any, prompt: Any) -> tuple[float, float]:
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
    if isinstance(model, Transformer | Encoder | EncoderDecoder):
        longest = model.source if isinstance(model, EncoderDecoder) else model.context
        for length, limit in ((cached, model.context), (tokens, longest)):
            if length > limit:
                given.fault(f"{length:,} tokens exceed the context of {model}, {limit:,} tokens")
    return float(cached), float(tokens)


def _reads(model: Model, phase: Phase) -> bool:
    """Return whether the step goes through a sequence whose length the caller says."""
    text = isinstance(model, Encoder | EncoderDecoder)
    return phase is Phase.PREFILL or text or (phase is Phase.TRAIN and isinstance(model, Transformer))


def _shards(given: Arguments, model: Model, tp_size: Any, link: Any) -> int:
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


class Engine:
    """The one place where time is computed; every solver calls it."""

    @staticmethod
    def solve(
        model: Model,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        phase: str | Phase | None = None,
        context: int | None = None,
        prompt: int | None = None,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
        efficiency: float | None = None,
    ) -> PerformanceProfile:
        """Return the time of one step, and which resource limits it.

        Parameters
        ----------
        model
            A network.
        hardware
            The device that runs it.
        batch_size
            Sequences (language models) or samples (vision) in the step.
        precision
            Number format of weights, arithmetic and cache.
        phase
            ``decode`` (one token for each sequence), ``prefill`` (the prompt), ``forward`` (networks
            that do not generate) or ``train`` (forward and backward of one microbatch, without
            recomputation); the family's usual one if left out.
        context
            Tokens already in the KV cache of each sequence, for ``decode``; 0 if left out. [token]
        prompt
            Tokens read in one pass: the prompt for ``prefill``, the sequence for an encoder and for
            ``train``. [token]
        tp_size
            Devices that split every matrix of a decoder transformer between them.
        link
            What joins them; the device's own published link if left out.
        calibration
            How far the machine falls short of the roofline: a preset's name or a ``Calibration``;
            the family's usual one if left out.
        efficiency
            Share of peak FLOP/s that is reached, in place of the calibration's.

        Returns
        -------
        PerformanceProfile
            An estimate; under ``calibration="ideal"`` a lower bound.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.
        MissingSpecError
            If the device publishes no peak for the precision.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> p = Engine.solve(model=Models.Llama3_8B, hardware=Hardware.Cloud.A100,
        ...                  calibration="ideal")
        >>> f"{p.latency.to('ms'):.2f}", str(p.bottleneck)
        ('7.36 ms', 'Memory Bound')
        """
        given = Arguments("Engine.solve")
        check_pair(given, model, hardware)
        batch = float(given.count("batch_size", batch_size))
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        chosen = calibrations.IDEAL
        if calibration is not None:
            chosen = given.take(calibrations.preset, calibration, chosen)
        if efficiency is not None:
            efficiency = given.fraction("efficiency", efficiency)
        if isinstance(model, _MODELS):
            step = _phase(given, model, phase)
            cached, tokens = _lengths(given, model, step, context, prompt)
            shards = _shards(given, model, tp_size, link)
        given.close()
        if calibration is None:
            chosen = calibrations.default(model, step)
        eta = chosen.efficiency(step) if efficiency is None else efficiency
        work = counting.count(
            model, step, number_format, batch=batch, context=cached, prompt=tokens, tp_size=shards
        )
        terms = price(work, hardware, number_format, chosen, efficiency=eta, tp_size=shards, link=link)
        hardware.figure("capacity")
        if not math.isfinite(terms.latency):
            msg = f"Engine.solve(): the step of {model} on {hardware} takes longer than a float can hold"
            raise ArgumentError(msg)
        return PerformanceProfile(
            model=model,
            hardware=hardware,
            batch_size=int(batch),
            precision=number_format,
            phase=step,
            context=int(cached),
            prompt=int(tokens),
            calibration=chosen,
            work=work,
            terms=terms,
            tp_size=shards,
        )
