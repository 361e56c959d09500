r"""Where a network's weights live, and the step that follows: on a device, spread over many, or streamed in.

``ON_DEVICE``: the step is the engine's; the memory of a wafer is its SRAM. ``SPREAD``: :math:`n` devices hold
a part each. A token passes them one after the other, and :math:`m = \min(n, B)` parts of the batch are on
their way at once, so each device reads only what it holds, :math:`m` times:

.. math:: T = T_1\left(\lceil B / m \rceil\right) + (n - 1)\, t_{hop}

with :math:`T_1` the step of one part as if one device held everything. ``STREAMED``: the device holds the
cache and two layers, one in use and one on its way; all weights that the step reads come over a link of
bandwidth :math:`\beta`, behind the work:

.. math:: \max(T_1(B), Q_w / \beta) \le T \le T_1(B) + Q_w / \beta

Notes
-----
Parts are even and layers alike, the embedding table counted in. Devices that work on one token at the same
time (tensor parallel) are quicker than ``SPREAD`` says; hops cost nothing where no link is given.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil
from typing import Any

from mlsysim.core.constants import si
from mlsysim.core.counting import count
from mlsysim.core.engine import Engine
from mlsysim.core.models import Transformer
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link


class Residence(StrEnum):
    """Where the weights live."""

    ON_DEVICE = "in the memory of one device"
    SPREAD = "spread over several devices"
    STREAMED = "streamed over a link in each step"


@dataclass(frozen=True, kw_only=True)
class Resident:
    """A step whose weights live somewhere.

    Parameters
    ----------
    step
        The engine's step of the part of the batch that goes together, on one device.
    batch_size, devices
        Sequences on their way, all parts together, and devices that the weights live on.
    fit
        Whether each device holds its part.
    stream, hops
        Time of streaming the weights once, and of passing from device to device. [s]
    """

    step: PerformanceProfile
    batch_size: int
    fit: Fit
    devices: int = 1
    stream: float = 0.0
    hops: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of the step, all streaming hidden behind the work that can hide it: a lower bound."""
        return float(max(self.step.terms.latency, self.stream) + self.hops)

    @property
    def serial_seconds(self) -> float:
        """Seconds of the step if no streaming were hidden: an upper bound."""
        return float(self.step.terms.latency + self.stream + self.hops)

    @property
    def items_per_second(self) -> float:
        """Tokens per second of all devices."""
        return float(self.batch_size * self.step.work.items / self.step.batch_size / self.seconds)


def on_device(model: Transformer, hardware: Accelerator, batch: int, options: dict[str, Any]) -> Resident:
    """Return the step of one device that holds everything; *options* are those of ``Engine.solve``."""
    step = Engine.solve(model, hardware, batch, **options)
    return Resident(step=step, batch_size=batch, fit=step.fit)


def spread(whole: Resident, devices: int | None, link: Link | None, options: dict[str, Any]) -> Resident:
    """Return a step over *devices*, the fewest that hold it if None, joined by a link if there is one."""
    step, batch = whole.step, whole.batch_size
    parts = whole.fit.least_devices if devices is None else devices
    part = Engine.solve(step.model, step.hardware, ceil(batch / min(parts, batch)), **options)
    return replace(
        whole,
        step=part,
        devices=parts,
        fit=replace(whole.fit, required=whole.fit.required / parts, devices=parts),
        hops=0.0 if link is None else (parts - 1) * _hop(part, link),
    )


def streamed(whole: Resident, link: Link) -> Resident:
    """Return a step whose weights come over a link, layer by layer."""
    work = whole.step.work
    layer = (work.resident - work.state) / work.launches
    return replace(
        whole,
        stream=float(work.weights / link.bandwidth_si + work.launches * _message(link)),
        fit=replace(whole.fit, required=work.state + 2 * layer),
    )


def _hop(part: PerformanceProfile, link: Link) -> float:
    """Return the seconds in which the activations of a part pass to the next device.

    They are the tensor that devices would sum if they split the matrices, whatever their number.
    """
    work = count(
        part.model,
        part.phase,
        part.precision,
        batch=float(part.batch_size),
        context=float(part.context),
        prompt=float(part.prompt),
        tp_size=2,
    )
    return float(work.reduced / link.bandwidth_si) + _message(link)


def _message(link: Link) -> float:
    """Return the seconds of a message without content, where a source gives them."""
    return 0.0 if link.latency is None else si("latency", link.latency, "us")
