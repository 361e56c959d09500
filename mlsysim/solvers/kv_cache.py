"""How many sequences the KV cache holds, and how much of it holds nothing.

The bytes are those of ``cache_layout``, for each device; weights are counted as the engine counts them, and
activations are neglected as they are there.
"""

from dataclasses import dataclass
from typing import Any

from mlsysim.core import counting
from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.models import Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown
from mlsysim.solvers.cache_layout import Allocation, Layout, layouts, parse_allocation
from mlsysim.solvers.request import BLOCK_SIZE, Lengths, check_generator, check_lengths


@dataclass(frozen=True, kw_only=True, repr=False)
class KVCacheResult(Shown):
    """The KV cache of a batch of equal requests, contiguous and paged.

    Parameters
    ----------
    model, hardware, batch_size, precision, tp_size
        What was asked.
    lengths
        Tokens of a request; a shared prefix in whole blocks.
    weights
        Bytes of the weights on each device.
    per_token
        Bytes that one token of one sequence adds to the cache, on all devices. [B]
    contiguous, paged
        The two layouts.
    """

    model: Transformer
    hardware: Accelerator
    batch_size: int
    precision: Precision
    tp_size: int
    lengths: Lengths
    weights: float
    per_token: float
    contiguous: Layout
    paged: Layout

    @property
    def kv_cache_per_token(self) -> Quantity:
        """Cache that one token of one sequence adds."""
        return ureg.Quantity(self.per_token / 1024, unit("KiB"))

    @property
    def kv_cache_per_sequence(self) -> Quantity:
        """Cache of a whole sequence on each device, what it shares included."""
        return ureg.Quantity((self.paged.shared + self.paged.held) / 1e9, unit("GB"))

    @property
    def room(self) -> Quantity:
        """Memory of each device beside the weights; negative where not even these fit."""
        return ureg.Quantity(self.paged.room / 1e9, unit("GB"))

    @property
    def exact_sequences(self) -> int:
        """Sequences that fit if not a byte were set aside in vain; 0 if none does."""
        return max(0, int((self.paged.room - self.paged.shared) // self.paged.held))

    def layout(self, allocation: str | Allocation) -> Layout:
        """Return the layout of that kind."""
        return self.paged if parse_allocation(allocation) is Allocation.PAGED else self.contiguous

    def fit_as(self, allocation: str | Allocation, sequences: int | None = None) -> Fit:
        """Return whether weights and the cache of *sequences* (the batch if left out) fit so."""
        laid, batch = self.layout(allocation), self.batch_size if sequences is None else sequences
        required = self.weights + laid.shared + batch * laid.reserved
        return Fit(required=required, capacity=self.hardware.capacity_si, devices=self.tp_size)

    @property
    def fit(self) -> Fit:
        """Whether weights and paged cache of the batch fit."""
        return self.fit_as(Allocation.PAGED)

    @property
    def fits(self) -> bool:
        """Whether weights and paged cache of the batch fit."""
        return self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        many = f"{self.tp_size} x " if self.tp_size > 1 else ""
        return f"KV cache of {self.model} on {many}{self.hardware}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the lengths, and both layouts."""
        n = self.lengths
        return [
            ("Batch size", self.batch_size),
            ("Prompt", n.prompt),
            ("Output", n.output),
            ("Longest output", n.longest),
            ("Shared prefix", n.shared),
            ("Block size", n.block),
            ("Precision", str(self.precision)),
            ("KV cache per token", self.kv_cache_per_token),
            ("KV cache per sequence", self.kv_cache_per_sequence),
            ("Room", self.room),
            ("Contiguous sequences", self.contiguous.sequences),
            ("Contiguous waste", self.contiguous.wasted),
            ("Contiguous waste midway", self.contiguous.wasted_midway),
            ("Paged sequences", self.paged.sequences),
            ("Paged waste", self.paged.wasted),
            ("Paged waste midway", self.paged.wasted_midway),
            ("Memory", str(self.fit)),
        ]


def cache_of(
    model: Transformer,
    hardware: Accelerator,
    batch_size: int,
    precision: Precision,
    *,
    lengths: Lengths,
    tp_size: int = 1,
) -> KVCacheResult:
    """Return the cache of a batch for arguments that were checked before."""
    weights = counting.resident_bytes(model, precision) / tp_size
    contiguous, paged = layouts(
        model, precision, lengths, room=hardware.capacity_si - weights, tp_size=tp_size
    )
    return KVCacheResult(
        model=model,
        hardware=hardware,
        batch_size=batch_size,
        precision=precision,
        tp_size=tp_size,
        lengths=lengths,
        weights=weights,
        per_token=counting.kv_bytes_per_token(model, precision),
        contiguous=contiguous,
        paged=paged,
    )


class KVCacheModel:
    """Answers: how many sequences fit beside the weights, and how much memory holds nothing?"""

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
    ) -> KVCacheResult:
        """Return what a batch of equal requests leaves in the cache, contiguous and paged.

        Parameters
        ----------
        model, hardware
            A language model, and the device that serves it.
        batch_size
            Sequences whose cache is asked for.
        precision
            Number format; it says how many bytes an element of the cache has.
        prompt, output
            Tokens that each request brings, and tokens that it gets. [token]
        longest_output
            Most tokens that a request may get, for which a contiguous cache keeps room; *output* if left
            out, as if it were known in advance. [token]
        shared_prefix
            Tokens at the start of every prompt that are alike; the whole blocks of them are cached once
            where the cache is paged. [token]
        block_size
            Tokens of a block. [token]
        tp_size
            Devices that split the model; the bytes of a layout are those of each.

        Returns
        -------
        KVCacheResult
            Exact for the counts.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = KVCacheModel().solve(Models.Llama2_7B, Hardware.Cloud.A100, prompt=500, output=500,
        ...                          longest_output=3500)
        >>> f"{r.kv_cache_per_token:.0f}", r.contiguous.wasted, r.contiguous.sequences, r.paged.sequences
        ('512 KiB', 0.75, 34, 137)
        """
        given = Arguments("KVCacheModel.solve")
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
        shards = given.count("tp_size", tp_size)
        if isinstance(model, Transformer) and model.heads % shards:
            given.fault(f"tp_size ({shards}) must divide the heads of {model}, {model.heads}")
        given.close()
        return cache_of(model, hardware, batch, number_format, lengths=lengths, tp_size=shards)
