"""Records of the cache: JSON files that are whole, or are not there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sitebuild.errors import shown


def key(parts: object) -> str:
    """Return the name of what is made from these parts alone."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load(entry: Path, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """Return a record; None where there is none, or it is not what was written."""
    try:
        saved = json.loads(entry.read_text(encoding="utf-8"))
        record = saved["record"]
        if saved["sha256"] == key(record) and isinstance(record, dict):
            return record
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        pass  # not what was written: said below
    warn(f"{shown(entry)}: the record is damaged, and made again")
    return None


def store(entry: Path, record: Mapping[str, Any]) -> None:
    """Write a record in one step, so that no other process reads half of it."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"sha256": key(record), "record": record})
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=entry.parent, suffix=".part", delete=False
    ) as part:
        part.write(text)
    os.replace(part.name, entry)  # noqa: PTH105
