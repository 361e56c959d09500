r"""What machines cost, rented or owned, for a run or for a million tokens.

.. math:: C_{rent} = N r t, \quad C_{own} = N K \left(\tfrac{1}{L} + m\right) t + e\,N P s u t\,\mathrm{PUE},
          \quad u^* = \frac{K (1/L + m)}{r - e P s\,\mathrm{PUE}}

:math:`N` devices are held for the time :math:`t` and work for the share :math:`u` of it: rental price
:math:`r`, purchase price :math:`K`, lifetime :math:`L`, upkeep :math:`m` a year as a share of :math:`K`,
electricity price :math:`e`, power :math:`P s`. Rent is due for all of the time, depreciation is linear. At
:math:`u^*` owning costs what renting the working hours does. No staff, buildings, interest or resale.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Q_, Quantity, si, unit, ureg
from mlsysim.core.profile import Fit
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Datacenter, Fleet, Grid, Node, Price
from mlsysim.format import Shown
from mlsysim.solvers.sustainability import Machines, read_machines


class Choice(Enum):
    """Which of the two ways costs less."""

    RENT = "renting"
    OWN = "owning"
    ONE = "only one way was priced"
    WITHHELD = "not priced: the configuration does not fit"

    def __str__(self) -> str:
        return self.value


class Ownership(NamedTuple):
    """Purchase price of all devices; what of it the time uses up; upkeep and electricity. [USD]"""

    capex: float
    depreciation: float
    opex: float


@dataclass(frozen=True, kw_only=True, repr=False)
class EconomicsResult(Shown):
    """What machines cost for the time that they are held.

    Parameters
    ----------
    machines, seconds, utilisation, fit, items, item
        What is held, for how long [s], the share that is work, a run's verdict, and what is finished.
    rental, ownership
        Costs of the two ways; None where not asked for, or withheld. [USD]
    break_even
        Utilisation from which owning beats renting working hours: above 1 if never, None if one-sided.
    """

    machines: Machines
    seconds: float
    utilisation: float
    fit: Fit | None
    items: float | None
    item: str
    rental: float | None
    ownership: Ownership | None
    break_even: float | None

    @property
    def fits(self) -> bool:
        """False where a run was given that does not fit."""
        return self.fit is None or self.fit.fits

    @property
    def rent(self) -> Quantity | None:
        """Cost of renting for the time."""
        return None if self.rental is None else ureg.Quantity(self.rental, unit("USD"))

    @property
    def capex(self) -> Quantity | None:
        """Purchase price of all devices."""
        return None if self.ownership is None else ureg.Quantity(self.ownership.capex, unit("USD"))

    @property
    def opex(self) -> Quantity | None:
        """Upkeep and electricity for the time."""
        return None if self.ownership is None else ureg.Quantity(self.ownership.opex, unit("USD"))

    @property
    def tco(self) -> Quantity | None:
        """Cost of owning for the time: depreciation, upkeep and electricity."""
        own = self.ownership
        return None if own is None else ureg.Quantity(own.depreciation + own.opex, unit("USD"))

    @property
    def choice(self) -> Choice:
        """The way that costs less for this time and utilisation."""
        rent, own = self.rent, self.tco
        if rent is None or own is None:
            return Choice.WITHHELD if rent is own else Choice.ONE
        return Choice.OWN if own < rent else Choice.RENT

    def per_million(self, cost: Quantity | None) -> Quantity | None:
        """Return what a million tokens has of a cost; None where either is unknown."""
        if self.items is None or cost is None:
            return None
        return ureg.Quantity(cost.magnitude / self.items * 1e6, unit(f"USD/M{self.item}"))

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Cost of {self.machines.devices:,} x {self.machines.device}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return what does not fit first, then the costs."""
        never = self.break_even is not None and self.break_even > 1
        return [
            *([] if self.fits else [("Memory", str(self.fit))]),
            ("Time", ureg.Quantity(self.seconds / 3600, unit("hour"))),
            ("Utilisation", self.utilisation),
            ("Rent", self.rent),
            ("CapEx", self.capex),
            ("OpEx", self.opex),
            ("TCO", self.tco),
            (f"Rent per million {self.item}s", self.per_million(self.rent)),
            (f"TCO per million {self.item}s", self.per_million(self.tco)),
            ("Break-even utilisation", "none: renting costs less" if never else self.break_even),
            ("Cheaper", self.choice.value),
        ]


def _rate(given: Arguments, run: Any, machines: Machines) -> tuple[float, str]:
    """Return the rate of all devices while they work, and whether it is of tokens or samples."""
    rate, copies, device = run, 1.0, machines.device
    if fit := getattr(run, "fit", None):
        rate, copies = run.throughput, machines.devices / fit.devices
        if (ran_on := getattr(getattr(run, "decode", run), "hardware", device)) != device:
            given.fault(f"throughput is that of {ran_on}, not of {device}")
        if machines.devices % fit.devices:
            given.fault(f"devices must be a multiple of the run's {fit.devices}; got {machines.devices}")
    item = "sample" if hasattr(rate, "check") and rate.check("[samples]/[time]") else "token"
    return copies * given.quantity("throughput", rate, f"{item}/s"), item


