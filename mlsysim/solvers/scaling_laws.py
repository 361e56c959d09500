r"""Published laws of how the loss falls with size and data, each with its source.

.. math:: L(N, D) = E + \frac{A}{N^\alpha} + \frac{B}{D^\beta}

with :math:`N` parameters and :math:`D` tokens, in nats a token; :math:`E` is the loss of endless size and
data. Training costs :math:`C = 6ND` FLOP. Along the optimum :math:`\alpha A / N^\alpha = \beta B / D^\beta`.

Notes
-----
The laws were fitted to dense models of up to 16 billion parameters, on one corpus whose tokens were seen
about once. Far beyond the data, and far from the optimum, they extrapolate.

References
----------
.. [hoffmann2022] J. Hoffmann et al., "Training compute-optimal large language models", NeurIPS 2022.
.. [besiroglu2024] T. Besiroglu et al., "Chinchilla scaling: a replication attempt", 2024.
"""

import math
from dataclasses import dataclass
from typing import Final

from mlsysim.core.counting.training import PASSES

FLOPS_PER_PARAMETER: Final = 2.0 * PASSES
"""Training FLOP for each parameter and token: a multiply-add, once forward and twice backward."""


@dataclass(frozen=True, kw_only=True)
class TokenRule:
    """A fixed number of tokens for each parameter; it says nothing of the loss.

    Parameters
    ----------
    name, source
        What it is called, and where it is stated.
    ratio
        Tokens for each parameter. [token]

    Examples
    --------
    >>> CHINCHILLA.best_size(1.2e22), CHINCHILLA.best_tokens(1e10)
    (10000000000.0, 200000000000.0)
    """

    name: str
    source: str
    ratio: float

    def best_tokens(self, size: float) -> float:
        """Return the tokens on which a model of *size* parameters is compute-optimal."""
        return self.ratio * size

    def best_size(self, compute: float) -> float:
        """Return the parameters that make the most of *compute* FLOP."""
        return math.sqrt(compute / (FLOPS_PER_PARAMETER * self.ratio))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class LossLaw:
    """The loss as a sum of what is irreducible, what size lacks and what data lack.

    Parameters
    ----------
    name, source
        What it is called, and where its figures are stated.
    E, A, B, alpha, beta
        Figures of the fit, as in the equation above.

    Examples
    --------
    >>> law = LossLaw(name="round", source="here", E=1.0, A=10.0, B=10.0, alpha=0.5, beta=0.5)
    >>> law.loss(100.0, 100.0), law.best_size(600.0), law.least_size(3.0)
    (3.0, 10.0, 100.0)
    """

    name: str
    source: str
    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, size: float, tokens: float) -> float:
        """Return the loss of *size* parameters after *tokens* tokens."""
        return float(self.E + self.A * size**-self.alpha + self.B * tokens**-self.beta)

    def best_tokens(self, size: float) -> float:
        """Return the tokens on which a model of *size* parameters is compute-optimal."""
        return float((self.alpha * self.A * size**-self.alpha / (self.beta * self.B)) ** (-1 / self.beta))

    def best_size(self, compute: float) -> float:
        """Return the parameters that make the most of *compute* FLOP."""
        both = self.alpha + self.beta
        scale = (self.alpha * self.A / (self.beta * self.B)) ** (1 / both)
        return float(scale * (compute / FLOPS_PER_PARAMETER) ** (self.beta / both))

    def least_size(self, loss: float) -> float | None:
        """Return the parameters of the cheapest training that reaches *loss*; None if none does."""
        if loss <= self.E:
            return None
        balance = (loss - self.E) / (1 / self.alpha + 1 / self.beta)
        return float((self.alpha * self.A / balance) ** (1 / self.alpha))

    def tokens_to(self, loss: float, size: float) -> float | None:
        """Return the tokens after which *size* parameters reach *loss*; None if they never do."""
        left = loss - self.E - self.A * size**-self.alpha
        return float((self.B / left) ** (1 / self.beta)) if left > 0 else None

    def __str__(self) -> str:
        return self.name


CHINCHILLA: Final = TokenRule(
    name="20 tokens a parameter",
    source="A summary of Hoffmann et al., 2022, table 3 (approach 1: 20 to 22) and of the 70B/1.4T model",
    ratio=20.0,
)
"""The rule of thumb: 20 tokens a parameter."""

HOFFMANN: Final = LossLaw(
    name="Hoffmann 2022",
    source="Hoffmann et al., 2022, appendix D.2: approach 3, with the digits that the paper prints",
    E=1.69,
    A=406.4,
    B=410.7,
    alpha=0.34,
    beta=0.28,
)
"""The paper's fit, as printed."""

HOFFMANN_UNROUNDED: Final = LossLaw(
    name="Hoffmann 2022, unrounded",
    source="The same fit with the digits that Besiroglu et al., 2024, found in the paper's TeX source",
    E=1.6934,
    A=406.4,
    B=410.7,
    alpha=0.3392,
    beta=0.2849,
)
"""The same fit before rounding: a quarter larger models for 5.76e23 FLOP."""

BESIROGLU: Final = LossLaw(
    name="Besiroglu 2024",
    source="Besiroglu et al., 2024: fitted again to the points of the paper's figure 4 (B is 2085 +- 1293)",
    E=1.8172,
    A=482.01,
    B=2085.43,
    alpha=0.3478,
    beta=0.3658,
)
"""The paper's data, fitted again: it agrees with 20 tokens a parameter."""
