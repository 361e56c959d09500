r"""The largest batch that meets a latency target, and the batch of most throughput.

A larger batch never shortens a step and never needs less memory, so of static batches

.. math:: B^* = \max \{ B : \mathrm{TTFT}(B) \le \mathrm{TTFT}^*, \mathrm{TPOT}(B) \le \mathrm{TPOT}^*,
                       \text{cache}(B) \text{ fits} \}

is found by bisection, each probe a ``ServingModel``. Tokens per second rise with the batch from one whole
tile of rows to the next, and may fall where a new tile is begun: the last tile is tried value by value.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.models import Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown
from mlsysim.solvers.monotone import last
from mlsysim.solvers.request import BLOCK_SIZE
from mlsysim.solvers.serving import ServingModel, ServingResult


class BatchingLimit(Enum):
    """What the next larger batch would break."""

    MEMORY = "memory"
    TTFT = "TTFT"
    TPOT = "TPOT"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, repr=False)
class BatchingResult(Shown):
    """The largest batch within a target, or why there is none.

    Parameters
    ----------
    largest, best
        The largest batch that keeps to all limits, and the one of most tokens per second; 0 if there is
        none.
    serving
        The largest batch, served; a batch of one if there is none.
    most
        Most output tokens per second within the limits; 0 if no batch keeps to them. [1/s]
    over
        The next larger batch, which breaks a limit.
    limits
        The limits that it breaks.
    ttft_target, tpot_target
        What was asked; None where nothing was. [s]
    """

    largest: int
    best: int
    serving: ServingResult
    most: float
    over: ServingResult
    limits: tuple[BatchingLimit, ...]
    ttft_target: float | None
    tpot_target: float | None

    @property
    def fits(self) -> bool:
        """Whether the batch that is shown fits its memory."""
        return self.serving.fits

    @property
    def feasible(self) -> bool:
        """Whether any batch keeps to all limits."""
        return self.largest > 0

    @property
    def best_throughput(self) -> Quantity:
        """Most output tokens per second of a batch within the limits."""
        return ureg.Quantity(self.most, unit("token/s"))

    @property
    def reason(self) -> str:
        """What the next larger batch would break."""
        said = {
            BatchingLimit.MEMORY: str(self.over.fit),
            BatchingLimit.TTFT: f"TTFT {self.over.ttft:.6g}",
            BatchingLimit.TPOT: f"TPOT {self.over.tpot:.6g}",
        }
        broken = "; ".join(said[limit] for limit in self.limits)
        return f"at batch {self.over.decode.batch_size:,}: {broken}"

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Largest batch of {self.serving.decode.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the batch, what it reaches, and what limits it."""
        return [
            ("Largest batch", self.largest or "none"),
            ("Limited by", self.limits),
            ("Reason", self.reason),
            ("TTFT target", _shown(self.ttft_target)),
            ("TPOT target", _shown(self.tpot_target)),
            ("Best batch", self.best or "none"),
            ("Best throughput", self.best_throughput),
            *((f"Served {label}", value) for label, value in self.serving.rows()),
        ]


def _shown(seconds: float | None) -> Quantity | None:
    return None if seconds is None else ureg.Quantity(seconds * 1e3, unit("ms"))


class BatchingOptimizer:
    """Answers: how large may the batch be, so that no user waits too long?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        precision: str | Precision = "fp16",
        *,
        ttft: Quantity | None = None,
        tpot: Quantity | None = None,
        prompt: int = 512,
        output: int = 128,
        shared_prefix: int = 0,
        block_size: int = BLOCK_SIZE,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> BatchingResult:
        """Return the largest static batch that fits and keeps to the targets.

        Parameters
        ----------
        model, hardware
            A language model, and the device that serves it.
        precision, tp_size, link, calibration
            As for ``Engine.solve``.
        ttft, tpot
            Longest time to the first token, and of each further one; no limit if left out. [s]
        prompt, output, shared_prefix, block_size
            As for ``ServingModel.solve``. [token]

        Returns
        -------
        BatchingResult
            Exact for ``ServingModel``; "none" is a batch of 0, with the limits that a batch of one breaks.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Hardware, Models, Q_
        >>> b = BatchingOptimizer().solve(Models.Llama3_8B, Hardware.Cloud.H100, tpot=Q_("10 ms"),
        ...                               calibration="ideal")
        >>> b.largest, b.reason
        (244, 'at batch 245: TPOT 10.0019 ms')
        """
        given = Arguments("BatchingOptimizer.solve")
        first = None if ttft is None else given.quantity("ttft", ttft, "ms")
        each = None if tpot is None else given.quantity("tpot", tpot, "ms")
        given.close()

        def served(batch: int) -> ServingResult:
            return ServingModel().solve(
                model,
                hardware,
                batch,
                precision,
                prompt=prompt,
                output=output,
                shared_prefix=shared_prefix,
                block_size=block_size,
                tp_size=tp_size,
                link=link,
                calibration=calibration,
            )

        def broken(result: ServingResult) -> tuple[BatchingLimit, ...]:
            tests = (
                (BatchingLimit.MEMORY, not result.fits),
                (BatchingLimit.TTFT, first is not None and result.prefill.terms.latency > first),
                (BatchingLimit.TPOT, each is not None and result.decode.terms.latency > each),
            )
            return tuple(limit for limit, breaks in tests if breaks)

        largest = last(lambda n: not broken(served(n)), 0, served(1).max_concurrency)
        over = served(largest + 1)
        tile = over.decode.calibration.tile
        tried = [served(n) for n in range(max(1, largest - tile + 1), largest + 1)]
        fastest = max(tried, key=lambda result: result.throughput.magnitude, default=None)
        return BatchingResult(
            largest=largest,
            best=0 if fastest is None else fastest.decode.batch_size,
            serving=tried[-1] if tried else over,
            most=0.0 if fastest is None else float(fastest.throughput.magnitude),
            over=over,
            limits=broken(over),
            ttft_target=first,
            tpot_target=each,
        )
