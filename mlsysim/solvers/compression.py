r"""Compression: what do fewer bits, or fewer weights, buy in a phase, at a batch, on a device?

Weights, cache and arithmetic each have their own format. The engine takes the step twice, as it was and
compressed; with :math:`b_w`, :math:`b_{kv}` bytes and the peak :math:`\pi` of the arithmetic that is used,

.. math:: S = \frac{T(b_w, b_{kv}, \pi)}{T(b_w', b_{kv}', \pi')}, \qquad
          T_m \propto P b_w + 2 L k e s B\, b_{kv}, \quad T_c \propto F / \pi

so fewer bits of weights help where weights are what is waited for (decode, small batch), fewer bits of cache
where the cache is, and prefill gains only from faster arithmetic, which the device must have.

Notes
-----
Pruning that follows no pattern leaves dense matrices with zeros in them: no time and no memory is saved
without hardware that skips them. Two of four (2:4) keeps two weights of each four and their places: a
weight then takes :math:`b/2 + \frac{1}{2}\log_2 4` bits, and products run at the device's sparse peak. Cards
hold dense peaks alone, so that peak is an argument; without it the matrices stay dense. All weights count
as pruned and quantized alike, embeddings too. Structured pruning is a smaller network: give that.

Left out: the time of converting formats. Accuracy is stated where a source states it for the same network
and the same bits of its weights (``mlsysim.solvers.perplexity``), and nowhere else.

References
----------
.. [mishra2021] A. Mishra et al., "Accelerating sparse deep neural networks", 2021.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import log2
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity
from mlsysim.core.engine import Engine
from mlsysim.core.models import Model, Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown
from mlsysim.solvers.perplexity import PERPLEXITIES, Perplexity


class Pruning(StrEnum):
    """Which weights are zero."""

    NONE = "none"
    UNSTRUCTURED = "unstructured"
    TWO_OF_FOUR = "2:4"


class Outcome(StrEnum):
    """What became of the compression."""

    RUNS = "runs as asked"
    STAYS_DENSE = "pruning changes nothing: no rate for sparse products is given, so they stay dense"
    NO_UNITS = "does not run: the device has no published peak for this arithmetic"


@dataclass(frozen=True, kw_only=True, repr=False)
class CompressionResult(Shown):
    """A step as it was and compressed.

    Parameters
    ----------
    baseline, compressed
        The step as it was and as asked; no step where the device has no units for it.
    precision, pruning
        The compressed format, and which weights are zero.
    fit
        Whether the compressed network fits.
    sparse_seconds
        Time of the compressed step with sparse products; None where they stay dense. [s]
    """

    baseline: PerformanceProfile
    compressed: PerformanceProfile | None
    precision: Precision
    pruning: Pruning
    fit: Fit
    sparse_seconds: float | None

    @property
    def outcome(self) -> Outcome:
        """What became of the compression."""
        if self.compressed is None:
            return Outcome.NO_UNITS
        dense = self.pruning is not Pruning.NONE and self.sparse_seconds is None
        return Outcome.STAYS_DENSE if dense else Outcome.RUNS

    @property
    def speedup(self) -> float | None:
        """Time as it was over time compressed; None where it does not run."""
        if self.compressed is None:
            return None
        after = self.compressed.terms.latency if self.sparse_seconds is None else self.sparse_seconds
        return float(self.baseline.terms.latency / after)

    @property
    def memory_ratio(self) -> float:
        """Memory as it was over memory compressed."""
        return float(self.baseline.work.resident / self.fit.required)

    @property
    def fits(self) -> bool:
        """Whether the compressed network fits the device."""
        return self.fit.fits

    @property
    def perplexities(self) -> tuple[Perplexity, ...]:
        """What is published for this network and these bits; empty where nothing is."""
        bits = self.precision
        if self.pruning is not Pruning.NONE or not bits.kv_bits == bits.activation_bits == 16:
            return ()
        asked = (str(self.baseline.model), bits.weight_bits)
        return tuple(p for p in PERPLEXITIES if (p.model, p.bits) == asked)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Compression of {self.baseline.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return what became of it, first whether it fits and runs."""
        return [
            ("Memory", str(self.fit)),
            ("Memory before", str(self.baseline.fit)),
            ("Outcome", str(self.outcome)),
            ("Phase", str(self.baseline.phase)),
            ("Batch size", self.baseline.batch_size),
            ("Precision", str(self.precision)),
            ("Precision before", str(self.baseline.precision)),
            ("Pruning", str(self.pruning)),
            ("Speedup", self.speedup),
            ("Memory ratio", self.memory_ratio),
            ("Bottleneck before", self.baseline.bottleneck),
            ("Bottleneck", None if self.compressed is None else self.compressed.bottleneck),
            ("Perplexity", "; ".join(map(str, self.perplexities)) or "no sourced figure"),
            ("Calibration", self.baseline.calibration.name),
        ]


