"""Number formats: how many bits are stored, and which arithmetic unit does the work."""

import math
from dataclasses import dataclass
from typing import Final

from mlsysim.core.errors import ArgumentError, suggestion

PEAKS: Final = ("fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "int4", "fp4")
"""The formats in which vendors publish a peak rate; keys of ``Accelerator.peak``."""


EIGHT_BITS_OR_LESS: Final = frozenset({"fp8", "int8", "int4", "fp4"})
"""Formats in which training does matrix products with weights, but no attention scores."""


@dataclass(frozen=True, slots=True)
class Precision:
    """A format for weights, for arithmetic, for activations and for the KV cache.

    Parameters
    ----------
    name
        What it is called in the course and in results.
    weight_bits
        Bits stored for one weight, scales included.
    compute
        The arithmetic unit that is used: a key of ``Accelerator.peak``.
    activation_bits
        Bits of one activation.
    kv_bits
        Bits of one element of the KV cache.

    Examples
    --------
    >>> precision("int4").weight_bits  # 4 bits, and a 16-bit scale for each group of 128
    4.125
    >>> precision("int4").compute  # weight-only: the arithmetic stays in fp16
    'fp16'
    """

    name: str
    weight_bits: float
    compute: str
    activation_bits: float
    kv_bits: float

    def __post_init__(self) -> None:
        if self.compute not in PEAKS:
            known = suggestion(str(self.compute), PEAKS)
            msg = f"Precision: compute {self.compute!r} is no arithmetic unit. {known}"
            raise ArgumentError(msg)
        for name in ("weight_bits", "activation_bits", "kv_bits"):
            bits = getattr(self, name)
            if isinstance(bits, bool) or not isinstance(bits, int | float) or not 0 < bits < math.inf:
                msg = f"Precision {self.name!r}: {name} must be a positive number of bits; got {bits!r}"
                raise ArgumentError(msg)

    @property
    def scores(self) -> str:
        """The arithmetic unit of attention scores in training: 16 bits where products have fewer."""
        return "bf16" if self.compute in EIGHT_BITS_OR_LESS else self.compute

    @property
    def weight_bytes(self) -> float:
        """Bytes of one weight."""
        return self.weight_bits / 8

    @property
    def activation_bytes(self) -> float:
        """Bytes of one activation."""
        return self.activation_bits / 8

    @property
    def kv_bytes(self) -> float:
        """Bytes of one element of the KV cache."""
        return self.kv_bits / 8

    def __str__(self) -> str:
        return self.name


def _grouped(bits: int, group: int) -> float:
    """Bits of a weight that shares one 16-bit scale with *group* others."""
    return bits + 16 / group


PRECISIONS: Final = {
    p.name: p
    for p in (
        Precision("fp32", 32, "fp32", 32, 32),
        Precision("tf32", 32, "tf32", 32, 32),
        Precision("bf16", 16, "bf16", 16, 16),
        Precision("fp16", 16, "fp16", 16, 16),
        Precision("fp8", 8, "fp8", 8, 8),
        Precision("int8", 8, "int8", 8, 16),
        Precision("w8a16", 8, "fp16", 16, 16),
        Precision("int4", _grouped(4, 128), "fp16", 16, 16),
        Precision("int4-g32", _grouped(4, 32), "fp16", 16, 16),
    )
}
"""The formats that have a name; any other is built with ``Precision(...)``."""


def precision(value: "str | Precision") -> Precision:
    """Return the precision of that name.

    Raises
    ------
    ArgumentError
        If there is no such format.

    Examples
    --------
    >>> precision("fp8").weight_bytes
    1.0
    >>> precision("fp17")
    Traceback (most recent call last):
        ...
    mlsysim.core.errors.ArgumentError: precision 'fp17' is unknown. Did you mean 'fp16'?
    """
    if isinstance(value, Precision):
        return value
    if isinstance(value, str) and value in PRECISIONS:
        return PRECISIONS[value]
    if isinstance(value, str):
        msg = f"precision {value!r} is unknown. {suggestion(value, PRECISIONS)}"
    else:
        msg = f"precision must be a name such as 'fp16' or a Precision; got {value!r}"
    raise ArgumentError(msg)
