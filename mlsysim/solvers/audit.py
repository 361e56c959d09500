r"""A whole analysis: one training run and its serving, and what limits each part of it, computed.

The stages of the audit are a :class:`~mlsysim.solvers.pipeline.Pipeline`. Above them stands the elasticity of
the time to the end of the run,

.. math:: T_{run} = \frac{\mathrm{tokens} \cdot T_{step}}{\mathrm{tokens\ per\ step} \cdot \mathrm{goodput}},

to each lever: arithmetic, memory bandwidth, links, network, storage, failures. The lever with the largest one
binds the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.engine import check_training_pair
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism
from mlsysim.core.specs import FrozenMap
from mlsysim.core.systems import Datacenter, Fleet, Grid, Price
from mlsysim.format import Share, Shown
from mlsysim.solvers.audit_stages import STAGES, held
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.solvers.levers import ElasticityResult, ElasticitySolver
from mlsysim.solvers.parallelism import ParallelismOptimizer
from mlsysim.solvers.pipeline import PipelineResult
from mlsysim.solvers.reliability import FailureRecord

LEVERS: Final = ("peak_flops", "memory_bandwidth", "link_bandwidth", "network_bandwidth", "storage", "mtbf")
"""What the time to the end of a run is differentiated by."""


@dataclass(frozen=True, kw_only=True, repr=False)
class AuditResult(Shown):
    """One training run and its serving, with the wall of each domain.

    Parameters
    ----------
    model, fleet
        What was asked.
    stages
        Results and walls by domain: ``device`` and ``scale`` (the step), ``memory``, ``run``, ``checkpoint``,
        ``reliability``, ``money``, ``carbon`` and ``serving``.
    elasticities
        Of the time to the end of the run, to each lever.
    """

    model: Transformer
    fleet: Fleet
    stages: PipelineResult
    elasticities: ElasticityResult

    def __getitem__(self, domain: str) -> Any:
        """Return the result of a domain."""
        return self.stages[domain]

    @property
    def walls(self) -> Mapping[str, Any]:
        """What limits each domain."""
        return self.stages.walls

    @property
    def binding(self) -> str:
        """The lever to which the time to the end of the run answers most."""
        return self.elasticities.binding

    @property
    def duration(self) -> Quantity:
        """Time to the end of the run, failures included."""
        return held(self["run"], self["reliability"]).to(unit("day"))

    @property
    def fits(self) -> bool:
        """Whether the training step and the serving batch fit."""
        return self.stages.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Audit of {self.model} on {self['scale'].split.devices:,} x {self.fleet.node.accelerator}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the run, then the wall of every domain."""
        step, money, carbon = self["scale"], self["money"], self["carbon"]
        return [
            ("Split", str(step.split)),
            ("Memory", str(step.fit)),
            ("MFU", Share(step.mfu())),
            ("Goodput", Share(self["reliability"].goodput)),
            ("Duration", self.duration),
            ("Cost", money.rent if money.tco is None else money.tco),
            ("Energy", carbon.energy.to("MWh")),
            ("Carbon", carbon.carbon.to("t")),
            ("Tokens per second served", self["serving"].throughput),
            *((f"Wall: {name}", str(wall)) for name, wall in self.walls.items()),
            ("Binding lever", self.binding),
            *((f"Elasticity to {name}", f"{e:+.3f}") for name, e in self.elasticities.exact.items()),
        ]


def _scaled(fleet: Fleet, factor: Mapping[str, float]) -> Fleet:
    """Return the fleet with each rate times its factor."""
    node, gpu = fleet.node, fleet.node.accelerator
    gpu = replace(
        gpu,
        peak={name: rate * factor["peak_flops"] for name, rate in gpu.peak.items()},
        bandwidth=ureg.Quantity(gpu.bandwidth_si * factor["memory_bandwidth"], unit("B/s")),
    )
    link = replace(node.link, bandwidth=node.link.bandwidth * factor["link_bandwidth"])
    fabric = replace(fleet.fabric, bandwidth=fleet.fabric.bandwidth * factor["network_bandwidth"])
    return replace(fleet, node=replace(node, accelerator=gpu, link=link), fabric=fabric)


