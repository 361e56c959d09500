"""Bidirectional blocks: text encoders, vision transformers, encoders with a decoder.

In a forward pass the output of each matrix product is written and read once; attention scores stay on the
chip.

References
----------
.. [devlin2019] J. Devlin et al., "BERT: pre-training of deep bidirectional transformers", NAACL 2019.
.. [dosovitskiy2021] A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021.
.. [radford2023] A. Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
"""

from typing import Any

from mlsysim.core.counting.work import Work
from mlsysim.core.models.encoder import Encoder, EncoderDecoder
from mlsysim.core.models.vision import VisionTransformer
from mlsysim.core.precision import Precision


def _block(m: Encoder | VisionTransformer | EncoderDecoder, matrices: int = 2) -> int:
    """Matmul parameters of one block: four projections and the feed-forward part."""
    return 4 * m.width * m.heads * m.head_size + matrices * m.width * m.ffn_width


def encoder_parameters(m: Encoder) -> float:
    """Return the number of parameters of a text encoder."""
    tables = (m.vocab + m.positions + m.segments) * m.width
    return float(m.layers * _block(m) + tables + (m.width**2 if m.pooled else 0))


def vit_parameters(m: VisionTransformer) -> float:
    """Return the number of parameters of a vision transformer."""
    patches = m.channels * m.patch**2 * m.width
    return float(m.layers * _block(m) + patches + (m.tokens + 1 + m.classes) * m.width)


def encode(m: Encoder, precision: Precision, batch: Any, tokens: Any) -> Work:
    """Count one forward pass over *batch* sequences of *tokens* tokens."""
    pooler = 2.0 * m.width**2 if m.pooled else 0.0
    return _forward(m, precision, batch=batch, tokens=tokens, flops=pooler, outputs=0.0)


def classify(m: VisionTransformer, precision: Precision, batch: Any) -> Work:
    """Count one forward pass over *batch* images."""
    patches = m.tokens - 1
    embed = 2 * m.channels * m.patch**2 * m.width * patches + 2 * m.classes * m.width
    outputs = float(patches * m.width + m.classes)
    return _forward(m, precision, batch=batch, tokens=float(m.tokens), flops=float(embed), outputs=outputs)


def _forward(
    m: Encoder | VisionTransformer,
    precision: Precision,
    *,
    batch: Any,
    tokens: Any,
    flops: float,
    outputs: float,
) -> Work:
    """Count the blocks, with *flops* and *outputs* of what stands around them for each sample."""
    total = vit_parameters(m) if isinstance(m, VisionTransformer) else encoder_parameters(m)
    matmul = float(m.layers * _block(m))
    attention = m.heads * m.head_size
    written = m.layers * (3 * attention + 2 * m.width + m.ffn_width) * tokens + outputs
    widest = max(3 * attention, m.ffn_width) + m.width
    item = precision.activation_bytes
    return Work(
        matmul=2 * matmul * tokens * batch,
        other=(4 * m.layers * attention * tokens * tokens + flops) * batch,
        rows=batch * tokens,
        weights=matmul * precision.weight_bytes,
        state=0.0,
        activations=2 * written * item * batch,
        resident=total * precision.weight_bytes + widest * tokens * item * batch,
        launches=m.layers,
        items=batch,
    )


def _halves(m: EncoderDecoder) -> tuple[float, float, float]:
    """Parameters of the encoder with its front end, of the cross-attention's keys and values, of the rest."""
    matrices = 3 if m.gated else 2
    projection = m.width * m.heads * m.head_size
    stem = 3 * m.width * (m.mels + m.width) if m.mels else 0
    encoder = m.encoder_layers * _block(m, matrices) + stem
    cross = m.decoder_layers * 2 * projection
    decoder = m.decoder_layers * (_block(m, matrices) + 2 * projection)
    return float(encoder), float(cross), float(decoder)


def pair_parameters(m: EncoderDecoder) -> float:
    """Return the number of parameters of an encoder with its decoder."""
    tables = m.vocab * m.width * (1 if m.tied else 2) + m.positions * m.width
    return sum(_halves(m)) + tables


def _pair_cache(m: EncoderDecoder, precision: Precision, tokens: Any) -> Any:
    """Bytes of keys and values that the decoder keeps for *tokens* tokens."""
    return 2 * m.decoder_layers * m.heads * m.head_size * precision.kv_bytes * tokens


def read(m: EncoderDecoder, precision: Precision, batch: Any, source: Any) -> Work:
    """Count the encoding of *source* tokens, and the filling of the cross-attention cache."""
    encoder, cross, _ = _halves(m)
    stem = 3.0 * m.width * m.mels  # the first convolution runs at twice the rate of the tokens
    state = _pair_cache(m, precision, source) * batch
    scores = 4 * m.encoder_layers * m.heads * m.head_size * source * source
    return Work(
        matmul=2 * (encoder + cross) * batch * source,
        other=(scores + 2 * stem * source) * batch,
        rows=batch * source,
        weights=(encoder + cross) * precision.weight_bytes,
        state=state,
        activations=0.0,
        resident=pair_parameters(m) * precision.weight_bytes + state,
        launches=m.encoder_layers,
        items=batch * source,
    )


def write(m: EncoderDecoder, precision: Precision, batch: Any, context: Any, source: Any) -> Work:
    """Count one token of output, with *context* written before and *source* tokens read."""
    _, _, decoder = _halves(m)
    head = float(m.vocab * m.width)
    state = _pair_cache(m, precision, context + source) * batch
    scores = 4 * m.decoder_layers * m.heads * m.head_size * (context + source)
    return Work(
        matmul=2 * (decoder + head) * batch,
        other=scores * batch,
        rows=batch,
        weights=(decoder + head) * precision.weight_bytes,
        state=state,
        activations=0.0,
        resident=pair_parameters(m) * precision.weight_bytes + state,
        launches=m.decoder_layers,
        items=batch,
    )
