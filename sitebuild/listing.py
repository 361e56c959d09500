"""Lists of pages: which ones, in which order, and what is shown of each."""

from __future__ import annotations

import datetime as dt
import fnmatch
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sitebuild import globs
from sitebuild.config import Config, as_list
from sitebuild.navigation import words

FIELDS = {
    "default": ["image", "date", "title", "subtitle", "author", "description", "categories"],
    "grid": ["image", "title", "subtitle", "date", "author", "description", "categories"],
    "table": ["date", "title", "author", "description"],
}
NAMES = {"filename": "File", "order": "No."}
FORMS = ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%Y/%m/%d", "%d.%m.%Y")


@dataclass(frozen=True)
class Entry:
    """One page in a list: ``values`` by field, ``href`` from the root of the site."""

    href: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """A list of pages as a page shows it."""

    ident: str
    kind: str
    entries: list[Entry]
    fields: list[str]
    names: dict[str, str]
    categories: list[tuple[str, int]]
    counts: bool
    columns: int
    classes: str
    feed: bool = False


def read(spec: Any, page: str, config: Config, fronts: Mapping[str, Mapping[str, Any]]) -> list[Listing]:
    """Return the lists that the front matter of a page asks for under ``listing``.

    Parameters
    ----------
    spec
        What stands there: ``true``, a pattern, a mapping, or a list of these.
    page
        Path of the page that shows the list. Patterns count from its directory.
    config
        The website; mistakes go to its report.
    fronts
        Front matter of every page.
    """
    found = []
    for number, one in enumerate(as_list(spec), 1):
        if one in (None, False):
            continue
        given = one if isinstance(one, Mapping) else {} if one is True else {"contents": one}
        usable = config.check(given, "listing", "listing", config.root / page)
        found.append(_listing(usable, number, page, config, fronts))
    return found


def _listing(
    given: Mapping[str, Any],
    number: int,
    page: str,
    config: Config,
    fronts: Mapping[str, Mapping[str, Any]],
) -> Listing:
    where = config.root / page
    kind = str(given.get("type", "default"))
    kind = kind if kind in FIELDS else "default"
    entries = _entries(given, page, config, fronts)
    for name in as_list(given.get("field-required")):
        for entry in entries:
            if entry.values.get(name) in (None, "", []):
                remedy = f"the listing of {page} requires it"
                config.report.error(config.root / entry.href.lstrip("/"), f"no {name}", remedy=remedy)
    entries = order(entries, given.get("sort"), lambda text: config.report.error(where, text))
    if given.get("max-items"):
        entries = entries[: int(given["max-items"])]
    fields = [str(name) for name in as_list(given.get("fields"))] or [
        name for name in FIELDS[kind] if any(entry.values.get(name) for entry in entries)
    ]
    for name in fields:
        if entries and not any(entry.values.get(name) not in (None, "", []) for entry in entries):
            config.report.warn(where, f"listing.fields: no page of the list has {name}")
    count = Counter(c for entry in entries for c in entry.values["categories"])
    wanted = given.get("categories", False)
    return Listing(
        ident=str(given.get("id", f"listing-{number}")),
        kind=kind,
        entries=entries,
        fields=fields,
        names={f: NAMES.get(f, words(f)) for f in fields} | dict(given.get("field-display-names", {})),
        categories=sorted(count.items()) if wanted else [],
        counts=wanted != "unnumbered",
        columns=int(given.get("grid-columns", 3)),
        classes=" ".join(c for c in ("table-striped", "table-hover") if given.get(c)),
        feed=bool(given.get("feed")),
    )


def _entries(
    given: Mapping[str, Any],
    page: str,
    config: Config,
    fronts: Mapping[str, Mapping[str, Any]],
) -> list[Entry]:
    base, where = posixpath.dirname(page), config.root / page
    length = int(given.get("max-description-length", 0))
    placeholder = given.get("image-placeholder")
    others = [other for other in fronts if other != page]
    contents = as_list(given.get("contents", "*.qmd"))
    taken = [p for p in contents if isinstance(p, str) and p.startswith("!")]
    found: dict[str, Entry] = {}
    for one in contents:
        if isinstance(one, Mapping):
            href = str(one.get("path", one.get("href", "")))
            found[href] = _entry(href, one, base, length, placeholder)
        elif one not in taken:
            chosen = globs.select([str(one), *taken], others, base=base)
            if not chosen:
                config.report.error(where, f"listing.contents: no page matches {one}")
            for other in chosen:
                found[other] = _entry(
                    f"/{other}", fronts[other], posixpath.dirname(other), length, placeholder
                )
    include, exclude = as_list(given.get("include")), as_list(given.get("exclude"))
    return [
        entry
        for entry in found.values()
        if (not include or any(_meets(entry.values, one) for one in include))
        and not any(_meets(entry.values, one) for one in exclude)
    ]


