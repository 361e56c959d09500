"""The command line: what it prints in every format, and what it tells the shell."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim.cli import BAD_INPUT, BROKEN_LIMIT, main
from mlsysim.commands.options import COMMANDS, OUTPUTS

ROOT = Path(__file__).parents[1]

CALLS = {
    "zoo": "zoo hardware --where vendor=AMD",
    "solve": "solve docs/examples/decode.toml",
    "serve": "serve docs/examples/serving.toml",
    "train": "train docs/examples/training.toml",
    "sensitivity": "sensitivity docs/examples/decode.toml",
    "synthesize": "synthesize docs/examples/decode.toml",
    "compare": "compare docs/examples/base.toml docs/examples/proposal.toml",
    "audit": "audit docs/examples/audit.toml",
    "sweep": "sweep docs/examples/sweep.toml",
    "validate": "validate data/measurements.csv --category 8_edge_mcu",
    "schema": "schema",
}
"""One call of each command that has formats."""


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def said():
    """What a call prints, once for each."""
    known: dict[tuple[str, str], str] = {}

    def call(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> str:
        if (command, output) not in known:
            assert main([*CALLS[command].split(), "--output", output]) == 0
            told = capsys.readouterr()
            assert told.err == ""
            known[command, output] = told.out
        return known[command, output]

    return call


def test_every_command_with_formats_is_called_here():
    assert set(CALLS) == set(COMMANDS) - {"completion"}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("command", CALLS)
def test_every_command_writes_every_format(command, output, said, capsys):
    text = said(command, output, capsys)

    assert text.strip()
    assert text.endswith("\n")
    assert "<Quantity" not in text


@pytest.mark.parametrize("command", CALLS)
def test_json_parses_and_round_trips(command, said, capsys):
    text = said(command, "json", capsys)
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    assert json.loads(json.dumps(data)) == data
    assert json.dumps(data, indent=2, ensure_ascii=False) + "\n" == text
    assert isinstance(data, dict)


@pytest.mark.parametrize("command", CALLS)
def test_csv_is_a_table(command, said, capsys):
    """Every row has a cell for every heading, and there is a row."""
    head, *rows = csv.reader(io.StringIO(said(command, "csv", capsys)))

    assert rows
    assert {len(row) for row in rows} == {len(head)}
    assert len(set(head)) == len(head)


@pytest.mark.parametrize("command", CALLS)
def test_markdown_has_a_heading_and_whole_tables(command, said, capsys):
    lines = said(command, "markdown", capsys).splitlines()
    tables: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("|"):
            tables[-1].append(line)
        elif tables[-1]:
            tables.append([])

    assert lines[0].startswith("### ")
    assert any(tables)
    for table in filter(None, tables):
        widths = {line.replace("\\|", "").count("|") for line in table}
        assert len(widths) == 1
        assert set(table[1]) <= set("|-: ")


def test_formats_agree_on_a_figure(said, capsys):
    """The step's latency, as text shows it, as JSON and CSV hold it."""
    data = json.loads(said("solve", "json", capsys))["figures"]["latency"]
    rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(said("solve", "csv", capsys)))}

    assert float(rows["latency"]["value"]) == data["value"]
    assert rows["latency"]["unit"] == data["unit"] == "ms"
    assert f"{data['value']:.2f} ms" in said("solve", "text", capsys)


def scenario(tmp_path: Path, limits: str, **keys: str) -> str:
    """A scenario of Llama-3.1-8B on an H100, with limits."""
    path = tmp_path / "scenario.toml"
    more = "".join(f"{key} = {value}\n" for key, value in keys.items())
    path.write_text(
        f'[model]\nname = "Llama3_8B"\n[hardware]\nname = "H100"\n[workload]\n{more}[assert]\n{limits}\n',
        "utf-8",
    )
    return str(path)


