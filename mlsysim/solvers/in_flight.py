"""A server with continuous batching: the requests in flight, their times, and what limits them."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.roofline import Bottleneck
from mlsysim.format import Share, Shown
from mlsysim.solvers.cache_layout import Allocation
from mlsysim.solvers.iteration import Flight
from mlsysim.solvers.kv_cache import KVCacheResult
from mlsysim.solvers.serving import ServingResult


class BatchLimit(Enum):
    """What sets the largest number of requests in flight."""

    MEMORY = "memory: not one sequence fits"
    CACHE = "KV cache"
    SCHEDULER = "batch size"
    CHUNKS = "chunk size: prompts are read no faster"

    def __str__(self) -> str:
        return self.value


class Regime(Enum):
    """How the load compares with what is served."""

    STABLE = "stable"
    SATURATED = "saturated: there is always a request to take in"
    UNSTABLE = "unstable: requests come as fast as they are served, or faster, and the queue grows"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, repr=False)
class ContinuousBatchingResult(Shown):
    """A server with continuous batching, under load.

    Parameters
    ----------
    decode
        The step that decodes a mean batch, rounded up.
    mixed_bottleneck
        What limits the steps that read prompts too.
    memory
        How the cache is laid out.
    allocation
        Which of the layouts is used.
    limit, most
        What sets the largest number of requests in flight, and that number; 1 where none fits.
    regime
        How the load compares with what is served.
    arrivals
        Requests that come in a second; None at saturation. [1/s]
    peak
        Largest rate that is served. [1/s]
    in_flight
        Mean number of requests in flight.
    flight
        Times of a request that is in.
    wait
        Mean time from arrival to the first step; None where the queue does not come to rest. [s]
    static
        The same requests in static batches, contiguous, each until its longest output is written.
    """

    decode: PerformanceProfile
    mixed_bottleneck: Bottleneck
    memory: KVCacheResult
    allocation: Allocation
    limit: BatchLimit
    most: int
    regime: Regime
    arrivals: float | None
    peak: float
    in_flight: float
    flight: Flight
    wait: float | None
    static: ServingResult

    @property
    def ttft(self) -> Quantity | None:
        """Mean time from arrival to the first token; None where the queue does not come to rest."""
        return None if self.wait is None else _time(self.wait + self.flight.reading)

    @property
    def tpot(self) -> Quantity:
        """Mean time of each further token."""
        return _time(self.flight.per_token)

    @property
    def reading(self) -> Quantity:
        """Mean time from the first step of a request to its first token."""
        return _time(self.flight.reading)

    @property
    def latency(self) -> Quantity | None:
        """Mean time from arrival to the last token; None where the queue does not come to rest."""
        return None if self.wait is None else _time(self.wait + self.flight.residence)

    @property
    def utilization(self) -> float:
        """Arrival rate over the largest rate that is served; 1 at saturation, above it unstable."""
        return 1.0 if self.arrivals is None else self.arrivals / self.peak

    @property
    def throughput(self) -> Quantity:
        """Output tokens per second."""
        served = self.peak if self.arrivals is None else min(self.arrivals, self.peak)
        return self._tokens(served)

    @property
    def peak_throughput(self) -> Quantity:
        """Output tokens per second at saturation."""
        return self._tokens(self.peak)

    @property
    def static_throughput(self) -> Quantity:
        """Output tokens per second of static batches that wait for the longest output."""
        served = self.static.decode.batch_size / self.static.latency.m_as("s")
        return self._tokens(served)

    def _tokens(self, requests: float) -> Quantity:
        return ureg.Quantity(requests * self.memory.lengths.output, unit("token/s"))

    @property
    def speedup(self) -> float:
        """Throughput at saturation over that of static batches."""
        return float(self.peak_throughput.magnitude / self.static_throughput.magnitude)

    @property
    def fit(self) -> Fit:
        """Whether the largest batch fits, at least one sequence."""
        return self.memory.fit_as(self.allocation, self.most)

    @property
    def fits(self) -> bool:
        """Whether at least one sequence fits."""
        return self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Continuous batching of {self.decode.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return fit and stability, then the times."""
        rate = None if self.arrivals is None else ureg.Quantity(self.arrivals, unit("1/s"))
        return [
            ("Memory", str(self.fit)),
            ("Regime", str(self.regime)),
            ("Arrival rate", rate),
            ("Peak rate", ureg.Quantity(self.peak, unit("1/s"))),
            ("Utilization", Share(self.utilization)),
            ("Mean in flight", self.in_flight),
            ("Most in flight", self.most),
            ("Limited by", str(self.limit)),
            ("Calibration", self.decode.calibration.name),
            ("TTFT", self.ttft),
            ("TPOT", self.tpot),
            ("Request latency", self.latency),
            ("Throughput", self.throughput),
            ("Decode bottleneck", self.decode.bottleneck),
            ("Mixed step bottleneck", self.mixed_bottleneck),
            ("Peak throughput", self.peak_throughput),
            ("Static throughput", self.static_throughput),
            ("Speed-up over static", self.speedup),
        ]


def _time(seconds: float) -> Quantity:
    return ureg.Quantity(seconds * 1e3, unit("ms"))