class EconomicsModel:
    """Answers: what does a run or a million tokens cost, and is it cheaper to rent or to own?"""

    def solve(
        self,
        hardware: Accelerator | Node | Fleet,
        devices: int | None = None,
        *,
        duration: Quantity | None = None,
        tokens: Quantity | None = None,
        throughput: Any = None,
        utilisation: float = 1.0,
        power: Quantity | None = None,
        power_share: float = 1.0,
        pue: float | Datacenter = 1.0,
        price: Price | Quantity | None = None,
        purchase_price: Quantity | None = None,
        lifetime: Quantity | None = None,
        upkeep: float = 0.0,
        electricity: Grid | Quantity | None = None,
        price_misfit: bool = False,
    ) -> EconomicsResult:
        """Return the cost of machines for a time: rented if *price* is given, owned if *lifetime* is.

        Parameters
        ----------
        hardware, devices, utilisation, power, power_share, pue
            As for ``SustainabilityModel.solve``; a run's own devices if left out.
        duration, tokens, throughput
            Time for which all are held; what is finished; the rate of all while they work, or a run (a
            profile, a ``ServingResult``) that each group of its devices repeats. [h, token, token/s]
        price
            A rental offer for the device, or the price of one. [USD/hour]
        purchase_price, lifetime, upkeep
            Price of one device (its published one if left out), how long it is used, and upkeep a year
            as a share of the price. [USD, year]
        electricity
            A Grid that has a price, or the price; needed to own. [USD/kWh]
        price_misfit
            Price a run that does not fit as if it did; if not, its costs are withheld.

        Returns
        -------
        EconomicsResult
            Exact for the figures given; electricity is a bound from above with thermal design power.

        Raises
        ------
        ArgumentError, MissingSpecError
            If arguments have no usable value; if no power is published or given.

        Examples
        --------
        >>> from mlsysim import Hardware, Q_
        >>> m = EconomicsModel().solve(Hardware.H100, duration=Q_("1 hour"), price=Q_("3.6 USD/hour"),
        ...                            throughput=Q_("1000 token/s"))
        >>> f"{m.per_million(m.rent):.2f}"
        '1.00 USD/Mtoken'
        """
        given = Arguments("EconomicsModel.solve")

        def read(name: str, value: Any, units: str, *, positive: bool = True) -> float:
            return 0.0 if value is None else given.quantity(name, value, units, positive=positive)

        fit: Fit | None = getattr(throughput, "fit", None)
        count = fit.devices if fit and devices is None and isinstance(hardware, Accelerator) else devices
        machines = read_machines(given, hardware, count, pue=pue, power=power, power_share=power_share)
        device, busy = machines.device, given.fraction("utilisation", utilisation)
        if (duration is not None) == (tokens is not None and throughput is not None):
            given.fault("give duration, alone or with tokens or throughput; or tokens and throughput")
        rate, item = (0.0, "token") if throughput is None else _rate(given, throughput, machines)
        done, held = read("tokens", tokens, item), read("duration", duration, "hour")
        if isinstance(price, Price) and price.accelerator != device:
            given.fault(f"price is for {price.accelerator}, not for {device}")
        rent = machines.devices * read("price", getattr(price, "hourly", price), "USD/hour")
        bought = getattr(device, "price", None) if purchase_price is None else purchase_price
        paid = electricity.price if isinstance(electricity, Grid) else electricity
        if price is None and lifetime is None:
            given.fault("give price, to rent, or lifetime, to own")
        if lifetime is not None and (bought is None or paid is None):
            given.fault("owning needs purchase_price and electricity: give what the cards do not publish")
        each, lasts = read("purchase_price", bought, "USD"), read("lifetime", lifetime, "year")
        tariff = read("electricity", paid, "USD/kWh", positive=False)
        yearly = given.number("upkeep", upkeep, "at least 0", lambda x: 0 <= x < float("inf"))
        given.close()
        held = held or done / (rate * busy)
        done = done or rate * busy * held
        own, even, shown = None, None, fit is None or fit.fits or price_misfit
        if lifetime is not None and shown:
            capex, running = machines.devices * each, tariff * machines.power * machines.pue
            worn, kept = capex / lasts, capex * yearly / si("year", Q_("1 year"), "s")
            own = Ownership(capex, worn * held, (kept + running * busy) * held)
            if price is not None:
                even = (worn + kept) / (rent - running) if rent > running else float("inf")
        return EconomicsResult(
            machines=machines,
            seconds=held,
            utilisation=busy,
            fit=fit,
            items=done or None,
            item=item,
            rental=rent * held if price is not None and shown else None,
            ownership=own,
            break_even=even,
        )
