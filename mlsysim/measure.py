"""The machine at hand as a device: its matrix products, its copies and a small network, timed with NumPy.

The fastest of many runs counts: whatever else a machine does makes a run slower, never faster. NumPy's
products use as many threads as the BLAS library below it was told to when it was loaded
(``OPENBLAS_NUM_THREADS`` and the like); a copy uses one. To measure one core, set that variable to 1
before NumPy is imported. NumPy itself is imported when something is measured.

References
----------
.. [williams2009] S. Williams, A. Waterman and D. Patterson, "Roofline", CACM 52(4), 2009.
.. [he2015] K. He et al., "Delving deep into rectifiers", ICCV 2015: the scale of the network's weights.
"""

import math
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Q_, Quantity, ureg
from mlsysim.core.errors import ArgumentError, MissingSpecError
from mlsysim.core.models import ConvNet
from mlsysim.core.specs import Accelerator, FrozenMap, Source

_FLOAT = 4
"""Bytes of a number in fp32."""

_SMALLEST, _LONG_ENOUGH, _RUNS = 512, 0.01, 5
"""Matrices grow from this size until one product takes this long [s]; the fewest runs that are timed."""

_SECOND = Q_("1 s")

_LINEAR = {"op": "linear", "out": 0}
"""A layer that can be timed, whatever its width."""


def _fastest(runs: Sequence[Callable[[], Any]], budget: float) -> list[float]:
    """Return the time of the fastest execution of each run. [s]

    All take turns, five times at least and until the budget is spent, so that a busy moment of the
    machine does not hit one of them alone.
    """
    for run in runs:
        run()
    best, rounds, start = [math.inf] * len(runs), 0, perf_counter()
    while rounds < _RUNS or perf_counter() - start < budget:
        for i, run in enumerate(runs):
            before = perf_counter()
            run()
            best[i] = min(best[i], perf_counter() - before)
        rounds += 1
    return best


def matmul_rate(budget: Quantity = _SECOND) -> Quantity:
    """How fast does NumPy multiply square matrices in fp32?

    Parameters
    ----------
    budget
        How long to repeat the product. [s]

    Returns
    -------
    Quantity
        FLOP of one product over the time of the fastest, a multiply-add counted as two: a lower
        bound on what the machine can do. [FLOP/s]

    Raises
    ------
    ArgumentError
        If the budget is no positive time.

    Notes
    -----
    A product of n x n matrices does 2n³ FLOP on 3n² numbers, so n/6 FLOP for each byte: its
    intensity is far above the ridge point of any processor once n is some hundreds. The size doubles
    until one product takes a hundredth of a second.
    """
    import numpy as np  # noqa: PLC0415 - only where something is measured

    given = Arguments("measure.matmul_rate")
    seconds = given.quantity("budget", budget, "s")
    given.close()
    size, best = _SMALLEST // 2, 0.0
    while best < _LONG_ENOUGH:
        size *= 2
        a, b = (np.random.default_rng(seed).random((size, size), dtype=np.float32) for seed in (0, 1))
        product = np.empty_like(a)
        (best,) = _fastest([partial(np.matmul, a, b, out=product)], 0.0)
    best = min(best, *_fastest([partial(np.matmul, a, b, out=product)], seconds))
    return ureg.Quantity(2 * size**3 / best / 1e9, "GFLOP/s")


def copy_bandwidth(size: Quantity | None = None, budget: Quantity = _SECOND) -> Quantity:
    """How many bytes a second does a copy move through memory?

    Parameters
    ----------
    size
        Length of the array that is copied, 256 MB if left out; choose several times the last-level
        cache, or the cache is measured. [B]
    budget
        How long to repeat the copy. [s]

    Returns
    -------
    Quantity
        Bytes read and bytes written, twice the array, over the time of the fastest copy. One thread
        copies: on a large server that is less than its memory can do. [B/s]

    Raises
    ------
    ArgumentError
        If an argument is no positive size or time.

    Notes
    -----
    A machine that fetches a line of memory before it overwrites it moves three bytes for each two
    that are counted.
    """
    import numpy as np  # noqa: PLC0415

    given = Arguments("measure.copy_bandwidth")
    length = given.quantity("size", ureg.Quantity(256, "MB") if size is None else size, "MB")
    seconds = given.quantity("budget", budget, "s")
    given.close()
    source = np.ones(max(1, int(length / _FLOAT)), dtype=np.float32)
    target = np.zeros_like(source)
    (best,) = _fastest([partial(np.copyto, target, source)], seconds)
    return ureg.Quantity(2 * source.nbytes / best / 1e9, "GB/s")


def memory_capacity() -> Quantity:
    """How much memory does the operating system report?

    Raises
    ------
    MissingSpecError
        Where the standard library cannot tell, as on Windows.
    """
    try:
        pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        pages, page = -1, -1
    if min(pages, page) <= 0:
        msg = (
            "this operating system does not tell Python how much memory it has, and nothing is "
            "substituted. State it: measure.this_machine(capacity=Q_('16 GB'))."
        )
        raise MissingSpecError(msg)
    return ureg.Quantity(pages * page / 1e9, "GB")


