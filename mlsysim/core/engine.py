"""The engine: a network, a machine and a batch in; the time, and what limits it, out."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from mlsysim.core import calibration as calibrations
from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.errors import ArgumentError
from mlsysim.core.models import Model, Phase
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.step import (
    MODELS,
    check_pair,
    check_training_pair,
    evaluate,
    lengths_of,
    phase_of,
    price,
    shards_of,
)
from mlsysim.core.systems import Link

if TYPE_CHECKING:
    from mlsysim.core.sweeps.steps import EngineSweep

__all__ = ["Engine", "check_pair", "check_training_pair", "price"]


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
        if isinstance(model, MODELS):
            step = phase_of(given, model, phase)
            cached, tokens = lengths_of(given, model, step, context, prompt)
            shards = shards_of(given, model, tp_size, link)
        given.close()
        if calibration is None:
            chosen = calibrations.default(model, step)
        work, terms = evaluate(
            model,
            hardware,
            number_format,
            step,
            chosen,
            batch=batch,
            context=cached,
            prompt=tokens,
            efficiency=efficiency,
            tp_size=shards,
            link=link,
        )
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

    @staticmethod
    def sweep(
        model: Model | Iterable[Model],
        hardware: Accelerator | Iterable[Accelerator],
        batch_size: Any = 1,
        precision: str | Precision | Iterable[str | Precision] = "fp16",
        *,
        phase: str | Phase | None = None,
        context: Any = None,
        prompt: Any = None,
        tp_size: Any = 1,
        link: Link | None = None,
        calibration: str | Calibration | Iterable[str | Calibration] | None = None,
        efficiency: float | None = None,
        client: Any = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> "EngineSweep":
        """Return time, bottleneck and memory of every step of a grid.

        Each argument is a single value, as for ``solve``, or several, which makes it an axis. Points
        that do not fit are kept and marked; so are points without an answer, as where a device publishes
        no peak for a precision, with the reason.

        Parameters
        ----------
        model, hardware, precision, calibration
            Single things or lists of them.
        batch_size, context, prompt, tp_size
            Whole numbers or rows of them: a list, a range, an array. With a Dask array for one of the first
            three the answers are Dask arrays too, computed when they are asked for.
        phase, link, efficiency
            As for ``solve``, the same at all points.
        client
            A Dask ``Client``, or any executor with ``submit``, that does the work; the answers come here.
        progress
            Called with the points done and the points in all; a line on the terminal if left out.

        Returns
        -------
        EngineSweep
            The estimates of ``solve``, to rounding, as arrays with one dimension for each axis.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.
        ArgumentError, MissingSpecError
            If no point at all has an answer.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = Engine.sweep(Models.Llama3_8B, [Hardware.A100, Hardware.H100], batch_size=[1, 256])
        >>> r.latency.to("ms").magnitude.round(1).tolist()
        [[11.4, 50.9], [8.2, 19.2]]
        """
        from mlsysim.core.sweeps.steps import sweep  # noqa: PLC0415 - scalars need none of this

        values = {
            "model": model,
            "hardware": hardware,
            "batch_size": batch_size,
            "precision": precision,
            "phase": phase,
            "context": context,
            "prompt": prompt,
            "tp_size": tp_size,
            "link": link,
            "calibration": calibration,
            "efficiency": efficiency,
        }
        return sweep(Engine.solve, values, client=client, progress=progress)
