"""`sweep`: the grid that ``Engine.sweep`` answers, point by point."""

import csv
import io

import pytest

from mlsysim import ArgumentError, Engine, Hardware, Models
from mlsysim.cli import main
from mlsysim.commands.sweep import counted

GRID = ["--model", "Llama3_8B", "--hardware", "A100,H100", "--batch-size", "1,16,1024", "--context", "8192"]


def test_every_point_is_that_of_solve(run):
    data = run("sweep", *GRID)

    assert data["axes"]["batch_size"] == [1, 16, 1024]
    assert len(data["points"]) == 6
    for point in data["points"]:
        hw = next(hw for hw in (Hardware.A100, Hardware.H100) if hw.name == point["hardware"])
        profile = Engine.solve(Models.Llama3_8B, hw, point["batch_size"], context=8192)
        assert point["latency"] == pytest.approx(profile.latency.to("ms").magnitude, rel=1e-12)
        assert point["throughput"] == pytest.approx(profile.throughput.magnitude, rel=1e-12)
        assert point["bottleneck"] == str(profile.bottleneck)
        assert point["feasible"] is profile.fits
    assert data["units"]["latency"] == "ms"


def test_points_without_an_answer_say_why(run):
    points = run("sweep", *GRID, "--precision", "fp8")["points"]
    a100 = [point for point in points if point["hardware"] == Hardware.A100.name]

    assert all(point["latency"] is None and not point["feasible"] for point in a100)
    assert all("no published fp8 peak" in point["missing"] for point in a100)
    assert all(point["missing"] == "" for point in points if point not in a100)


def test_csv_lists_every_point_and_text_some(run):
    rows = list(csv.DictReader(io.StringIO(run("sweep", *GRID, output="csv"))))
    text = run("sweep", *GRID, "--rows", "2", output="text")

    assert len(rows) == 6
    assert {row["feasible"] for row in rows} == {"true", "false"}
    assert float(rows[0]["latency [ms]"]) > 0
    assert "Points; 4 more in csv and json" in text
    assert "Points" not in run("sweep", *GRID, "--rows", "0", output="text")


def test_a_grid_of_more_than_one_block(run):
    """Points stay in order past the rows that are made at once."""
    words = ["--model", "Llama3_8B", "--hardware", "A100,H100", "--batch-size", "1..40000", "--context", "0"]
    rows = run("sweep", *words, output="csv").splitlines()

    assert len(rows) == 80_001
    assert [line.split(",")[1] for line in rows[40_000:40_002]] == ["40000", "1"]
    last = Engine.solve(Models.Llama3_8B, Hardware.H100, 40_000)
    assert float(rows[-1].split(",")[2]) == pytest.approx(last.latency.to("ms").magnitude, rel=1e-12)


def test_best_and_front(run):
    data = run("sweep", *GRID, "--best", "throughput", "--pareto", "latency", "throughput")
    best, *front = data["chosen"]
    feasible = [point for point in data["points"] if point["feasible"]]

    assert best["why"] == "Best throughput"
    assert best["throughput"]["value"] == max(point["throughput"] for point in feasible)
    assert [point["why"] for point in front] == [f"Front, {i + 1} of {len(front)}" for i in range(len(front))]
    assert front[-1]["throughput"] == best["throughput"]


def test_where_nothing_fits_nothing_is_best(run):
    words = ["--model", "Llama3_405B", "--hardware", "A100,H100", "--best", "throughput"]

    assert run("sweep", *words)["chosen"] == []
    assert "No point fits, so none is best." in run("sweep", *words, output="text")


def test_a_file_varies_what_it_says_and_keeps_the_rest(run, write):
    path = write(
        "model.name = 'Llama3_8B'\nhardware.name = 'H100'\nworkload.context = 2048\n"
        "sweep.batch_size = '1..64*4'\nsweep.devices = [1, 2]\nsweep.precision = ['fp16', 'int8']"
    )
    data = run("sweep", path)

    assert data["axes"]["batch_size"] == [1, 4, 16, 64]
    assert data["axes"]["tp_size"] == [1, 2]
    assert len(data["points"]) == 16
    assert data["fixed"]["context"] == "2048"


LIMITS = "model.name = 'Llama3_8B'\nsweep.hardware = ['A100', 'H100']\nsweep.batch_size = [1, 256]\n"


@pytest.mark.parametrize(
    ("limits", "code", "says"),
    [
        ("assert.latency = '<= 9 ms'", 0, "latency is 8.179 to 50.9 ms over 4 of 4 points; 1 keep"),
        ("assert.latency = '<= 1 ms'", 3, "over 4 of 4 points; 0 keep latency <= 1 ms"),
        (
            "assert.latency = '<= 9 ms'\nassert.throughput = '>= 1e5 token/s'",
            3,
            "122.3 token/s over 1 of 4 points",
        ),
        ("assert.fits = true", 0, "4 of 4 points fit"),
        ("assert.fits = false", 3, "4 of 4 points fit"),
    ],
)
def test_limits_ask_for_a_point_that_keeps_them_all(limits, code, says, run, write):
    data = run("sweep", write(LIMITS + limits), code=code)

    assert any(says in limit["says"] for limit in data["limits"])
    assert all(limit["met"] for limit in data["limits"]) is (code == 0)


def test_limits_where_nothing_fits(run, write):
    path = write(LIMITS.replace("Llama3_8B", "Llama3_405B") + "assert.latency = '<= 1 hour'")

    assert run("sweep", path, code=3)["limits"][0]["says"] == "latency has no value: no point fits"


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        ("latencie = '<= 1 ms'", "'latencie' is no number of this sweep. Did you mean 'latency'?"),
        ("bottleneck = '== memory'", "'bottleneck' is no number of this sweep"),
        ("latency = '<= 1 GB'", "latency is in ms; the limit '1 GB' is not"),
        ("latency = '<= 1.1x'", "only `mlsysim compare` has two"),
    ],
)
def test_limits_that_cannot_be_read(limit, says, write, capsys):
    assert main(["sweep", write(f"{LIMITS}assert.{limit}")]) == 2
    assert says in capsys.readouterr().err


def test_ranges():
    assert counted("1..4", "x") == [1, 2, 3, 4]
    assert counted("5..5", "x") == [5]
    assert counted(" 1 .. 10 * 3 ", "x") == [1, 3, 9]
    assert counted("0..2", "x") == [0, 1, 2]


@pytest.mark.parametrize("text", ["4..1", "1..4*1", "0..4*2", "1..100000000", "1..", "a..b"])
def test_ranges_that_are_none(text):
    with pytest.raises(ArgumentError, match="x m"):
        counted(text, "x")


def test_without_numpy_it_says_what_to_install(monkeypatch, capsys):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "numpy" else real(name))

    assert main(["sweep", *GRID]) == 2
    assert "pip install 'mlsysim[arrays]'" in capsys.readouterr().err
