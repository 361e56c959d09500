r"""Speculative decoding: when does a small model that guesses make a large one faster?

A draft model proposes :math:`\gamma` tokens one by one; the target reads them in one step and keeps those
that it agrees with, and adds one of its own. With a chance :math:`\alpha` for each guess, independent of
the others, a round brings

.. math:: E = \sum_{i=0}^{\gamma} \alpha^i = \frac{1 - \alpha^{\gamma + 1}}{1 - \alpha}, \qquad
          S = \frac{E \, T(B)}{\gamma \, t(B) + V(B, \gamma)}

tokens and the speed-up :math:`S`: :math:`T` is the target's step for :math:`B` sequences, :math:`t` the
draft's, :math:`V` the step that verifies :math:`\gamma + 1` tokens of each sequence.

Notes
-----
A decode step of :math:`B(\gamma + 1)` sequences does the arithmetic of the verification and reads the same
weights, but reads each cache :math:`\gamma + 1` times: it bounds :math:`V` from above. :math:`V` itself is
that step with each cache read once. Left out: sampling, the draft step after a round without a refusal, and
the growth of the cache in a round. Guesses are seldom independent: give a measured rate.

References
----------
.. [leviathan2023] Y. Leviathan et al., "Fast inference from transformers via speculative decoding", ICML.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import isclose
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.engine import Engine, check_pair
from mlsysim.core.models import Transformer
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown


class Speculation(StrEnum):
    """What guessing does to the time of a token."""

    FASTER = "faster than plain decoding"
    SLOWER = "no faster than plain decoding"
    DOES_NOT_FIT = "target, draft and both caches do not fit"


@dataclass(frozen=True, kw_only=True, repr=False)
class SpeculativeDecodingResult(Shown):
    """A round of guesses and its verification, beside plain decoding.

    Parameters
    ----------
    plain, draft
        One decode step of the target, and one of the draft.
    wide
        The decode step of ``batch_size * (draft_length + 1)`` sequences, which bounds the verification.
    verify_seconds
        Time of the verifying step, each cache read once. [s]
    acceptance, draft_length
        Chance that a guess is kept, and guesses in a round.
    fit
        Whether both models and both caches fit.
    best_draft_length, best_speedup
        The fastest of the lengths tried; 0 and 1 where plain decoding is best.
    """

    plain: PerformanceProfile
    draft: PerformanceProfile
    wide: PerformanceProfile
    verify_seconds: float
    acceptance: float
    draft_length: int
    fit: Fit
    best_draft_length: int
    best_speedup: float

    @property
    def expected_tokens(self) -> float:
        """Tokens that a round brings to each sequence, on average."""
        return sum(self.acceptance**i for i in range(self.draft_length + 1))

    def _token_seconds(self, verify: float) -> float:
        """Return the mean time of a token, where the verification takes *verify* seconds."""
        return float(self.draft_length * self.draft.terms.latency + verify) / self.expected_tokens

    @property
    def speedup(self) -> float:
        """Tokens per second over those of plain decoding."""
        return float(self.plain.terms.latency / self._token_seconds(self.verify_seconds))

    @property
    def speedup_bound(self) -> float:
        """The speed-up if each guess read the whole cache again: the least that it can be here."""
        return float(self.plain.terms.latency / self._token_seconds(self.wide.terms.latency))

    @property
    def extra_operations(self) -> float:
        """FLOP for a token that is kept, over those of plain decoding."""
        spent = self.draft_length * self.draft.work.flops + self.wide.work.flops
        return float(spent / (self.expected_tokens * self.plain.work.flops))

    @property
    def tpot(self) -> Quantity:
        """Mean time of an output token."""
        return ureg.Quantity(self._token_seconds(self.verify_seconds) * 1e3, unit("ms"))

    @property
    def fits(self) -> bool:
        """Whether both models and both caches fit."""
        return self.fit.fits

    @property
    def outcome(self) -> Speculation:
        """Whether it is worth while; what does not fit is not."""
        if not self.fits:
            return Speculation.DOES_NOT_FIT
        slower = self.speedup < 1 or isclose(self.speedup, 1)
        return Speculation.SLOWER if slower else Speculation.FASTER

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"{self.plain.title}, drafted by {self.draft.model}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return fit, speed-up and what it is made of."""
        return [
            ("Memory", str(self.fit)),
            ("Outcome", str(self.outcome)),
            ("Batch size", self.plain.batch_size),
            ("Acceptance", self.acceptance),
            ("Draft length", self.draft_length),
            ("Expected tokens", self.expected_tokens),
            ("Speedup", self.speedup),
            ("Speedup bound", self.speedup_bound),
            ("TPOT", self.tpot),
            ("Plain TPOT", self.plain.latency),
            ("Draft step", self.draft.latency),
            ("Verifying step", ureg.Quantity(self.verify_seconds * 1e3, unit("ms"))),
            ("Best draft length", self.best_draft_length),
            ("Best speedup", self.best_speedup),
            ("Calibration", self.plain.calibration.name),
        ]


