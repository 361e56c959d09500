r"""Where to run a job: the region that costs least once its carbon has a price.

.. math:: T_i = \underbrace{E_i\,e_i + D\,g_i}_{C_i} + p\,\underbrace{E_i\,c_i}_{M_i}, \quad
          E_i = E\,\mathrm{PUE}_i, \quad p_{ij} = \frac{C_j - C_i}{M_i - M_j}

:math:`E` machine energy, :math:`e_i` and :math:`c_i` price and carbon intensity of the region's electricity,
:math:`D` data that leaves it at :math:`g_i` for each byte, :math:`p` the carbon price. Each total is a line
in :math:`p`, so two regions change places at :math:`p_{ij}` alone. Yearly averages hide a grid's hours.

References
----------
.. [patterson2021] D. Patterson et al., "Carbon emissions and large neural network training", section 2.4.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, si, unit, ureg
from mlsysim.core.systems import Datacenter, Grid
from mlsysim.format import Shown, number, text


class LeftOut(Enum):
    """Why a region is not ranked."""

    NO_PRICE = "no electricity price is published"
    NO_LATENCY = "its latency is not given"
    TOO_FAR = "its latency is above the limit"
    NO_EGRESS = "its price for data that leaves is not given"


@dataclass(frozen=True, kw_only=True)
class Region:
    """A grid, and what else is known of a place on it.

    Parameters
    ----------
    grid, datacenter, latency, egress
        Its electricity, its data centre, the time to users [s] and the price of data that leaves. [USD/GB]
    """

    grid: Grid
    datacenter: Datacenter | None = None
    latency: Quantity | None = None
    egress: Quantity | None = None

    def __post_init__(self) -> None:
        given = Arguments(f"Region {self.grid}")
        for name, units in (("latency", "ms"), ("egress", "USD/GB")):
            if getattr(self, name) is not None:
                given.quantity(name, getattr(self, name), units, positive=False)
        given.close()

    def __str__(self) -> str:
        return str(self.grid)

    def lacks(self, limit: float | None, data: float) -> LeftOut | None:
        """Return why it cannot be compared, for a latency limit [s] and data that leaves; None if it can."""
        if self.grid.price is None:
            return LeftOut.NO_PRICE
        if limit is not None and self.latency is None:
            return LeftOut.NO_LATENCY
        if limit is not None and si("latency", self.latency, "ms", positive=False) > limit:
            return LeftOut.TOO_FAR
        return LeftOut.NO_EGRESS if data and self.egress is None else None

    def site(self, energy: float, pue: float, data: float) -> "Site":
        """Return what machine energy [J] and data [B] cost and emit here."""
        drawn = energy * (self.datacenter.pue if self.datacenter else pue)
        sent = data * si("egress", self.egress, "USD/GB", positive=False) if data else 0.0
        grams = drawn * si("carbon_intensity", self.grid.carbon_intensity, "g/kWh", positive=False)
        dollars = sent + drawn * si("price", self.grid.price, "USD/kWh", positive=False)
        return Site(region=self, dollars=dollars, grams=grams)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A region with what the job costs [USD] and emits [g] there."""

    region: Region
    dollars: float
    grams: float

    @property
    def cost(self) -> Quantity:
        """Electricity and data, without the price of carbon."""
        return ureg.Quantity(self.dollars, unit("USD"))

    @property
    def carbon(self) -> Quantity:
        """Emissions of the electricity."""
        return ureg.Quantity(self.grams / 1e3, unit("kg"))

    def total(self, rate: float) -> float:
        """Return the cost with carbon at *rate* USD/g. [USD]"""
        return self.dollars + rate * self.grams

    def __str__(self) -> str:
        return str(self.region)


class Flip(NamedTuple):
    """Another region becomes the best at this carbon price."""

    carbon_price: Quantity
    winner: Site


