r"""Serving a language model: first token, every further token, cache and concurrency.

A request with a prompt of :math:`I` tokens and :math:`O` tokens of output takes

.. math:: T = T_{prefill}(I) + (O - 1)\, T_{decode}(I + O/2)

with the whole batch in step (static batching), and decode steps at the mean context.
"""

from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting import kv_bytes_per_token
from mlsysim.core.engine import Engine, check_pair
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown


@dataclass(frozen=True, kw_only=True, repr=False)
class ServingResult(Shown):
    """One batch of requests, from the first token to the last.

    Parameters
    ----------
    prefill
        The step that reads the prompts.
    decode
        The mean decode step, at context ``prompt + output/2``.
    prompt, output
        Tokens in and out of each request. [token]
    fit
        Whether weights and the full cache, at ``prompt + output`` tokens, fit.
    kv_per_token
        Bytes that one token of one sequence adds to the cache. [B]
    cache
        Bytes of the whole cache on all devices when the last token is written. [B]
    max_concurrency
        Sequences of this length whose cache fits beside the weights; 0 if none does.
    """

    prefill: PerformanceProfile
    decode: PerformanceProfile
    prompt: int
    output: int
    fit: Fit
    kv_per_token: float
    cache: float
    max_concurrency: int

    @property
    def ttft(self) -> Quantity:
        """Time to first token: the prefill step."""
        return self.prefill.latency

    @property
    def tpot(self) -> Quantity:
        """Time per output token: the mean decode step."""
        return self.decode.latency

    @property
    def latency(self) -> Quantity:
        """Time of a whole request."""
        return ureg.Quantity(self._seconds(), unit("s"))

    def _seconds(self) -> float:
        first, each = self.prefill.terms.latency, self.decode.terms.latency
        return float(first + (self.output - 1) * each)

    @property
    def throughput(self) -> Quantity:
        """Output tokens per second of the whole batch."""
        tokens = self.decode.batch_size * self.output
        return ureg.Quantity(tokens / self._seconds(), unit("token/s"))

    @property
    def kv_cache(self) -> Quantity:
        """Cache of the batch when the last token is written."""
        return ureg.Quantity(self.cache / 1e9, unit("GB"))

    @property
    def kv_cache_per_token(self) -> Quantity:
        """Cache that one token of one sequence adds."""
        return ureg.Quantity(self.kv_per_token / 1024, unit("KiB"))

    @property
    def fits(self) -> bool:
        """Whether weights and cache fit the device to the last token."""
        return self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Serving {self.decode.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return times, limits and memory."""
        return [
            ("Batch size", self.decode.batch_size),
            ("Prompt", self.prompt),
            ("Output", self.output),
            ("Precision", str(self.decode.precision)),
            ("Calibration", self.decode.calibration.name),
            ("TTFT", self.ttft),
            ("TTFT bottleneck", self.prefill.bottleneck),
            ("TPOT", self.tpot),
            ("TPOT bottleneck", self.decode.bottleneck),
            ("Request latency", self.latency),
            ("Throughput", self.throughput),
            ("KV cache per token", self.kv_cache_per_token),
            ("KV cache", self.kv_cache),
            ("Max concurrency", self.max_concurrency),
            ("Memory", str(self.fit)),
        ]


class ServingModel:
    """Answers: how long do users wait, and how many fit?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        prompt: int = 512,
        output: int = 128,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> ServingResult:
        """Return times, throughput and memory of a batch of equal requests.

        Parameters
        ----------
        model
            A language model.
        hardware
            The device that serves it.
        batch_size, precision, tp_size, link, calibration
            As for ``Engine.solve``.
        prompt, output
            Tokens that each request brings, and tokens that it gets. [token]

        Returns
        -------
        ServingResult
            Estimates of ``Engine.solve`` for the two phases; memory is exact for the counts.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or the model generates no text.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = ServingModel().solve(model=Models.Llama3_8B, hardware=Hardware.Cloud.H100)
        >>> f"{r.kv_cache_per_token:.0f}", str(r.decode.bottleneck)
        ('128 KiB', 'Memory Bound')
        """
        given = Arguments("ServingModel.solve")
        if isinstance(hardware, Accelerator) and not isinstance(model, Transformer | Accelerator):
            given.fault(f"model must generate text, as Models.Llama3_8B does; got {model!r}")
        else:
            check_pair(given, model, hardware)
        given.count("batch_size", batch_size)
        given.take(parse_precision, precision, PRECISIONS["fp16"])
        written = given.count("output", output)
        read = given.count("prompt", prompt)
        if isinstance(model, Transformer) and read + written > model.context:
            given.fault(
                f"prompt and output, {read + written:,} tokens, exceed the context of {model}, "
                f"{model.context:,} tokens"
            )
        given.close()

        def step(phase: Phase, **length: int) -> PerformanceProfile:
            return Engine.solve(
                model,
                hardware,
                batch_size,
                precision,
                phase=phase,
                tp_size=tp_size,
                link=link,
                calibration=calibration,
                context=length.get("context"),
                prompt=length.get("prompt"),
            )

        prefill = step(Phase.PREFILL, prompt=read)
        decode = step(Phase.DECODE, context=read + written // 2)
        full = step(Phase.DECODE, context=read + written)
        number_format = decode.precision
        room = hardware.capacity_si - (full.work.resident - full.work.state)
        each = full.work.state / full.batch_size
        return ServingResult(
            prefill=prefill,
            decode=decode,
            prompt=read,
            output=written,
            fit=full.fit,
            cache=full.work.state * full.tp_size,
            kv_per_token=kv_bytes_per_token(model, number_format),
            max_concurrency=max(0, int(room // each)),
        )