def _meets(values: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """Whether each field in the condition has a value that one of its patterns takes."""
    return all(
        any(
            fnmatch.fnmatchcase(str(value).lower(), str(pattern).lower())
            for value in as_list(values.get("categories" if name == "category" else name))
            for pattern in as_list(patterns)
        )
        for name, patterns in condition.items()
    )


def _entry(href: str, front: Mapping[str, Any], base: str, length: int, placeholder: str | None) -> Entry:
    values = dict(front)
    name = posixpath.basename(href)
    values["title"] = str(front.get("title") or words(posixpath.splitext(href)[0]))
    values["filename"] = name
    values["categories"] = [str(c) for c in as_list(front.get("categories"))]
    values["author"] = ", ".join(names(front.get("author")))
    values["date"] = date(front.get("date"))
    image = front.get("image") or placeholder
    if image and not str(image).startswith("/") and ":" not in str(image):
        image = posixpath.normpath(posixpath.join("/" + base, str(image)))
    values["image"] = image
    text = str(front.get("description") or "")
    if length and len(text) > length:
        text = text[:length].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
    values["description"] = text
    return Entry(href, values)


def names(author: Any) -> list[str]:
    """Return the names in an ``author`` of front matter.

    Examples
    --------
    >>> names([{"name": "Ada Lovelace", "orcid": "0"}, "Alan Turing"])
    ['Ada Lovelace', 'Alan Turing']
    """
    found = []
    for one in as_list(author):
        name = one.get("name", "") if isinstance(one, Mapping) else one
        if isinstance(name, Mapping):
            name = name.get("literal") or f"{name.get('given', '')} {name.get('family', '')}"
        found.append(str(name).strip())
    return [name for name in found if name]


def date(value: Any) -> dt.date | str | None:
    """Return a date of front matter as a date, or as the text that it is.

    Examples
    --------
    >>> date("2025-03-01"), date("spring 2025")
    (datetime.date(2025, 3, 1), 'spring 2025')
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date) or value is None:
        return value
    if value in ("today", "now"):
        return dt.datetime.now(tz=dt.UTC).date()
    for form in FORMS:
        try:
            return dt.datetime.strptime(str(value), form).replace(tzinfo=dt.UTC).date()
        except ValueError:  # not this form
            continue
    return str(value)


def order(entries: Sequence[Entry], sort: Any, complain: Callable[[str], None]) -> list[Entry]:
    """Return entries in the order of ``sort``: ``"date desc"``, a list of such keys, or ``false``.

    Without a key, pages stand by ``order`` and then by title. Those that lack a field come last,
    whatever the direction.
    """
    if sort is False:
        return list(entries)
    keys = ["order", "title"] if sort in (None, True) else [str(key) for key in as_list(sort)]
    result = list(entries)
    for key in reversed(keys):
        found = re.fullmatch(r"\s*([\w-]+)(?:\s+(asc|desc))?\s*", key)
        if found is None:
            complain(f"listing.sort: {key!r} is not a field and asc or desc")
            continue
        name = found[1]
        if sort not in (None, True) and not any(name in entry.values for entry in entries):
            complain(f"listing.sort: no page of the list has {name}")
        present = [e for e in result if e.values.get(name) not in (None, "", [])]
        absent = [e for e in result if e.values.get(name) in (None, "", [])]
        present.sort(key=lambda e, n=name: _rank(e.values[n]), reverse=found[2] == "desc")  # type: ignore[misc]
        result = present + absent
    return result


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers by size, before dates, before texts; numbers inside texts by size too."""
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, dt.date):
        return (1, value.isoformat())
    parts = re.split(r"(\d+)", str(value).casefold())
    return (2, [(int(p), "") if p.isdigit() else (-1, p) for p in parts])


def place(body: str, ident: str, markup: str) -> str:
    """Return a page with a list put into ``<div id=ident>``, or after its text without one.

    Examples
    --------
    >>> place('<div id="a"></div><p>b</p>', "a", "<ul></ul>")
    '<div id="a"><ul></ul></div><p>b</p>'
    """
    holder = re.compile(rf'(<(?:div|section)\b[^>]*\bid="{re.escape(ident)}"[^>]*>\s*)')
    if holder.search(body):
        return holder.sub(lambda found: found[1] + markup, body, count=1)
    return f'{body}\n<div id="{ident}">{markup}</div>'
