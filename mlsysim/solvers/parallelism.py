r"""The best split of a training run: every split that the shapes allow is timed, those that fit are ranked.

The search is exhaustive over sizes that divide the devices: tensor parallelism inside a node, pipelines,
expert parallelism, and the context sizes, ZeRO stages, recomputation and microbatch sizes that are given. A
split that does not fit is never preferred; the result says what it lacks.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.sharding import split_faults
from mlsysim.core.engine import check_training_pair
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.precision import Precision
from mlsysim.core.systems import Fleet
from mlsysim.core.training_step import Part
from mlsysim.format import Share, Shown
from mlsysim.solvers.distributed import DistributedModel, DistributedResult


@dataclass(frozen=True, kw_only=True, repr=False)
class ParallelismResult(Shown):
    """Splits by the time of their step.

    Parameters
    ----------
    ranked
        Those that fit, the fastest first.
    refused
        Those that do not fit, the least shortfall first.
    """

    ranked: tuple[DistributedResult, ...]
    refused: tuple[DistributedResult, ...]

    @property
    def best(self) -> DistributedResult | None:
        """The fastest split that fits; None if none does."""
        return self.ranked[0] if self.ranked else None

    @property
    def fits(self) -> bool:
        """Whether any split fits."""
        return bool(self.ranked)

    @property
    def step_latency(self) -> Quantity | None:
        """Time of the best step; None if nothing fits."""
        return None if self.best is None else self.best.step_latency

    def reason(self, other: DistributedResult) -> str:
        """Return why *other* lost against the best split: what it lacks, or where it spends more time."""
        if not other.fits or self.best is None:
            return str(other.fit)
        mine, theirs = self.best.step, other.step
        more = {part: theirs.parts[part] - mine.parts[part] for part in Part}
        worst = max(more, key=more.__getitem__)
        slower = theirs.total / mine.total - 1
        return f"{slower:.1%} slower: {more[worst] / mine.total:.1%} of the best step more on {worst}"

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        any_of = (*self.ranked, *self.refused)[0]
        return f"Splits of {any_of.model} over {any_of.split.devices:,} x {any_of.fleet.node.accelerator}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the best split, four that lost with the reason, and how many do not fit."""
        counts = [("Splits that fit", len(self.ranked)), ("Splits that do not", len(self.refused))]
        if self.best is None:
            nearest = self.refused[0]
            return [*counts, ("Nearest", describe(nearest)), ("Memory", str(nearest.fit))]
        return [
            ("Best", describe(self.best)),
            ("Step", self.best.step_latency),
            ("MFU", Share(self.best.mfu())),
            ("Memory", str(self.best.fit)),
            *((describe(other), self.reason(other)) for other in self.ranked[1:5]),
            *counts,
        ]


def describe(result: DistributedResult) -> str:
    """Return a split with its microbatch and what it recomputes."""
    again = result.memory.recompute
    extra = "" if again is Recompute.NONE else f", {again} recomputation"
    return f"{result.split}, microbatch {result.microbatch_size}{extra}"


def divisors(number: int) -> list[int]:
    """Return all divisors.

    Examples
    --------
    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    return [d for d in range(1, number + 1) if number % d == 0]


def splits(
    model: Transformer,
    fleet: Fleet,
    devices: int,
    prompt: int,
    *,
    zero_stages: Iterable[Zero],
    context_sizes: Iterable[int],
    interleaves: Iterable[int],
) -> Iterator[Parallelism]:
    """Yield the splits over *devices* that the network's shape allows.

    Tensor-parallel groups stay inside a node. Where the stages of a pipeline do not divide the layers, the
    longest sets the pace.
    """
    inside = [t for t in divisors(fleet.node.devices) if model.heads % t == 0 and devices % t == 0]
    stages = [p for p in divisors(devices) if p <= model.layers]
    experts = divisors(model.experts) if model.experts else [1]
    for tp, pp, cp, parts in itertools.product(inside, stages, context_sizes, interleaves):
        whole = tp * pp * cp
        if devices % whole or (parts > 1 and pp == 1):
            continue
        dp = devices // whole
        for ep, zero in itertools.product(experts, zero_stages):
            if dp * cp % ep or (zero and dp * cp == 1) or (zero >= Zero.GRADIENTS and pp > 1):
                continue
            split = Parallelism(
                dp_size=dp, tp_size=tp, pp_size=pp, cp_size=cp, ep_size=ep, interleave=parts, zero_stage=zero
            )
            if not split_faults(model, split, prompt):
                yield split


class ParallelismOptimizer:
    """Answers: how should a training run be split?"""

    def solve(
        self,
        model: Transformer,
        fleet: Fleet,
        batch_size: int,
        precision: str | Precision = "bf16",
        *,
        prompt: int,
        devices: int | None = None,
        microbatch_sizes: Iterable[int] = (1, 2, 4),
        zero_stages: Iterable[int] = (0, 1, 3),
        recomputes: Iterable[str | Recompute] = tuple(Recompute),
        context_sizes: Iterable[int] = (1,),
        interleaves: Iterable[int] = (1, 2, 4, 8),
        **options: Any,
    ) -> ParallelismResult:
        """Return every split, ranked.

        Parameters
        ----------
        model, fleet, batch_size, precision, prompt
            As for ``DistributedModel.solve``; so are further options.
        devices
            How many of the fleet's devices take part; all if left out.
        microbatch_sizes, zero_stages, recomputes, context_sizes, interleaves
            What is tried. Stages 2 and 3 of ZeRO are not combined with pipelines.

        Returns
        -------
        ParallelismResult
            Estimates of ``DistributedModel``, all of them; the best one fits, or there is none.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or the shape allows no split.

        Examples
        --------
        >>> from mlsysim import Models, Systems
        >>> pod = Systems.Clusters.DGX_SuperPOD_SU_H100
        >>> r = ParallelismOptimizer().solve(Models.Llama3_8B, pod, 256, prompt=8192, devices=64)
        >>> r.fits, r.best.fits
        (True, True)
        """
        given = Arguments("ParallelismOptimizer.solve")
        check_training_pair(given, model, fleet)
        sequences, length = given.count("batch_size", batch_size), given.count("prompt", prompt)
        many = None if devices is None else given.count("devices", devices)
        given.close()
        able = splits(
            model,
            fleet,
            fleet.devices if many is None else many,
            length,
            zero_stages=[Zero(stage) for stage in zero_stages],
            context_sizes=list(context_sizes),
            interleaves=list(interleaves),
        )
        tried = [
            DistributedModel().solve(
                model,
                fleet,
                sequences,
                precision,
                prompt=length,
                split=split,
                microbatch_size=each,
                recompute=again,
                **options,
            )
            for split in able
            for each in microbatch_sizes
            if sequences % (split.dp_size * each) == 0
            for again in recomputes
        ]
        if not tried:
            given.fault(
                f"no split of {fleet} suits {model} and batch_size {sequences:,}: it must be a multiple of "
                f"dp_size x microbatch_size; allow more pipeline stages, or change the batch"
            )
        given.close()
        return ParallelismResult(
            ranked=tuple(sorted((r for r in tried if r.fits), key=lambda r: r.step.total)),
            refused=tuple(sorted((r for r in tried if not r.fits), key=lambda r: r.fit.required)),
        )