@dataclass(frozen=True, kw_only=True, repr=False)
class PlacementResult(Shown):
    """Regions in the order of what the job costs there, its carbon included.

    Parameters
    ----------
    ranked, left_out
        All that could be compared, the best first; the others, each with the reason.
    rate, flip_above, flip_below
        The carbon price, and the next one up and down at which the best changes; None if never. [USD/g]
    """

    ranked: tuple[Site, ...]
    left_out: tuple[tuple[Region, LeftOut], ...]
    rate: float
    flip_above: Flip | None
    flip_below: Flip | None

    @property
    def best(self) -> Site | None:
        """The region that costs least; None if all were left out."""
        return self.ranked[0] if self.ranked else None

    @property
    def counts(self) -> Mapping[LeftOut, int]:
        """How many regions were left out, by reason."""
        return Counter(reason for _, reason in self.left_out)

    def why(self, site: Site) -> str:
        """Return why a site lost: what it costs more, or emits more, than the best."""
        first, rate = self.ranked[0], self.rate
        more, carbon = site.total(rate) - first.total(rate), rate * (site.grams - first.grams)
        parts = ("-" * (x < 0) + "+" * (x > 0) + number(abs(x)) for x in (more, more - carbon, carbon))
        return "{}: {} USD, {} without carbon, {} for carbon".format(site, *parts)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Placement at a carbon price of {text(ureg.Quantity(self.rate * 1e6, unit('USD/tonne')))}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return the best, the runner-up, where the order flips, and what was left out."""
        best, rest = self.best, self.ranked[1:]
        left = [(f"Left out: {reason.value}", count) for reason, count in self.counts.items()]
        if best is None:
            return [("Best", "none: every region was left out"), *left]
        return [
            ("Best", str(best)),
            ("Cost", best.cost),
            ("Carbon", best.carbon),
            ("Total", ureg.Quantity(best.total(self.rate), unit("USD"))),
            ("Runner-up", self.why(rest[0]) if rest else "none"),
            ("Flips above", self.flip_above),
            ("Flips below", self.flip_below),
            ("Compared", len(self.ranked)),
            *left,
        ]


def _flip(ranked: list[Site], rate: float, sign: int) -> Flip | None:
    """Return the next carbon price above (1) or below (-1) *rate* at which another overtakes the first."""
    rivals = [(other, ranked[0].grams - other.grams) for other in ranked[1:]]
    prices = [((o.dollars - ranked[0].dollars) / cut, o) for o, cut in rivals if sign * cut > 0]
    reached = [pair for pair in prices if pair[0] >= 0 and sign * (pair[0] - rate) >= 0]
    if not reached:
        return None
    price, winner = min(reached, key=lambda pair: sign * pair[0])
    return Flip(ureg.Quantity(price * 1e6, unit("USD/tonne")), winner)


class PlacementOptimizer:
    """Answers: in which region does a job cost least, once its carbon has a price?"""

    def solve(
        self,
        regions: Iterable[Grid | Region],
        *,
        energy: Quantity,
        carbon_price: Quantity,
        pue: float | Datacenter = 1.0,
        latency_limit: Quantity | None = None,
        data: Quantity | None = None,
    ) -> PlacementResult:
        """Rank regions by what a job costs there.

        Parameters
        ----------
        regions
            Grids, or Regions where more is known than the grid.
        energy
            Energy of the machines, without the site's overhead. [kWh]
        carbon_price
            Price of emissions. [USD/tCO2]
        pue
            A Datacenter or a power usage effectiveness, where a region brings none; 1 counts machines alone.
        latency_limit, data
            Most time to the users, and data that leaves; a Region must then give its figure. [ms, GB]

        Returns
        -------
        PlacementResult
            Exact for the figures given; those without figures are counted by reason.

        Raises
        ------
        ArgumentError
            If an argument has no usable value; all that are wrong are named at once.

        Examples
        --------
        >>> from mlsysim import Infrastructure, Q_
        >>> r = PlacementOptimizer().solve(Infrastructure.where(kind="grid"), energy=Q_("1 MWh"),
        ...                                carbon_price=Q_("100 USD/tCO2"))
        >>> str(r.best)
        'Washington, United States (2023)'
        """
        given = Arguments("PlacementOptimizer.solve")
        machine = given.quantity("energy", energy, "kWh")
        rate = given.quantity("carbon_price", carbon_price, "USD/tonne", positive=False)
        limit = None if latency_limit is None else given.quantity("latency_limit", latency_limit, "ms")
        leaving = 0.0 if data is None else given.quantity("data", data, "GB")
        usual = pue.pue if isinstance(pue, Datacenter) else pue
        overhead = given.number("pue", usual, "a Datacenter or at least 1", lambda x: 1 <= x < float("inf"))
        listed = list(regions) if isinstance(regions, Iterable) else []
        places = [Region(grid=place) if isinstance(place, Grid) else place for place in listed]
        if not places or not all(isinstance(p, Region) and isinstance(p.grid, Grid) for p in places):
            given.fault(f"regions must list Grids or Regions, at least one; got {regions!r}")
        given.close()
        reasons = [(place, place.lacks(limit, leaving)) for place in places]
        sites = [place.site(machine, overhead, leaving) for place, reason in reasons if reason is None]
        ranked = sorted(sites, key=lambda site: (site.total(rate), site.grams, str(site)))
        return PlacementResult(
            ranked=tuple(ranked),
            left_out=tuple((place, reason) for place, reason in reasons if reason),
            rate=rate,
            flip_above=_flip(ranked, rate, 1),
            flip_below=_flip(ranked, rate, -1),
        )
