"""The audit is what its solvers say, and its walls and binding lever are computed."""

from dataclasses import replace

import pytest

from mlsysim import Q_, ArgumentError, Hardware, Infrastructure, Models, Systems
from mlsysim.core.parallelism import Parallelism
from mlsysim.core.roofline import Bottleneck
from mlsysim.core.training_step import Part
from mlsysim.solvers.audit import LEVERS, full_stack_audit
from mlsysim.solvers.audit_stages import CarbonPart, MemoryPart
from mlsysim.solvers.distributed import DistributedModel
from mlsysim.solvers.reliability import LLAMA3_405B

UNIT = Systems.Clusters.DGX_SuperPOD_SU_H100
SPLIT = Parallelism(dp_size=8, tp_size=8, zero_stage=1)


def audit(fleet=UNIT, batch=128, **changes):
    fixed = {
        "prompt": 8192,
        "tokens": 1e12,
        "failures": LLAMA3_405B,
        "storage": Q_("40 GB/s"),
        "restart_time": Q_("10 min"),
        "price": Q_("2 USD/hour"),
        "grid": Infrastructure.Grids.France,
        "split": SPLIT,
    }
    return full_stack_audit(Models.Llama3_8B, fleet, batch, **{**fixed, **changes})


@pytest.fixture(scope="module")
def found():
    return audit()


def test_the_step_is_that_of_the_distributed_model(found):
    step = DistributedModel().solve(Models.Llama3_8B, UNIT, 128, prompt=8192, split=SPLIT)
    assert found["scale"].step.total == pytest.approx(step.step.total, rel=1e-12)
    assert found.walls["scale"] is step.step.largest_loss
    assert found.walls["device"] is Bottleneck.COMPUTE


def test_the_run_takes_its_tokens_over_its_goodput(found):
    rate = found["scale"].throughput.to("token/s").magnitude
    seconds = 1e12 / rate / found["reliability"].goodput
    assert found.duration.to("s").magnitude == pytest.approx(seconds, rel=1e-9)
    assert found["money"].rent.to("USD").magnitude == pytest.approx(64 * seconds / 3600 * 2, rel=1e-9)


def test_carbon_is_power_over_the_time_that_machines_are_held(found):
    tdp = UNIT.node.accelerator.figure("tdp")
    energy = 64 * tdp * found.duration.to("s").magnitude
    assert found["carbon"].energy.to("J").magnitude == pytest.approx(energy, rel=1e-9)
    assert found.walls["carbon"] is CarbonPart.OPERATION


def test_the_fullest_part_of_memory_is_computed(found):
    s = found["memory"].states
    parts = dict(zip(MemoryPart, (s.weights, s.gradients, s.state, found["memory"].activations), strict=True))
    assert found.walls["memory"] is max(parts, key=parts.__getitem__)


def test_elasticities_name_the_binding_lever(found):
    """A faster chip shortens the run most; no lever lengthens it, and together they make no more than one."""
    e = found.elasticities.exact
    assert set(e) == set(LEVERS)
    assert found.binding == "peak_flops"
    assert all(value <= 1e-6 for value in e.values())
    assert -1.05 < sum(e[x] for x in LEVERS[:4]) < -0.5


def test_a_slow_network_becomes_the_binding_lever():
    """A hundredth of the fabric: the sum of the gradients takes longest."""
    slow = replace(UNIT, fabric=replace(UNIT.fabric, bandwidth=UNIT.fabric.bandwidth / 100))
    r = audit(slow, split=Parallelism(dp_size=64, zero_stage=3))
    assert r.binding == "network_bandwidth"
    assert r.walls["scale"] is Part.DATA


def test_what_does_not_fit_is_said_and_not_hidden():
    r = audit(split=Parallelism(dp_size=64))
    assert not r.fits
    assert "does not fit" in repr(r)


def test_the_split_is_searched_where_none_is_given():
    r = audit(split=None, devices=64)
    assert r.fits
    assert r["scale"].split.devices == 64


def test_a_price_card_is_the_price_of_its_device():
    card = Infrastructure.Prices.Lambda_H100
    assert audit(price=card)["money"].rent == audit(price=card.hourly)["money"].rent
    with pytest.raises(ArgumentError, match="price is for NVIDIA H200"):
        audit(price=replace(card, accelerator=Hardware.Cloud.H200))


def test_failures_that_let_no_work_stand_are_an_error():
    with pytest.raises(ArgumentError, match="no work is ever kept"):
        audit(failures=Q_("1 us"))


def test_things_of_another_kind_are_refused():
    with pytest.raises(ArgumentError, match="must be a Fleet"):
        audit("cluster")
