r"""Energy, carbon and water of machines that are held for a time.

.. math:: E = N P\,s\,u\,t\,\mathrm{PUE}, \quad C = E\,c + N M\,t / L, \quad W = w\,E / \mathrm{PUE} + w_g E

:math:`N` devices of power :math:`P`, busy for the share :math:`u` of the time :math:`t` at the share
:math:`s` of that power and off in the rest of it (waiting at full power is :math:`u = 1`); carbon intensity
of the grid :math:`c`, carbon :math:`M` of making a device that lasts :math:`L`; water :math:`w` of the site
for each unit of machine energy, :math:`w_g` of the power stations for each unit that the site takes. Thermal
design power bounds a device from above, without host, fan or network; a node's published power has them.

References
----------
.. [patterson2021] D. Patterson et al., "Carbon emissions and large neural network training", section 2.5.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.precision import PRECISIONS, Precision
from mlsysim.core.precision import precision as parse_precision
from mlsysim.core.specs import Accelerator
from mlsysim.core.systems import Datacenter, Fleet, Grid, Node
from mlsysim.format import Shown


class PowerBasis(Enum):
    """Where the power of the machines comes from."""

    TDP = "thermal design power: bounds the devices from above, without hosts"
    NODE = "published power of the node under load"
    GIVEN = "as given"


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Devices that are held together, what working draws of the power of each [W], and the site's PUE."""

    device: Accelerator
    devices: int
    each: float | None
    basis: PowerBasis
    share: float
    pue: float

    @property
    def power(self) -> float:
        """Power of all while they work, without the site's overhead. [W]"""
        return self.devices * self.share * (self.device.figure("tdp") if self.each is None else self.each)


