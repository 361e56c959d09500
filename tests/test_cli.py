"""The command line: what it prints, and what it tells the shell."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlsysim.cli import BAD_INPUT, COMMANDS, main
from mlsysim.measurements import COLUMNS

TABLE = str(Path(__file__).parents[1] / "data" / "measurements.csv")


def test_validate_prints_scores(capsys):
    assert main(["validate", TABLE, "--category", "3_prefill_ttft", "--category", "8_edge_mcu"]) == 0

    said = capsys.readouterr()
    assert "By category" in said.out
    assert "3_prefill_ttft" in said.out
    assert "1_llm_decode_b1" not in said.out
    assert said.err == ""


def test_validate_prints_json(capsys):
    assert main(["validate", TABLE, "--category", "1_llm_decode_b1", "--json"]) == 0

    plain = json.loads(capsys.readouterr().out)
    assert plain["categories"]["1_llm_decode_b1"]["rows"] == len(plain["rows"]) == 154


def test_validate_takes_a_calibration(capsys):
    assert main(["validate", TABLE, "--category", "1_llm_decode_b1", "--calibration", "ideal"]) == 0
    assert "calibration: ideal" in capsys.readouterr().out


def test_validate_writes_a_page(tmp_path, capsys):
    out = tmp_path / "report.html"

    assert main(["validate", TABLE, "--category", "3_prefill_ttft", "--out", str(out)]) == 0
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "By category" in capsys.readouterr().out


def test_a_table_that_was_never_seen_works(tmp_path, capsys):
    cells = dict.fromkeys(COLUMNS, "") | {
        "id": "mine",
        "category": "1_llm_decode_b1",
        "model": "Llama3_8B",
        "hardware": "H200",
        "n_devices": "1",
        "parallelism": "1 device",
        "precision_weights": "fp16",
        "precision_compute": "fp16",
        "batch_or_concurrency": "1",
        "input_len": "0",
        "output_len": "128",
        "metric": "decode_tokens_per_s",
        "value": "170",
        "unit": "tok/s",
        "confidence": "medium",
        "source": "me",
    }
    path = tmp_path / "mine.csv"
    path.write_text(",".join(cells) + "\n" + ",".join(cells.values()) + "\n", "utf-8")

    assert main(["validate", str(path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert 0.5 < row["ratio"] < 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["validate", "no/such.csv"], "no/such.csv: No such file or directory"),
        (["validate", TABLE, "--category", "3_prefil"], "no row of category '3_prefil'. Did you mean"),
        (["validate", TABLE, "--calibration", "magic"], "calibration must be a Calibration or the name"),
        (["validate", TABLE, "--category", "7_run_facts", "--out", "no/such.html"], "no/such.html"),
    ],
)
def test_bad_input_is_one_line_on_stderr(arguments, said, capsys):
    assert main(arguments) == BAD_INPUT

    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_malformed_table_names_file_line_and_column(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text(",".join(COLUMNS) + "\nonly,three,cells\n", "utf-8")

    assert main(["validate", str(path)]) == BAD_INPUT
    assert f"{path}, line 2, column 'hardware': the row ends before it" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["valid"], ["validate"], ["validate", TABLE, "--jsn"]])
def test_a_wrong_call_is_one_line_on_stderr(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)

    told = capsys.readouterr().err
    assert left.value.code == BAD_INPUT
    assert told.count("\n") == 1
    assert "--help" in told


def test_help_lists_every_command_with_its_examples(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    told = capsys.readouterr().out
    assert left.value.code == 0
    for name, command in COMMANDS.items():
        assert name in told
        assert command.examples
        assert all(f"python -m mlsysim {example}" in told for example in command.examples)


def test_help_imports_no_physics():
    """It is fast because it loads the errors and argparse alone."""
    code = (
        "import sys\nfrom mlsysim.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in sys.modules if m.startswith(('mlsysim.', 'pint', 'numpy'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "['mlsysim.cli', 'mlsysim.core', 'mlsysim.core.errors']"


def test_python_dash_m_runs_it():
    done = subprocess.run(
        [sys.executable, "-m", "mlsysim", "validate", "no.csv"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (BAD_INPUT, "")
    assert done.stderr == "python -m mlsysim: no.csv: No such file or directory\n"
