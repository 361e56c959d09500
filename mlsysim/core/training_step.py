r"""The time of one training step on many devices: compute, what the split adds to it, and what hides what.

With :math:`m` microbatches on :math:`p` stages of :math:`v` parts each, a microbatch that takes :math:`t` on
a stage, and exchanges inside it that hide behind a share :math:`h` of its compute,

.. math:: T = \left(m + \frac{p - 1}{v}\right) t + T_{data} + T_{optimizer},
          \qquad t = t_{compute} + \max(0,\, t_{exchange} - h\, t_{compute})

With :math:`m < p` a step takes no less than :math:`(p + (m - 1)/v)\, t`: each microbatch must pass all parts.
Gradients are summed once a step (with ZeRO-3, weights are gathered twice and gradients scattered once for
every microbatch); what of it does not hide behind compute that goes on meanwhile is :math:`T_{data}`.

References
----------
.. [narayanan2021] D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using
   Megatron-LM", SC 2021.
.. [korthikanti2022] V. Korthikanti et al., "Reducing activation recomputation in large transformer models",
   MLSys 2023.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Final

from mlsysim.core.collective_calibration import CollectiveCalibration
from mlsysim.core.collectives import Collective, Level, collective_time
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.sharding import Held, Microbatch
from mlsysim.core.counting.transformer import cached_numbers
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.precision import Precision
from mlsysim.core.systems import Fleet

_SUMS, _AGAIN = 4, 2
"""Sums of a layer over tensor-parallel devices: two forward, two backward; two more if it is recomputed."""

_ROUTES, _GATHERS = 4, 3
"""Exchanges of tokens with experts, out and back, forward and backward; of keys and values, whose gradients
are scattered besides."""


class Part(Enum):
    """What the time of a training step goes into."""

    COMPUTE = "compute"
    TENSOR = "tensor-parallel exchange"
    EXPERT = "expert-parallel exchange"
    CONTEXT = "context-parallel exchange"
    PIPELINE = "pipeline sends"
    BUBBLE = "pipeline bubble"
    DATA = "data-parallel exchange"
    OPTIMIZER = "optimizer"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What devices exchange, before anything hides. [s]

    The first four are for one microbatch on one stage, the last for a whole step.
    """

    tensor: float = 0.0
    expert: float = 0.0
    context: float = 0.0
    pipeline: float = 0.0
    data: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How much of the exchanges hides behind compute.

    Parameters
    ----------
    name, source
        What it is called, and what it was fitted to.
    exchange
        Share of a microbatch's compute behind which its own exchanges hide: tensor, expert, context and
        pipeline sends together.
    data
        Share of the compute that goes on meanwhile behind which the sum of the gradients hides.
    """

    name: str
    source: str
    exchange: float
    data: float


SERIAL: Final = Overlap(
    name="serial",
    source="An upper bound on the time; a fit to published runs with both shares free puts them at zero",
    exchange=0.0,
    data=0.0,
)
"""One after the other: the default. What a library hides is in the rates to which links were fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Seconds of one step, by part: they add up to it.

    Parameters
    ----------
    microbatches
        Microbatches of a step on each pipeline.
    parts
        Exposed time of each part. [s]
    """

    microbatches: int
    parts: dict[Part, float]

    @property
    def total(self) -> float:
        """Seconds of the step."""
        return sum(self.parts.values())

    @property
    def largest_loss(self) -> Part:
        """The part besides compute in which most time goes."""
        return max((part for part in Part if part is not Part.COMPUTE), key=self.parts.__getitem__)


def group_levels(
    fleet: Fleet, calibration: CollectiveCalibration, size: int, stride: int
) -> tuple[Level, ...]:
    """Return the networks that join a group of *size* devices, each *stride* after the one before.

    Devices are counted node by node, so that a group with a small stride stays inside one.

    Examples
    --------
    >>> from mlsysim import Systems
    >>> from mlsysim.core.collective_calibration import IDEAL
    >>> [x.devices for x in group_levels(Systems.Clusters.Selene, IDEAL, 16, 2)]
    [4, 4]
    """
    inside = max(1, min(size, fleet.node.devices // stride))
    return calibration.levels(((fleet.node.link, inside), (fleet.fabric, -(-size // inside))))


def exchanges(
    model: Transformer,
    precision: Precision,
    split: Parallelism,
    fleet: Fleet,
    calibration: CollectiveCalibration,
    *,
    micro: Microbatch,
    held: Held,
    gradient_bytes: float,
) -> Exchange:
    """Return the time of every exchange of one step.

    Devices are ordered tensor, context, data, pipeline: the most talkative groups are the closest.

    Parameters
    ----------
    model, precision, split
        The network, its number format and how it is split.
    fleet, calibration
        What joins the devices, and how far it falls short of its datasheet.
    micro
        The microbatches.
    held
        Parameters of each device.
    gradient_bytes
        Bytes of a gradient that is sent, and of a weight that is gathered. [B]
    """

    def time(kind: Collective, size: float, levels: Sequence[Level]) -> float:
        return float(collective_time(kind, size, levels, launch=calibration.launch_seconds))

    def group(size: int, stride: int) -> tuple[Level, ...]:
        return group_levels(fleet, calibration, size, stride)

    tp, cp, pp, ep = split.tp_size, split.cp_size, split.pp_size, split.ep_size
    layers = model.layers / pp
    each = precision.activation_bytes
    stream = micro.tokens / cp * model.width * each
    sums = _SUMS + _AGAIN * (micro.recompute is Recompute.FULL)
    keys = micro.tokens * cached_numbers(model) / tp * each
    routed = stream * model.experts_per_token / tp
    copies = group(split.copies, tp)
    owners = group(split.expert_copies, ep * split.expert_tp_size)
    rounds, kinds = 1, [Collective.REDUCE_SCATTER, Collective.ALL_GATHER]
    if split.zero_stage is Zero.WEIGHTS:
        rounds, kinds = micro.count, [*kinds, Collective.ALL_GATHER]
    sends = 2 * split.interleave * stream / tp
    return Exchange(
        tensor=layers * sums * time(Collective.ALL_REDUCE, stream, group(tp, 1)),
        expert=model.moe_layers
        / pp
        * _ROUTES
        * time(Collective.ALL_TO_ALL, routed, group(ep, split.expert_tp_size)),
        context=layers * _GATHERS * time(Collective.ALL_GATHER, keys, group(cp, tp)),
        pipeline=time(Collective.POINT_TO_POINT, sends, group(min(pp, 2), tp * split.copies)),
        data=rounds
        * sum(
            time(kind, held.dense * gradient_bytes, copies) + time(kind, held.expert * gradient_bytes, owners)
            for kind in kinds
        ),
    )


def idle_microbatches(split: Parallelism, microbatches: int) -> float:
    """Return how many microbatches' time a stage waits in a step.

    The pipeline fills and empties; with fewer microbatches than stages, the parts of a stage wait
    for each other besides, as one microbatch must pass them all.

    Examples
    --------
    >>> idle_microbatches(Parallelism(pp_size=4, interleave=3), 6)
    1.0
    >>> idle_microbatches(Parallelism(pp_size=4, interleave=3), 1)  # four stages, one after the other
    3.0
    """
    p, v, m = split.pp_size, split.interleave, microbatches
    return max((p - 1) / v, p + (m - 1) / v - m)


def step_time(
    compute: float,
    exchange: Exchange,
    overlap: Overlap,
    split: Parallelism,
    *,
    microbatches: int,
    optimizer: float,
) -> StepTime:
    """Return the seconds of a step, by part.

    Parameters
    ----------
    compute
        Seconds of one microbatch on one stage.
    exchange, overlap
        What is exchanged, and how much of it hides.
    split, microbatches
        How the run is split, and microbatches of each pipeline.
    optimizer
        Seconds of the update.

    Examples
    --------
    Four microbatches of a second on two stages wait one more for each other:

    >>> hide = Overlap(name="all", source="", exchange=1, data=1)
    >>> t = step_time(1.0, Exchange(), hide, Parallelism(pp_size=2), microbatches=4, optimizer=0.0)
    >>> t.total, t.parts[Part.BUBBLE]
    (5.0, 1.0)
    """
    inside = {Part[f.name.upper()]: getattr(exchange, f.name) for f in fields(Exchange) if f.name != "data"}
    whole = sum(inside.values())
    shown = max(0.0, whole - overlap.exchange * compute) / whole if whole else 0.0
    each = compute + shown * whole
    idle = idle_microbatches(split, microbatches)
    meanwhile = microbatches * compute if split.zero_stage is Zero.WEIGHTS else compute
    data = max(0.0, exchange.data - overlap.data * meanwhile)
    parts = {
        Part.COMPUTE: microbatches * compute,
        **{part: microbatches * shown * seconds for part, seconds in inside.items()},
        Part.BUBBLE: idle * each,
        Part.DATA: data,
        Part.OPTIMIZER: optimizer,
    }
    return StepTime(microbatches=microbatches, parts={part: parts[part] for part in Part})
