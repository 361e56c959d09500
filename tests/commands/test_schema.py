"""The scenario's schema: published as it is in force, and read as others read JSON Schema."""

import json
import tomllib
from pathlib import Path

import pytest

from mlsysim.commands.fields import SECTIONS
from mlsysim.commands.schema import NOTES, faults, schema

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.toml"))

CHECKED = {
    "type", "enum", "properties", "additionalProperties", "items", "minItems", "minLength", "pattern",
    "minimum", "maximum", "exclusiveMinimum",
}  # fmt: skip
"""Keywords that the check reads."""


def keywords(rules):
    """Every keyword of a schema; what stands under ``properties`` are names."""
    for key, value in rules.items():
        yield key
        if key == "properties":
            for inner in value.values():
                yield from keywords(inner)
        elif key not in NOTES and isinstance(value, dict):
            yield from keywords(value)


def test_the_check_knows_every_keyword():
    """A keyword that it did not know would be published and not be in force."""
    assert set(keywords(schema())) == CHECKED | NOTES


def test_the_published_file_is_the_schema():
    """``mlsysim schema > docs/scenario.schema.json``."""
    assert json.loads((ROOT / "docs" / "scenario.schema.json").read_text("utf-8")) == schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_keep_the_schema(path):
    assert list(faults(tomllib.loads(path.read_text("utf-8")), schema())) == []


def test_examples_of_keys_keep_the_schema():
    document = {
        table: {key: field.example for key, field in fields.items()} for table, fields in SECTIONS.items()
    }

    assert list(faults(document, schema())) == []


BAD = {
    'taks = "solve"': (("taks",), "unknown key. Did you mean 'task'?"),
    'task = "slove"': (("task",), "got 'slove'. Did you mean 'solve' or 'serve'?"),
    'title = ""': (("title",), "must not be empty"),
    "model = 3": (("model",), "must be a table; got 3"),
    "model.nmae = 'GPT3'": (("model", "nmae"), "unknown key. Did you mean 'name'?"),
    "workload.batch_size = 0": (("workload", "batch_size"), "must be at least 1; got 0"),
    "workload.batch_size = 1.5": (("workload", "batch_size"), "must be a whole number; got 1.5"),
    "workload.batch_size = true": (("workload", "batch_size"), "must be a whole number; got True"),
    "workload.batch_size = '8'": (("workload", "batch_size"), "must be a whole number; got '8'"),
    "workload.context = -1": (("workload", "context"), "must be at least 0; got -1"),
    "workload.precision = 'fp17'": (("workload", "precision"), "got 'fp17'. Did you mean 'fp16'?"),
    "workload.mfu = 0": (("workload", "mfu"), "must be above 0; got 0"),
    "workload.mfu = 40": (("workload", "mfu"), "must be at most 1; got 40"),
    "parallelism.zero_stage = 4": (("parallelism", "zero_stage"), "must be at most 3; got 4"),
    "target.latency = 50": (("target", "latency"), "must be a text; got 50"),
    "target.latency = '50'": (
        ("target", "latency"),
        "must be a number with its unit, as in '50 ms'; got '50'",
    ),
    "sweep.batch_size = []": (("sweep", "batch_size"), "must hold at least one value"),
    "sweep.batch_size = [0]": (("sweep", "batch_size"), "must be at least 1; got 0"),
    "sweep.batch_size = 'many'": (
        ("sweep", "batch_size"),
        "must be a list or a range, as in '1..64' or '1..4096*2'; got 'many'",
    ),
    "sweep.hardware = 'H100'": (("sweep", "hardware"), "must be a list; got 'H100'"),
    "sweep.hardware = [1]": (("sweep", "hardware"), "must be a text; got 1"),
    "sweep.precision = ['fp17']": (("sweep", "precision"), "got 'fp17'. Did you mean 'fp16'?"),
    "assert.latency = 50": (("assert", "latency"), "must be true or false or a text; got 50"),
    "assert.latency = '50 ms'": (
        ("assert", "latency"),
        "must be a comparison, as in '<= 50 ms'; got '50 ms'",
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_said_where_it_is(text):
    assert list(faults(tomllib.loads(text), schema())) == [BAD[text]]


def test_all_that_is_wrong_is_said_at_once():
    document = tomllib.loads("x = 1\nworkload.batch_size = 0\ntarget.latency = 1")

    assert len(list(faults(document, schema()))) == 3


def test_numbers_that_are_none_are_refused():
    (found,) = faults(tomllib.loads("workload.tokens = inf"), schema())
    assert found == (("workload", "tokens"), "must be a finite number; got inf")


@pytest.mark.parametrize("text", [*BAD, *(path.read_text("utf-8") for path in EXAMPLES)])
def test_a_validator_of_another_house_agrees(text):
    """jsonschema comes with nbformat, which the tests of the notebooks need."""
    jsonschema = pytest.importorskip("jsonschema")
    document = tomllib.loads(text)
    checker = jsonschema.Draft202012Validator(schema())
    checker.check_schema(schema())

    assert checker.is_valid(document) == (text not in BAD)
