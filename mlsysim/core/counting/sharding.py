r"""What one device of a split training run holds: parameters of the fullest stage, and their state.

Notes
-----
A pipeline of :math:`p` stages gives the first one :math:`\lceil L/p \rceil` layers and the embedding table,
the last one the LM head; under the 1F1B schedule the first keeps the activations of :math:`p` microbatches,
with :math:`v` interleaved parts a share of :math:`(p - 1)/(pv)` more, and the last those of one and
the logits.

References
----------
.. [narayanan2021] D. Narayanan et al., "Efficient large-scale language model training on GPU clusters using
   Megatron-LM", SC 2021.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mlsysim.core.counting import transformer
from mlsysim.core.counting.activations import Recompute, kept_bytes
from mlsysim.core.counting.training import WEIGHT_PASSES, Optimizer, train
from mlsysim.core.counting.work import Work
from mlsysim.core.models.transformer import Transformer
from mlsysim.core.parallelism import Parallelism, Zero
from mlsysim.core.precision import Precision


class Held(NamedTuple):
    """Parameters on one device, before the copies split anything.

    Parameters
    ----------
    dense
        Those that every data-parallel device holds.
    expert
        Those of routed experts.
    """

    dense: float
    expert: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.dense + self.expert


@dataclass(frozen=True, kw_only=True)
class StateBytes:
    """Bytes of the model's state on one device. [B]"""

    weights: float
    gradients: float
    state: float

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return self.weights + self.gradients + self.state


def split_faults(model: Transformer, split: Parallelism, prompt: int) -> list[str]:
    """Return which sizes of *split* the network's shape does not allow, a line each."""
    faults = []
    if model.heads % split.tp_size:
        faults.append(f"tp_size ({split.tp_size}) must divide the heads of {model}, {model.heads}")
    if split.pp_size * split.interleave > model.layers + 2:
        parts = f"{split.pp_size} x {split.interleave}"
        faults.append(
            f"pp_size x interleave ({parts}) must not exceed the layers of {model}, {model.layers}, by more "
            f"than embedding and head"
        )
    if split.ep_size > 1 and not model.experts:
        faults.append(f"ep_size ({split.ep_size}) needs experts; {model} has none")
    elif model.experts % split.ep_size:
        faults.append(f"ep_size ({split.ep_size}) must divide the experts of {model}, {model.experts}")
    if prompt % split.cp_size:
        faults.append(f"cp_size ({split.cp_size}) must divide prompt, {prompt:,} tokens")
    return faults


def held_parameters(model: Transformer, split: Parallelism) -> Held:
    """Return the parameters of the fullest device of a split.

    Examples
    --------
    >>> tiny = Transformer(name="tiny", layers=4, width=10, heads=1, kv_heads=1, head_size=10, ffn_width=20,
    ...                    gated=False, vocab=100, tied=False, context=10)
    >>> held_parameters(tiny, Parallelism(pp_size=2)).dense  # two layers of 800, one table of 1,000
    2600.0
    """
    w = transformer.weights(model)
    experts = w.expert * model.experts * model.moe_layers
    stage = -(-model.layers // split.pp_size) / model.layers
    blocks = w.dense - w.table
    tables = w.total - experts - blocks
    if split.pp_size > 1:
        tables = max(w.table, tables - w.table)
    return Held(
        dense=(blocks * stage + tables) / split.tp_size,
        expert=experts * stage / (split.expert_tp_size * split.ep_size),
    )


def state_bytes(held: Held, split: Parallelism, optimizer: Optimizer) -> StateBytes:
    """Return the state of *held* parameters after the copies have split it.

    Examples
    --------
    The example of the ZeRO paper, 7.5e9 parameters on 64 devices, in GB:

    >>> from mlsysim.core.counting.training import ADAM
    >>> [round(state_bytes(Held(7.5e9, 0), Parallelism(dp_size=64, zero_stage=z), ADAM).total / 1e9, 1)
    ...  for z in range(4)]
    [120.0, 31.4, 16.6, 1.9]
    """

    def part(stage: Zero, each: float) -> float:
        if split.zero_stage < stage:
            return each * held.total
        return each * (held.dense / split.copies + held.expert / split.expert_copies)

    return StateBytes(
        weights=part(Zero.WEIGHTS, optimizer.weight),
        gradients=part(Zero.GRADIENTS, optimizer.gradient),
        state=part(Zero.STATE, optimizer.state),
    )


@dataclass(frozen=True, kw_only=True)
class Microbatch:
    """What goes through the devices at once, and how often in a step.

    Parameters
    ----------
    sequences, prompt
        Sequences, and tokens of each.
    count
        Microbatches of a step on each pipeline.
    recompute
        What the backward pass computes again.
    """

    sequences: int
    prompt: int
    count: int = 1
    recompute: Recompute = Recompute.NONE

    @property
    def tokens(self) -> float:
        """Tokens of all sequences."""
        return float(self.sequences * self.prompt)


def activation_bytes(
    model: Transformer, precision: Precision, split: Parallelism, micro: Microbatch, logit_bytes: float
) -> float:
    """Return the activations that the fullest device keeps, of all microbatches in flight. [B]

    Parameters
    ----------
    model, precision, split
        The network, its number format and how it is split.
    micro
        The microbatches.
    logit_bytes
        Bytes of one logit that the loss keeps.
    """
    own = micro.prompt / split.cp_size
    one = (
        -(-model.layers // split.pp_size)
        / model.layers
        * kept_bytes(
            model,
            precision,
            batch=micro.sequences,
            prompt=own,
            recompute=micro.recompute,
            tp_size=split.tp_size,
        )
    )
    deep = split.pp_size
    flight = deep if split.interleave == 1 else deep + (deep - 1) / split.interleave
    first = one * min(flight, micro.count)
    last = one + logit_bytes * micro.sequences * own * model.vocab / split.tp_size
    return float(max(first, last))


def stage_work(model: Transformer, precision: Precision, split: Parallelism, micro: Microbatch) -> Work:
    """Count what the busiest device does for one microbatch: its layers, its part of sequences and matrices.

    The head is spread over the stages. A device sees the tokens that are routed to its experts from all
    devices of its expert group; on average as many as it sends.

    Parameters
    ----------
    model, precision, split
        The network, its number format and how it is split.
    micro
        The microbatch.
    """
    batch, prompt = float(micro.sequences), float(micro.prompt)
    whole = train(model, precision, batch, prompt, split.tp_size, recompute=micro.recompute)
    stage = -(-model.layers // (split.pp_size * split.interleave)) * split.interleave / model.layers
    share = stage / split.cp_size
    dense = WEIGHT_PASSES * transformer.weights(model).dense * precision.weight_bytes / split.tp_size
    experts = (whole.weights - dense) * split.tp_size
    return replace(
        whole,
        matmul=whole.matmul * share,
        other=whole.other * share,
        scores=whole.scores * share,
        rows=whole.rows / split.cp_size,
        expert_matmul=whole.expert_matmul * share,
        expert_rows=whole.expert_rows * split.ep_size / split.cp_size,
        weights=(dense + experts / (split.ep_size * split.expert_tp_size)) * stage,
        activations=whole.activations * share,
        launches=whole.launches * stage,
        items=whole.items * share,
        reductions=0,
        reduced=0.0,
    )
