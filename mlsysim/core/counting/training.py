r"""Training: forward and backward of one microbatch, and the state that the optimizer keeps.

Notes
-----
The backward pass differentiates by inputs and by weights: twice the forward FLOP, so three times in all;
what is recomputed is done once more. The LM head runs on every position. Weights are
read twice, and the gradient is written and read; activations move three times as much as in a forward pass.

References
----------
.. [kaplan2020] J. Kaplan et al., "Scaling laws for neural language models", 2020.
.. [rajbhandari2020] S. Rajbhandari et al., "ZeRO: memory optimizations toward training trillion parameter
   models", SC 2020.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from mlsysim.core.counting import transformer
from mlsysim.core.counting.activations import Recompute, kept_bytes, moved_bytes
from mlsysim.core.counting.work import Work
from mlsysim.core.models.transformer import Transformer
from mlsysim.core.precision import Precision

PASSES: Final = 3
"""Forward FLOP that a training step does: one pass forward, two backward."""

WEIGHT_PASSES: Final = 4
"""Weights read forward and backward; gradients read and written."""


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Bytes that training keeps for each parameter.

    Parameters
    ----------
    name, source
        What it is called, and where the bytes are stated.
    weight, gradient
        Bytes of the weight that the passes read, and of its gradient. [B]
    logit
        Bytes of one logit that the loss keeps. [B]
    state
        Bytes of the copy in single precision and of the moments. [B]
    """

    name: str
    source: str
    weight: float
    gradient: float
    state: float
    logit: float

    @property
    def total(self) -> float:
        """Bytes for each parameter."""
        return self.weight + self.gradient + self.state


ADAM: Final = Optimizer(
    name="mixed-precision Adam",
    source=(
        "Rajbhandari et al., SC 2020, section 3.1: 2 + 2 + 12 bytes; Korthikanti et al., MLSys 2023, "
        "section 4: logits in four"
    ),
    weight=2,
    gradient=2,
    state=12,
    logit=4,
)
"""Weights and gradients in two bytes; a copy of the weights, momentum and variance in four bytes each."""


def train(
    model: Transformer,
    precision: Precision,
    batch: Any,
    prompt: Any,
    tp_size: int = 1,
    *,
    recompute: Recompute = Recompute.NONE,
) -> Work:
    """Count forward and backward of *batch* sequences of *prompt* tokens, for each device that shares them.

    Devices that split the matrices split the sequences between them, so that activations are divided too.
    The resident bytes hold the state of mixed-precision Adam, and the activations.

    Parameters
    ----------
    model, precision
        The network and its number format.
    batch, prompt
        Sequences of the microbatch, and tokens of each.
    tp_size
        Devices that split every matrix.
    recompute
        What is computed again in the backward pass.
    """
    w = transformer.weights(model)
    read = transformer.prefill(model, precision, batch, prompt)
    tokens = batch * prompt
    layers = PASSES + (recompute is Recompute.FULL)
    attention = PASSES + (recompute is not Recompute.NONE)
    scores = transformer.score_flops(model, prompt) * batch
    kept = kept_bytes(model, precision, batch=batch, prompt=prompt, recompute=recompute, tp_size=tp_size)
    moved = moved_bytes(model, precision, batch=batch, prompt=prompt)
    attended = attention * scores / tp_size
    return Work(
        matmul=(layers * read.matmul + PASSES * 2 * w.table * tokens) / tp_size,
        other=attended,
        scores=attended,
        rows=tokens,
        expert_matmul=layers * read.expert_matmul / tp_size,
        expert_rows=read.expert_rows,
        weights=WEIGHT_PASSES * read.weights / tp_size,
        state=0.0,
        activations=layers * moved / tp_size,
        resident=w.total * ADAM.total / tp_size + kept + ADAM.logit * tokens * model.vocab / tp_size,
        launches=layers * model.layers,
        items=tokens,
        reductions=0 if tp_size == 1 else 4 * model.layers,
        reduced=tokens * model.width * precision.activation_bytes,
    )


class Attention(StrEnum):
    """Which pairs of tokens a published rate counts."""

    FULL = "full"
    CAUSAL = "causal"


def flops_per_token(
    model: Transformer,
    prompt: Any,
    attention: str = Attention.CAUSAL,
    recompute: str = Recompute.NONE,
) -> Any:
    """Return the FLOP that training does for one token: what MFU counts, or HFU. [FLOP/token]

    Parameters
    ----------
    model, prompt
        The network, and tokens of a sequence.
    attention
        ``full`` counts the whole square of pairs, as llm-foundry and Megatron-LM do; ``causal`` the half
        that is needed.
    recompute
        What is done once more and counted: nothing for MFU.
    """
    w = transformer.weights(model)
    visited = w.dense + w.expert * model.experts_per_token * model.moe_layers
    whole = 2 if Attention(attention) is Attention.FULL else 1
    again = Recompute(recompute)
    layers = PASSES + (again is Recompute.FULL)
    scores = PASSES + (again is not Recompute.NONE)
    matrices = layers * 2 * (visited - w.table) + PASSES * 2 * w.table
    return matrices + scores * whole * transformer.score_flops(model, prompt) / prompt


def train_forward(forward: Work, parameters: float) -> Work:
    """Count the training of a network that does not generate, from one forward pass over its samples.

    Each layer's output is written once going forward, and kept.
    """
    return replace(
        forward,
        matmul=PASSES * forward.matmul,
        other=PASSES * forward.other,
        weights=WEIGHT_PASSES * forward.weights,
        activations=PASSES * forward.activations,
        resident=parameters * ADAM.total + forward.activations / 2,
        launches=PASSES * forward.launches,
    )
