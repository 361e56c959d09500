r"""How large a model, on how many tokens, for a budget of arithmetic?

Training :math:`N` parameters on :math:`D` tokens costs :math:`C = 6ND` FLOP: two for each parameter and
token going forward, twice that going back. The law that is asked gives the best split of a budget; a law of
the loss gives the loss too:

.. math:: N^* = G \left(\frac{C}{6}\right)^{\frac{\beta}{\alpha + \beta}}, \quad
          G = \left(\frac{\alpha A}{\beta B}\right)^{\frac{1}{\alpha + \beta}}, \quad D^* = \frac{C}{6 N^*}

Notes
-----
:math:`6ND` leaves attention scores out, and :math:`N` is all parameters, although the input embedding does no
arithmetic. ``counted_compute`` is what ``core.counting`` counts for a model and a length of sequence: scores
over the causal half of it counted, the embedding table not. Repeated data and inference are left out.

References
----------
.. [hoffmann2022] J. Hoffmann et al., "Training compute-optimal large language models", NeurIPS 2022.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.counting import count
from mlsysim.core.counting import parameters as all_parameters
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import PRECISIONS
from mlsysim.format import Shown
from mlsysim.solvers.scaling_laws import CHINCHILLA, FLOPS_PER_PARAMETER, LossLaw, TokenRule

_ALONE, _PAIRS = ("compute", "parameters", "loss"), ("compute parameters", "compute tokens")
_COMPLETE = (*_ALONE, *_PAIRS, "parameters tokens", "parameters loss")
"""What fixes a training, alone or with the law's optimum."""


class Reach(StrEnum):
    """Whether a loss can be reached."""

    REACHED = "reached"
    TOO_SMALL = "no number of tokens brings a model of this size there"
    IRREDUCIBLE = "at or below the irreducible loss: no model gets there"


@dataclass(frozen=True, kw_only=True, repr=False)
class ScalingResult(Shown):
    """A training, and how far it is from the compute-optimal one; None where the loss is out of reach.

    Parameters
    ----------
    law
        The law that was asked.
    reach
        Whether the loss that was asked for can be reached.
    parameters, tokens
        Size and data of the training.
    counted
        FLOP that ``core.counting`` counts for it, where a model was given. [FLOP]
    """

    law: TokenRule | LossLaw
    reach: Reach
    parameters: float | None
    tokens: float | None
    counted: float | None = None

    @property
    def flops(self) -> float | None:
        """FLOP of the training, as 6ND."""
        if self.parameters is None or self.tokens is None:
            return None
        return FLOPS_PER_PARAMETER * self.parameters * self.tokens

    @property
    def compute(self) -> Quantity | None:
        """Arithmetic of the training, as 6ND."""
        return None if self.flops is None else ureg.Quantity(self.flops / 1e21, unit("ZFLOP"))

    @property
    def counted_compute(self) -> Quantity | None:
        """Arithmetic of the training, as counted."""
        return None if self.counted is None else ureg.Quantity(self.counted / 1e21, unit("ZFLOP"))

    @property
    def loss(self) -> float | None:
        """Loss after the training, in nats a token; None where the law gives none."""
        if not isinstance(self.law, LossLaw) or self.parameters is None or self.tokens is None:
            return None
        return self.law.loss(self.parameters, self.tokens)

    @property
    def tokens_per_parameter(self) -> float | None:
        """Tokens for each parameter."""
        return None if self.parameters is None or self.tokens is None else self.tokens / self.parameters

    @property
    def overtraining(self) -> float | None:
        """Tokens over those on which a model of this size is compute-optimal."""
        if self.parameters is None or self.tokens is None:
            return None
        return self.tokens / self.law.best_tokens(self.parameters)

    @property
    def excess_compute(self) -> float | None:
        """Arithmetic over the least that reaches the same loss; at least 1."""
        if self.loss is None or self.flops is None or not isinstance(self.law, LossLaw):
            return None
        size = self.law.least_size(self.loss)
        return (
            None if size is None else self.flops / (FLOPS_PER_PARAMETER * size * self.law.best_tokens(size))
        )

    @property
    def title(self) -> str:
        """Which law was asked."""
        return f"Training by {self.law}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return whether it can be reached, and what it takes."""
        return [
            ("Reach", str(self.reach)),
            ("Parameters", self.parameters),
            ("Tokens", self.tokens),
            ("Tokens per parameter", self.tokens_per_parameter),
            ("Compute", self.compute),
            ("Counted compute", self.counted_compute),
            ("Loss", self.loss),
            ("Overtraining", self.overtraining),
            ("Excess compute", self.excess_compute),
        ]


