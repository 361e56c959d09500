"""ConvNets layer by layer: the blocks of a card, expanded to convolutions and linear layers."""

from dataclasses import dataclass
from functools import lru_cache

from mlsysim.core.models.vision import ConvNet


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution or linear layer, for one sample.

    Parameters
    ----------
    inputs, outputs
        Elements read and written.
    macs
        Multiply-adds.
    parameters
        Weights, with the scale and shift of the batch norm behind a convolution, or the bias of a
        linear layer.
    """

    inputs: int
    outputs: int
    macs: int
    parameters: int


class _Tape:
    """The running shape of an image on its way through the layers."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.shape = (channels, height, width)
        self.layers: list[Convolution] = []

    def conv(self, out: int, kernel: int, stride: int, *, depthwise: bool = False) -> None:
        channels, height, width = self.shape
        self.shape = (out, -(-height // stride), -(-width // stride))
        weights = out * (1 if depthwise else channels) * kernel**2
        pixels = self.shape[1] * self.shape[2]
        self.layers.append(
            Convolution(channels * height * width, out * pixels, weights * pixels, weights + 2 * out)
        )

    def pool(self, stride: int) -> None:
        channels, height, width = self.shape
        self.shape = (channels, -(-height // stride), -(-width // stride))

    def linear(self, out: int) -> None:
        channels, height, width = self.shape
        inputs = channels * height * width
        self.layers.append(Convolution(inputs, out, inputs * out, inputs * out + out))
        self.shape = (out, 1, 1)

    def shortcut(self, start: tuple[int, int, int], out: int, stride: int) -> None:
        """Project the residual where its shape changes."""
        if start[0] != out or stride != 1:
            end, self.shape = self.shape, start
            self.conv(out, 1, stride)
            self.shape = end


@lru_cache(maxsize=256)
def convolutions(model: ConvNet) -> tuple[Convolution, ...]:
    """Return the convolutions and linear layers of *model*, in order.

    Examples
    --------
    >>> net = ConvNet(name="one", input=(3, 4, 4), layers=[
    ...     {"op": "conv", "out": 8, "kernel": 3, "stride": 2}])
    >>> convolutions(net)
    (Convolution(inputs=48, outputs=32, macs=864, parameters=232),)
    """
    tape = _Tape(*model.input)
    for layer in model.layers:
        op = layer["op"]
        if op == "conv":
            tape.conv(layer["out"], layer["kernel"], layer["stride"])
        elif op == "maxpool":
            tape.pool(layer["stride"])
        elif op == "global_pool":
            tape.shape = (tape.shape[0], 1, 1)
        elif op == "linear":
            tape.linear(layer["out"])
        else:
            for i in range(layer["repeat"]):
                _block(tape, op, dict(layer), layer["stride"] if i == 0 else 1)
    return tuple(tape.layers)


def _block(tape: _Tape, op: str, layer: dict[str, int], stride: int) -> None:
    start, out = tape.shape, layer["out"]
    if op == "basic":
        tape.conv(out, 3, stride)
        tape.conv(out, 3, 1)
        tape.shortcut(start, out, stride)
    elif op == "bottleneck":
        tape.conv(layer["inner"], 1, 1)
        tape.conv(layer["inner"], 3, stride)
        tape.conv(out, 1, 1)
        tape.shortcut(start, out, stride)
    else:
        inner = start[0] * layer["expand"]
        if layer["expand"] != 1:
            tape.conv(inner, 1, 1)
        tape.conv(inner, 3, stride, depthwise=True)
        tape.conv(out, 1, 1)
