r"""What training needs in the memory of each device, part by part.

With :math:`\Psi` parameters on a device and :math:`N` copies, mixed-precision Adam keeps
:math:`2\Psi + 2\Psi + 12\Psi` bytes of weights, gradients and state; ZeRO divides the last, the last two, or
all three by :math:`N`. Activations are counted apart (``core/counting/activations.py``). LoRA trains two thin
matrices of rank :math:`r` beside each :math:`a \times b` matrix, :math:`r(a + b)` parameters, and keeps no
gradient or state for the rest.

Not counted: workspaces, buffers of the communication library, fragmentation.

References
----------
.. [rajbhandari2020] S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter
   models", SC 2020.
.. [hu2022] E. Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
"""

from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.counting.sharding import (
    Held,
    Microbatch,
    StateBytes,
    activation_bytes,
    held_parameters,
    split_faults,
    state_bytes,
)
from mlsysim.core.counting.training import ADAM, Optimizer
from mlsysim.core.counting.transformer import adapter_parameters
from mlsysim.core.engine import check_pair
from mlsysim.core.models import Transformer
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingMemoryResult(Shown):
    """Bytes on the fullest device, by what they are for.

    Parameters
    ----------
    model, hardware, split, recompute, optimizer
        What was asked.
    held
        Parameters of the fullest device.
    adapters
        Trained parameters of the fullest device, where the rest is frozen; None for full training.
    states
        Weights, gradients and optimizer state. [B]
    activations
        Activations of the microbatches in flight. [B]
    """

    model: Transformer
    hardware: Accelerator
    split: Parallelism
    recompute: Recompute
    optimizer: Optimizer
    held: Held
    adapters: float | None
    states: StateBytes
    activations: float

    @property
    def weights(self) -> Quantity:
        """Weights that the passes read."""
        return _gigabytes(self.states.weights)

    @property
    def gradients(self) -> Quantity:
        """Gradients."""
        return _gigabytes(self.states.gradients)

    @property
    def optimizer_state(self) -> Quantity:
        """Copy of the weights in single precision, and the moments."""
        return _gigabytes(self.states.state)

    @property
    def model_states(self) -> Quantity:
        """Weights, gradients and optimizer state."""
        return _gigabytes(self.states.total)

    @property
    def activation_memory(self) -> Quantity:
        """Activations that wait for the backward pass."""
        return _gigabytes(self.activations)

    @property
    def update_bytes(self) -> float:
        """Bytes that the optimizer moves in a step: gradient and state in, state and weight out. [B]"""
        each = self.optimizer
        return self.states.state / each.state * (each.gradient + 2 * each.state + each.weight)

    @property
    def fit(self) -> Fit:
        """Whether each device holds its part; copies of the weights help none, so they do not count."""
        need, split = self.states.total + self.activations, self.split
        shared = split.devices if split.zero_stage is Zero.WEIGHTS else split.tp_size * split.pp_size
        return Fit(required=need, capacity=self.hardware.capacity_si, devices=shared)

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        return self.fit.fits

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Training memory of {self.model} on {self.hardware}, {self.split}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the parts, the largest device's."""
        trained = [] if self.adapters is None else [("Trained parameters", self.adapters)]
        return [
            ("Split", str(self.split)),
            ("Recompute", str(self.recompute)),
            ("Parameters on the device", self.held.total),
            *trained,
            ("Weights", self.weights),
            ("Gradients", self.gradients),
            ("Optimizer state", self.optimizer_state),
            ("Activations", self.activation_memory),
            ("Total", _gigabytes(self.fit.required)),
            ("Memory", str(self.fit)),
        ]


def _gigabytes(value: float) -> Quantity:
    return ureg.Quantity(value / 1e9, unit("GB"))


class TrainingMemoryModel:
    """Answers: does training fit, and what fills the memory?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "bf16",
        *,
        prompt: int = 2048,
        split: Parallelism | None = None,
        microbatches: int | None = None,
        recompute: str | Recompute = Recompute.NONE,
        optimizer: Optimizer = ADAM,
        adapter_rank: int | None = None,
    ) -> TrainingMemoryResult:
        """Return the bytes of the fullest device, by part.

        Parameters
        ----------
        model, hardware
            A decoder transformer, and the device.
        batch_size, prompt
            Sequences of one microbatch, and tokens of each.
        precision
            Number format of activations; with ``adapter_rank`` of frozen weights too (``int4``: QLoRA).
        split, microbatches
            How the run is split over devices (one device), and microbatches of a step (a full pipeline).
        recompute
            ``none``, ``selective`` (attention scores) or ``full`` (each layer from its input).
        optimizer
            Bytes for each trained parameter.
        adapter_rank
            Rank of LoRA's adapters on attention and dense feed-forward parts; None trains all weights.

        Returns
        -------
        TrainingMemoryResult
            Exact for the counts; real runs need some more for workspaces and buffers.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or the shape does not allow the split.

        Examples
        --------
        Sixteen bytes for each of 6.7e9 parameters:

        >>> from mlsysim import Hardware, Models
        >>> r = TrainingMemoryModel().solve(Models.Llama2_7B, Hardware.Cloud.A100)
        >>> f"{r.model_states.to('GB'):.0f}", r.fits
        ('108 GB', False)
        """
        given = Arguments("TrainingMemoryModel.solve")
        chosen = Parallelism() if split is None else split
        check_pair(given, model, hardware)
        if isinstance(hardware, Accelerator) and not isinstance(model, Transformer | Accelerator):
            given.fault(f"model must be a decoder transformer, as Models.Llama3_8B is; got {model!r}")
        batch = given.count("batch_size", batch_size)
        tokens = given.count("prompt", prompt)
        number_format = given.take(parse_precision, precision, PRECISIONS["bf16"])
        if not isinstance(chosen, Parallelism):
            given.fault(f"split must be a Parallelism, such as Parallelism(dp_size=8); got {split!r}")
        elif isinstance(model, Transformer):
            for fault in split_faults(model, chosen, tokens):
                given.fault(fault)
        if recompute not in set(Recompute):
            given.fault(f"recompute must be 'none', 'selective' or 'full'; got {recompute!r}")
        rank = None if adapter_rank is None else given.count("adapter_rank", adapter_rank)
        many = None if microbatches is None else given.count("microbatches", microbatches)
        given.close()
        micro = Microbatch(
            sequences=batch,
            prompt=tokens,
            count=chosen.pp_size if many is None else many,
            recompute=Recompute(recompute),
        )
        held = held_parameters(model, chosen)
        adapters = (
            None if rank is None else adapter_parameters(model, rank) / (chosen.tp_size * chosen.pp_size)
        )
        states = state_bytes(held, chosen, optimizer)
        if adapters is not None:
            trained = state_bytes(Held(adapters, 0.0), chosen, optimizer)
            frozen = state_bytes(held, chosen, _frozen(number_format))
            states = StateBytes(
                weights=frozen.weights + trained.weights, gradients=trained.gradients, state=trained.state
            )
        return TrainingMemoryResult(
            model=model,
            hardware=hardware,
            split=chosen,
            recompute=micro.recompute,
            optimizer=optimizer,
            held=held,
            adapters=adapters,
            states=states,
            activations=activation_bytes(model, number_format, chosen, micro, optimizer.logit),
        )


def _frozen(number_format: Precision) -> Optimizer:
    """Return the bytes of a parameter that is read and not trained."""
    none = {"gradient": 0.0, "state": 0.0, "logit": 0.0}
    return Optimizer(name="frozen", source="weights alone", weight=number_format.weight_bytes, **none)
