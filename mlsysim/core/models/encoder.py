"""Networks that read a sequence: encoders, and encoders with a decoder behind them."""

from dataclasses import dataclass
from typing import ClassVar

from mlsysim.core.models.base import Phase, Shape


@dataclass(frozen=True, kw_only=True, repr=False)
class Encoder(Shape):
    """A bidirectional text encoder, as BERT is.

    Parameters
    ----------
    segments
        Size of the token-type table.
    pooled
        Whether a width-by-width pooler follows the last block.
    layers, width, heads, head_size, ffn_width, vocab, positions, context
        As for a Transformer; feed-forward parts have two matrices.
    """

    layers: int
    width: int
    heads: int
    head_size: int
    ffn_width: int
    vocab: int
    positions: int = 0
    context: int
    segments: int = 0
    pooled: bool = False

    phases: ClassVar[tuple[Phase, ...]] = (Phase.FORWARD, Phase.TRAIN)


@dataclass(frozen=True, kw_only=True, repr=False)
class EncoderDecoder(Shape):
    """A network that reads a source and then writes, as T5 and Whisper do.

    ``prefill`` reads the source once and fills the cross-attention cache; ``decode`` writes one token.

    Parameters
    ----------
    encoder_layers, decoder_layers
        Blocks of each half.
    source
        Longest source. [token]
    fixed_source
        Whether every source is padded to that length, as Whisper's thirty seconds are.
    context
        Longest output. [token]
    mels
        Mel channels of an audio front end of two convolutions, 0 for text.
    positions
        Learned position embeddings of both halves together.
    width, heads, head_size, ffn_width, gated, vocab, tied
        As for a Transformer.
    """

    encoder_layers: int
    decoder_layers: int
    width: int
    heads: int
    head_size: int
    ffn_width: int
    gated: bool = False
    vocab: int
    tied: bool
    source: int
    fixed_source: bool = False
    context: int
    mels: int = 0
    positions: int = 0

    phases: ClassVar[tuple[Phase, ...]] = (Phase.DECODE, Phase.PREFILL)
