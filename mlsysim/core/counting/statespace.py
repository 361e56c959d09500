"""Selective state spaces: a constant state instead of a cache.

The recurrence of one inner channel and one state number is two multiply-adds and two products, six FLOP;
it is fused, so the state is read and written once a step.

References
----------
.. [gu2023] A. Gu, T. Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023.
"""

from typing import Any

from mlsysim.core.counting.work import Work
from mlsysim.core.models.statespace import StateSpace
from mlsysim.core.precision import Precision


def _matmul(m: StateSpace) -> float:
    """Matmul parameters of all blocks."""
    projections = 3 * m.width * m.inner + m.inner * (m.dt_rank + 2 * m.state) + m.dt_rank * m.inner
    return float(m.layers * projections)


def _blocks(m: StateSpace) -> float:
    """All parameters of all blocks: convolution, transition and skip besides the matmuls."""
    return _matmul(m) + m.layers * m.inner * (m.conv + m.state + 1)


def parameters(m: StateSpace) -> float:
    """Return the number of parameters."""
    return _blocks(m) + m.vocab * m.width * (1 if m.tied else 2)


def state_bytes(m: StateSpace, precision: Precision) -> float:
    """Return the bytes that one sequence keeps, at any context."""
    return m.layers * m.inner * (m.state + m.conv - 1) * precision.kv_bytes


def _step(m: StateSpace, precision: Precision, batch: Any, tokens: Any, moved: int) -> Work:
    table = float(m.vocab * m.width)
    recurrence = m.layers * m.inner * (2 * m.conv + 6 * m.state)
    state = state_bytes(m, precision) * batch
    return Work(
        matmul=2 * _matmul(m) * batch * tokens,
        other=(recurrence * tokens + 2 * table) * batch,
        rows=batch * tokens,
        weights=(_blocks(m) + table) * precision.weight_bytes,
        state=moved * state,
        activations=0.0,
        resident=parameters(m) * precision.weight_bytes + state,
        launches=m.layers,
        items=batch * tokens,
    )


def decode(m: StateSpace, precision: Precision, batch: Any) -> Work:
    """Count one token for each of *batch* sequences; the context does not matter."""
    return _step(m, precision, batch, 1.0, 2)


def prefill(m: StateSpace, precision: Precision, batch: Any, prompt: Any) -> Work:
    """Count the reading of *prompt* tokens by each of *batch* sequences; the state is written once."""
    return _step(m, precision, batch, prompt, 1)
