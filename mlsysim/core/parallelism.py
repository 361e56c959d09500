"""How a training run is split over devices: five sizes, and two choices."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from mlsysim.core.arguments import Arguments


class Zero(IntEnum):
    """What data-parallel devices split between them instead of each keeping a copy."""

    NOTHING = 0
    STATE = 1
    GRADIENTS = 2
    WEIGHTS = 3


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """A split of a training run over devices.

    Parameters
    ----------
    dp_size
        Copies of the network that read different sequences.
    tp_size
        Devices that split every matrix, and the sequence between the matrices.
    pp_size, interleave
        Devices that split the layers, and the separate parts of the layers that each of them holds.
    ep_size
        Devices that split the experts, taken from the copies where it divides ``dp_size * cp_size``; else
        from the tensor-parallel devices too, which then hold whole experts.
    cp_size
        Devices that split each sequence.
    zero_stage
        What the copies split: 0 nothing, 1 the optimizer's state, 2 the gradients too, 3 the weights too.

    Examples
    --------
    >>> p = Parallelism(dp_size=16, tp_size=8, pp_size=4)
    >>> p.devices, str(p)
    (512, 'dp16 tp8 pp4')
    """

    dp_size: int = 1
    tp_size: int = 1
    pp_size: int = 1
    ep_size: int = 1
    cp_size: int = 1
    interleave: int = 1
    zero_stage: Zero = Zero.NOTHING

    def __post_init__(self) -> None:
        given = Arguments("Parallelism")
        for field in fields(self):
            if field.name != "zero_stage":
                given.count(field.name, getattr(self, field.name))
        stage: Any = self.zero_stage
        if isinstance(stage, bool) or stage not in set(Zero):
            given.fault(f"zero_stage must be 0, 1, 2 or 3; got {stage!r}")
        given.close()
        object.__setattr__(self, "zero_stage", Zero(stage))
        if self.copies * self.tp_size % self.ep_size:
            sizes = f"{self.dp_size} x {self.cp_size} x {self.tp_size}"
            given.fault(
                f"ep_size ({self.ep_size}) must divide dp_size x cp_size x tp_size ({sizes}), the devices "
                f"that it is taken from"
            )
        if self.interleave > 1 and self.pp_size == 1:
            given.fault(f"interleave ({self.interleave}) needs a pipeline: pp_size is 1")
        given.close()

    @property
    def devices(self) -> int:
        """Devices in all."""
        return self.dp_size * self.tp_size * self.pp_size * self.cp_size

    @property
    def copies(self) -> int:
        """Devices that hold the same dense weights, and sum their gradients."""
        return self.dp_size * self.cp_size

    @property
    def expert_tp_size(self) -> int:
        """Devices that split the matrices of an expert."""
        return self.tp_size if self.copies % self.ep_size == 0 else 1

    @property
    def expert_copies(self) -> int:
        """Devices that hold the same experts."""
        return self.copies * self.tp_size // (self.ep_size * self.expert_tp_size)

    def __str__(self) -> str:
        sizes = [
            f"{name}{size}"
            for name, size in (
                ("dp", self.dp_size),
                ("tp", self.tp_size),
                ("pp", self.pp_size),
                ("vp", self.interleave),
                ("ep", self.ep_size),
                ("cp", self.cp_size),
            )
            if size > 1
        ]
        zero = [f"ZeRO-{int(self.zero_stage)}"] if self.zero_stage else []
        return " ".join([*sizes, *zero]) or "one device"
