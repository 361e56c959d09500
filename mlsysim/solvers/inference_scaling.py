r"""What thinking longer costs: time, concurrency and devices for a question that takes many tokens.

A question of :math:`I` tokens is answered :math:`n` times with :math:`R` tokens of reasoning and :math:`A`
of answer, :math:`O = R + A`. With :math:`q` questions at once,

.. math:: T = T_{prefill}(q, I) + (O - 1)\, T_{decode}(q n, I + O/2)

The step grows with the context, so time grows faster than :math:`O`, by ``cache_growth``; the cache of
:math:`q n (I + O)` tokens must fit, so fewer questions go together. If each attempt is right with the chance
:math:`p`, independently of the others,

.. math:: c_n = 1 - (1 - p)^n, \qquad v_n = \sum_{k > n/2} \binom{n}{k} p^k (1 - p)^{n - k}

are the chances that one of them is (coverage: an infallible judge picks it) and that more than half are.

Notes
-----
The prompt is read once for all attempts, but each holds a cache of its own. All questions of a batch start
and end together (static batching) and are equally long; the judge is free. Chances differ between questions,
so real coverage is lower than that of the mean :math:`p`. A vote is won with less than half where wrong
answers differ: :math:`v_n` bounds it from below.

References
----------
.. [brown2024] B. Brown et al., "Large language monkeys", 2024.
"""

import math
from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.calibration import Calibration
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.engine import Engine
from mlsysim.core.models import Phase, Transformer
from mlsysim.core.precision import Precision
from mlsysim.core.profile import Fit, PerformanceProfile
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Link
from mlsysim.format import Shown
from mlsysim.solvers.serving import ServingModel, ServingResult


