r"""The time equation, in SI: floats, or arrays that broadcast.

.. math:: T = \max(T_c, T_m) + \gamma \min(T_c, T_m) + o + t_{link}

The lower bound is the longer of the two times (:math:`\gamma = 0`), the upper bound their sum
(:math:`\gamma = 1`): overlap never changes the answer by more than a factor of two.

References
----------
.. [williams2009] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual
   performance model for multicore architectures", CACM 52(4), 2009.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final

from mlsysim.core.arrays import choose, largest, maximum, minimum


class Bottleneck(Enum):
    """What most of the time goes into."""

    MEMORY = "memory"
    COMPUTE = "compute"
    OVERHEAD = "overhead"
    COMMUNICATION = "communication"

    def __str__(self) -> str:
        return f"{self.value.capitalize()} Bound"


BOTTLENECKS: Final = tuple(Bottleneck)
"""In the order in which ties are broken; ``Terms.limiting`` counts in it."""


class Lever(StrEnum):
    """A resource that can be turned."""

    PEAK_FLOPS = "peak_flops"
    MEMORY_BANDWIDTH = "memory_bandwidth"
    MEMORY_CAPACITY = "memory_capacity"
    OVERHEAD = "overhead"
    LINK_BANDWIDTH = "link_bandwidth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All that the time equation needs, and the equation.

    Parameters
    ----------
    flops
        FLOP that are executed on all devices, tile padding included. [FLOP]
    traffic
        Bytes that cross the memory interfaces of all devices. [B]
    peak, bandwidth
        What the datasheet says. [FLOP/s, B/s]
    compute_efficiency, memory_efficiency
        Shares of them that are reached.
    serial_fraction
        Share of the shorter time that the longer one does not hide.
    overhead
        Time that neither resource shortens. [s]
    devices
        Devices that share the work.
    link_traffic, link_bandwidth, link_latency
        Bytes that each device sends, the rate that is reached, and the time that the messages take
        without content. [B, B/s, s]

    Examples
    --------
    >>> t = Terms(flops=2e9, traffic=1e9, peak=1e15, bandwidth=4e12, compute_efficiency=1.0,
    ...           memory_efficiency=1.0, serial_fraction=0.0, overhead=0.0)
    >>> t.latency, str(t.bottleneck)
    (0.00025, 'Memory Bound')
    """

    flops: Any
    traffic: Any
    peak: Any
    bandwidth: Any
    compute_efficiency: Any
    memory_efficiency: Any
    serial_fraction: Any
    overhead: Any
    devices: Any = 1.0
    link_traffic: Any = 0.0
    link_bandwidth: Any = 1.0
    link_latency: Any = 0.0

    @property
    def compute_time(self) -> Any:
        """Seconds of arithmetic."""
        return self.flops / (self.devices * self.peak * self.compute_efficiency)

    @property
    def memory_time(self) -> Any:
        """Seconds of moving bytes."""
        return self.traffic / (self.devices * self.bandwidth * self.memory_efficiency)

    @property
    def busy_time(self) -> Any:
        """Seconds in which compute or memory works."""
        compute, memory = self.compute_time, self.memory_time
        return maximum(compute, memory) + self.serial_fraction * minimum(compute, memory)

    @property
    def latency(self) -> Any:
        """Seconds of the step."""
        return self.busy_time + self.overhead + self.communication_time

    @property
    def communication_time(self) -> Any:
        """Seconds of sending to other devices."""
        return self.link_latency + self.link_traffic / self.link_bandwidth

    @property
    def limiting(self) -> Any:
        """Place in ``BOTTLENECKS`` of the longest time; ties go to memory, then compute, then overhead."""
        return largest((self.memory_time, self.compute_time, self.overhead, self.communication_time))

    @property
    def bottleneck(self) -> Bottleneck:
        """The longest of the times, of a single step."""
        place: int = self.limiting
        return BOTTLENECKS[place]

    def elasticities(self) -> dict[Lever, Any]:
        """Return the relative change of the step's time for that of each resource, in closed form.

        At the ridge, where compute and memory time are equal, memory counts as the longer one.

        Examples
        --------
        >>> t = Terms(flops=1.0, traffic=3.0, peak=1.0, bandwidth=1.0, compute_efficiency=1.0,
        ...           memory_efficiency=1.0, serial_fraction=0.0, overhead=1.0)
        >>> t.elasticities()[Lever.MEMORY_BANDWIDTH]
        -0.75
        """
        compute, memory, total = self.compute_time, self.memory_time, self.latency
        hidden = self.serial_fraction
        computes = compute > memory
        return {
            Lever.PEAK_FLOPS: 0.0 - choose(computes, compute, hidden * compute) / total,
            Lever.MEMORY_BANDWIDTH: 0.0 - choose(computes, hidden * memory, memory) / total,
            Lever.OVERHEAD: self.overhead / total,
            Lever.LINK_BANDWIDTH: 0.0 - self.link_traffic / self.link_bandwidth / total,
        }
