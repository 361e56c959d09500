"""Scenarios: from a file, from flags, from both; and what is refused."""

import json
import shutil

import pytest

from mlsysim import Hardware, Models, Systems
from mlsysim.cli import parser
from mlsysim.commands import scenario
from mlsysim.commands.options import COMMANDS
from mlsysim.core.errors import SpecError, UnknownNameError

WHOLE = """
title = "Two H100"

[model]
name = "Llama3_8B"

[hardware]
name = "H100"
devices = 2
link = "NVLink4"

[workload]
batch_size = 8
context = 1024

[target]
latency = "50 ms"

[assert]
latency = "<= 50 ms"
fits = true
"""


def given(line):
    words = line.split()
    return scenario.given(parser().parse_args(words), words[0])


def test_a_file_says_everything(write):
    asked = given(f"solve {write(WHOLE)}")

    assert (asked.title, asked.task) == ("Two H100", "solve")
    assert asked.network is Models.Llama3_8B
    assert asked.device is Hardware.H100
    assert asked.link is Systems.NVLink4
    assert asked.step() == {"batch_size": 8, "context": 1024, "tp_size": 2, "link": Systems.NVLink4}
    assert [str(limit) for limit in asked.limits] == ["latency <= 50 ms", "fits == yes"]


def test_flags_say_the_same(write):
    line = "--model Llama3_8B --hardware H100 --devices 2 --link NVLink4 --batch-size 8 --context 1024"
    flags, file = given(f"solve {line}"), given(f"solve {write(WHOLE)}")

    assert flags.step() == file.step()
    assert (flags.network, flags.device) == (file.network, file.device)
    assert flags.where == "command line"


def test_flags_take_precedence(write):
    asked = given(f"solve {write(WHOLE)} --hardware H200 --batch-size 16")

    assert asked.device is Hardware.H200
    assert asked.step()["batch_size"] == 16
    assert asked.step()["context"] == 1024
    assert asked.limits


def test_what_is_not_said_is_left_to_the_solver(write):
    path = write("model.name = 'GPT3'")

    assert given(f"solve {path} --hardware H100").step() == {}


def test_a_card_and_a_configuration_are_read_beside_the_file(write, tmp_path):
    """A flag is read from where the command runs."""
    shutil.copy("mlsysim/data/hardware/cloud/H100.toml", tmp_path / "mine.toml")
    config = {"model_type": "gpt2", "n_layer": 2, "n_head": 4, "n_embd": 64, "vocab_size": 1000}
    (tmp_path / "config.json").write_text(json.dumps({**config, "n_positions": 128}), "utf-8")
    path = write("model.config = 'config.json'\nhardware.card = 'mine.toml'")
    asked = given(f"solve {path}")

    assert asked.device == Hardware.H100
    assert asked.network.layers == 2
    flagged = given(f"solve {path} --hardware-card {tmp_path / 'mine.toml'}")
    assert flagged.device == Hardware.H100


def test_a_flag_that_names_a_thing_replaces_the_card(write):
    path = write("model.name = 'GPT3'\nhardware.card = 'no.toml'")

    assert given(f"solve {path} --hardware H100").device is Hardware.H100


def test_a_fleet_brings_its_device():
    asked = given("train --model Llama3_8B --fleet DGX_SuperPOD_SU_H100")

    assert asked.fleet is Systems.DGX_SuperPOD_SU_H100
    assert asked.device is Hardware.H100


def test_a_file_says_its_task(write):
    path = write(f'task = "serve"\n{WHOLE}'.replace("context = 1024", "prompt = 1024"))

    assert scenario.load(path).task == "serve"
    assert given(f"serve {path}").task == "serve"
    with pytest.raises(
        SpecError, match="it asks `serve`, and `mlsysim sensitivity` answers scenarios of task"
    ):
        given(f"sensitivity {path}")


def test_without_a_task_the_command_says_it(write):
    path = write("model.name = 'GPT3'\nhardware.name = 'H100'\nworkload.output = 8")

    assert given(f"serve {path}").workload == {"output": 8}
    with pytest.raises(SpecError, match=r"\[workload\] output is for serve; this asks solve"):
        given(f"solve {path}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model = ", "no TOML"),
        ("workload.batch_sise = 8", "[workload] batch_sise: unknown key. Did you mean 'batch_size'"),
        ("wokload.batch_size = 8", "wokload: unknown key. Did you mean 'workload'?"),
        (
            "workload.batch_size = 0\nworkload.precision = 'fp17'",
            "[workload] batch_size: must be at least 1; got 0; [workload] precision: got 'fp17'",
        ),
        ("model.name = 'GPT3'\nmodel.card = 'x.toml'", "[model] has name and card; give one of name, card"),
        ("hardware.fleet = 'Selene'", "[hardware] fleet is for train; this asks solve"),
        ("hardware.link = 'Selene'", "[hardware] link: NVIDIA Selene"),
        ("assert.latency = '50 ms'", "[assert] latency: must be a comparison, as in '<= 50 ms'"),
    ],
)
def test_what_cannot_be_used_is_said_with_the_file(text, says, write):
    path = write(text)
    with pytest.raises(SpecError) as caught:
        given(f"solve {path}")
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model.name = 'Llama3_9B'", "[model] name: Models has no 'Llama3_9B'. Did you mean"),
        ("hardware.name = 'H10O'", "[hardware] name: Hardware has no 'H10O'. Did you mean"),
        ("hardware.link = 'NVLink9'", "[hardware] link: Systems has no 'NVLink9'. Did you mean"),
    ],
)
def test_a_name_that_is_unknown_gets_a_suggestion(text, says, write):
    with pytest.raises(UnknownNameError) as caught:
        given(f"solve {write(text)}")
    assert says in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="no TOML"):
        given(f"solve {path}")


@pytest.mark.parametrize("command", ["synthesize", "audit"])
def test_keys_without_use_are_refused(command, write):
    table = {"synthesize": "hardware.devices = 2", "audit": "hardware.name = 'H100'"}[command]
    with pytest.raises(SpecError, match=rf"\[hardware\] \w+ is not for {command}"):
        given(f"{command} {write(table)}")
    flag = {"synthesize": "--devices", "audit": "--hardware"}[command]
    assert flag not in [option.name for option in COMMANDS[command].options]
