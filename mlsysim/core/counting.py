r"""Work from shapes: FLOPs, bytes and capacity of one step of a network.

This is the only place that counts. A fused multiply-add is two FLOP. Norms and biases of
transformers are neglected (below 0.5 % of the parameters); those of ConvNets are counted.

Notes
-----
A transformer has :math:`L` layers of width :math:`d`, :math:`h` query heads and :math:`k` key-value
heads of size :math:`e`, feed-forward width :math:`w` with :math:`m` matrices (three if gated), and a
vocabulary :math:`V`. Matmul parameters, the LM head once:

.. math:: P = L (2dhe + 2dke + m d w) + dV

Decoding one token for each of :math:`B` sequences with :math:`s` tokens cached:

.. math:: F = B (2P\,\mathrm{pad}(B) + 4Lhes), \qquad
          Q = P b_w + 2Lkes B b_{kv}

Reading a prompt of :math:`S` tokens (LM head on the last position, causal half of the scores):

.. math:: F = 2BS(P - dV)\,\mathrm{pad}(BS) + 2BdV + 2LheS^2B

References
----------
.. [pope2022] R. Pope et al., "Efficiently scaling transformer inference", MLSys 2023.
.. [hoffmann2022] J. Hoffmann et al., "Training compute-optimal large language models", 2022.
"""

from dataclasses import dataclass
from functools import lru_cache, singledispatch
from typing import Any

from mlsysim.core.arrays import minimum
from mlsysim.core.convolution import convolutions
from mlsysim.core.models import ConvNet, Encoder, Model, Phase, Transformer, VisionTransformer
from mlsysim.core.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one step asks of a machine, in FLOP and bytes.

    Every field is a float, or an array where the batch or the context was one.

    Parameters
    ----------
    matmul
        FLOP of matrix products with weights, which hardware pads to whole tiles. [FLOP]
    other
        All other FLOP: attention scores, convolutions, the head of a single row. [FLOP]
    rows
        Rows of the padded matrix products: tokens that go through the weights together.
    weights, state, activations
        Bytes of weights read, of KV cache read or written, of activations moved. [B]
    resident
        Bytes that must be in memory at once. [B]
    launches
        Layers that are started one after the other.
    items
        Tokens or samples that the step finishes.
    """

    matmul: Any
    other: Any
    rows: Any
    weights: Any
    state: Any
    activations: Any
    resident: Any
    launches: int
    items: Any

    @property
    def flops(self) -> Any:
        """FLOP, without padding."""
        return self.matmul + self.other

    @property
    def traffic(self) -> Any:
        """Bytes that cross the memory interface."""
        return self.weights + self.state + self.activations

    def padded(self, tile: int) -> Any:
        """FLOP that a machine executes when it rounds rows up to whole tiles.

        Examples
        --------
        >>> w = Work(matmul=2.0, other=1.0, rows=1.0, weights=0, state=0, activations=0,
        ...          resident=0, launches=1, items=1)
        >>> w.padded(8)  # one row costs as much as eight
        17.0
        """
        return self.matmul * (-(-self.rows // tile) * tile / self.rows) + self.other


def parameters(model: Model) -> float:
    """Return the number of parameters of a network.

    Examples
    --------
    >>> gpt2 = Transformer(name="GPT-2", layers=12, width=768, heads=12, kv_heads=12, head_size=64,
    ...                    ffn_width=3072, gated=False, vocab=50257, tied=True, positions=1024,
    ...                    context=1024)
    >>> f"{parameters(gpt2) / 1e6:.0f} million"
    '124 million'
    """
    return float(_weights(model)[1])


@singledispatch
def _weights(model: Any) -> tuple[float, float]:
    """Parameters that multiply, and all parameters."""
    msg = f"no counting rule for {type(model).__name__}"
    raise TypeError(msg)


def _block(m: Transformer | Encoder | VisionTransformer, kv_heads: int, matrices: int) -> int:
    """Matmul parameters of one transformer block."""
    attention = 2 * m.width * m.heads * m.head_size + 2 * m.width * kv_heads * m.head_size
    return attention + matrices * m.width * m.ffn_width


@_weights.register
@lru_cache(maxsize=256)
def _(model: Transformer) -> tuple[float, float]:
    table = model.vocab * model.width
    blocks = model.layers * _block(model, model.kv_heads, 3 if model.gated else 2)
    total = blocks + table * (1 if model.tied else 2) + model.positions * model.width
    return float(blocks + table), float(total)


@_weights.register
@lru_cache(maxsize=256)
def _(model: Encoder) -> tuple[float, float]:
    blocks = model.layers * _block(model, model.heads, 2)
    tables = (model.vocab + model.positions + model.segments) * model.width
    pooler = model.width**2 if model.pooled else 0
    return float(blocks), float(blocks + tables + pooler)


@_weights.register
@lru_cache(maxsize=256)
def _(model: VisionTransformer) -> tuple[float, float]:
    blocks = model.layers * _block(model, model.heads, 2)
    patches = model.channels * model.patch**2 * model.width
    total = blocks + patches + (model.tokens + 1 + model.classes) * model.width
    return float(blocks), float(total)


@_weights.register
@lru_cache(maxsize=256)
def _(model: ConvNet) -> tuple[float, float]:
    total = float(sum(layer.parameters for layer in convolutions(model)))
    return total, total


def kv_bytes_per_token(model: Transformer, precision: Precision) -> float:
    """Return the bytes that one more token of context adds to the KV cache of one sequence.

    Examples
    --------
    >>> from mlsysim.core.precision import precision
    >>> llama = Transformer(name="Llama-2-7B", layers=32, width=4096, heads=32, kv_heads=32,
    ...                     head_size=128, ffn_width=11008, gated=True, vocab=32000, tied=False,
    ...                     context=4096)
    >>> kv_bytes_per_token(llama, precision("fp16")) / 1024  # KiB
    512.0
    """
    return 2 * model.layers * model.kv_heads * model.head_size * precision.kv_bytes


def resident_bytes(model: Model, precision: Precision) -> float:
    """Return the bytes of all weights, embeddings included."""
    return parameters(model) * precision.weight_bytes


def decode(model: Transformer, precision: Precision, batch: Any, context: Any) -> Work:
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
    """
    matmul, _ = _weights(model)
    seen = context if model.window is None else minimum(context, float(model.window))
    state = kv_bytes_per_token(model, precision) * seen * batch
    return Work(
        matmul=2 * matmul * batch,
        other=4 * model.layers * model.heads * model.head_size * seen * batch,
        rows=batch,
        weights=matmul * precision.weight_bytes,
        state=state,
        activations=0.0,
        resident=resident_bytes(model, precision) + state,
        launches=model.layers,
        items=batch,
    )


