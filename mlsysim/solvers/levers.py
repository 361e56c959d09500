r"""Any solver as a function from levers to one number: its elasticities, its inverse, its crossovers.

.. math:: e_x(\delta) = \frac{f(x + \delta x) - f(x - \delta x)}{2\,\delta f(x)}, \qquad
          \varepsilon_x = \tfrac43 e_x(\tfrac\delta2) - \tfrac13 e_x(\delta) + O(\delta^4)

The exact elasticity is that of a small step, extrapolated: at a kink, as at the change of a bottleneck, the
mean of the slopes of both sides. The inverse samples a range and bisects the first bracket of the target,
which may be another function of the same levers. Between samples it sees nothing.

References
----------
.. [richardson1911] L. F. Richardson, Phil. Trans. R. Soc. A 210, 1911, 307-357.
"""

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import ureg
from mlsysim.core.errors import ArgumentError, UnitError
from mlsysim.core.specs import FrozenMap
from mlsysim.format import Shown

_SMALL = 1e-4  # relative step of the exact elasticity: rounding leaves it some ten digits
_SHARES = tuple(i / 32 for i in range(1, 32))  # where the inverse samples its range, besides the ends
_CLOSE = 1e-6  # share of the bracket's distance from the target that a bisection leaves only at a jump


def _measure(value: Any) -> tuple[float, str]:
    """Return a quantity or a number in SI, and its dimension."""
    number = value.to_base_units().magnitude if hasattr(value, "to_base_units") else value
    if not isinstance(number, numbers.Real) or isinstance(number, bool) or math.isnan(number):
        raise ArgumentError(f"levers, targets and results must be numbers or quantities; got {value!r}")
    return float(number), str(getattr(value, "dimensionality", "dimensionless"))


@dataclass(frozen=True, kw_only=True, repr=False)
class ElasticityResult(Shown):
    """By how many percent a number changes for one percent more of each lever.

    Parameters
    ----------
    value, perturbation_pct
        What the function gives as things are, and by how much levers were turned each way. [%]
    sensitivities, exact
        Elasticity by lever: by central difference of that width, and in the limit.
    """

    value: Any
    perturbation_pct: float
    sensitivities: Mapping[str, float]
    exact: Mapping[str, float]

    @property
    def binding(self) -> str:
        """The lever with the largest exact elasticity, whatever its sign; the first of equals."""
        return max(self.exact, key=lambda lever: abs(self.exact[lever]))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Elasticity to {', '.join(self.exact)}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the elasticities, central and exact."""
        found = [(x, f"{e:+.4f} (exact {self.exact[x]:+.4f})") for x, e in self.sensitivities.items()]
        width = ("Perturbation", f"{self.perturbation_pct:g}%")
        return [("Value", self.value), width, *found, ("Binding", self.binding)]


class ElasticitySolver:
    """Answers: by how many percent does any result change for one percent more of a lever?"""

    def solve(
        self, function: Callable[..., Any], levers: Mapping[str, Any], *, perturbation_pct: float = 10.0
    ) -> ElasticityResult:
        """Return the elasticity of a function to each of its levers.

        Parameters
        ----------
        function
            Takes every lever by keyword; returns a quantity or a number, finite and not zero.
        levers
            Where they stand: quantities or numbers other than zero, by name.
        perturbation_pct
            Half-width of the central difference. [%]

        Returns
        -------
        ElasticityResult
            Central differences, and the limit to some eight digits.

        Raises
        ------
        ArgumentError
            If an argument has no usable value, or the function gives none.

        Examples
        --------
        >>> from dataclasses import replace
        >>> from mlsysim import Hardware, Models, Q_, ServingModel
        >>> def ttft(bandwidth):
        ...     device = replace(Hardware.H100, bandwidth=bandwidth)
        ...     return ServingModel().solve(Models.Llama3_8B, device).ttft
        >>> ElasticitySolver().solve(ttft, {"bandwidth": Q_("3.35 TB/s")}).binding
        'bandwidth'
        >>> from mlsysim.solvers.economics import EconomicsModel
        >>> def cost(rate, price):
        ...     r = EconomicsModel().solve(Hardware.H100, duration=Q_("1 h"), throughput=rate, price=price)
        ...     return r.per_million(r.rent)
        >>> now = {"rate": Q_("900 token/s"), "price": Q_("2 USD/hour")}
        >>> {name: round(e, 6) for name, e in ElasticitySolver().solve(cost, now).exact.items()}
        {'rate': -1.0, 'price': 1.0}
        """
        given = Arguments("ElasticitySolver.solve")
        pct = given.number("perturbation_pct", perturbation_pct, "above 0, below 100", lambda x: 0 < x < 100)
        if not callable(function) or not isinstance(levers, Mapping) or not levers:
            given.fault(f"give a function and a mapping of names to levers; got {function!r} and {levers!r}")
        for name, lever in levers.items() if isinstance(levers, Mapping) else ():
            if given.take(_measure, lever, (1.0, ""))[0] == 0:
                given.fault(f"{name} is 0, and one percent of it is nothing: start from another value")
        given.close()
        value = function(**levers)
        base = _measure(value)[0]
        if base == 0 or math.isinf(base):
            raise ArgumentError(f"ElasticitySolver.solve(): {value} from the function has no percentage")

        def slope(name: str, step: float) -> float:
            ends = ({**levers, name: levers[name] * (1 + change)} for change in (step, -step))
            up, down = (_measure(function(**end))[0] for end in ends)
            return (up - down) / (2 * step * base)

        exact = FrozenMap({x: (4 * slope(x, _SMALL / 2) - slope(x, _SMALL)) / 3 for x in levers})
        central = FrozenMap({x: slope(x, pct / 100) for x in levers})
        return ElasticityResult(value=value, perturbation_pct=pct, sensitivities=central, exact=exact)


class Outcome(Enum):
    """What became of a search."""

    FOUND = "found"
    JUMPS = "the value jumps over the target here"
    IMPOSSIBLE = "impossible: no value that was tried between low and high meets the target"


@dataclass(frozen=True, kw_only=True, repr=False)
class InverseResult(Shown):
    """Where a lever must stand for a function to meet its target.

    Parameters
    ----------
    outcome, lever, answer, value
        Whether the target is met, by which lever, where first, and what the function gives there; the
        closest that was tried where it is not met.
    monotone
        Whether the distance from the target only rose or only fell; if not, there may be more answers.
    """

    outcome: Outcome
    lever: str
    answer: Any
    value: Any
    monotone: bool

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Inverse by {self.lever}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the outcome first."""
        where = "Closest" if self.outcome is Outcome.IMPOSSIBLE else "Answer"
        course = "only one way" if self.monotone else "up and down: there may be more answers"
        return [
            ("Outcome", self.outcome.value),
            (where, self.answer),
            ("Value", self.value),
            ("Course", course),
        ]


