"""How long a sweep takes: for each point, beside a scalar solve and beside NumPy written by hand.

Run from the root of the repository::

    python -m bench.sweep

Three ways to the same numbers in one run: ``Engine.sweep`` over 10⁴ and 10⁶ points, ``Engine.solve`` point by
point, and the time equation of dense decode written out for arrays. The second part sweeps 10⁷ points in an
interpreter of its own and prints its largest resident memory. Times are the best of several repetitions.
"""

import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from bench.speed import best, each
from mlsysim import Engine, Hardware, Models
from mlsysim.core.calibration import SERVING
from mlsysim.core.counting import kv_bytes_per_token, parameters
from mlsysim.core.models import Phase
from mlsysim.core.precision import precision

MODEL, GPU = Models.Llama3_8B, Hardware.Cloud.A100

LARGE = """
import resource, numpy as np
from mlsysim import Engine, Hardware, Models
r = Engine.sweep([Models.Llama3_8B, Models.Llama3_70B], [Hardware.A100, Hardware.H100], np.arange(1, 2501),
                 context=np.arange(0, 8000, 8))
assert r.size == 10**7
if {elasticities}:
    r.elasticities()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def axes(points: int) -> tuple[Any, Any]:
    """Return batches and contexts that make a grid of so many points, up to a million."""
    side = round(points**0.5)
    return np.arange(1, side + 1), np.arange(side) * 8


def by_hand(batch: Any, context: Any) -> dict[str, Any]:
    """Compute dense decode under ``serving`` as one would in a notebook, each array once."""
    m, c = MODEL, SERVING
    batch, context = batch[:, None].astype(float), context[None, :].astype(float)
    weights = parameters(m) - m.vocab * m.width
    cache = kv_bytes_per_token(m, precision("fp16")) * context * batch
    flops = (
        2 * weights * (np.ceil(batch / c.tile) * c.tile)
        + 4 * m.layers * m.heads * m.head_size * context * batch
    )
    compute = flops / (GPU.require_peak("fp16") * c.efficiency(Phase.DECODE))
    memory = (2 * weights + cache) / (GPU.bandwidth_si * c.memory_efficiency)
    overhead = c.step_seconds + m.layers * c.layer_seconds
    latency = np.maximum(compute, memory) + c.serial_fraction * np.minimum(compute, memory) + overhead
    resident = 2 * parameters(m) + cache
    return {
        "latency": latency,
        "throughput": batch / latency,
        "memory": resident,
        "bottleneck": np.where(np.maximum(compute, memory) < overhead, 2, np.where(compute > memory, 1, 0)),
        "feasible": resident <= GPU.capacity_si,
    }


def agree(points: int) -> None:
    """Make sure that both ways compute the same."""
    batch, context = axes(points)
    swept, written = Engine.sweep(MODEL, GPU, batch, context=context), by_hand(batch, context)
    for name, column in swept.columns.items():
        np.testing.assert_allclose(column.data, written[name], rtol=1e-12)


def measure() -> Mapping[str, float]:
    """Return seconds: of a solve, and of sweeps of 10⁴ and 10⁶ points by the engine and by hand.

    For ``bench.compare``: keys ``solve``, ``sweep 10000``, ``by hand 10000``, and so on.
    """
    found = {"solve": each(lambda: Engine.solve(MODEL, GPU, 64, context=1000).terms.latency)}
    for points, loops in ((10**4, 50), (10**6, 2)):
        batch, context = axes(points)
        agree(points)
        sweep = partial(Engine.sweep, MODEL, GPU, batch, context=context)
        found[f"sweep {points}"] = each(sweep, loops)
        found[f"by hand {points}"] = each(partial(by_hand, batch, context), loops)
    found["elasticities 1000000"] = _elasticities()
    return found


def _elasticities() -> float:
    batch, context = axes(10**6)
    swept = Engine.sweep(MODEL, GPU, batch, context=context)
    return each(swept.elasticities, 1)


def resident(*, elasticities: bool = False) -> float:
    """Return the largest resident bytes of an interpreter that sweeps 10⁷ points."""
    command = [sys.executable, "-c", LARGE.format(elasticities=elasticities)]
    return best(lambda: float(subprocess.check_output(command, text=True))) * 1024  # noqa: S603 - our own code


def lines() -> list[str]:
    """Return the table."""
    found = measure()
    solve = found["solve"]
    rows = [f"Engine.solve and its time       {solve * 1e6:8.1f} µs"]
    for points in (10**4, 10**6):
        swept, written = found[f"sweep {points}"], found[f"by hand {points}"]
        each_point = swept / points
        rows.append(
            f"Engine.sweep of {points:>9,} points{swept * 1e3:8.1f} ms   {each_point * 1e9:7.1f} ns a point, "
            f"{solve / each_point:7.0f} times less than a solve, {swept / written:5.2f} of NumPy by hand"
        )
    exact = found["elasticities 1000000"]
    rows.append(f"elasticities of 1,000,000       {exact * 1e3:8.1f} ms   {exact * 1e3:7.1f} ns a point")
    rows.append(f"10,000,000 points               {resident() / 1e6:8.0f} MB   largest resident memory")
    rows.append(f"and their elasticities          {resident(elasticities=True) / 1e6:8.0f} MB")
    return rows


if __name__ == "__main__":
    print("\n".join(lines()))