def prefill(model: Transformer, precision: Precision, batch: Any, prompt: Any) -> Work:
    """Count the reading of a prompt of *prompt* tokens by each of *batch* sequences."""
    matmul, _ = _weights(model)
    head = float(model.vocab * model.width)
    window = prompt if model.window is None else minimum(prompt, float(model.window))
    pairs = prompt * window - window * window / 2
    scores = 4 * model.layers * model.heads * model.head_size * pairs
    state = kv_bytes_per_token(model, precision) * window * batch
    return Work(
        matmul=2 * (matmul - head) * batch * prompt,
        other=(2 * head + scores) * batch,
        rows=batch * prompt,
        weights=matmul * precision.weight_bytes,
        state=state,
        activations=0.0,
        resident=resident_bytes(model, precision) + state,
        launches=model.layers,
        items=batch * prompt,
    )


def forward(model: Model, precision: Precision, batch: Any, prompt: Any = None) -> Work:
    """Count one forward pass of a network that does not generate.

    Parameters
    ----------
    model
        An encoder, a vision transformer or a ConvNet.
    precision
        Its number format.
    batch
        Samples in the pass.
    prompt
        Tokens of each sequence; encoders alone need it. [token]
    """
    if isinstance(model, ConvNet):
        return _convolve(model, precision, batch)
    if isinstance(model, VisionTransformer):
        patches = 2 * model.channels * model.patch**2 * model.width * (model.tokens - 1)
        embed = float(patches + 2 * model.classes * model.width)
        outputs = float((model.tokens - 1) * model.width + model.classes)
        return _encode(
            model,
            precision,
            batch=batch,
            tokens=float(model.tokens),
            extra_flops=embed,
            extra_outputs=outputs,
        )
    if isinstance(model, Encoder):
        pooler = 2.0 * model.width**2 if model.pooled else 0.0
        return _encode(model, precision, batch=batch, tokens=prompt, extra_flops=pooler, extra_outputs=0.0)
    msg = f"{model.name} generates text: it decodes and prefills, and has no forward phase"
    raise TypeError(msg)


def _encode(
    model: Encoder | VisionTransformer,
    precision: Precision,
    *,
    batch: Any,
    tokens: Any,
    extra_flops: float,
    extra_outputs: float,
) -> Work:
    """Count bidirectional blocks; attention scores stay on the chip."""
    matmul, _ = _weights(model)
    attention = model.heads * model.head_size
    outputs = model.layers * (3 * attention + 2 * model.width + model.ffn_width) * tokens
    widest = max(3 * attention, model.ffn_width) + model.width
    item = precision.activation_bytes
    return Work(
        matmul=2 * matmul * tokens * batch,
        other=(4 * model.layers * attention * tokens * tokens + extra_flops) * batch,
        rows=batch * tokens,
        weights=matmul * precision.weight_bytes,
        state=0.0,
        activations=2 * (outputs + extra_outputs) * item * batch,
        resident=resident_bytes(model, precision) + widest * tokens * item * batch,
        launches=model.layers,
        items=batch,
    )


@lru_cache(maxsize=256)
def _totals(model: ConvNet) -> tuple[float, float, float, int]:
    """FLOP and output elements of one sample, elements of its widest layer, layers."""
    layers = convolutions(model)
    flops = 2.0 * sum(layer.macs for layer in layers)
    outputs = float(sum(layer.outputs for layer in layers))
    return flops, outputs, float(max(x.inputs + x.outputs for x in layers)), len(layers)


def _convolve(model: ConvNet, precision: Precision, batch: Any) -> Work:
    flops, outputs, widest, launches = _totals(model)
    item = precision.activation_bytes
    weights = resident_bytes(model, precision)
    return Work(
        matmul=0.0,
        other=flops * batch,
        rows=batch,
        weights=weights,
        state=0.0,
        activations=2 * outputs * item * batch,
        resident=weights + widest * item * batch,
        launches=launches,
        items=batch,
    )


def count(
    model: Model,
    phase: Phase,
    precision: Precision,
    *,
    batch: Any,
    context: Any = 0.0,
    prompt: Any = 0.0,
) -> Work:
    """Count one step of *model* in *phase*: the call that the engine makes."""
    if phase is Phase.FORWARD:
        return forward(model, precision, batch, prompt)
    if not isinstance(model, Transformer):
        msg = f"{model.name} does not generate text: it has no {phase} phase"
        raise TypeError(msg)
    if phase is Phase.DECODE:
        return decode(model, precision, batch, context)
    return prefill(model, precision, batch, prompt)
