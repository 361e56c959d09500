"""What a network is: its shape, frozen and validated. Counts are made of it elsewhere."""

from collections.abc import Mapping
from typing import TypeAlias

from mlsysim.core.models.base import Phase
from mlsysim.core.models.encoder import Encoder, EncoderDecoder
from mlsysim.core.models.recommender import Recommender
from mlsysim.core.models.statespace import StateSpace
from mlsysim.core.models.transformer import Transformer
from mlsysim.core.models.unet import UNet
from mlsysim.core.models.vision import CONVNET_OPS, ConvNet, VisionTransformer
from mlsysim.core.specs import FrozenMap

__all__ = [
    "CONVNET_OPS",
    "KINDS",
    "ConvNet",
    "Encoder",
    "EncoderDecoder",
    "Model",
    "Phase",
    "Recommender",
    "StateSpace",
    "Transformer",
    "UNet",
    "VisionTransformer",
]

Model: TypeAlias = (
    Transformer | StateSpace | Encoder | EncoderDecoder | VisionTransformer | ConvNet | UNet | Recommender
)
"""Any network that can be counted."""

KINDS: Mapping[str, type[Model]] = FrozenMap(
    {
        "decoder": Transformer,
        "state-space": StateSpace,
        "encoder": Encoder,
        "encoder-decoder": EncoderDecoder,
        "vit": VisionTransformer,
        "convnet": ConvNet,
        "unet": UNet,
        "recommender": Recommender,
    }
)
"""The kinds of network, by the word that a card uses."""
