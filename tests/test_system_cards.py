"""Cards that name other cards."""

from datetime import date

import pytest

from mlsysim import Hardware, Infrastructure, Systems, system_cards
from mlsysim.core.errors import SpecError

PLACE = {"source": "paper", "place": "table 1", "read": date(2026, 1, 31)}


def leaf(value, unit=""):
    return {"value": value, "confidence": "high", **PLACE, **({"unit": unit} if unit else {})}


def node(**changes):
    card = {
        "name": "Box",
        "kind": "node",
        "accelerator": "H100",
        "link": "NVLink4",
        "devices": leaf(8),
        **changes,
    }
    return {key: value for key, value in card.items() if value is not None}


def test_a_node_finds_its_device_and_link():
    box = system_cards.node(node(), "box.toml", Hardware, Systems)

    assert box.accelerator is Hardware.Cloud.H100
    assert box.link is Systems.Fabrics.NVLink4
    assert box.sources["devices"].place == "table 1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accelerator": "H1000"}, "accelerator: Hardware has no 'H1000'. Did you mean 'H100'"),
        ({"accelerator": None}, "accelerator missing"),
        ({"link": "DGX_H100"}, "link must name a card of Link; 'DGX_H100' is of Node"),
        ({"devices": leaf(0)}, "devices must be a whole positive number"),
        ({"kind": "fleet"}, "kind is 'fleet'; a card in this folder has kind = 'node'"),
        ({"speed": leaf(3)}, "no field 'speed'"),
    ],
)
def test_a_wrong_node_is_told_by_file_field_and_remedy(changes, said):
    with pytest.raises(SpecError) as caught:
        system_cards.node(node(**changes), "box.toml", Hardware, Systems)
    assert str(caught.value).startswith("box.toml: ")
    assert said in str(caught.value)


def test_what_the_course_needs_is_there():
    """Fabrics of three makers, InfiniBand of three generations, Ethernet from 100 to 800, DGX, pods."""
    fabrics = set(dir(Systems.Fabrics))
    wanted = {"InfiniBand_HDR", "InfiniBand_NDR", "InfiniBand_XDR", "Ethernet_100G", "Ethernet_800G"}
    assert wanted <= fabrics
    assert all(any(name.startswith(maker) for name in fabrics) for maker in ("NVLink", "xGMI", "ICI"))
    assert {"DGX_A100", "DGX_H100", "DGX_B200", "GB200_NVL72"} <= set(dir(Systems.Nodes))
    assert max(fleet.devices for fleet in Systems.Clusters) >= 24_576
    assert len(Infrastructure.Grids) >= 20
    assert all(price.date for price in Infrastructure.Prices)


def test_a_node_and_its_device_agree_on_the_link():
    """Two cards, two sources, one figure; a Trn2 chip sends part of its 640 GB/s out of the instance."""
    for box in Systems.Nodes:
        device = box.accelerator.figures.get("link")
        if device is not None and box is not Systems.Nodes.Trn2:
            assert box.link.bandwidth_si == pytest.approx(device, rel=0.01), box.name