class SpeculativeDecodingModel:
    """Answers: does a draft model make decoding faster, and how far ahead should it guess?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int = 1,
        precision: str | Precision = "fp16",
        *,
        draft: Transformer,
        acceptance: float,
        draft_length: int = 4,
        longest: int = 16,
        context: int = 0,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> SpeculativeDecodingResult:
        """Return the speed-up of a draft length, and the best of all lengths up to *longest*.

        Parameters
        ----------
        model, hardware, batch_size, precision, context, tp_size, link, calibration
            As for ``Engine.solve``.
        draft
            The model that guesses, on the same devices and with the same vocabulary.
        acceptance
            Chance that a guess is kept, from 0 to 1.
        draft_length, longest
            Guesses in a round, and the most that the search for the best tries. [token]

        Returns
        -------
        SpeculativeDecodingResult
            Tokens are exact for independent guesses; times are estimates of ``Engine.solve``.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or the vocabularies differ.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = SpeculativeDecodingModel().solve(
        ...     Models.Llama3_70B, Hardware.H200, draft=Models.Llama3_2_1B, acceptance=0.5, draft_length=2)
        >>> r.expected_tokens, str(r.outcome)  # 1 + 0.5 + 0.25
        (1.75, 'faster than plain decoding')
        """
        given = Arguments("SpeculativeDecodingModel.solve")
        check_pair(given, model, hardware)
        rate = given.number("acceptance", acceptance, "a chance from 0 to 1", lambda x: 0 <= x <= 1)
        sequences = given.count("batch_size", batch_size)
        number_format = given.take(parse_precision, precision, PRECISIONS["fp16"])
        guesses, most = given.count("draft_length", draft_length), given.count("longest", longest)
        end = given.count("context", context, least=0) + max(guesses, most) + 1
        for name, net in (("model", model), ("draft", draft)):
            if not isinstance(net, Transformer):
                given.fault(f"{name} must generate text, as Models.Llama3_8B does; got {net!r}")
            elif end > net.context:
                given.fault(
                    f"context and round, {end:,} tokens, exceed those of {net}, {net.context:,} tokens"
                )
        if isinstance(model, Transformer) and isinstance(draft, Transformer) and draft.vocab != model.vocab:
            given.fault(
                f"draft must share the target's vocabulary: {draft} has {draft.vocab:,} tokens, "
                f"{model} {model.vocab:,}. Choose a draft of the same family"
            )
        given.close()

        def step(net: Transformer, batch: int, tokens: int) -> PerformanceProfile:
            return Engine.solve(
                net, hardware, batch, number_format, context=tokens,
                tp_size=tp_size, link=link, calibration=calibration,
            )  # fmt: skip

        plain, small = step(model, sequences, context), step(draft, sequences, context)

        def of(length: int) -> SpeculativeDecodingResult:
            wide = step(model, sequences * (length + 1), context)
            once = wide.terms.traffic - plain.tp_size * (wide.work.state - plain.work.state)
            ends = [step(net, sequences, context + length + 1) for net in (model, draft)]
            return SpeculativeDecodingResult(
                plain=plain,
                draft=small,
                wide=wide,
                verify_seconds=float(replace(wide.terms, traffic=once).latency),
                acceptance=rate,
                draft_length=length,
                fit=replace(plain.fit, required=float(sum(e.work.resident for e in ends))),
                best_draft_length=0,
                best_speedup=1.0,
            )

        best = max(map(of, range(1, most + 1)), key=lambda r: r.speedup if r.fits else 0.0)
        if best.outcome is not Speculation.FASTER:
            return of(guesses)
        return replace(of(guesses), best_draft_length=best.draft_length, best_speedup=best.speedup)