def full_stack_audit(
    model: Transformer,
    fleet: Fleet,
    batch_size: int,
    precision: str = "bf16",
    *,
    prompt: int,
    tokens: float,
    failures: FailureRecord | Quantity,
    storage: Quantity,
    restart_time: Quantity,
    price: Price | Quantity,
    grid: Grid | Quantity,
    pue: float | Datacenter = 1.0,
    devices: int | None = None,
    split: Parallelism | None = None,
    serving: Mapping[str, Any] = FrozenMap({}),
    **options: Any,
) -> AuditResult:
    """Return a training run, its money, its carbon and its serving, with the wall of each domain.

    Parameters
    ----------
    model, fleet, batch_size, precision, prompt
        As for ``DistributedModel.solve``; so are further options, such as ``overlap`` and ``calibration``.
    tokens
        Tokens of the whole run.
    failures
        How often a device fails: a record, or the mean time of one device.
    storage, restart_time
        Bandwidth to which checkpoints are written, and time to start again. [B/s, s]
    price, grid, pue
        Rent of a device for an hour, where the power comes from, and what the site adds to it.
    devices, split
        Devices that take part (all), and their split; the best one that fits is searched if left out.
    serving
        Arguments of ``ServingModel.solve`` for the trained network on one node's devices; all of them split
        its matrices unless ``tp_size`` is given.

    Returns
    -------
    AuditResult
        Estimates of the solvers, each under its own calibration.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Examples
    --------
    >>> from mlsysim import Infrastructure, Models, Q_, Systems
    >>> from mlsysim.solvers.reliability import LLAMA3_405B
    >>> a = full_stack_audit(Models.Llama3_8B, Systems.Clusters.DGX_SuperPOD_SU_H100, 256, prompt=8192,
    ...                      tokens=1e12, failures=LLAMA3_405B, storage=Q_("40 GB/s"),
    ...                      restart_time=Q_("10 min"), price=Q_("2.5 USD/hour"),
    ...                      grid=Infrastructure.Grids.France)
    >>> a.fits, a.binding
    (True, 'peak_flops')
    """
    given = Arguments("full_stack_audit")
    check_training_pair(given, model, fleet)
    if isinstance(price, Price) and isinstance(fleet, Fleet) and price.accelerator != fleet.node.accelerator:
        given.fault(f"price is for {price.accelerator}, not for {fleet.node.accelerator}")
    given.close()
    rent = price.hourly if isinstance(price, Price) else price
    asked = {"prompt": prompt, **options}
    if split is None:
        found = ParallelismOptimizer().solve(model, fleet, batch_size, precision, devices=devices, **asked)
        step = found.best or found.refused[0]
    else:
        step = DistributedModel().solve(model, fleet, batch_size, precision, split=split, **asked)

    def run(factor: Mapping[str, float]) -> PipelineResult:
        """Return the stages with each lever times its factor."""
        same = step if set(factor.values()) == {1.0} else None
        machine = _scaled(fleet, factor)
        again = same or DistributedModel().solve(
            model, machine, batch_size, precision, split=step.split, **fixed
        )
        mtbf = failures.device_mtbf if isinstance(failures, FailureRecord) else failures
        return STAGES.solve(
            step=again,
            tokens=tokens,
            device_mtbf=mtbf * factor["mtbf"],
            storage=storage * factor["storage"],
            restart_time=restart_time,
            price=rent,
            grid=grid,
            pue=pue,
            served=serving,
        )

    def seconds(**factor: float) -> float:
        """Return the time to the end of the run, failures included."""
        stages = run(factor)
        return float(held(stages["run"], stages["reliability"]).magnitude)

    fixed = {**asked, "microbatch_size": step.microbatch_size, "recompute": step.memory.recompute}
    levers = dict.fromkeys(LEVERS, 1.0)
    return AuditResult(
        model=model,
        fleet=fleet,
        stages=run(levers),
        elasticities=ElasticitySolver().solve(seconds, levers),
    )
