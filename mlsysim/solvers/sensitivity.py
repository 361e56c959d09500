r"""Which resource is worth investing in: elasticities of the step's time.

The elasticity to a resource :math:`x` is :math:`e_x = (\partial T / T) / (\partial x / x)`: the percentage
by which time changes for one percent more of :math:`x`. With overhead share :math:`s` the exact ones obey
:math:`e_{bw} + e_{peak} - s = -1`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity
from mlsysim.core.engine import Engine
from mlsysim.core.models import Model
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.roofline import Lever, Terms
from mlsysim.core.specs import Accelerator, FrozenMap
from mlsysim.format import Shown, plain

_NARROWEST = 1e-4
"""Below this half-width, in percent, the difference of two times is rounding noise."""

_TERM: Mapping[Lever, str] = FrozenMap(
    {
        Lever.PEAK_FLOPS: "peak",
        Lever.MEMORY_BANDWIDTH: "bandwidth",
        Lever.OVERHEAD: "overhead",
        Lever.LINK_BANDWIDTH: "link_bandwidth",
    }
)


def central_elasticity(terms: Terms, lever: Lever, step: float) -> float:
    """Return the elasticity by a central difference of plus and minus *step*."""
    name = _TERM[lever]
    value = getattr(terms, name)
    up = replace(terms, **{name: value * (1 + step)}).latency
    down = replace(terms, **{name: value * (1 - step)}).latency
    return float((up - down) / (2 * step * terms.latency))


@dataclass(frozen=True, kw_only=True, repr=False)
class SensitivityResult(Shown):
    """Elasticities of the step's time, and the constraint that binds.

    Parameters
    ----------
    profile
        The baseline.
    perturbation_pct
        Half-width of the central difference. [%]
    sensitivities
        Elasticity by lever, by central difference; negative where more of it helps.
        ``memory_capacity`` is 0 where the model fits (capacity is a threshold, not a slope) and is
        left out where it does not. ``link_bandwidth`` stands where several devices share the step.
    exact
        The same elasticities in closed form.
    """

    profile: PerformanceProfile
    perturbation_pct: float
    sensitivities: Mapping[Lever, float]
    exact: Mapping[Lever, float]

    @property
    def baseline_latency(self) -> Quantity:
        """Time of the step as it is."""
        return self.profile.latency

    @property
    def binding_constraint(self) -> Lever:
        """The lever with the largest exact elasticity; it agrees with the bottleneck."""
        order = (Lever.MEMORY_BANDWIDTH, Lever.PEAK_FLOPS, Lever.OVERHEAD, Lever.LINK_BANDWIDTH)
        return max(
            (lever for lever in order if lever in self.exact), key=lambda lever: abs(self.exact[lever])
        )

    @property
    def fits(self) -> bool:
        """Whether the model fits; if not, the elasticities are those of a device that held it."""
        return self.profile.fits

    def speedup(self, lever: Lever | str, change: float) -> float:
        """Return the speed-up from changing one resource by a factor, all else equal.

        Unlike an elasticity this is no slope: it solves again.

        Raises
        ------
        ArgumentError
            If *lever* is none of this result's, or *change* is not positive.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = SensitivitySolver().solve(model=Models.Llama3_70B, hardware=Hardware.Cloud.A100)
        >>> f"{1 - 1 / r.speedup('memory_bandwidth', 1.10):.1%} less time"
        '7.9% less time'
        """
        given = Arguments("SensitivityResult.speedup")
        if not isinstance(lever, str) or lever not in set(_TERM):
            given.fault(f"lever must be one of {', '.join(_TERM)}; got {lever!r}")
        given.number("change", change, "a factor above 0", lambda x: 0 < x < float("inf"))
        given.close()
        terms, name = self.profile.terms, _TERM[Lever(lever)]
        changed = replace(terms, **{name: getattr(terms, name) * change})
        return float(terms.latency / changed.latency)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, unrounded."""
        return {
            **super().to_dict(),
            "sensitivities": plain(self.sensitivities),
            "exact": plain(self.exact),
        }

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Sensitivity of {self.profile.title}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the elasticities, central and exact."""
        levers: list[tuple[str, Any]] = [
            (str(lever), f"{value:+.4f} (exact {self.exact[lever]:+.4f})")
            for lever, value in self.sensitivities.items()
            if lever in self.exact
        ]
        return [
            ("Baseline latency", self.baseline_latency),
            ("Perturbation", f"{self.perturbation_pct:g}%"),
            *levers,
            ("Binding constraint", self.binding_constraint),
            ("Memory", str(self.profile.fit)),
        ]


class SensitivitySolver:
    """Answers: which resource is worth investing in?"""

    def solve(
        self,
        model: Model,
        hardware: Accelerator,
        *args: Any,
        perturbation_pct: float = 10.0,
        **options: Any,
    ) -> SensitivityResult:
        """Return the elasticity of the step's time to each resource.

        Parameters
        ----------
        model, hardware
            As for ``Engine.solve``, and so are all other arguments.
        perturbation_pct
            Half-width of the central difference, from 0.0001 to below 100. [%]

        Returns
        -------
        SensitivityResult
            Central differences, and the exact elasticities beside them.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.

        Examples
        --------
        >>> from mlsysim import Hardware, Models
        >>> r = SensitivitySolver().solve(model=Models.Llama3_70B, hardware=Hardware.Cloud.A100)
        >>> f"{r.sensitivities['memory_bandwidth']:+.3f}", str(r.binding_constraint)
        ('-0.880', 'memory_bandwidth')
        """
        given = Arguments("SensitivitySolver.solve")
        step = given.number(
            "perturbation_pct", perturbation_pct, "above 0 and below 100", lambda x: 0 < x < 100
        )
        if step < _NARROWEST:
            given.fault(
                f"perturbation_pct must be at least {_NARROWEST:g}, or rounding drowns the difference; "
                f"got {perturbation_pct!r}"
            )
        given.close()
        profile = Engine.solve(model, hardware, *args, **options)
        shared = profile.tp_size > 1
        levers = [lever for lever in _TERM if shared or lever is not Lever.LINK_BANDWIDTH]
        exact = profile.terms.elasticities()
        central = {lever: central_elasticity(profile.terms, lever, step / 100) for lever in levers}
        if profile.fits:
            central[Lever.MEMORY_CAPACITY] = 0.0
        return SensitivityResult(
            profile=profile,
            perturbation_pct=step,
            sensitivities=FrozenMap({lever: central[lever] for lever in Lever if lever in central}),
            exact=FrozenMap({lever: exact[lever] for lever in levers}),
        )