@dataclass(frozen=True, kw_only=True, repr=False)
class InferenceScalingResult(Shown):
    """Questions answered with a number of attempts and a length of reasoning.

    Parameters
    ----------
    serving
        All attempts as a batch of requests: its decode step, its cache and its limit of concurrency.
    prefill, first
        The step that reads the questions once, and the first decode step.
    questions, samples
        Questions at once, and attempts at each.
    reasoning
        Tokens of each attempt before its answer. [token]
    accuracy, rate
        Chance that an attempt is right, and questions that arrive, each if given. [1/s]
    """

    serving: ServingResult
    prefill: PerformanceProfile
    first: PerformanceProfile
    questions: int
    samples: int
    reasoning: int
    accuracy: float | None
    rate: float | None

    @property
    def fit(self) -> Fit:
        """Whether weights and the whole cache fit when the last token is written."""
        return self.serving.fit

    @property
    def fits(self) -> bool:
        """Whether they fit."""
        return self.serving.fits

    @property
    def seconds(self) -> float:
        """Seconds from the question to the end of the answer."""
        written = (self.serving.output - 1) * self.serving.decode.terms.latency
        return float(self.prefill.terms.latency + written)

    @property
    def latency(self) -> Quantity:
        """Time from the question to the end of the answer."""
        return ureg.Quantity(self.seconds, unit("s"))

    @property
    def cache_growth(self) -> float:
        """Mean decode step over the first one: what the growing cache adds."""
        return float(self.serving.decode.terms.latency / self.first.terms.latency)

    @property
    def tokens(self) -> int:
        """Tokens that are written for a question, in all attempts."""
        return self.samples * self.serving.output

    @property
    def max_questions(self) -> int:
        """Questions whose attempts fit together; 0 if not even one does."""
        return self.serving.max_concurrency // self.samples

    @property
    def throughput(self) -> Quantity:
        """Questions answered per second by the machine."""
        return ureg.Quantity(self.questions / self.seconds, unit("1/s"))

    @property
    def throughput_per_device(self) -> Quantity:
        """Questions that one device answers per hour."""
        return ureg.Quantity(self.throughput.to("1/h").magnitude / self.prefill.tp_size, unit("1/h"))

    @property
    def devices(self) -> int | None:
        """Fewest devices that keep up with the rate; None without one, or where a batch does not fit."""
        machines = math.ceil((self.rate or 0) * self.seconds / self.questions)
        return machines * self.prefill.tp_size if self.rate and self.fits else None

    @property
    def coverage(self) -> float | None:
        """Chance that at least one attempt is right."""
        return None if self.accuracy is None else 1 - (1 - self.accuracy) ** self.samples

    @property
    def majority(self) -> float | None:
        """Chance that more than half of the attempts are right."""
        if self.accuracy is None or self.accuracy in (0, 1):
            return self.accuracy
        n, odds = self.samples, math.log(self.accuracy) - math.log1p(-self.accuracy)
        none = n * math.log1p(-self.accuracy) + math.lgamma(n + 1)
        ways = ((k, math.lgamma(k + 1) + math.lgamma(n - k + 1)) for k in range(n // 2 + 1, n + 1))
        return sum(math.exp(none + k * odds - same) for k, same in ways)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Answers of {self.serving.decode.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return fit, times and rates."""
        chances: list[tuple[str, Any]] = []
        if self.accuracy is not None:
            chances = [("Accuracy", self.accuracy), ("Coverage", self.coverage), ("Majority", self.majority)]
        return [
            ("Memory", str(self.fit)),
            ("Prompt", self.serving.prompt),
            ("Reasoning", self.reasoning),
            ("Output", self.serving.output),
            ("Samples", self.samples),
            ("Questions at once", self.questions),
            ("Max questions", self.max_questions),
            ("Latency", self.latency),
            ("Cache growth", self.cache_growth),
            ("Tokens per question", self.tokens),
            ("Throughput", self.throughput),
            ("Throughput per device", self.throughput_per_device),
            ("Throughput per device and day", self.throughput_per_device.to(unit("1/day"))),
            *([] if self.rate is None else [("Devices", self.devices)]),
            *chances,
            ("Calibration", self.prefill.calibration.name),
        ]


class InferenceScalingModel:
    """Answers: what does it cost to think longer, or to try more often?"""

    def solve(
        self,
        model: Transformer,
        hardware: Accelerator,
        batch_size: int | None = None,
        precision: str | Precision = "fp16",
        *,
        prompt: int = 512,
        reasoning: int = 0,
        answer: int = 128,
        samples: int = 1,
        accuracy: float | None = None,
        arrival_rate: Quantity | None = None,
        tp_size: int = 1,
        link: Link | None = None,
        calibration: str | Calibration | None = None,
    ) -> InferenceScalingResult:
        """Return time, concurrency and devices for questions with reasoning and repeated attempts.

        Parameters
        ----------
        model, hardware, precision, tp_size, link, calibration
            As for ``ServingModel.solve``.
        batch_size
            Questions at once; as many as fit (at least one) if left out.
        prompt, reasoning, answer
            Tokens of the question, and of each attempt. [token]
        samples, accuracy
            Attempts at each question, and the chance from 0 to 1 that one is right.
        arrival_rate
            Questions that arrive. [1/s]

        Returns
        -------
        InferenceScalingResult
            Times are estimates of ``ServingModel``; devices are the fewest without queues.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = InferenceScalingModel().solve(
        ...     Models.Llama3_8B, Hardware.Cloud.H100, 1, reasoning=1000, samples=2, accuracy=0.5)
        >>> r.tokens, r.coverage  # 2 · 1,128; 1 − 0.5²
        (2256, 0.75)
        """
        given = Arguments("InferenceScalingModel.solve")
        tries, written = given.count("samples", samples), given.count("answer", answer)
        written += given.count("reasoning", reasoning, least=0)
        together = 1 if batch_size is None else given.count("batch_size", batch_size)
        if accuracy is not None:
            given.number("accuracy", accuracy, "a chance from 0 to 1", lambda x: 0 <= x <= 1)
        rate = None if arrival_rate is None else given.quantity("arrival_rate", arrival_rate, "1/s")
        given.close()
        shared: dict[str, Any] = {"tp_size": tp_size, "link": link, "calibration": calibration}

        def serve(questions: int) -> ServingResult:
            lengths = {"prompt": prompt, "output": written, **shared}
            return ServingModel().solve(model, hardware, questions * tries, precision, **lengths)

        served = serve(together)
        if batch_size is None:
            together = max(1, served.max_concurrency // tries)
            served = serve(together)
        reading = {"phase": Phase.PREFILL, "prompt": prompt, **shared}
        return InferenceScalingResult(
            serving=served,
            prefill=Engine.solve(model, hardware, together, precision, **reading),
            first=Engine.solve(model, hardware, together * tries, precision, context=prompt, **shared),
            questions=together,
            samples=tries,
            reasoning=reasoning,
            accuracy=accuracy,
            rate=rate,
        )
