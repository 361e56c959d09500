r"""Serving with continuous batching: how many requests are in flight, and what each of them waits.

Requests join and leave at every step. At :math:`\lambda` requests a second, Little's law and the residence
:math:`L(N)` of ``iteration`` have one another as argument; their fixed point is the mean batch:

.. math:: N = \lambda\, L(N), \qquad \lambda_{peak} = \frac{N_{most}}{L(N_{most})}

with :math:`N_{most}` set by the cache, by the scheduler or by the chunks. At or above
:math:`\lambda_{peak}` the queue grows without end. Below, a request waits for a place, reads and decodes:

.. math:: \mathrm{TTFT} = W + \tfrac{1}{2} (1 - e^{-N})\, \bar T(N) + k\, T_{mixed}(N)

with :math:`W` the mean wait of M/M/:math:`N_{most}` at a full batch, and half a step where the server runs.

Notes
-----
Places are reserved for the longest life of a sequence, so none is ever evicted. Waits take random
arrivals and exponential residence; everything else takes requests that are equal in the mean.

References
----------
.. [yu2022] G.-I. Yu et al., "Orca: a distributed serving system for transformer-based generative models",
   OSDI 2022: scheduling at every iteration.
.. [agrawal2024] A. Agrawal et al., "Taming throughput-latency tradeoff in LLM inference with
   Sarathi-Serve", OSDI 2024: chunked prefills.
"""

import math
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity
from mlsysim.core.models import Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.queueing import mean_wait
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.solvers.cache_layout import Allocation, parse_allocation
from mlsysim.solvers.in_flight import BatchLimit, ContinuousBatchingResult, Regime
from mlsysim.solvers.iteration import Iterations
from mlsysim.solvers.prefill import Prefill
from mlsysim.solvers.request import BLOCK_SIZE, check_generator, check_lengths, check_rate
from mlsysim.solvers.serving import ServingModel


class ContinuousBatchingModel:
    """Answers: how large is the batch under load, and how long does each request take?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int | None = None,
        precision: str | Precision = "fp16",
        *,
        arrival_rate: Quantity | None = None,
        prompt: int = 512,
        output: int = 128,
        longest_output: int | None = None,
        shared_prefix: int = 0,
        block_size: int = BLOCK_SIZE,
        chunk_size: int | None = None,
        allocation: str | Allocation = Allocation.PAGED,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> ContinuousBatchingResult:
        """Return times and throughput of a server that takes requests in at every step.

        Parameters
        ----------
        model, hardware
            A language model, and the device that serves it.
        batch_size
            Most requests in flight; as many as the cache holds if left out.
        precision, tp_size, link, calibration
            As for ``Engine.solve``.
        arrival_rate
            Requests that come, in the mean, at random moments; if left out, there is always a request to
            take in. [1/s]
        prompt, output
            Tokens that each request brings, and tokens that it gets, at least two. [token]
        longest_output, shared_prefix, block_size
            As for ``KVCacheModel.solve``. A shared prefix is cached before a request comes. [token]
        chunk_size
            Most tokens of prompts in one step; whole prompts, any number, if left out. [token]
        allocation
            ``paged`` or ``contiguous``: how many sequences the cache holds.

        Returns
        -------
        ContinuousBatchingResult
            An estimate for the mean of many requests. One in flight takes as long as ``ServingModel`` says.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Hardware, Models, Q_
        >>> r = ContinuousBatchingModel().solve(Models.Llama3_8B, Hardware.Cloud.H100, 64,
        ...                                     arrival_rate=Q_("5/s"))
        >>> str(r.regime), str(r.limit), round(r.utilization, 2)
        ('stable', 'batch size', 0.16)
        """
        given = Arguments("ContinuousBatchingModel.solve")
        check_generator(given, model, hardware)
        asked = None if batch_size is None else given.count("batch_size", batch_size)
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        arrivals = None if arrival_rate is None else check_rate(given, arrival_rate)
        if output == 1:
            given.fault("output must be at least 2: with one token no request decodes")
        lengths = check_lengths(
            given,
            model,
            prompt,
            output,
            longest_output=longest_output,
            shared_prefix=shared_prefix,
            block_size=block_size,
        )
        chunk = None if chunk_size is None else given.count("chunk_size", chunk_size)
        laid = given.take(parse_allocation, allocation, Allocation.PAGED)
        given.close()
        options: dict[str, Any] = {
            "precision": number_format,
            "tp_size": tp_size,
            "link": link,
            "calibration": calibration,
        }
        serving = {**options, "prompt": prompt, "output": lengths.longest, "block_size": block_size}
        memory = (
            ServingModel()
            .solve(
                model,
                hardware,
                **{**serving, "output": output},
                longest_output=lengths.longest,
                shared_prefix=shared_prefix,
            )
            .memory
        )
        prefill = Prefill(model=model, hardware=hardware, prompt=lengths.prompt, options=options)
        server = Iterations(prefill=prefill, lengths=lengths, chunk_size=chunk)
        limit, most = _limit(memory.layout(laid).sequences, asked, server.most)
        full = server.at(most)
        peak = most / full.residence
        in_flight, regime, wait = float(most), Regime.SATURATED, None
        if arrivals is not None and arrivals >= peak:
            regime = Regime.UNSTABLE
        elif arrivals is not None:
            regime = Regime.STABLE
            in_flight = server.settled(arrivals, most)
        flight = server.between(in_flight)
        if arrivals is not None and regime is Regime.STABLE:
            wait = mean_wait(most, arrivals * full.residence, full.residence)
            wait -= math.expm1(-in_flight) * flight.step / 2
        held = memory.contiguous.sequences
        static = max(1, held if asked is None else min(held, asked))
        return ContinuousBatchingResult(
            decode=server.decode(math.ceil(in_flight)),
            mixed_bottleneck=server.mixed(math.ceil(in_flight)).bottleneck,
            memory=memory,
            allocation=laid,
            limit=limit,
            most=most,
            regime=regime,
            arrivals=arrivals,
            peak=peak,
            in_flight=in_flight,
            flight=flight,
            wait=wait,
            static=ServingModel().solve(model, hardware, static, **serving),
        )


def _limit(cached: int, asked: int | None, read: int | None) -> tuple[BatchLimit, int]:
    """Return what sets the largest number in flight, and the number."""
    if cached == 0:
        return BatchLimit.MEMORY, 1
    limits = [(cached, BatchLimit.CACHE)]
    if asked is not None:
        limits.append((asked, BatchLimit.SCHEDULER))
    if read is not None:
        limits.append((read, BatchLimit.CHUNKS))
    most, limit = min(limits, key=lambda pair: pair[0])
    return limit, most
