"""Each row of a table of measured collectives as a call of ``CollectiveModel``.

A row that has none raises :class:`~mlsysim.mapping.NotMappedError`, as in ``mlsysim.mapping``.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from mlsysim.core.calibration import Calibration
from mlsysim.core.collective_calibration import PRESETS, CollectiveCalibration
from mlsysim.core.collectives import Algorithm, Collective
from mlsysim.core.constants import Q_
from mlsysim.core.systems import Fleet, Link, Node
from mlsysim.mapping import NotMappedError, device
from mlsysim.measurements import Measurement
from mlsysim.registry import Systems
from mlsysim.solvers.collective import CollectiveModel, CollectiveResult

CATEGORY: Final = "6_collectives"

METRICS: Final = {"busbw": {"GB/s": 1.0}, "algbw": {"GB/s": 1.0}, "time": {"ms": 1.0, "us": 1e3}}
"""Metrics that are predicted, each with the units that it may have, over GB/s or ms."""

_NAMES: Final = {re.sub("[^a-z]", "", kind): kind for kind in Collective} | {
    "sendrecv": Collective.POINT_TO_POINT
}
"""Collectives by the letters of their names."""

_ALGORITHMS: Final = (
    (r"\(.*NVLS(?: off|_ENABLE=0).*\)|\(.*\bring\b.*\)", Algorithm.RING),
    (r"\(.*\bNVLS\b.*\)", Algorithm.NVLS),
    (r"\(.*\btree\b.*\)", Algorithm.TREE),
)
"""What the name of a collective says of its algorithm; NCCL without in-switch sums runs a ring in a node."""

_RING_NOTE: Final = re.compile(r"(?:^|[.;] )Ring\b")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?(B|[KMGT]i?B)")
_NODES: Final = re.compile(r"(\d+) nodes?(?:\(s\))?")


@dataclass(frozen=True, kw_only=True)
class CollectiveRun:
    """What a row describes, as arguments of ``CollectiveModel.solve``.

    Parameters
    ----------
    metric, unit
        What was measured.
    collective, size, system, devices, algorithm
        As ``CollectiveModel.solve`` takes them; the size as a text.
    calibration
        Name of the preset.
    remarks
        What was assumed.
    """

    metric: str
    unit: str
    collective: Collective
    size: str
    system: Fleet | Node
    devices: int
    algorithm: Algorithm | None
    calibration: str = "nccl"
    remarks: tuple[str, ...] = ()

    def solve(self, calibration: CollectiveCalibration | str | None = None) -> CollectiveResult:
        """Return the exchange under *calibration* or its own."""
        return CollectiveModel().solve(
            self.collective,
            Q_(self.size),
            self.system,
            devices=self.devices,
            algorithm=self.algorithm,
            calibration=self.calibration if calibration is None else calibration,
        )

    def predict(self, calibration: Calibration | CollectiveCalibration | str | None = None) -> float:
        """Return the predicted value in the row's unit.

        Parameters
        ----------
        calibration
            In place of the run's own; one of another kind stands for the preset of its name.

        Raises
        ------
        NotMappedError
            If there is no such preset for collectives.
        """
        if isinstance(calibration, Calibration):
            if calibration.name not in PRESETS:
                msg = f"calibration {calibration.name!r} covers no collectives"
                raise NotMappedError(msg)
            calibration = calibration.name
        result = self.solve(calibration)
        found = {"busbw": result.busbw, "algbw": result.algbw, "time": result.time}[self.metric]
        return float(found.magnitude * METRICS[self.metric][self.unit])


def map_collective(row: Measurement) -> CollectiveRun:
    """Return the run that a row of measured collectives describes.

    Raises
    ------
    NotMappedError
        If the row lacks something, or describes something that is not computed.
    """
    if row["confidence"] == "low":
        msg = "confidence low"
        raise NotMappedError(msg)
    metric, unit = row["metric"], row["unit"].partition(" ")[0]
    if metric not in METRICS:
        msg = f"metric not covered: {metric}"
        raise NotMappedError(msg)
    if unit not in METRICS[metric]:
        msg = f"{metric} in {row['unit']!r}, not in {' or '.join(METRICS[metric])}"
        raise NotMappedError(msg)
    size = _SIZE.fullmatch(row["batch_or_concurrency"])
    if size is None or not float(size[1]):
        msg = f"size not given as a number of bytes: {row['batch_or_concurrency'] or 'empty'}"
        raise NotMappedError(msg)
    system, remarks = _system(row)
    return CollectiveRun(
        metric=metric,
        unit=unit,
        collective=_collective(row["model"]),
        size=f"{size[1]} {size[2].replace('KB', 'kB')}",
        system=system,
        devices=_devices(row),
        algorithm=_algorithm(row),
        remarks=remarks,
    )


def is_sourced_collective(row: Measurement) -> bool:
    """Return whether the zoo has the devices of a row, and what joins them."""
    try:
        _system(row)
    except NotMappedError:
        return False
    return True


def _collective(name: str) -> Collective:
    letters = re.sub("[^a-z]", "", name.partition("(")[0].casefold().removesuffix("_perf"))
    if letters not in _NAMES:
        msg = f"collective not covered: {name or 'empty'}"
        raise NotMappedError(msg)
    return _NAMES[letters]


def _algorithm(row: Measurement) -> Algorithm | None:
    """Return the algorithm that a row states, if it does."""
    for pattern, algorithm in _ALGORITHMS:
        if re.search(pattern, row["model"], re.IGNORECASE):
            return algorithm
    return Algorithm.RING if _RING_NOTE.search(row["notes"]) else None


def _devices(row: Measurement) -> int:
    if not row["n_devices"] or int(row["n_devices"]) < 2:
        msg = f"fewer than two devices: {row['n_devices'] or 'empty'}"
        raise NotMappedError(msg)
    return int(row["n_devices"])


def _system(row: Measurement) -> tuple[Fleet | Node, tuple[str, ...]]:
    """Return the node or the fleet of a row, and what was assumed of it."""
    found = _NODES.fullmatch(row["parallelism"])
    nodes, devices = int(found[1]) if found else 0, _devices(row)
    if not nodes or devices % nodes:
        msg = f"nodes not given as a number that divides the devices: {row['parallelism'] or 'empty'}"
        raise NotMappedError(msg)
    each = devices // nodes
    node, is_named = _node(row, each)
    remarks = () if is_named else (f"node not named, taken as {node}",)
    if nodes == 1:
        return node, remarks
    fabric = node.nic if is_named and node.nic is not None else _fabric(row, node)
    whole = node if each == node.devices else replace(node, devices=each)
    return Fleet(name=f"{nodes} x {node}", node=whole, nodes=nodes, fabric=fabric), remarks


def _node(row: Measurement, devices: int) -> tuple[Node, bool]:
    """Return a node with the row's devices, and whether the row names it; unnamed ones differ in no link."""
    accelerator = device(row)
    able = [
        n
        for n in Systems.Nodes
        if isinstance(n, Node) and n.accelerator == accelerator and n.devices >= devices
    ]
    named = [n for n in able if _names(n, row["hardware"])]
    links = {n.link.name for n in named or able}
    if len(links) != 1:
        many = f"link not told: {', '.join(sorted(links))}" if links else "no node in the zoo"
        msg = f"{many}: {devices} x {accelerator}"
        raise NotMappedError(msg)
    return (named or able)[0], bool(named)


def _fabric(row: Measurement, node: Node) -> Link:
    """Return the one network that the row's notes name."""
    said = [
        link
        for link in Systems.Fabrics
        if isinstance(link, Link) and link.name != node.link.name and _names(link, row["notes"])
    ]
    if len(said) != 1:
        msg = f"network between nodes not told: {row['hardware']}"
        raise NotMappedError(msg)
    return said[0]


def _names(thing: Node | Link, text: str) -> bool:
    return any(name.casefold() in text.casefold() for name in (thing.name, *thing.aliases))