def this_machine(
    name: str = "This machine", *, capacity: Quantity | None = None, budget: Quantity = _SECOND
) -> Accelerator:
    """What would a datasheet say of this machine, if it were measured in fp32?

    Parameters
    ----------
    name
        What to call it.
    capacity
        Its memory; what the operating system reports if left out. [B]
    budget
        Time for each of the two measurements; with what they set up, 2 to 3 s in all. [s]

    Returns
    -------
    Accelerator
        With an fp32 peak, a bandwidth and a capacity, whose sources say "measured" (or "stated").
        Both rates are lower bounds, and differ a little from run to run.

    Raises
    ------
    MissingSpecError
        If the capacity is left out where the operating system does not tell it.
    ArgumentError
        If the budget is no positive time or the capacity no size.
    """
    given = Arguments("measure.this_machine")
    given.quantity("budget", budget, "s")
    if capacity is not None:
        given.quantity("capacity", capacity, "GB")
    given.close()
    memory = memory_capacity() if capacity is None else capacity
    told = ("measured", "reported by the operating system") if capacity is None else ("stated", "argument")
    figures = {
        "peak.fp32": (matmul_rate(budget), "measured", "fastest of repeated products of square matrices"),
        "bandwidth": (
            copy_bandwidth(budget=budget),
            "measured",
            "fastest of repeated copies, bytes read and bytes written",
        ),
        "capacity": (memory, *told),
    }
    return Accelerator(
        name=name,
        peak={"fp32": figures["peak.fp32"][0]},
        bandwidth=figures["bandwidth"][0],
        capacity=memory,
        kind="cpu",
        sources=FrozenMap(
            {
                figure: Source(
                    value=value.magnitude,
                    unit=f"{value.units:~}",
                    source=source,
                    place=place,
                    read=datetime.now(UTC).date(),
                    confidence="medium",
                )
                for figure, (value, source, place) in figures.items()
            }
        ),
    )


def mlp(width: int = 2048, depth: int = 8) -> ConvNet:
    """Return a perceptron of equal layers, as a network that the engine can count.

    Parameters
    ----------
    width, depth
        Numbers that each layer reads and writes; layers.

    Examples
    --------
    >>> from mlsysim.core.counting.vision import convnet_parameters
    >>> convnet_parameters(mlp(width=10, depth=3))  # 3 x (10 x 10 weights and 10 biases)
    330.0
    """
    given = Arguments("measure.mlp")
    out, layers = given.count("width", width), given.count("depth", depth)
    given.close()
    return ConvNet(
        name=f"MLP {out} x {layers}",
        input=(out, 1, 1),
        layers=tuple(FrozenMap({"op": "linear", "out": out}) for _ in range(layers)),
    )


def _widths(model: Any) -> list[int]:
    """Return the numbers that go into the network and come out of each layer."""
    if not isinstance(model, ConvNet) or any({**x, "out": 0} != _LINEAR for x in model.layers):
        msg = (
            "measure.time_mlp(): model must be a ConvNet of plain linear layers, "
            f"such as measure.mlp(); got {model!r}"
        )
        raise ArgumentError(msg)
    return [math.prod(model.input), *(layer["out"] for layer in model.layers)]


def _layers(widths: Sequence[int]) -> list[tuple[Any, Any]]:
    """Return weights and biases of each layer, scaled so that numbers neither grow nor vanish."""
    import numpy as np  # noqa: PLC0415

    random, drawn, made = np.random.default_rng(0), dict[tuple[int, int], Any](), []
    for shape in pairwise(widths):
        if shape not in drawn:
            drawn[shape] = random.standard_normal(shape, dtype=np.float32) * np.float32(
                math.sqrt(2 / shape[0])
            )
        made.append((drawn[shape].copy(), np.zeros(shape[1], dtype=np.float32)))
    return made


def _forward(x: Any, layers: Sequence[tuple[Any, Any]], outputs: Sequence[Any]) -> Any:
    """Multiply, add, cut off below zero; each layer writes its own of the *outputs*."""
    import numpy as np  # noqa: PLC0415

    for (weights, bias), out in zip(layers, outputs, strict=True):
        np.matmul(x, weights, out=out)
        np.add(out, bias, out=out)
        np.maximum(out, 0, out=out)
        x = out
    return x


def time_mlp(model: ConvNet, batch_sizes: Sequence[int], budget: Quantity = _SECOND) -> dict[int, Quantity]:
    """How long does NumPy take for a forward pass, by batch size?

    Parameters
    ----------
    model
        A network of linear layers, such as ``mlp()``; rectifiers stand between them.
    batch_sizes
        Samples that go through together.
    budget
        How long to repeat all of them in turns; each is repeated five times at least. [s]

    Returns
    -------
    dict
        The time of the fastest pass in fp32, by batch size. [s]

    Raises
    ------
    ArgumentError
        If the model has other layers, a batch size is no whole positive number, or the budget no
        positive time.
    """
    import numpy as np  # noqa: PLC0415

    given = Arguments("measure.time_mlp")
    seconds = given.quantity("budget", budget, "s")
    sizes = [given.count(f"batch_sizes[{i}]", n) for i, n in enumerate(batch_sizes)]
    given.close()
    widths = _widths(model)
    layers, passes = _layers(widths), []
    for n in sizes:
        x = np.random.default_rng(n).standard_normal((n, widths[0]), dtype=np.float32)
        outputs = [np.empty((n, width), dtype=np.float32) for width in widths[1:]]
        passes.append(partial(_forward, x, layers, outputs))
    fastest = _fastest(passes, seconds)
    return {n: ureg.Quantity(best * 1e3, "ms") for n, best in zip(sizes, fastest, strict=True)}
