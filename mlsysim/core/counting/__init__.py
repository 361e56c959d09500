"""Work from shapes: FLOPs, bytes and capacity of one step of a network.

This is the only place that counts. A fused multiply-add is two FLOP. Norms and biases of transformers are
neglected (below 0.5 % of the parameters); those of ConvNets and U-Nets are counted.
"""

from collections.abc import Callable
from typing import Any, Final

from mlsysim.core.counting import encoder, recommender, statespace, training, transformer, unet, vision
from mlsysim.core.counting.transformer import kv_bytes_per_token
from mlsysim.core.counting.work import Work
from mlsysim.core.models import (
    ConvNet,
    Encoder,
    EncoderDecoder,
    Model,
    Phase,
    Recommender,
    StateSpace,
    Transformer,
    UNet,
    VisionTransformer,
)
from mlsysim.core.precision import Precision

__all__ = ["Work", "count", "kv_bytes_per_token", "parameters", "resident_bytes"]

_PARAMETERS: Final[dict[type, Callable[[Any], float]]] = {
    Transformer: lambda m: transformer.weights(m).total,
    StateSpace: statespace.parameters,
    Encoder: encoder.encoder_parameters,
    EncoderDecoder: encoder.pair_parameters,
    VisionTransformer: encoder.vit_parameters,
    ConvNet: vision.convnet_parameters,
    UNet: unet.unet_parameters,
    Recommender: recommender.recommender_parameters,
}

_RULES: Final[dict[tuple[type, Phase], Callable[[Any, Precision, Any, Any, Any], Work]]] = {
    (Transformer, Phase.DECODE): lambda m, p, batch, context, _: transformer.decode(m, p, batch, context),
    (Transformer, Phase.PREFILL): lambda m, p, batch, _, prompt: transformer.prefill(m, p, batch, prompt),
    (StateSpace, Phase.DECODE): lambda m, p, batch, *_: statespace.decode(m, p, batch),
    (StateSpace, Phase.PREFILL): lambda m, p, batch, _, prompt: statespace.prefill(m, p, batch, prompt),
    (EncoderDecoder, Phase.DECODE): encoder.write,
    (EncoderDecoder, Phase.PREFILL): lambda m, p, batch, _, prompt: encoder.read(m, p, batch, prompt),
    (Encoder, Phase.FORWARD): lambda m, p, batch, _, prompt: encoder.encode(m, p, batch, prompt),
    (VisionTransformer, Phase.FORWARD): lambda m, p, batch, *_: encoder.classify(m, p, batch),
    (ConvNet, Phase.FORWARD): lambda m, p, batch, *_: vision.convolve(m, p, batch),
    (UNet, Phase.FORWARD): lambda m, p, batch, *_: unet.denoise(m, p, batch),
    (Recommender, Phase.FORWARD): lambda m, p, batch, *_: recommender.recommend(m, p, batch),
    (Transformer, Phase.TRAIN): lambda m, p, batch, _, prompt: training.train(m, p, batch, prompt),
}


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
    try:
        rule = _PARAMETERS[type(model)]
    except KeyError:
        known = ", ".join(kind.__name__ for kind in _PARAMETERS)
        msg = f"no counting rule for {type(model).__name__}; there are rules for {known}"
        raise TypeError(msg) from None
    return rule(model)


def resident_bytes(model: Model, precision: Precision) -> float:
    """Return the bytes of all weights, embeddings included."""
    return parameters(model) * precision.weight_bytes


def count(
    model: Model,
    phase: Phase,
    precision: Precision,
    *,
    batch: Any,
    context: Any = 0.0,
    prompt: Any = 0.0,
    tp_size: int = 1,
) -> Work:
    """Count one step of *model* in *phase*: the call that the engine makes.

    Parameters
    ----------
    model, phase, precision
        The network, what it does, and its number format.
    batch
        Sequences or samples in the step.
    context
        Tokens in the cache of each sequence, for ``decode``. [token]
    prompt
        Tokens that are read: the prompt of ``prefill``, the sequence of an encoder or of training, the source
        of an encoder-decoder. [token]
    tp_size
        Devices that split every matrix; the work is that of each. Decoder transformers alone.

    Raises
    ------
    TypeError
        If the network has no such phase.
    """
    if phase is Phase.TRAIN and {Phase.TRAIN, Phase.FORWARD} <= set(model.phases):
        forward = count(model, Phase.FORWARD, precision, batch=batch, prompt=prompt)
        return training.train_forward(forward, parameters(model))
    try:
        rule = _RULES[type(model), phase]
    except KeyError:
        msg = f"{model.name} has no {phase} phase; it has {', '.join(model.phases)}"
        raise TypeError(msg) from None
    if tp_size == 1:
        return rule(model, precision, batch, context, prompt)
    if not isinstance(model, Transformer):
        msg = f"{model.name} is no decoder transformer: its split over devices is not counted"
        raise TypeError(msg)
    if phase is Phase.DECODE:
        return transformer.decode(model, precision, batch, context, tp_size)
    if phase is Phase.TRAIN:
        return training.train(model, precision, batch, prompt, tp_size)
    return transformer.prefill(model, precision, batch, prompt, tp_size)
