"""Sweeping the engine: every step of a grid, in vectorised passes of the code that solves one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mlsysim.core.arrays import numpy
from mlsysim.core.constants import Quantity
from mlsysim.core.models import Phase
from mlsysim.core.profile import Fit
from mlsysim.core.roofline import BOTTLENECKS, Lever
from mlsysim.core.specs import FrozenMap
from mlsysim.core.sweeps.axes import Axis
from mlsysim.core.sweeps.cells import NUMBERS, THINGS, Cell, axes_of, cells_of
from mlsysim.core.sweeps.columns import NOWHERE, Column
from mlsysim.core.sweeps.result import SweepResult
from mlsysim.core.sweeps.run import Answer, Fields, Grid
from mlsysim.progress import Progress, line

_LEVERS: Final = (Lever.PEAK_FLOPS, Lever.MEMORY_BANDWIDTH, Lever.OVERHEAD, Lever.LINK_BANDWIDTH)

_ANSWERS: Final = Fields(
    FrozenMap(
        {
            "latency": "f8",
            "throughput": "f8",
            "memory": "f8",
            "bottleneck": "u1",
            "feasible": "?",
            "reason": "u2",
        }
    ),
    FrozenMap(
        {
            "latency": float("nan"),
            "throughput": float("nan"),
            "memory": float("nan"),
            "bottleneck": NOWHERE,
            "feasible": False,
            "reason": 0,
        }
    ),
)
_ELASTICITIES: Final = Fields(
    FrozenMap({str(lever): "f8" for lever in _LEVERS}),
    FrozenMap({str(lever): float("nan") for lever in _LEVERS}),
)


def answer(cell: Cell, batch: Any, context: Any, prompt: Any) -> dict[str, Any]:
    """Answer the steps of a block."""
    np = numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        work, terms = cell.step(batch, context, prompt)
        latency = terms.latency
        fit = Fit(required=work.resident, capacity=cell.hardware.capacity_si, devices=cell.tp_size)
        found = {
            "latency": latency,
            "throughput": work.items / latency,
            "memory": work.resident,
            "bottleneck": terms.limiting,
            "feasible": fit.fits,
        }
        codes = cell.refused(context, prompt, latency)
    if codes.any():
        found = {name: np.where(codes == 0, v, _ANSWERS.empty[name]) for name, v in found.items()}
    return {**found, "reason": codes}


def elasticities(cell: Cell, batch: Any, context: Any, prompt: Any) -> dict[str, Any]:
    """Answer the exact elasticities of the steps of a block."""
    np = numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        _, terms = cell.step(batch, context, prompt)
        codes = cell.refused(context, prompt, terms.latency)
        shares = terms.elasticities()
    return {str(lever): np.where(codes == 0, shares[lever], np.nan) for lever in _LEVERS}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class EngineSweep(SweepResult):
    """Steps over a grid: what ``Engine.sweep`` answers.

    Examples
    --------
    >>> from mlsysim import Engine, Hardware, Models
    >>> r = Engine.sweep(Models.Llama3_8B, [Hardware.A100, Hardware.H100], [1, 64, 4096], context=1024)
    >>> r.dims, r.shape
    (('hardware', 'batch_size'), (2, 3))
    >>> r.feasible.tolist()
    [[True, True, False], [True, True, False]]
    >>> str(r.best("throughput").coords["hardware"])
    'NVIDIA H100 SXM5 80GB'
    """

    calibrations: tuple[str, ...]

    @property
    def latency(self) -> Quantity:
        """Time of each step."""
        return self.columns["latency"].quantity()

    @property
    def throughput(self) -> Quantity:
        """Tokens or samples finished per second; ``1/s`` where the sweep mixes both."""
        return self.columns["throughput"].quantity()

    @property
    def memory(self) -> Quantity:
        """Memory that each device needs."""
        return self.columns["memory"].quantity()

    @property
    def bottleneck(self) -> Any:
        """What limits each step: an array of ``Bottleneck``, None where there is no answer."""
        return self["bottleneck"]

    def elasticities(self, *, client: Any = None, progress: Progress | None = None) -> SweepResult:
        """Return the exact elasticities of the time at every point, in one call.

        Each is the relative change of the step's time for a relative change of a resource, by the closed
        form that ``SensitivitySolver`` reports as exact.

        Parameters
        ----------
        client, progress
            As for ``Engine.sweep``.

        Returns
        -------
        SweepResult
            Over the same axes: ``peak_flops``, ``memory_bandwidth``, ``overhead``, ``link_bandwidth``.

        Examples
        --------
        >>> from mlsysim import Engine, Hardware, Models
        >>> r = Engine.sweep(Models.Llama3_70B, Hardware.A100, [1, 8])
        >>> r.elasticities()["memory_bandwidth"].round(3).tolist()
        [-0.871, -0.871]
        """
        found = _run(
            cells_of(self.axes, self.fixed).grid,
            elasticities,
            _ELASTICITIES,
            self.axes,
            client=client,
            progress=progress,
        )
        return SweepResult(
            axes=self.axes,
            fixed=self.fixed,
            columns=FrozenMap({name: Column(values) for name, values in found.items()}),
            feasible=self.feasible,
            reasons=self.reasons,
            reason_codes=self.reason_codes,
            ask=self.ask,
        )

    def rows(self) -> list[tuple[str, Any]]:
        """Return the axes, the calibration, and the range of every answer."""
        rows = [row for row in super().rows() if row[0] != "calibration" or "calibration" in self.dims]
        if "calibration" not in self.dims:
            rows.insert(len(self.axes), ("calibration", ", ".join(self.calibrations)))
        return rows


def sweep(
    ask: Callable[..., Any],
    values: Mapping[str, Any],
    *,
    client: Any,
    progress: Progress | None,
) -> EngineSweep:
    """Answer every step of a grid.

    Parameters
    ----------
    ask
        The scalar call, which answers single points again.
    values
        The arguments of ``Engine.sweep``, single values and axes.
    client, progress
        As for ``Engine.sweep``.
    """
    axes, fixed = axes_of(values)
    cells = cells_of(axes, fixed)
    found = _run(cells.grid, answer, _ANSWERS, axes, client=client, progress=progress)
    codes = found["reason"]
    if cells.codes.any():
        codes = codes + _kept(cells.codes, axes)
    used = [cell for cell in cells.grid.cells if cell is not None]
    kinds = {"token/s" if Phase.DECODE in cell.model.phases else "sample/s" for cell in used}
    return EngineSweep(
        axes=axes,
        fixed=FrozenMap(fixed),
        columns=FrozenMap(
            {
                "latency": Column(found["latency"], "ms", 1e-3),
                "throughput": Column(found["throughput"], kinds.pop() if len(kinds) == 1 else "1/s"),
                "memory": Column(found["memory"], "GB", 1e9),
                "bottleneck": Column(found["bottleneck"], words=BOTTLENECKS),
            }
        ),
        feasible=found["feasible"],
        reasons=cells.reasons,
        reason_codes=codes,
        ask=ask,
        calibrations=tuple(dict.fromkeys(cell.calibration.name for cell in used)),
    )


def _run(
    grid: Grid,
    each: Answer,
    fields: Fields,
    axes: tuple[Axis, ...],
    *,
    client: Any,
    progress: Progress | None,
) -> Mapping[str, Any]:
    """Run a grid, and leave the dimensions out that are no axes."""
    found = grid.run(each, fields, client, progress or line("points"))
    return {name: _kept(array, axes) for name, array in found.items()}


def _kept(array: Any, axes: tuple[Axis, ...]) -> Any:
    """Return an array over all arguments with the dimensions of the axes alone."""
    names = {axis.name for axis in axes}
    return array[tuple(slice(None) if name in names else 0 for name in (*THINGS, *NUMBERS))]
