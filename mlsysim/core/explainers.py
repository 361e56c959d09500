"""Why one configuration is faster than another."""

from mlsysim.core.arguments import Arguments
from mlsysim.core.attribution import deliver, shapley_factors
from mlsysim.core.explanation import Explanation
from mlsysim.core.profile import PerformanceProfile
from mlsysim.core.specs import FrozenMap


class DifferentialExplainer:
    """Compares two profiles and says why their times differ."""

    @staticmethod
    def compare_performance(baseline: PerformanceProfile, proposal: PerformanceProfile) -> Explanation:
        """Explain the speed-up of *proposal* over *baseline*.

        Parameters
        ----------
        baseline, proposal
            Results of ``Engine.solve``.

        Returns
        -------
        Explanation
            Exact for the two profiles. Without factors where either does not fit.

        Raises
        ------
        ArgumentError
            If an argument is no profile.

        Examples
        --------
        >>> from mlsysim import Engine, Hardware, Models
        >>> a, b = (Engine.solve(model=Models.Llama3_8B, hardware=hw)
        ...         for hw in (Hardware.Cloud.A100, Hardware.Cloud.H100))
        >>> why = DifferentialExplainer.compare_performance(baseline=a, proposal=b)
        >>> f"{why.speedup:.2f} = {why.factors['bandwidth']:.3f} x {why.factors['compute']:.3f}"
        '1.39 = 1.345 x 1.036'
        """
        given = Arguments("DifferentialExplainer.compare_performance")
        for name, value in (("baseline", baseline), ("proposal", proposal)):
            if not isinstance(value, PerformanceProfile):
                given.fault(f"{name} must be a profile from Engine.solve; got {value!r}")
        given.close()
        if not (baseline.fits and proposal.fits):
            return Explanation(
                baseline=baseline,
                proposal=proposal,
                speedup=None,
                factors=FrozenMap({}),
                delivery=None,
            )
        a, b = baseline.terms, proposal.terms
        return Explanation(
            baseline=baseline,
            proposal=proposal,
            speedup=a.latency / b.latency,
            factors=FrozenMap(shapley_factors(a, b)),
            delivery=deliver(a, b),
        )
