"""ConvNets: convolutions and linear layers, each output written and read once."""

from functools import lru_cache
from typing import Any

from mlsysim.core.counting.convolution import convolutions
from mlsysim.core.counting.work import Work
from mlsysim.core.models.vision import ConvNet
from mlsysim.core.precision import Precision


@lru_cache(maxsize=256)
def _totals(m: ConvNet) -> tuple[float, float, float, int]:
    """FLOP and output elements of one sample, elements of its widest layer, layers."""
    layers = convolutions(m)
    flops = 2.0 * sum(layer.macs for layer in layers)
    outputs = float(sum(layer.outputs for layer in layers))
    return flops, outputs, float(max(x.inputs + x.outputs for x in layers)), len(layers)


@lru_cache(maxsize=256)
def convnet_parameters(m: ConvNet) -> float:
    """Return the number of parameters, batch norms and biases included."""
    return float(sum(layer.parameters for layer in convolutions(m)))


def convolve(m: ConvNet, precision: Precision, batch: Any) -> Work:
    """Count one forward pass over *batch* images."""
    flops, outputs, widest, launches = _totals(m)
    item = precision.activation_bytes
    weights = convnet_parameters(m) * precision.weight_bytes
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
