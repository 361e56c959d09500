"""`schema`: what a scenario file may say, for editors and for readers."""

from mlsysim.commands.fields import SAYS, SECTIONS
from mlsysim.commands.page import Page, Prose, Table
from mlsysim.commands.schema import describe, schema


def reference() -> Page:
    """Return the schema as data, and its keys as tables."""
    data = schema()
    top = [
        (name, rules.get("enum", ["text"]), rules["description"])
        for name, rules in data["properties"].items()
        if rules.get("type") != "object"
    ]
    rows = {
        table: [(key, field.example, describe(field)) for key, field in fields.items()]
        for table, fields in SECTIONS.items()
    }
    records = [
        (table, key, _spelled(example), says) for table, keys in rows.items() for key, example, says in keys
    ]
    return Page(
        title=data["title"],
        parts=[
            Prose([data["description"]]),
            Table(
                ("key", "value", "meaning"), [(k, " or ".join(v), s) for k, v, s in top], "Above all tables"
            ),
            *(
                Table(
                    ("key", "example", "meaning"),
                    [(key, _spelled(example), says) for key, example, says in keys],
                    f"[{table}]: {SAYS[table]}",
                )
                for table, keys in rows.items()
            ),
            Prose([SAYS["assert"]], "[assert]"),
        ],
        data=data,
        records=Table(("table", "key", "example", "meaning"), records),
    )


def _spelled(example: object) -> str:
    """Return an example as TOML spells it."""
    if isinstance(example, list):
        return f"[{', '.join(map(_spelled, example))}]"
    return f'"{example}"' if isinstance(example, str) else str(example)
