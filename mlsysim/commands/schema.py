"""The JSON Schema of a scenario, and the check that reads it: what is published is what is in force."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mlsysim.commands.fields import (
    CHOICE,
    CHOICES,
    FILE,
    INTEGER,
    INTEGERS,
    LISTS,
    NAME,
    NAMES,
    NUMBER,
    QUANTITY,
    SAYS,
    SECTIONS,
    TASKS,
    Field,
)
from mlsysim.core.errors import suggestion

_LARGEST: Final = 2**53
_QUANTITY: Final = r"^\s*[0-9.][0-9.]*([eE][+\-]?[0-9]+)?\s*[A-Za-zµμ$%][A-Za-z0-9µμ$%/ ]*$"
_RANGE: Final = r"^\s*[0-9]+\s*\.\.\s*[0-9]+\s*(\*\s*[0-9]+\s*)?$"
_LIMIT: Final = r"^\s*(<=|>=|==|!=|<|>)\s*\S.*$"

NOTES: Final = frozenset({"$schema", "title", "description", "examples"})
"""Keywords that tell a reader something, and check nothing."""

_KINDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
_A: Final[Mapping[str, str]] = {
    "object": "a table",
    "array": "a list",
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}
Path = tuple[str, ...]


def _item(field: Field) -> dict[str, Any]:
    """Return the schema of a single value."""
    if field.kind in {NAME, NAMES, FILE}:
        return {"type": "string", "minLength": 1}
    if field.kind == QUANTITY:
        return {"type": "string", "pattern": _QUANTITY}
    if field.kind in {CHOICE, CHOICES}:
        return {"enum": list(field.words)}
    if field.kind in {INTEGER, INTEGERS}:
        return {"type": "integer", "minimum": field.least, "maximum": field.most or _LARGEST}
    most = {} if field.most is None else {"maximum": field.most}
    return {"type": NUMBER, "exclusiveMinimum": field.least, **most}


def _value(field: Field) -> dict[str, Any]:
    """Return the schema of a key."""
    notes = {"description": describe(field), "examples": [field.example]}
    if field.kind == INTEGERS:
        return {
            "type": ["array", "string"],
            "items": _item(field),
            "minItems": 1,
            "pattern": _RANGE,
            **notes,
        }
    if field.kind in LISTS:
        return {"type": "array", "items": _item(field), "minItems": 1, **notes}
    return {**_item(field), **notes}


def describe(field: Field) -> str:
    """Return what a key means, and for which questions where that is not all."""
    only = "" if field.tasks == TASKS else f" (for {' and '.join(field.tasks)})"
    return f"{field.says[0].upper()}{field.says[1:]}{only}."


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario.

    Examples
    --------
    >>> schema()["properties"]["target"]["properties"]["latency"]["examples"]
    ['50 ms']
    """
    tables: dict[str, Any] = {
        table: {
            "type": "object",
            "description": SAYS[table],
            "additionalProperties": False,
            "properties": {key: _value(field) for key, field in fields.items()},
        }
        for table, fields in SECTIONS.items()
    }
    tables["assert"] = {
        "type": "object",
        "description": SAYS["assert"],
        "additionalProperties": {"type": ["boolean", "string"], "pattern": _LIMIT},
        "examples": [{"latency": "<= 50 ms", "fits": True}],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mlsysim scenario",
        "description": "One question: a network, a machine and a workload, with limits on the answer.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "title": {"type": "string", "minLength": 1, "description": "What the scenario is called."},
            "task": {
                "enum": list(TASKS),
                "description": "The question; that of the command if left out.",
                "examples": ["serve"],
            },
            **tables,
        },
    }


def _is(kind: str, value: object) -> bool:
    """Return whether a value is of a JSON type; a whole float counts as an integer, as JSON Schema says."""
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _KINDS[kind])


def faults(value: object, rules: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield where a document breaks a schema, and what was expected there.

    Parameters
    ----------
    value
        The document, or a part of it.
    rules
        A schema in the keywords that ``schema`` uses.
    path
        Where the part stands.

    Examples
    --------
    >>> list(faults({"taks": "solve"}, schema()))
    [(('taks',), "unknown key. Did you mean 'task'?")]
    >>> list(faults({"workload": {"batch_size": 0}}, schema()))
    [(('workload', 'batch_size'), 'must be at least 1; got 0')]
    """
    kinds = rules.get("type", list(_KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "enum" in rules and value not in rules["enum"]:
        yield path, f"got {value!r}. {suggestion(str(value), rules['enum'])}"
    elif not any(_is(kind, value) for kind in kinds):
        yield path, f"must be {' or '.join(_A[kind] for kind in kinds)}; got {value!r}"
    elif isinstance(value, dict):
        yield from _table(value, rules, path)
    elif isinstance(value, list):
        if len(value) < rules.get("minItems", 0):
            yield path, "must hold at least one value"
        for item in value:
            yield from faults(item, rules.get("items", {}), path)
    elif isinstance(value, str):
        yield from _text(value, rules, path)
    elif not isinstance(value, bool) and isinstance(value, int | float):
        yield from _number(value, rules, path)


def _table(value: Mapping[str, Any], rules: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    known = rules.get("properties", {})
    others = rules.get("additionalProperties", True)
    for key, inner in value.items():
        if key in known:
            yield from faults(inner, known[key], (*path, key))
        elif others is False:
            yield (*path, key), f"unknown key. {suggestion(key, known)}"
        elif isinstance(others, Mapping):
            yield from faults(inner, others, (*path, key))


def _text(value: str, rules: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    if len(value) < rules.get("minLength", 0):
        yield path, "must not be empty"
    pattern = rules.get("pattern")
    if pattern is not None and not re.search(pattern, value):
        examples = {
            _QUANTITY: "a number with its unit, as in '50 ms'",
            _RANGE: "a list or a range, as in '1..64' or '1..4096*2'",
            _LIMIT: "a comparison, as in '<= 50 ms'",
        }
        yield path, f"must be {examples[pattern]}; got {value!r}"


def _number(value: float, rules: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    if not abs(value) < float("inf"):
        yield path, f"must be a finite number; got {value!r}"
    elif "minimum" in rules and value < rules["minimum"]:
        yield path, f"must be at least {rules['minimum']}; got {value!r}"
    elif "exclusiveMinimum" in rules and value <= rules["exclusiveMinimum"]:
        yield path, f"must be above {rules['exclusiveMinimum']}; got {value!r}"
    elif "maximum" in rules and value > rules["maximum"]:
        yield path, f"must be at most {rules['maximum']}; got {value!r}"
