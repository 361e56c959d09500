"""Recommendation models: a few embedding rows and two small stacks for each sample.

References
----------
.. [naumov2019] M. Naumov et al., "Deep learning recommendation model for personalization and
   recommendation systems", 2019.
"""

from itertools import pairwise
from typing import Any

from mlsysim.core.counting.work import Work
from mlsysim.core.models.recommender import Recommender
from mlsysim.core.precision import Precision


def _dense(m: Recommender) -> tuple[float, float]:
    """Weights and biases of both stacks."""
    layers = [*pairwise(m.bottom), *pairwise((m.interaction, *m.top))]
    return float(sum(a * b for a, b in layers)), float(sum(b for _, b in layers))


def recommender_parameters(m: Recommender) -> float:
    """Return the number of parameters, embeddings and biases included."""
    return m.rows * m.width + sum(_dense(m))


def recommend(m: Recommender, precision: Precision, batch: Any) -> Work:
    """Count one forward pass over *batch* samples, one row of each table for each."""
    products, biases = _dense(m)
    vectors = m.tables + 1
    pairs = vectors * (vectors - 1) / 2
    item = precision.activation_bytes
    outputs = biases + m.interaction
    return Work(
        matmul=2 * products * batch,
        other=2 * pairs * m.width * batch,
        rows=batch,
        weights=products * precision.weight_bytes + m.tables * m.width * precision.weight_bytes * batch,
        state=0.0,
        activations=2 * outputs * item * batch,
        resident=recommender_parameters(m) * precision.weight_bytes + outputs * item * batch,
        launches=len(m.bottom) - 1 + len(m.top) + 1,
        items=batch,
    )