def test_a_limit_that_is_kept_returns_0(tmp_path, capsys):
    assert main(["solve", scenario(tmp_path, 'latency = "<= 50 ms"')]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_broken_limit_returns_3_and_is_named_with_its_value(output, tmp_path, capsys):
    path = scenario(tmp_path, 'latency = "<= 5 ms"\nfits = true')

    assert main(["solve", path, "--output", output]) == BROKEN_LIMIT
    told = capsys.readouterr()
    assert told.out.strip()
    assert told.err.splitlines() == [f"mlsysim: {path}: [assert] latency is 8.179 ms; the limit is <= 5 ms"]


def test_json_says_which_limit_is_broken(tmp_path, capsys):
    main(["solve", scenario(tmp_path, 'latency = "<= 5 ms"\nfits = true'), "--output", "json"])
    verdicts = {v["limit"]: v for v in json.loads(capsys.readouterr().out)["limits"]}

    assert verdicts["latency <= 5 ms"]["met"] is False
    assert verdicts["latency <= 5 ms"]["value"]["unit"] == "ms"
    assert verdicts["fits == yes"]["met"] is True


def test_what_does_not_fit_breaks_a_limit_on_its_time(tmp_path, capsys):
    path = scenario(tmp_path, 'latency = "<= 1 hour"', batch_size="4096", context="8192")

    assert main(["solve", path]) == BROKEN_LIMIT
    assert "latency has no value: Llama-3.1-8B on NVIDIA H100" in capsys.readouterr().err


def test_what_does_not_fit_is_an_answer(tmp_path):
    """Without a limit it is an outcome, not a mistake."""
    assert main(["solve", scenario(tmp_path, "", batch_size="4096", context="8192")]) == 0


TABLE = "data/measurements.csv"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("solve --model Llama3_8B", "command line: no machine is named"),
        ("solve --hardware H100", "command line: no network is named"),
        ("solve --model Llama3_9B --hardware H100", "Models has no 'Llama3_9B'. Did you mean"),
        ("solve --model Llama3_8B --hardware H100 --batch-size 0", "--batch-size: must be at least 1; got 0"),
        ("solve --model Llama3_8B --hardware H100 --precision fp17", "--precision: got 'fp17'. Did you mean"),
        ("solve --model Llama3_8B --hardware A100 --precision fp8", "has no published fp8 peak"),
        ("solve --model Llama3_8B --hardware H100 --link DGX_H100", "is a node, no link"),
        ("solve no/such.toml", "no/such.toml: No such file or directory"),
        ("solve docs", "docs: Is a directory"),
        ("solve docs/README.md", "docs/README.md: no TOML"),
        ("solve docs/examples/serving.toml", "it asks `serve`, and `mlsysim solve` answers"),
        ("serve --model ResNet50 --hardware H100", "serving needs a decoder transformer"),
        ("train --model Llama3_8B --hardware H100", "how long is the run?"),
        ("train --model Llama3_8B --hardware H100 --tokens 1e9 --dp-size 8", "name a fleet that is split"),
        ("synthesize --model Llama3_8B", "which latency?"),
        ("synthesize --model Llama3_8B --target-latency 50", "a number with its unit, as in '50 ms'"),
        ("synthesize --model Llama3_8B --target-latency 50GB", "target_latency needs [time]"),
        ("compare docs/examples/base.toml docs/examples/serving.toml", "two scenarios are compared that ask"),
        (
            "compare docs/examples/base.toml docs/examples/proposal.toml --fail-if slow",
            "must be a comparison, as in 'latency > 1.1x'",
        ),
        (
            "compare docs/examples/base.toml docs/examples/proposal.toml --fail-if latencie>1.1x",
            "'latencie' is no figure of this answer. Did you mean 'latency'?",
        ),
        ("synthesize --model Llama3_8B --target-latency 9**9**9ms", "a number with its unit, as in '50 ms'"),
        ("zoo hardware --where bandwidth>9**9**9", "--where takes a comparison"),
        (
            "train --model Llama3_8B --hardware H100 --tokens 1e308 --mfu 0.4 --output json",
            "a number that is not finite, and JSON has none",
        ),
        ("audit --model Llama3_8B", "which fleet?"),
        ("sweep --model Llama3_8B --hardware H100 --batch-size 9..3", "must run upwards"),
        ("sweep --model Llama3_8B --hardware H100 --rows -3", "--rows must be at least 0; got -3"),
        ("zoo hardware H1000000", "Hardware has no 'H1000000'"),
        ("zoo hardware --where speed>3", "no field 'speed'"),
        ("zoo hardware --where AMD", "--where takes a comparison"),
        ("zoo --where vendor=AMD", "--where needs a registry"),
        ("validate no/such.csv", "no/such.csv: No such file or directory"),
        (f"validate {TABLE} --category 3_prefil", "no row of category '3_prefil'. Did you mean"),
        (f"validate {TABLE} --calibration magic", "calibration must be a Calibration or the name"),
        (f"validate {TABLE} --category 7_run_facts --out no/such.html", "no/such.html"),
        ("slove --model Llama3_8B", "no command 'slove'. Did you mean 'solve'"),
        (
            "solve --model Llama3_8B --hardware H100 --phase forward --prompt 8 --context 8",
            "phase must be 'decode', 'prefill' or 'train' for Llama-3.1-8B; got 'forward' - ",
        ),
        ("sole", "no command 'sole'. Did you mean 'solve'?"),
    ],
)
def test_bad_input_is_one_line_on_stderr(arguments, told, capsys):
    assert main(arguments.split()) == BAD_INPUT

    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert said.err.startswith("mlsysim: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--nothing",
        "solve --modle Llama3_8B",
        "solve --batch-size many --model Llama3_8B --hardware H100",
        "sweep --batch-size 1,many",
        "zoo gardens",
        "completion tcsh",
        "compare docs/examples/base.toml",
        "validate",
        "solve --output yaml",
    ],
)
def test_a_wrong_call_is_one_line_on_stderr(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments.split())

    told = capsys.readouterr().err
    assert left.value.code == BAD_INPUT
    assert told.count("\n") == 1
    assert told.startswith("mlsysim")
    assert "--help" in told


def test_a_line_break_in_an_argument_stays_in_the_line(capsys):
    with pytest.raises(SystemExit):
        main(["zoo", "--a\nb"])
    assert capsys.readouterr().err.count("\n") == 1


def test_python_dash_m_runs_it():
    done = subprocess.run(
        [sys.executable, "-m", "mlsysim", "validate", "no.csv"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr == "mlsysim: no.csv: No such file or directory\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    """As with ``| head``: the pipe is closed before the first line is written."""
    code = (
        "import os, sys\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 1)\n"
        "from mlsysim.cli import main\nsys.exit(main(['zoo', 'hardware']))"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
