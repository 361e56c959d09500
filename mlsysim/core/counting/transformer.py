r"""Decoder-only transformers: dense, with experts, with windows, with latent attention.

Notes
-----
A transformer has :math:`L` layers of width :math:`d`, :math:`h` query heads and :math:`k` key-value heads of
size :math:`e`, feed-forward width :math:`w` with :math:`m` matrices (three if gated), and a vocabulary
:math:`V`. Matmul parameters, the LM head once:

.. math:: P = L (2dhe + 2dke + m d w) + dV

Decoding one token for each of :math:`B` sequences with :math:`s` tokens cached:

.. math:: F = B (2P\,\mathrm{pad}(B) + 4Lhes), \qquad Q = P b_w + 2Lkes B b_{kv}

Reading a prompt of :math:`S` tokens (LM head on the last position, causal half of the scores):

.. math:: F = 2BS(P - dV)\,\mathrm{pad}(BS) + 2BdV + 2LheS^2B

With :math:`E` experts of which a token visits :math:`k_E`, :math:`n` tokens touch
:math:`E(1 - (1 - k_E/E)^n)` distinct experts of a layer. A window of :math:`w < S` tokens leaves
:math:`Sw - w^2/2` pairs. Latent attention caches :math:`d_c + d_{rope}` numbers for each token and
layer; decode works on them directly, prefill expands them.

References
----------
.. [pope2022] R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023.
.. [deepseek2024] DeepSeek-AI, "DeepSeek-V2: a strong, economical, and efficient mixture-of-experts
   language model", 2024.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from mlsysim.core.arrays import minimum
from mlsysim.core.counting.work import Work
from mlsysim.core.models.transformer import Transformer
from mlsysim.core.precision import Precision


class Weights(NamedTuple):
    """Parameters of a decoder, by what reads them.

    Parameters
    ----------
    dense
        Matmul parameters that every token visits: attention, routers, shared experts, the LM head.
    expert
        Parameters of one routed expert.
    table
        The embedding table, and so the LM head.
    total
        All parameters.
    """

    dense: float
    expert: float
    table: float
    total: float


@lru_cache(maxsize=512)
def weights(model: Transformer) -> Weights:
    """Return the parameters of *model*, by what reads them."""
    m = model
    matrices = 3 if m.gated else 2
    routed, dense_layers = m.moe_layers, m.layers - m.moe_layers
    shared = m.experts + matrices * m.shared_experts * m.expert_width
    per_token = (
        m.layers * _attention(m) + dense_layers * matrices * m.width * m.ffn_width + routed * m.width * shared
    )
    expert = matrices * m.width * m.expert_width
    table = m.vocab * m.width
    tables = table * (1 if m.tied else 2) + m.positions * m.width
    total = per_token + routed * m.experts * expert + tables
    return Weights(float(per_token + table), float(expert), float(table), float(total))


def adapter_parameters(model: Transformer, rank: int) -> float:
    """Return the parameters of two matrices of *rank* beside each matrix of attention and dense feed-forward.

    Experts and latent attention's inner matrices get none.

    Examples
    --------
    >>> tiny = Transformer(name="tiny", layers=1, width=10, heads=1, kv_heads=1, head_size=10, ffn_width=20,
    ...                    gated=False, vocab=100, tied=False, context=10)
    >>> adapter_parameters(tiny, 2)  # four of 10 x 10 and two of 10 x 20: 2 (4·20 + 2·30)
    280.0
    """
    m = model
    inner = m.heads * (m.value_size if m.kv_rank else m.head_size)
    outer = m.heads * (m.head_size + m.rope_size)
    cached = 0 if m.kv_rank else 2 * (m.width + m.kv_heads * m.head_size)
    attention = 2 * m.width + inner + outer + cached
    matrices = 3 if m.gated else 2
    dense = (m.layers - m.moe_layers) * matrices * (m.width + m.ffn_width)
    return float(rank * (m.layers * attention + dense))


def _attention(m: Transformer) -> int:
    """Matmul parameters of one layer's attention."""
    if not m.kv_rank:
        return 2 * m.width * (m.heads + m.kv_heads) * m.head_size
    key = m.head_size + m.rope_size
    query = m.q_rank * (m.width + m.heads * key) if m.q_rank else m.width * m.heads * key
    cache = m.width * (m.kv_rank + m.rope_size)
    expand = m.kv_rank * m.heads * (m.head_size + m.value_size)
    return query + cache + expand + m.heads * m.value_size * m.width


def kv_bytes_per_token(model: Transformer, precision: Precision) -> float:
    """Return the bytes that one more token of context adds to the KV cache of one sequence.

    Below the window, where the model has one.

    Examples
    --------
    >>> from mlsysim.core.precision import precision
    >>> llama = Transformer(name="Llama-2-7B", layers=32, width=4096, heads=32, kv_heads=32,
    ...                     head_size=128, ffn_width=11008, gated=True, vocab=32000, tied=False,
    ...                     context=4096)
    >>> kv_bytes_per_token(llama, precision("fp16")) / 1024  # KiB
    512.0
    """
    return model.layers * cached_numbers(model) * precision.kv_bytes


