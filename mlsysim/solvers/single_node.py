"""What limits a network on one device, how far the limit is, and how much batch fits."""

from dataclasses import dataclass
from typing import Any

from mlsysim.core.constants import Quantity
from mlsysim.core.engine import Engine
from mlsysim.core.models import Model
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Bottleneck
from mlsysim.core.specs import Accelerator
from mlsysim.format import Shown
from mlsysim.solvers.crossover import CrossoverResult, CrossoverSolver


@dataclass(frozen=True, kw_only=True, repr=False)
class SingleNodeResult(Shown):
    """One step on one device, in its surroundings.

    Parameters
    ----------
    profile
        The step, as the engine gives it.
    ideal
        The same step under the textbook roofline: no machine beats it.
    crossover
        The batch at which another resource limits.
    largest_batch
        The largest batch that fits the memory; 0 if none does, None if memory sets no limit.
    """

    profile: PerformanceProfile
    ideal: PerformanceProfile
    crossover: CrossoverResult
    largest_batch: int | None

    @property
    def latency(self) -> Quantity:
        """Time of the step."""
        return self.profile.latency

    @property
    def throughput(self) -> Quantity:
        """Tokens or samples finished per second."""
        return self.profile.throughput

    @property
    def bottleneck(self) -> Bottleneck:
        """What most of the time goes into."""
        return self.profile.bottleneck

    @property
    def fits(self) -> bool:
        """Whether it fits the device's memory."""
        return self.profile.fits

    @property
    def roofline_share(self) -> float:
        """Textbook time over estimated time: 1 would be perfection."""
        return float(self.ideal.terms.latency / self.profile.terms.latency)

    def _largest(self) -> int | str:
        if self.largest_batch is None:
            return "no limit: the cache is empty"
        return self.largest_batch

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return self.profile.title

    def rows(self) -> list[tuple[str, Any]]:
        """Return the profile and its surroundings."""
        return [
            *self.profile.rows(),
            ("Textbook latency", self.ideal.latency),
            ("Share of textbook speed", self.roofline_share),
            ("Crossover", self.crossover.reason),
            ("Largest batch that fits", self._largest()),
        ]


class SingleNodeModel:
    """Answers: which resource limits this network on this device?"""

    def solve(
        self,
        model: Model,
        hardware: Accelerator,
        batch_size: int = 1,
        **options: Any,
    ) -> SingleNodeResult:
        """Return one step on one device, the crossover batch and the largest batch that fits.

        Parameters
        ----------
        model, hardware, batch_size
            As for ``Engine.solve``, and so are all other arguments.

        Returns
        -------
        SingleNodeResult
            Latency and limits are those of ``Engine.solve``.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = SingleNodeModel().solve(model=Models.Llama3_8B, hardware=Hardware.Cloud.A100)
        >>> str(r.bottleneck), r.crossover.value
        ('Memory Bound', 41)
        """
        profile = Engine.solve(model, hardware, batch_size, **options)
        ideal = Engine.solve(
            model, hardware, batch_size, **{**options, "calibration": "ideal", "efficiency": None}
        )
        return SingleNodeResult(
            profile=profile,
            ideal=ideal,
            crossover=CrossoverSolver().solve(model, hardware, **options),
            largest_batch=largest_batch(model, hardware, **options),
        )


def largest_batch(model: Model, hardware: Accelerator, **options: Any) -> int | None:
    """Return the largest batch that fits the device's memory; 0 if not even one does.

    Memory grows linearly with the batch, so two solves are enough. Where it does not grow, as with an
    empty cache, memory sets no limit and the answer is None.

    Examples
    --------
    >>> from mlsysim import Hardware, Models
    >>> largest_batch(Models.Llama3_70B, Hardware.Cloud.A100)
    0
    """
    one, two = (Engine.solve(model, hardware, n, **options) for n in (1, 2))
    if not one.fits:
        return 0
    each = two.work.resident - one.work.resident
    if each == 0:
        return None
    return int((one.fit.capacity - one.work.resident) // each) + 1