class InverseSolver:
    """Answers: at which value of a lever does any result meet a target, or another result?"""

    def solve(
        self, function: Callable[..., Any], target: Any, *, lever: str, low: Any, high: Any, **levers: Any
    ) -> InverseResult:
        """Return where a function meets its target.

        Parameters
        ----------
        function, target
            As for ``ElasticitySolver``, and what it is to give; or another such function, to cross it.
        lever, low, high, **levers
            What is turned, and from where to where; two whole numbers search whole numbers, for the first
            at which the target is met or passed. The other levers stay.

        Returns
        -------
        InverseResult
            Exact to rounding where found; "impossible" is an outcome.

        Raises
        ------
        ArgumentError, UnitError
            If an argument has no usable value; if value and target are of different dimensions.

        Examples
        --------
        >>> InverseSolver().solve(lambda x: x**2, 9.0, lever="x", low=1.0, high=27.0).outcome.value
        'found'
        """
        given = Arguments("InverseSolver.solve")
        (start, kind), (end, other) = (given.take(_measure, x, (1.0, "")) for x in (low, high))
        if not callable(function) or kind != other or not start < end < math.inf:
            given.fault(f"give a function, and low below high, of one unit; got {function!r}, {low}, {high}")
        given.close()
        whole, units = isinstance(low, int) and isinstance(high, int), getattr(low, "units", None)

        def at(x: float) -> tuple[float, Any, Any]:
            turned = {**levers, lever: x if units is None else ureg.Quantity(x, units)}
            value, wanted = function(**turned), target(**turned) if callable(target) else target
            (now, one), (aim, two) = _measure(value), _measure(wanted)
            if one != two:
                raise UnitError(f"InverseSolver.solve(): the function gives {value}, the target is {wanted}")
            return now - aim, turned[lever], value

        a, b = (low, high) if units is None else (low.magnitude, high.to(units).magnitude)
        inner = [a * (b / a) ** share if a > 0 else a + (b - a) * share for share in _SHARES]
        points = sorted({a, *map(round, inner), b}) if whole else [a, *inner, b]
        tried = [at(x) for x in points]
        pairs = [(before[0], after[0]) for before, after in pairwise(tried)]
        turn = next((i for i, (x, y) in enumerate(pairs) if x * y <= 0), None)
        found, outcome = min(tried, key=lambda point: abs(point[0])), Outcome.IMPOSSIBLE
        if turn is not None:
            (lo, hi), left = points[turn : turn + 2], pairs[turn][0]
            found, outcome = tried[turn + (left != 0)], Outcome.FOUND
            while left and lo < (middle := (lo + hi) // 2 if whole else (lo + hi) / 2) < hi:
                new = at(middle)
                lo, hi, found = (middle, hi, found) if new[0] * left > 0 else (lo, middle, new)
            widest = max((abs(gap) for gap in pairs[turn] if math.isfinite(gap)), default=0.0)
            if not whole and abs(found[0]) > _CLOSE * widest:
                outcome = Outcome.JUMPS
        course = all(x <= y for x, y in pairs) or all(x >= y for x, y in pairs)
        return InverseResult(outcome=outcome, lever=lever, answer=found[1], value=found[2], monotone=course)