class CompressionModel:
    """Answers: what do fewer bits, or fewer weights, buy here?"""

    def solve(
        self,
        model: Model,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        baseline: str | Precision = "fp16",
        weight_bits: float | None = None,
        kv_bits: float | None = None,
        activation_bits: float | None = None,
        compute: str | None = None,
        pruning: Pruning = Pruning.NONE,
        sparse_peak: Quantity | None = None,
        **options: Any,
    ) -> CompressionResult:
        """Return speed-up and memory of a compressed step against a baseline.

        Parameters
        ----------
        model, hardware, batch_size
            As for ``Engine.solve``, and so are *options*: phase, context, prompt, tp_size, link, ….
        precision, baseline
            The compressed format, and the one to compare with.
        weight_bits, kv_bits, activation_bits, compute
            What differs from *precision*, each by itself. [bit]
        pruning
            Which weights are zero.
        sparse_peak
            Rate of pruned products, skipped ones counted as done, where the device has one. [FLOP/s]

        Returns
        -------
        CompressionResult
            Memory is exact for the counts; times are estimates of ``Engine.solve``, and the speed-up is
            an upper bound where formats must be converted on the way.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.
        MissingSpecError
            If the device publishes no peak for the baseline.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = CompressionModel().solve(Models.Llama3_8B, Hardware.A100, precision="w8a16",
        ...                              calibration="ideal")
        >>> f"{r.speedup:.2f}", f"{r.memory_ratio:.2f}"  # half the bytes
        ('2.00', '2.00')
        """
        given = Arguments("CompressionModel.solve")
        base = given.take(parse_precision, baseline, PRECISIONS["fp16"])
        start = given.take(parse_precision, precision, PRECISIONS["fp16"])
        parts = {"weight_bits": weight_bits, "kv_bits": kv_bits, "activation_bits": activation_bits}
        changes = {k: v for k, v in {**parts, "compute": compute}.items() if v is not None}
        asked = given.take(lambda new: _changed(start, new), changes, start)
        rate = None if sparse_peak is None else given.quantity("sparse_peak", sparse_peak, "TFLOP/s")
        if not isinstance(pruning, Pruning):
            given.fault(f"pruning must be one of {', '.join(map(repr, Pruning.__members__))} of Pruning")
        elif pruning is not Pruning.NONE and not isinstance(model, Transformer):
            given.fault(
                f"pruning is for decoder transformers, whose matrix products are counted apart: {model!r}"
            )
        elif pruning is Pruning.NONE and rate is not None:
            given.fault("sparse_peak is for pruned weights: give pruning=Pruning.TWO_OF_FOUR too")
        given.close()
        if pruning is Pruning.TWO_OF_FOUR and rate is not None:
            asked = replace(asked, weight_bits=asked.weight_bits / 2 + log2(4) / 2)
        before = Engine.solve(model, hardware, batch_size, base, **options)
        after = None
        if asked.compute in hardware.peak:
            after = Engine.solve(model, hardware, batch_size, asked, **options)
        bytes_alone = replace(asked, compute=base.compute)
        stored = after or Engine.solve(model, hardware, batch_size, bytes_alone, **options)
        return CompressionResult(
            baseline=before,
            compressed=after,
            precision=asked,
            pruning=pruning,
            fit=stored.fit,
            sparse_seconds=None if after is None or rate is None else _sparse(after, rate),
        )


def _changed(start: Precision, changes: dict[str, Any]) -> Precision:
    """Return a format with some parts changed, named after its parts."""
    new = replace(start, **changes)
    name = f"w{new.weight_bits:g} kv{new.kv_bits:g} a{new.activation_bits:g} {new.compute}"
    return replace(new, name=name) if changes else start


def _sparse(profile: PerformanceProfile, rate: float) -> float:
    """Return the seconds of a step whose products with weights run at the sparse peak; scores stay dense."""
    terms, scores = profile.terms, profile.tp_size * profile.work.other
    return float(replace(terms, flops=(terms.flops - scores) * terms.peak / rate + scores).latency)
