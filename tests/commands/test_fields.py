"""The table of what a scenario may say: names that agree with the package, and flags that are unique."""

import pytest

from mlsysim.commands.fields import (
    CALIBRATIONS,
    FILE,
    GROUPS,
    PARALLELISM,
    PHASES,
    PRECISIONS,
    SECTIONS,
    TASKS,
    USES,
    WORKLOAD,
    flags,
)
from mlsysim.commands.names import cards
from mlsysim.commands.options import COMMANDS
from mlsysim.core import calibration, precision
from mlsysim.core.counting.activations import Recompute
from mlsysim.core.models import Phase
from mlsysim.core.parallelism import Parallelism
from mlsysim.registry import Hardware


def test_words_are_those_of_the_package():
    assert sorted(PRECISIONS) == sorted(precision.PRECISIONS)
    assert sorted(CALIBRATIONS) == sorted(calibration.PRESETS)
    assert PHASES == tuple(str(phase) for phase in Phase)
    assert WORKLOAD["recompute"].words == tuple(str(kind) for kind in Recompute)
    assert set(PARALLELISM) == set(Parallelism.__dataclass_fields__)
    assert {group.title() for group in GROUPS} <= set(dir(Hardware))
    assert set(GROUPS) == {card.group for card in cards("hardware")}


@pytest.mark.parametrize(
    ("table", "key", "field"),
    [(table, key, field) for table, fields in SECTIONS.items() for key, field in fields.items()],
)
def test_every_key_belongs_to_a_command(table, key, field):
    reached = {name for name in USES for t, k, _ in flags(name).values() if (t, k) == (table, key)}

    assert set(field.tasks) <= set(TASKS)
    assert reached
    assert field.says[0].islower() or field.says.startswith("a ")
    assert not field.says.endswith(".")


@pytest.mark.parametrize("command", USES)
def test_flags_are_unique_and_leave_the_shared_ones_alone(command):
    """Two keys of one flag would hide each other; in a sweep the list stands for the single value."""
    task, tables = USES[command]
    keys = [
        field.flag or key.replace("_", "-")
        for table in tables
        for key, field in SECTIONS[table].items()
        if task in field.tasks
    ]
    twice = {flag for flag in keys if keys.count(flag) > 1}
    declared = [option.name for option in COMMANDS[command].options]

    varied = {key.replace("_", "-") for key in SECTIONS["sweep"]}
    assert twice == (varied if command == "sweep" else set())
    assert len(declared) == len(set(declared))


def test_a_card_that_is_named_exists():
    for fields in SECTIONS.values():
        for field in fields.values():
            stems = {card.stem for card in cards(field.cards)} if field.cards else set()
            examples = field.example if isinstance(field.example, list) else [field.example]
            if field.cards:
                assert set(examples) <= stems
            if field.kind == FILE:
                assert all(str(example).endswith((".toml", ".json")) for example in examples)
