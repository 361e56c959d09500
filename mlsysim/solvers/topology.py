r"""Topology: how wide the middle of a network is, and how far apart its ends are.

With :math:`m` cables between two halves of :math:`N` ends, each of :math:`p` cables of bandwidth :math:`b`,

.. math:: B = m\,b, \qquad \text{share of a full bisection} = \frac{m}{p\,N / 2}.

The counts are those of ``mlsysim.solvers.networks``. The bisection bounds any all-to-all exchange; adaptive
routing, cables that fail, and traffic that collides on its way are not described.

References
----------
.. [alfares2008] M. Al-Fares, A. Loukissas, A. Vahdat, "A scalable, commodity data center network
   architecture", SIGCOMM 2008.
"""

from dataclasses import dataclass
from typing import Any

from mlsysim.core.arguments import Arguments
from mlsysim.core.constants import Quantity, unit, ureg
from mlsysim.core.systems import Fleet, Link, Topology
from mlsysim.format import Shown
from mlsysim.solvers.networks import Network, fully_connected, torus


@dataclass(frozen=True, kw_only=True, repr=False)
class TopologyResult(Shown):
    """A network with the bandwidth of its cables.

    Parameters
    ----------
    network
        The counts.
    bandwidth
        What a cable carries in one direction. [B/s]
    """

    network: Network
    bandwidth: float

    @property
    def bisection_bandwidth(self) -> Quantity:
        """What the two halves of the ends can send each other, in one direction."""
        return ureg.Quantity(self.network.bisection * self.bandwidth / 1e12, unit("TB/s"))

    @property
    def injection_bandwidth(self) -> Quantity:
        """What one end can send."""
        return ureg.Quantity(self.network.ports * self.bandwidth / 1e9, unit("GB/s"))

    @property
    def bisection_share(self) -> float:
        """Bisection over what one half of the ends can send: 1 is a full bisection."""
        return self.network.bisection / (self.network.endpoints // 2 * self.network.ports)

    @property
    def title(self) -> str:
        """What was asked, in a line."""
        return f"{str(self.network.kind).capitalize()}: {self.network.name}"

    def rows(self) -> list[tuple[str, Any]]:
        """Return counts, distances and bandwidths."""
        return [
            ("Ends", self.network.endpoints),
            ("Switches", self.network.switches),
            ("Cables", self.network.cables),
            ("Diameter", self.network.diameter),
            ("Mean hops", self.network.mean_hops),
            ("Bandwidth of an end", self.injection_bandwidth),
            ("Bisection cables", self.network.bisection),
            ("Bisection bandwidth", self.bisection_bandwidth),
            ("Share of a full bisection", self.bisection_share),
        ]


class TopologyModel:
    """Answers: how wide is the middle of this network, and how far apart are its ends?"""

    def solve(
        self,
        fleet: Fleet | None = None,
        *,
        network: Network | None = None,
        link: Quantity | Link | None = None,
    ) -> TopologyResult:
        """Return bisection bandwidth, distances and parts of a network.

        Parameters
        ----------
        fleet
            A machine, which gives what is left out: the link, and the shape of a square or cubic torus.
        network
            The network, as ``fat_tree``, ``torus``, ``dragonfly``, ``fully_connected`` and
            ``rail_optimized`` make it.
        link
            What one cable carries in one direction; of a ``Link`` with several ports, each is a cable. [B/s]

        Returns
        -------
        TopologyResult
            Exact counts; bandwidths are upper bounds.

        Raises
        ------
        ArgumentError
            If the network does not follow from what is given, or has fewer ends than the fleet has devices.

        Examples
        --------
        >>> from mlsysim import Q_
        >>> r = TopologyModel().solve(network=torus((16, 16)), link=Q_("50 GB/s"))
        >>> r.network.diameter, f"{r.bisection_bandwidth:.1f}"
        (16, '1.6 TB/s')
        """
        given = Arguments("TopologyModel.solve")
        if fleet is not None and not isinstance(fleet, Fleet):
            given.fault(f"fleet must be a Fleet such as Systems.Clusters.TPU_v4_Pod; got {fleet!r}")
            fleet = None
        carrier = fleet.fabric if link is None and fleet is not None else link
        if isinstance(carrier, Link):
            bandwidth = carrier.bandwidth_si / carrier.ports
        else:
            bandwidth = given.quantity("link", carrier, "GB/s")
        if network is None:
            network = self._network(given, fleet)
        elif not isinstance(network, Network):
            given.fault(f"network must be a Network, as fat_tree(48) makes it; got {network!r}")
        elif fleet is not None and network.endpoints < fleet.devices:
            given.fault(
                f"network has {network.endpoints:,} ends for the {fleet.devices:,} devices of {fleet.name}"
            )
        given.close()
        return TopologyResult(network=network, bandwidth=bandwidth)

    @staticmethod
    def _network(given: Arguments, fleet: Fleet | None) -> Network:
        """Return the network that a fleet's fabric makes of its devices, or note why that is not known."""
        if fleet is None:
            given.fault("give a fleet, or a network such as fat_tree(48)")
            return fully_connected(2)
        directions = {Topology.TORUS_2D: 2, Topology.TORUS_3D: 3}.get(fleet.fabric.topology)
        side = round(fleet.devices ** (1 / directions)) if directions else 0
        if directions and side**directions == fleet.devices and side % 2 == 0:
            return torus((side,) * directions)
        given.fault(
            f"the shape of {fleet.name} does not follow from {fleet.devices:,} devices and a fabric that is "
            f"{fleet.fabric.topology}: give network, as torus((16, 16, 24)) or fat_tree(64)"
        )
        return fully_connected(2)