class ScalingModel:
    """Answers: how large a model, on how many tokens, and what loss comes out?"""

    def solve(
        self,
        model: Transformer | None = None,
        *,
        compute: Quantity | None = None,
        parameters: float | None = None,
        tokens: float | None = None,
        loss: float | None = None,
        context: int | None = None,
        law: TokenRule | LossLaw = CHINCHILLA,
    ) -> ScalingResult:
        """Return the training that two of these fix, or that one of them and the law's optimum fix.

        Parameters
        ----------
        model
            A dense language model whose parameters are meant, in place of *parameters*.
        compute
            Budget of the training. [FLOP]
        parameters, tokens
            Size, and tokens that it is trained on. [token]
        loss
            The loss that is wanted, in nats a token; with a size, the tokens that it takes are sought.
        context
            Length of the sequences, with a model: its arithmetic is counted too. [token]
        law
            ``CHINCHILLA`` (20 tokens a parameter), ``HOFFMANN``, ``HOFFMANN_UNROUNDED``, ``BESIROGLU`` of
            ``mlsysim.solvers.scaling_laws``, or one of your own.

        Returns
        -------
        ScalingResult
            Exact for the law, which is an empirical fit. A loss out of reach is an outcome.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or too few or too many are given.

        Examples
        --------
        >>> from mlsysim import Q_
        >>> r = ScalingModel().solve(compute=Q_("5.76e23 FLOP"))
        >>> f"{r.parameters / 1e9:.0f} billion parameters, {r.tokens / 1e12:.1f} trillion tokens"
        '69 billion parameters, 1.4 trillion tokens'
        """
        given = Arguments("ScalingModel.solve")
        size = self._size(given, model, parameters)
        budget = None if compute is None else given.quantity("compute", compute, "ZFLOP")
        data, target = self._positive(given, "tokens", tokens), self._positive(given, "loss", loss)
        if not isinstance(law, TokenRule | LossLaw):
            given.fault(f"law must be a LossLaw or a TokenRule such as CHINCHILLA; got {law!r}")
        elif target is not None and not isinstance(law, LossLaw):
            given.fault(f"law {law.name!r} says nothing of a loss: use a LossLaw such as HOFFMANN")
        known = {"compute": budget, "parameters": size, "tokens": data, "loss": target}
        named = " ".join(name for name, value in known.items() if value is not None)
        if named not in _COMPLETE:
            given.fault(
                "give compute, parameters (or a model) or loss alone, two of compute, parameters and tokens, "
                f"or parameters and loss; got {named.replace(' ', ' and ') or 'none'}"
            )
        length = None if context is None else float(given.count("context", context))
        if length is not None and model is None:
            given.fault("context is for counting the arithmetic of a model: give model too")
        given.close()
        size, data, reach = _complete(law, size, data, budget, target)
        counted = None
        if model is not None and length is not None and data is not None:
            work = count(model, Phase.TRAIN, PRECISIONS["bf16"], batch=1.0, prompt=length)
            counted = float(data * work.flops / work.items)
        return ScalingResult(law=law, reach=reach, parameters=size, tokens=data, counted=counted)

    @staticmethod
    def _positive(given: Arguments, name: str, value: Any) -> float | None:
        """Return a number above 0 if there is one."""
        if value is None:
            return None
        return given.number(name, value, "a number above 0", lambda x: 0 < x < float("inf"))

    def _size(self, given: Arguments, model: Any, parameters: Any) -> float | None:
        """Return the parameters that are given or those of a dense language model, if there are any."""
        if model is None:
            return self._positive(given, "parameters", parameters)
        if not isinstance(model, Transformer) or model.experts:
            given.fault(f"model must be a dense language model, as those of the laws are; got {model!r}")
            return 1.0
        if parameters is not None:
            given.fault(f"model and parameters both give a size: leave one out; got {model}, {parameters!r}")
        return all_parameters(model)


_Maybe = float | None


def _complete(
    law: TokenRule | LossLaw, size: _Maybe, data: _Maybe, budget: _Maybe, target: _Maybe
) -> tuple[_Maybe, _Maybe, Reach]:
    """Return size and tokens of the training, and whether the loss that was asked for can be reached."""
    if target is not None and isinstance(law, LossLaw):
        if target <= law.E:
            return size, None, Reach.IRREDUCIBLE
        if size is not None:
            data = law.tokens_to(target, size)
            return size, data, Reach.REACHED if data else Reach.TOO_SMALL
        size = law.least_size(target)
    if budget is not None:
        size = size or (budget / FLOPS_PER_PARAMETER / data if data else law.best_size(budget))
        return size, budget / FLOPS_PER_PARAMETER / size, Reach.REACHED
    return size, data or (None if size is None else law.best_tokens(size)), Reach.REACHED
