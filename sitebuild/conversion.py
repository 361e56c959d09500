"""What Pandoc makes of a page, kept: a page that has not changed is not converted again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pypandoc

from sitebuild import pandoc, records
from sitebuild.config import as_list
from sitebuild.execute import tree_hash
from sitebuild.pandoc import Body

NAMED = re.compile(r"""["']/?([\w-]+(?:[./][\w-]+)+)["']""")


@dataclass(frozen=True)
class Conversion:
    """The conversion of one page.

    Attributes
    ----------
    options, page, root, warn
        As for `sitebuild.pandoc.convert`.
    cache
        Directory for what Pandoc made; None asks it each time.
    """

    options: Mapping[str, Any]
    page: Path
    root: Path
    warn: Callable[[str], None]
    cache: Path | None

    def body(self, markdown: str) -> Body:
        """Return the page's Markdown as HTML; what Pandoc complained of is told again."""

        def make() -> dict[str, Any]:
            said = list[str]()
            made = pandoc.convert(
                markdown, options=self.options, page=self.page, root=self.root, warn=said.append
            )
            return {**asdict(made), "said": said}

        record = self._kept(["body", markdown], make)
        for message in record["said"]:
            self.warn(message)
        return Body(record["html"], record["toc"])

    def cited(self, groups: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Return citations as text, and the works that they cite."""
        wanted = list(groups)

        def make() -> dict[str, Any]:
            texts, works = pandoc.cited(wanted, options=self.options, page=self.page, root=self.root)
            return {"texts": texts, "works": works}

        record = self._kept(["cited", wanted], make)
        return record["texts"], record["works"]

    def _kept(self, parts: list[Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if self.cache is None:
            return make()
        page = self.page.relative_to(self.root).as_posix()
        options = [(name, str(value)) for name, value in sorted(self.options.items())]
        entry = self.cache / f"{records.key([*parts, page, options, self._inputs()])}.json"
        record = records.load(entry, self.warn)
        if record is None:
            record = make()
            records.store(entry, record)
        return record

    def _inputs(self) -> list[str]:
        """Return what Pandoc reads beside the page: filters, the files that they name, bibliographies."""
        named = ("bibliography", "csl", "filters")
        given = [str(file).lstrip("/") for name in named for file in as_list(self.options.get(name))]
        files = {self.root / file for file in given if (self.root / file).is_file()}
        for file in [file for file in files if file.suffix == ".lua"]:
            found = NAMED.findall(file.read_text(encoding="utf-8"))
            files |= {self.root / name for name in found if (self.root / name).is_file()}
        return [_program(), tree_hash(files)]


@cache
def _program() -> str:
    """Return what tells one Pandoc, and what this package asks of it, from another."""
    return str(pypandoc.get_pandoc_version()) + tree_hash([pandoc.HERE])
