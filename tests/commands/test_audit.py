"""`audit`: the whole analysis of a scenario."""

import pytest

from mlsysim import Q_, Infrastructure, Models, Systems
from mlsysim.cli import main
from mlsysim.core.parallelism import Parallelism
from mlsysim.solvers.audit import full_stack_audit

TEXT = """
model.name = "Llama3_8B"
hardware.fleet = "DGX_SuperPOD_SU_H100"

[workload]
batch_size = 256
prompt = 8192
tokens = 1e12

[parallelism]
dp_size = 64
tp_size = 4
zero_stage = 1

[audit]
device_mtbf = "5.8 year"
storage = "40 GB/s"
restart_time = "10 min"
price = "2.5 USD/hour"
grid = "France"
pue = 1.3
served_batch_size = 32
served_prompt = 1024
"""


def test_it_says_what_the_solver_says(run, write):
    data = run("audit", write(TEXT))
    result = full_stack_audit(
        Models.Llama3_8B,
        Systems.DGX_SuperPOD_SU_H100,
        256,
        prompt=8192,
        tokens=1e12,
        failures=Q_("5.8 year"),
        storage=Q_("40 GB/s"),
        restart_time=Q_("10 min"),
        price=Q_("2.5 USD/hour"),
        grid=Infrastructure.Grids.France,
        pue=1.3,
        split=Parallelism(dp_size=64, tp_size=4, zero_stage=1),
        serving={"batch_size": 32, "prompt": 1024},
    )

    assert data["figures"]["duration"]["value"] == pytest.approx(result.duration.magnitude)
    assert data["figures"]["energy"]["value"] == pytest.approx(result["carbon"].energy.to("MWh").magnitude)
    assert data["figures"]["binding"] == str(result.binding)
    assert data["figures"]["fits"] is result.fits


def test_limits(run, write):
    data = run("audit", write(f"{TEXT}\n[assert]\nduration = '<= 1 day'\nfits = true"), code=3)

    assert [limit["met"] for limit in data["limits"]] == [False, True]


def test_every_wall_is_shown(run, write):
    text = run("audit", write(TEXT), output="text")

    assert "\nWalls\n" in text
    assert "\nElasticities of the time to the end\n" in text


@pytest.mark.parametrize("key", ["device_mtbf", "storage", "restart_time", "price", "grid"])
def test_what_is_missing_is_named(key, write, capsys):
    lines = [line for line in TEXT.splitlines() if not line.startswith(key)]

    assert main(["audit", write("\n".join(lines))]) == 2
    assert f"[audit] {key} is missing (--{key.replace('_', '-')})" in capsys.readouterr().err


def test_a_grid_is_a_grid(write, capsys):
    assert main(["audit", write(TEXT.replace("France", "AWS_p5"))]) == 2
    assert "is a price, no grid" in capsys.readouterr().err
