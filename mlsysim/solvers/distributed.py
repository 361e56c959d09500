r"""Training on many devices: the time of a step, what the split costs, and whether it fits.

The time of a microbatch on a stage comes from the engine; exchanges, bubble and overlap from
``core/training_step.py``; memory from ``TrainingMemoryModel``. Model FLOP utilisation is

.. math:: \mathrm{MFU} = \frac{F_{token} \cdot \mathrm{tokens}}{T \cdot n \cdot \mathrm{peak}}

and counts what the model needs; HFU counts what is executed, recomputation included.

References
----------
.. [narayanan2021] D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using
   Megatron-LM", SC 2021.
.. [chowdhery2022] A. Chowdhery et al., "PaLM: scaling language modeling with Pathways", 2022.
"""

from dataclasses import dataclass
from typing import Any

from mlsysim.core import calibration as calibrations
from mlsysim.core import collective_calibration as collectives
from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.collective_calibration import CollectiveCalibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.sharding import Microbatch, split_faults, stage_work
from mlsysim.core.counting.training import Attention, flops_per_token
from mlsysim.core.engine import check_training_pair, price
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.parallelism import Parallelism
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit
from mlsysim.core.roofline import Terms
from mlsysim.core.systems import Fleet
from mlsysim.core.training_step import SERIAL, Overlap, Part, StepTime, exchanges, step_time
from mlsysim.format import Share, Shown
from mlsysim.solvers.training_memory import TrainingMemoryModel, TrainingMemoryResult


@dataclass(frozen=True, kw_only=True, repr=False)
class DistributedResult(Shown):
    """One training step on a fleet.

    Parameters
    ----------
    model, fleet, split, batch_size, microbatch_size, prompt, precision, calibration
        What was asked.
    terms, step, memory
        Terms of one microbatch on one stage, seconds of the step by part, and what fills the fullest device.
    """

    model: Transformer
    fleet: Fleet
    split: Parallelism
    batch_size: int
    microbatch_size: int
    prompt: int
    precision: Precision
    calibration: Calibration
    terms: Terms
    step: StepTime
    memory: TrainingMemoryResult

    @property
    def step_latency(self) -> Quantity:
        """Time of a step."""
        return ureg.Quantity(self.step.total, unit("s"))

    @property
    def tokens_per_step(self) -> int:
        """Tokens of the global batch."""
        return self.batch_size * self.prompt

    @property
    def throughput(self) -> Quantity:
        """Tokens per second of all devices."""
        return ureg.Quantity(self.tokens_per_step / self.step.total, unit("token/s"))

    def flops_rate(self, attention: str = Attention.CAUSAL, *, recomputed: bool = False) -> Quantity:
        """Return the FLOP/s of each device, with all pairs of tokens or half of them, recomputed or not."""
        again = self.memory.recompute if recomputed else Recompute.NONE
        each = flops_per_token(self.model, float(self.prompt), attention, again)
        rate = each * self.tokens_per_step / (self.step.total * self.split.devices)
        return ureg.Quantity(rate / 1e12, unit("TFLOP/s"))

    def mfu(self, attention: str = Attention.CAUSAL) -> float:
        """Return the model's FLOP/s as a share of the peak."""
        return float(self.flops_rate(attention).to("FLOP/s").magnitude / self.terms.peak)

    def hfu(self, attention: str = Attention.CAUSAL) -> float:
        """Return the executed FLOP/s, recomputation included, as a share of the peak."""
        return float(self.flops_rate(attention, recomputed=True).to("FLOP/s").magnitude / self.terms.peak)

    @property
    def fit(self) -> Fit:
        """Whether each device holds its part."""
        return self.memory.fit

    @property
    def fits(self) -> bool:
        """Whether each device holds its part."""
        return self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return (
            f"Training {self.model} on {self.split.devices:,} x {self.fleet.node.accelerator}, {self.split}"
        )

    def rows(self) -> list[tuple[str, Any]]:
        """Return the step, its parts, and memory."""
        parts = [
            (f"  {part}", f"{seconds / self.step.total:.1%}")
            for part, seconds in self.step.parts.items()
            if seconds or part is Part.COMPUTE
        ]
        return [
            ("Fleet", str(self.fleet)),
            ("Batch size", self.batch_size),
            ("Microbatches", f"{self.step.microbatches} of {self.microbatch_size}"),
            ("Sequence", self.prompt),
            ("Precision", str(self.precision)),
            ("Calibration", self.calibration.name),
            ("Step", self.step_latency),
            *parts,
            ("Throughput", self.throughput),
            ("MFU", Share(self.mfu())),
            ("Largest loss", str(self.step.largest_loss)),
            ("Memory", str(self.fit)),
        ]


