r"""Activations of a decoder in training: what is kept for the backward pass, and what crosses the memory.

Notes
-----
For each token and layer, with :math:`d` the width, :math:`h` and :math:`k` heads of size :math:`e`, and
:math:`m` feed-forward matrices of inner width :math:`w`, the forward pass keeps the inputs of two norms, of
the attention and of the feed-forward part (:math:`4d`), queries, keys and values, the attention's result,
and the inner activations:

.. math:: A = 4d + 2(h + k)e + m w

at two bytes each. With dropout it keeps two masks of one byte (:math:`2d`) besides; an attention that
writes its scores keeps them too, :math:`hS` for each token at five bytes (softmax, mask, dropped-out result)
or, without dropout, two. For a network of the first GPT's form this is :math:`SBd(34 + 5hS/d)`, as in
Korthikanti et al.

References
----------
.. [korthikanti2022] V. Korthikanti et al., "Reducing activation recomputation in large transformer models",
   MLSys 2023.
.. [dao2022] T. Dao et al., "FlashAttention: fast and memory-efficient exact attention with IO-awareness",
   NeurIPS 2022.
"""

from enum import StrEnum
from typing import Any

from mlsysim.core.models.transformer import Transformer
from mlsysim.core.precision import Precision


class Recompute(StrEnum):
    """What the backward pass computes again instead of keeping it."""

    NONE = "none"
    SELECTIVE = "selective"
    FULL = "full"


def _whole(m: Transformer) -> int:
    """Numbers of a token and layer that every tensor-parallel device keeps, unless sequences are split."""
    return 4 * m.width


def _split(m: Transformer) -> float:
    """Numbers of a token and layer that tensor parallelism divides, as a mean over the layers."""
    matrices = 3 if m.gated else 2
    if m.kv_rank:
        heads = (
            m.heads * (2 * (m.head_size + m.rope_size) + 2 * m.value_size)
            + m.kv_rank
            + m.rope_size
            + m.q_rank
        )
    else:
        heads = 2 * (m.heads + m.kv_heads) * m.head_size
    dense = matrices * m.ffn_width * (m.layers - m.moe_layers)
    visited = m.experts_per_token + m.shared_experts
    routed = (matrices * m.expert_width + m.width) * visited + m.experts
    return heads + (dense + routed * m.moe_layers) / m.layers


def kept_bytes(
    model: Transformer,
    precision: Precision,
    *,
    batch: Any,
    prompt: Any,
    recompute: Recompute = Recompute.NONE,
    tp_size: int = 1,
    sequence_parallel: bool = True,
    stores_scores: bool = False,
    dropout: bool = False,
) -> Any:
    """Return the activation bytes that one device keeps of all layers between forward and backward.

    Parameters
    ----------
    model, precision
        The network and its number format.
    batch, prompt
        Sequences of the microbatch, and tokens of each.
    recompute
        ``selective`` leaves out the scores, ``full`` keeps the layers' inputs alone.
    tp_size, sequence_parallel
        Devices that split every matrix, and whether they split the rest along the sequence.
    stores_scores
        Whether the attention writes its scores, as one without tiling does.
    dropout
        Whether dropout masks are kept.

    Examples
    --------
    A network of the first GPT's form keeps 34 bytes for each token, layer and unit of width:

    >>> from mlsysim.core.precision import precision
    >>> gpt = Transformer(name="GPT", layers=10, width=1000, heads=10, kv_heads=10, head_size=100,
    ...                   ffn_width=4000, gated=False, vocab=50000, tied=True, context=2000)
    >>> kept_bytes(gpt, precision("fp16"), batch=1, prompt=100, dropout=True) / (10 * 1000 * 100)
    34.0
    """
    tokens = batch * prompt
    each = precision.activation_bytes
    outer = tp_size if sequence_parallel else 1
    if recompute is Recompute.FULL:
        return model.layers * tokens * model.width * each / outer
    masks = 2 * model.width if dropout else 0
    kept = (_whole(model) * each + masks) / outer + _split(model) * each / tp_size
    if stores_scores and recompute is Recompute.NONE:
        kept += model.heads * prompt * (2 * each + 1 if dropout else each) / tp_size
    return model.layers * tokens * kept


def moved_bytes(model: Transformer, precision: Precision, *, batch: Any, prompt: Any) -> Any:
    """Return the activation bytes that one forward pass writes and reads back.

    Every tensor of the layers once out and once in, residual sums and logits included, scores not.
    """
    layer = _whole(model) + 2 * model.width + _split(model)
    numbers = model.layers * layer + model.vocab
    return 2 * batch * prompt * numbers * precision.activation_bytes
