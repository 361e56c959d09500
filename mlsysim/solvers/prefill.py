r"""Prompts that are read in parts: a prefix that many share, chunks, and chunks beside decoding.

The engine prices whole prompts. A part of one sends its own tokens through the matrices, and attends to all
that came before it. With :math:`A(S)` the FLOP of attention over a prompt of :math:`S` tokens and
:math:`h` those of the LM head, :math:`B` prompts that share their first :math:`p` tokens take

.. math:: \text{rows} = p + B(S - p), \qquad F_{other} = B\,(A(S) - A(p)) + A(p) + B h

and a mixed step adds the compute times of a chunk and of decoding, and reads the weights once:

.. math:: T_c = \frac{F_{decode}}{\eta_{decode}\,\mathrm{peak}} +
                \frac{F_{chunk}}{\eta_{prefill}\,\mathrm{peak}}, \qquad
          Q = Q_{decode} + Q_{chunk} - Q_{weights, twice}

Every term is a sum or a difference of what ``Engine.solve`` counts; nothing is counted here.

References
----------
.. [agrawal2024] A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with
   Sarathi-Serve", OSDI 2024: chunked prefills, and steps that mix them with decoding.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from mlsysim.core.engine import Engine
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Terms
from mlsysim.core.specs import Accelerator


@dataclass(frozen=True, kw_only=True)
class Prefill:
    """The prompts of one model on one device, and the steps in which they can be read.

    Parameters
    ----------
    model, hardware
        Who reads, and on what.
    prompt
        Tokens of each prompt. [token]
    options
        Further arguments of ``Engine.solve``: precision, split, link and calibration.
    """

    model: Transformer
    hardware: Accelerator
    prompt: int
    options: dict[str, Any]

    def whole(self, batch_size: int, prompt: int | None = None) -> PerformanceProfile:
        """Return the step that reads *batch_size* prompts from their first token to their last."""
        return Engine.solve(
            self.model,
            self.hardware,
            batch_size,
            phase=Phase.PREFILL,
            prompt=self.prompt if prompt is None else prompt,
            **self.options,
        )

    def after_prefix(self, batch_size: int, prefix: int) -> PerformanceProfile:
        """Return the step that reads *batch_size* prompts, and the *prefix* that they share but once."""
        if prefix == 0 or batch_size == 1:
            return self.whole(batch_size)
        whole, shared, once = (
            self.whole(batch_size),
            self.whole(batch_size, prefix),
            self.whole(1, prefix),
        )
        step = self._through(
            prefix + batch_size * (self.prompt - prefix),
            other=whole.work.other - shared.work.other + once.work.other + (batch_size - 1) * self._head(),
            state=whole.work.state - shared.work.state + once.work.state,
        )
        return replace(whole, work=step.work, terms=step.terms)

    def chunk(self, pieces: float, steps: int, prefix: int = 0) -> PerformanceProfile:
        """Return the mean step that reads *pieces* chunks, of which *steps* make up a prompt.

        A chunk writes its own tokens to the cache, and reads those that came before it: earlier chunks, and
        a *prefix* that is cached already.
        """
        if steps == 1 and pieces == 1 and prefix == 0:
            return self.whole(1)
        one, size = self.whole(1).work, (self.prompt - prefix) / steps
        before = [self.whole(1, start).work for i in range(steps) if (start := math.ceil(prefix + i * size))]
        known = self.whole(1, prefix).work if prefix else None
        other = one.other - (known.other - self._head() if known else 0.0)
        written = one.state - (known.state if known else 0.0)
        return self._through(
            math.ceil(pieces * size),
            other=pieces * other / steps,
            state=pieces * (written + sum(work.state for work in before)) / steps,
        )

    def tokens(self, number: int) -> PerformanceProfile:
        """Return the step in which *number* tokens go through the matrices, each a prompt of its own."""
        return self.whole(number, 1)

    def _head(self) -> float:
        """Return the FLOP of the LM head for one row: a decoded token has it in its products."""
        decoded = Engine.solve(self.model, self.hardware, phase=Phase.DECODE, **self.options)
        return float(decoded.work.matmul - self.tokens(1).work.matmul)

    def _through(self, number: int, *, other: float, state: float) -> PerformanceProfile:
        """Return the products of *number* tokens with this much attention and cache beside them."""
        base = self.tokens(number)
        work, n = base.work, base.tp_size
        terms = replace(
            base.terms,
            flops=base.terms.flops + n * (other - work.other),
            traffic=base.terms.traffic + n * (state - work.state),
        )
        resident = work.resident - work.state + state
        return replace(base, work=replace(work, other=other, state=state, resident=resident), terms=terms)


def mixed_step(decode: PerformanceProfile, chunk: PerformanceProfile, together: PerformanceProfile) -> Terms:
    """Return the terms of a step that decodes and reads a chunk of prompt at once.

    Parameters
    ----------
    decode, chunk
        The two parts.
    together
        A step in which the tokens of both go through the matrices: it says which weights are read.

    Returns
    -------
    Terms
        Compute times add up, weights are read once, the overhead of a step is paid once.
    """
    a, b = decode.terms, chunk.terms
    flops = a.flops + b.flops
    spared = decode.work.weights + chunk.work.weights - together.work.weights
    return replace(
        a,
        flops=flops,
        compute_efficiency=flops / (a.flops / a.compute_efficiency + b.flops / b.compute_efficiency),
        traffic=a.traffic + b.traffic - a.devices * spared,
        link_traffic=a.link_traffic + b.link_traffic,
    )