class DistributedModel:
    """Answers: how long does a training step take on this fleet, and where does the time go?"""

    def solve(
        self,
        model: Transformer,
        fleet: Fleet,
        batch_size: int,
        precision: str | Precision = "bf16",
        *,
        prompt: int,
        split: Parallelism,
        microbatch_size: int = 1,
        recompute: str | Recompute = Recompute.NONE,
        overlap: Overlap = SERIAL,
        calibration: str | Calibration | None = None,
        network: str | CollectiveCalibration = "nccl",
    ) -> DistributedResult:
        """Return the time of one step, by part.

        Parameters
        ----------
        model, fleet
            A decoder transformer, and the devices; those that the split does not use are idle.
        batch_size, prompt
            Sequences of the global batch, and tokens of each.
        precision
            Number format of matrix products and activations.
        split, microbatch_size, recompute
            How the run is split, sequences that go through a device at once, and what is recomputed.
        overlap, calibration, network
            How much of the exchanges hides behind compute, and how far devices and links fall short.

        Returns
        -------
        DistributedResult
            An estimate. A split that does not fit is timed all the same, and says so.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or sizes do not divide each other.

        Examples
        --------
        >>> from mlsysim import Models, Systems
        >>> pod, split = Systems.Clusters.DGX_SuperPOD_SU_H100, Parallelism(dp_size=32, zero_stage=3)
        >>> r = DistributedModel().solve(Models.Llama3_8B, pod, 64, prompt=8192, split=split)
        >>> r.fits, str(r.terms.bottleneck)
        (True, 'Compute Bound')
        """
        given = Arguments("DistributedModel.solve")
        check_training_pair(given, model, fleet)
        given.count("prompt", prompt)
        sequences, each = (
            given.count("batch_size", batch_size),
            given.count("microbatch_size", microbatch_size),
        )
        number_format = given.take(parse_precision, precision, PRECISIONS["bf16"])
        links = given.take(collectives.preset, network, collectives.NCCL)
        chosen = given.take(calibrations.preset, calibration or "training", calibrations.IDEAL)
        if recompute not in set(Recompute):
            given.fault(f"recompute must be 'none', 'selective' or 'full'; got {recompute!r}")
        if not isinstance(split, Parallelism):
            given.fault(f"split must be a Parallelism, such as Parallelism(dp_size=8); got {split!r}")
        given.close()
        for fault in split_faults(model, split, prompt):
            given.fault(fault)
        if split.devices > fleet.devices:
            given.fault(f"split {split} needs {split.devices:,} devices; {fleet} has {fleet.devices:,}")
        if sequences % (split.dp_size * each):
            given.fault(
                f"batch_size ({sequences:,}) must be a multiple of dp_size x microbatch_size "
                f"({split.dp_size} x {each})"
            )
        given.close()
        again, many = Recompute(recompute), sequences // (split.dp_size * each)
        micro = Microbatch(sequences=each, prompt=prompt, count=many, recompute=again)
        hardware = fleet.node.accelerator
        memory = TrainingMemoryModel().solve(
            model,
            hardware,
            each,
            number_format,
            prompt=prompt,
            split=split,
            microbatches=many,
            recompute=again,
        )
        work = stage_work(model, number_format, split, micro)
        terms = price(work, hardware, number_format, chosen, efficiency=chosen.efficiency(Phase.TRAIN))
        sent = memory.optimizer.gradient
        step = step_time(
            terms.latency,
            exchanges(
                model, number_format, split, fleet, links, micro=micro, held=memory.held, gradient_bytes=sent
            ),
            overlap,
            split,
            microbatches=many,
            optimizer=memory.update_bytes / (terms.bandwidth * terms.memory_efficiency),
        )
        return DistributedResult(
            model=model,
            fleet=fleet,
            split=split,
            batch_size=sequences,
            microbatch_size=each,
            prompt=prompt,
            precision=number_format,
            calibration=chosen,
            terms=terms,
            step=step,
            memory=memory,
        )