def cached_numbers(m: Transformer) -> int:
    """Numbers that one token leaves in one layer's cache."""
    return m.kv_rank + m.rope_size if m.kv_rank else 2 * m.kv_heads * m.head_size


def _visible(m: Transformer, tokens: Any) -> Any:
    """Cached tokens that a new token sees, summed over the layers."""
    if m.window is None:
        return m.layers * tokens
    far = m.global_layers
    return far * tokens + (m.layers - far) * minimum(tokens, float(m.window))


def _pairs(m: Transformer, prompt: Any) -> Any:
    """Pairs of tokens that attend, summed over the layers."""
    whole = prompt * prompt / 2
    if m.window is None:
        return m.layers * whole
    near, far = minimum(prompt, float(m.window)), m.global_layers
    return far * whole + (m.layers - far) * (prompt * near - near * near / 2)


def _routed(m: Transformer, w: Weights, precision: Precision, tokens: Any) -> dict[str, Any]:
    """Work and weights of the routed experts for *tokens* that go through together."""
    if not m.experts:
        return {"weights": 0.0}
    share = m.experts_per_token / m.experts
    distinct = m.experts * (1 - (1 - share) ** tokens)
    return {
        "expert_matmul": 2 * w.expert * m.experts_per_token * m.moe_layers * tokens,
        "expert_rows": m.experts_per_token * tokens / distinct,
        "weights": w.expert * distinct * m.moe_layers * precision.weight_bytes,
    }


def _share(model: Transformer, work: Work, precision: Precision, tp_size: int, rows: Any) -> Work:
    """Return the work of each of *tp_size* devices that split every matrix.

    The cache is split by key-value heads, so a device holds at least one of them; a latent cache is whole
    on each. Two sums a layer bring the parts of *rows* tokens together.
    """
    heads = 1 if model.kv_rank else model.kv_heads
    state = work.state * -(-heads // tp_size) / heads
    weights = work.resident - work.state
    return replace(
        work,
        matmul=work.matmul / tp_size,
        expert_matmul=work.expert_matmul / tp_size,
        other=work.other / tp_size,
        weights=work.weights / tp_size,
        state=state,
        resident=weights / tp_size + state,
        reductions=2 * model.layers,
        reduced=rows * model.width * precision.activation_bytes,
    )


def decode(model: Transformer, precision: Precision, batch: Any, context: Any, tp_size: int = 1) -> Work:
    """Count one decode step: a token for each of *batch* sequences with *context* tokens cached.

    Parameters
    ----------
    model
        The network.
    precision
        Its number format.
    batch
        Sequences in the step.
    context
        Tokens in the cache of each. [token]
    tp_size
        Devices that split every matrix.
    """
    w = weights(model)
    seen = _visible(model, context)
    if model.kv_rank:
        each = 2 * model.heads * (2 * model.kv_rank + model.rope_size)
    else:
        each = 4 * model.heads * model.head_size
    state = cached_numbers(model) * precision.kv_bytes * seen * batch
    experts = _routed(model, w, precision, batch)
    experts["weights"] += w.dense * precision.weight_bytes
    work = Work(
        matmul=2 * w.dense * batch,
        other=each * seen * batch,
        rows=batch,
        state=state,
        activations=0.0,
        resident=w.total * precision.weight_bytes + state,
        launches=model.layers,
        items=batch,
        **experts,
    )
    return work if tp_size == 1 else _share(model, work, precision, tp_size, batch)


def score_flops(model: Transformer, prompt: Any) -> Any:
    """Return the FLOP of the attention scores of one sequence, the causal half. [FLOP]"""
    if model.kv_rank:
        each = 2 * model.heads * (model.head_size + model.rope_size + model.value_size)
    else:
        each = 4 * model.heads * model.head_size
    return each * _pairs(model, prompt)


def prefill(model: Transformer, precision: Precision, batch: Any, prompt: Any, tp_size: int = 1) -> Work:
    """Count the reading of a prompt of *prompt* tokens by each of *batch* sequences.

    Parameters
    ----------
    model, precision
        The network and its number format.
    batch
        Sequences in the step.
    prompt
        Tokens of each. [token]
    tp_size
        Devices that split every matrix.
    """
    w = weights(model)
    state = cached_numbers(model) * precision.kv_bytes * _visible(model, prompt) * batch
    experts = _routed(model, w, precision, batch * prompt)
    experts["weights"] += w.dense * precision.weight_bytes
    work = Work(
        matmul=2 * (w.dense - w.table) * batch * prompt,
        other=(2 * w.table + score_flops(model, prompt)) * batch,
        rows=batch * prompt,
        state=state,
        activations=0.0,
        resident=w.total * precision.weight_bytes + state,
        launches=model.layers,
        items=batch * prompt,
        **experts,
    )
    return work if tp_size == 1 else _share(model, work, precision, tp_size, batch * prompt)
