"""The stages of a full-stack audit: one question each, and how its wall is read from the answer."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.errors import ArgumentError
from mlsysim.solvers.checkpoint import CheckpointModel
from mlsysim.solvers.distributed import DistributedResult
from mlsysim.solvers.economics import EconomicsModel
from mlsysim.solvers.pipeline import Pipeline, Stage
from mlsysim.solvers.reliability import ReliabilityModel
from mlsysim.solvers.serving import ServingModel
from mlsysim.solvers.sustainability import SustainabilityModel
from mlsysim.solvers.training import TrainingModel


class MemoryPart(Enum):
    """What fills the memory of the fullest device."""

    WEIGHTS = "weights"
    GRADIENTS = "gradients"
    STATE = "optimizer state"
    ACTIVATIONS = "activations"

    def __str__(self) -> str:
        return self.value


class CarbonPart(Enum):
    """Where emissions come from."""

    OPERATION = "operation"
    MAKING = "making the devices"

    def __str__(self) -> str:
        return self.value


def _fullest(memory: Any) -> MemoryPart:
    """Return the part that takes most of the memory."""
    s = memory.states
    return max(
        zip((s.weights, s.gradients, s.state, memory.activations), MemoryPart, strict=True),
        key=lambda p: p[0],
    )[1]


def _emitter(carbon: Any) -> CarbonPart:
    """Return where most of the carbon comes from."""
    made = carbon.embodied_carbon
    if made is not None and made > carbon.operational_carbon:
        return CarbonPart.MAKING
    return CarbonPart.OPERATION


def _checkpoint(
    step: DistributedResult, storage: Quantity, device_mtbf: Quantity, restart_time: Quantity
) -> Any:
    return CheckpointModel().solve(
        step.model,
        step.precision,
        bandwidth=storage,
        mtbf=device_mtbf / step.split.devices,
        restart_time=restart_time,
    )


def _reliability(
    step: DistributedResult, run: Any, checkpoint: Any, device_mtbf: Quantity, restart_time: Quantity
) -> Any:
    return ReliabilityModel().solve(
        step.split.devices,
        device_mtbf=device_mtbf,
        duration=run.duration,
        write_time=checkpoint.write_time,
        restart_time=restart_time,
    )


def held(run: Any, reliability: Any) -> Quantity:
    """Return the time for which the machines are held, failures included.

    Raises
    ------
    ArgumentError
        If failures come so often that no work is kept.
    """
    if not reliability.goodput:
        raise ArgumentError("full_stack_audit(): failures come so often that no work is ever kept")
    return ureg.Quantity(run.seconds / reliability.goodput, unit("s"))


def _serving(step: DistributedResult, served: Mapping[str, Any]) -> Any:
    node = step.fleet.node
    return ServingModel().solve(
        step.model, node.accelerator, **{"tp_size": node.devices, "link": node.link, **served}
    )


STAGES: Final = Pipeline(
    (
        Stage(name="device", solve=lambda step: step, wall=lambda r: r.terms.bottleneck),
        Stage(name="scale", solve=lambda step: step, wall=lambda r: r.step.largest_loss),
        Stage(name="memory", solve=lambda step: step.memory, wall=_fullest),
        Stage(
            name="run",
            solve=lambda step, tokens: TrainingModel().solve(
                step.model, step.fleet.node.accelerator, tokens=tokens, step=step, precision=step.precision
            ),
            wall=lambda r: r.basis,
        ),
        Stage(name="checkpoint", solve=_checkpoint, wall=lambda r: r.limit),
        Stage(name="reliability", solve=_reliability, wall=lambda r: r.largest_loss),
        Stage(
            name="money",
            solve=lambda step, run, reliability, price: EconomicsModel().solve(
                step.fleet.node.accelerator, step.split.devices, duration=held(run, reliability), price=price
            ),
            wall=lambda r: r.choice,
        ),
        Stage(
            name="carbon",
            solve=lambda step, run, reliability, grid, pue: SustainabilityModel().solve(
                step.fleet.node.accelerator,
                step.split.devices,
                grid=grid,
                duration=held(run, reliability),
                pue=pue,
            ),
            wall=_emitter,
        ),
        Stage(name="serving", solve=_serving, wall=lambda r: r.decode.bottleneck),
    )
)
"""Step, memory, run, checkpoints, failures, money, carbon and serving of one configuration."""