def read_machines(
    given: Arguments, hardware: Any, devices: Any, *, pue: Any, power: Any, power_share: Any
) -> Machines:
    """Return the machines that a solver was given, their faults noted."""
    node = hardware.node if isinstance(hardware, Fleet) else hardware
    device = node.accelerator if isinstance(node, Node) else node
    count = given.count("devices", 1 if devices is None else devices) if node is device else hardware.devices
    if not isinstance(device, Accelerator):
        given.fault(f"hardware must be a device, a Node or a Fleet; got {hardware!r}")
    elif node is not device and devices is not None:
        given.fault(f"devices is for a single device; {hardware} has {count} already")
    site = pue.pue if isinstance(pue, Datacenter) else pue
    basis = PowerBasis.TDP if power is None else PowerBasis.GIVEN
    if power is None and isinstance(node, Node) and node.power is not None:
        basis, power = PowerBasis.NODE, node.power / node.devices
    return Machines(
        device=device,
        devices=count,
        each=None if power is None else given.quantity("power", power, "W"),
        basis=basis,
        share=given.fraction("power_share", power_share),
        pue=given.number("pue", site, "a Datacenter or at least 1", lambda x: 1 <= x < float("inf")),
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class SustainabilityResult(Shown):
    """What machines take from grid and water, and what they emit.

    Parameters
    ----------
    machines, utilisation, seconds, intensity
        What is held, the share of the time in which it works, the time, and the grid's carbon. [s, g/J]
    embodied, litres, tokens
        Carbon of making the devices that falls on this time, water, and what is finished; None where
        nothing was given. [g, L, token]
    """

    machines: Machines
    utilisation: float
    seconds: float
    intensity: float
    embodied: float | None
    litres: float | None
    tokens: float | None

    @property
    def device_time(self) -> Quantity:
        """Time of all devices together."""
        return ureg.Quantity(self.machines.devices * self.seconds / 3600, unit("hour"))

    @property
    def energy(self) -> Quantity:
        """Energy that the site takes from the grid."""
        joules = self.utilisation * self.seconds * self.machines.power * self.machines.pue
        return ureg.Quantity(joules, unit("J")).to(unit("kWh"))

    @property
    def operational_carbon(self) -> Quantity:
        """Emissions of the electricity."""
        return ureg.Quantity(self.energy.magnitude * 3.6e3 * self.intensity, unit("kg"))

    @property
    def embodied_carbon(self) -> Quantity | None:
        """Emissions of making the devices that fall on this time."""
        return None if self.embodied is None else ureg.Quantity(self.embodied / 1e3, unit("kg"))

    @property
    def carbon(self) -> Quantity:
        """Operational carbon, and the embodied where it was asked for."""
        return ureg.Quantity(self.operational_carbon.magnitude + (self.embodied or 0.0) / 1e3, unit("kg"))

    @property
    def water(self) -> Quantity | None:
        """Water of the site and of the power stations, as far as figures were given."""
        return None if self.litres is None else ureg.Quantity(self.litres, unit("L"))

    def per_million(self, quantity: Quantity) -> Quantity | None:
        """Return what a million tokens has of one of these; None where no tokens were given."""
        share: Quantity = quantity / ureg.Quantity((self.tokens or 1.0) / 1e6, unit("Mtoken"))
        return None if self.tokens is None else share

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"Footprint of {self.machines.devices:,} x {self.machines.device}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return energy, carbon and water, and what they rest on."""
        return [
            ("Device time", self.device_time),
            ("Utilisation", self.utilisation),
            ("Power", self.machines.basis.value),
            ("PUE", self.machines.pue),
            ("Energy", self.energy),
            ("Operational carbon", self.operational_carbon),
            ("Embodied carbon", "not counted" if self.embodied is None else self.embodied_carbon),
            ("Carbon", self.carbon),
            ("Water", "not counted" if self.litres is None else self.water),
            ("Carbon per million tokens", self.per_million(self.carbon)),
        ]


class SustainabilityModel:
    """Answers: what does a run take from grid and water, and what does it emit?"""

    def solve(
        self,
        hardware: Accelerator | Node | Fleet,
        devices: int | None = None,
        precision: str | Precision = "fp16",
        *,
        grid: Grid | Quantity,
        duration: Quantity | None = None,
        flops: Quantity | None = None,
        mfu: float | None = None,
        tokens: Quantity | None = None,
        utilisation: float = 1.0,
        power: Quantity | None = None,
        power_share: float = 1.0,
        pue: float | Datacenter = 1.0,
        embodied: Quantity | None = None,
        lifetime: Quantity | None = None,
        wue: Quantity | None = None,
        grid_water: Quantity | None = None,
    ) -> SustainabilityResult:
        """Return energy, carbon and water of machines that are held for a time.

        Parameters
        ----------
        hardware, devices
            A device and how many of it (1 if left out), or a Node or a Fleet.
        grid
            Where the electricity comes from, or its carbon intensity. [gCO2/kWh]
        duration, tokens
            Time for which all are held (device-hours: of one device), and what is finished. [h, token]
        flops, mfu, precision
            In place of the time: the work, its share of the peak, and whose peak. [FLOP]
        utilisation, power, power_share
            Share of the time in which they work, power of one device instead of the published one, and
            share of it that work draws. [W]
        pue
            A Datacenter, or its power usage effectiveness; 1 counts the machines alone.
        embodied, lifetime
            Carbon of making one device, and the time over which it is spread. [kg, year]
        wue, grid_water
            Water of the site for machine energy (the Datacenter's in *pue* if left out), and of the power
            stations for site energy. [L/kWh]

        Returns
        -------
        SustainabilityResult
            Exact for the figures given; with thermal design power a bound on the devices from above.

        Raises
        ------
        ArgumentError, MissingSpecError
            If arguments have no usable value; if no power is published or given.

        Examples
        --------
        >>> from mlsysim import Hardware, Q_
        >>> hours = SustainabilityModel().solve(Hardware.A100, duration=Q_("1000 h"), grid=Q_("500 g/kWh"))
        >>> f"{hours.energy:.0f}", f"{hours.carbon:.0f}"
        ('400 kWh', '200 kg')
        """
        given = Arguments("SustainabilityModel.solve")

        def read(name: str, value: Any, units: str, *, positive: bool = True) -> float:
            return 0.0 if value is None else given.quantity(name, value, units, positive=positive)

        intensity = given.quantity("grid", getattr(grid, "carbon_intensity", grid), "g/kWh", positive=False)
        busy = given.fraction("utilisation", utilisation)
        if (duration is None) == (flops is None) or (flops is None) != (mfu is None):
            given.fault("give either duration, or flops and mfu together: they say how long it takes")
        if (embodied is None) != (lifetime is None):
            given.fault("embodied and lifetime belong together: the carbon, and what it is spread over")
        made, lasts = read("embodied", embodied, "kg"), read("lifetime", lifetime, "year")
        wue = pue.wue if wue is None and isinstance(pue, Datacenter) else wue
        site = read("wue", wue, "L/kWh", positive=False)
        far = read("grid_water", grid_water, "L/kWh", positive=False)
        done, held = read("tokens", tokens, "token"), read("duration", duration, "hour")
        work, share = read("flops", flops, "FLOP"), given.fraction("mfu", 1.0 if mfu is None else mfu)
        key = given.take(parse_precision, precision, PRECISIONS["fp16"]).compute
        machines = read_machines(given, hardware, devices, pue=pue, power=power, power_share=power_share)
        given.close()
        held = held or work / (machines.devices * machines.device.require_peak(key) * share * busy)
        water = (site + far * machines.pue) * machines.power * busy * held
        return SustainabilityResult(
            machines=machines,
            utilisation=busy,
            seconds=held,
            intensity=intensity,
            embodied=None if embodied is None else machines.devices * made * held / lasts,
            litres=None if wue is None and grid_water is None else water,
            tokens=done or None,
        )
