r"""Serving a language model: first token, every further token, cache and concurrency.

A request with a prompt of :math:`I` tokens and :math:`O` tokens of output takes

.. math:: T = T_{prefill}(I) + (O - 1)\, T_{decode}(I + O/2)

with the whole batch in step (static batching), and decode steps at the mean context. A prefix that all
prompts share is read once and cached once; every sequence still reads all of its cache when it decodes.

References
----------
.. [kwon2023] W. Kwon et al., "Efficient memory management for large language model serving with
   PagedAttention", SOSP 2023: paged caches and shared prefixes.
"""

from dataclasses import dataclass, replace
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.engine import Engine
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown
from mlsysim.solvers.kv_cache import KVCacheResult, cache_of
from mlsysim.solvers.prefill import Prefill
from mlsysim.solvers.request import BLOCK_SIZE, check_generator, check_lengths


@dataclass(frozen=True, kw_only=True, repr=False)
class ServingResult(Shown):
    """One batch of requests, from the first token to the last.

    Parameters
    ----------
    prefill
        The step that reads the prompts.
    decode
        The mean decode step, at context ``prompt + output/2``, as the engine gives it.
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
    memory
        How the cache is laid out, contiguous and paged.
    """

    prefill: PerformanceProfile
    decode: PerformanceProfile
    prompt: int
    output: int
    fit: Fit
    kv_per_token: float
    cache: float
    max_concurrency: int
    memory: KVCacheResult

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
            ("Paged concurrency", self.memory.paged.sequences),
            ("Contiguous concurrency", self.memory.contiguous.sequences),
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
        longest_output: int | None = None,
        shared_prefix: int = 0,
        block_size: int = BLOCK_SIZE,
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
        longest_output, shared_prefix, block_size
            As for ``KVCacheModel.solve``: the tokens that a contiguous cache keeps room for, those that
            all prompts begin with, and those of a block. [token]

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
        check_generator(given, model, hardware)
        batch = given.count("batch_size", batch_size)
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        lengths = check_lengths(
            given,
            model,
            prompt,
            output,
            longest_output=longest_output,
            shared_prefix=shared_prefix,
            block_size=block_size,
        )
        given.close()

        options: dict[str, Any] = {
            "precision": number_format,
            "tp_size": tp_size,
            "link": link,
            "calibration": calibration,
        }

        def step(context: int) -> PerformanceProfile:
            return Engine.solve(model, hardware, batch, phase=Phase.DECODE, context=context, **options)

        prompts = Prefill(model=model, hardware=hardware, prompt=lengths.prompt, options=options)
        prefill = prompts.after_prefix(batch, lengths.shared)
        decode, full = step(lengths.prompt + lengths.output // 2), step(lengths.total)
        memory = cache_of(model, hardware, batch, number_format, lengths=lengths, tp_size=full.tp_size)
        spared = (batch - 1) * memory.paged.shared
        return ServingResult(
            prefill=prefill,
            decode=decode,
            prompt=lengths.prompt,
            output=lengths.output,
            fit=replace(full.fit, required=full.work.resident - spared),
            cache=(full.work.state - spared) * full.tp_size,
            kv_per_token=memory.per_token,
            max_concurrency=memory.exact_sequences,
            memory=memory,
        )
