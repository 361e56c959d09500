"""A scenario: one question, from a TOML file, from flags, or from both."""

import tomllib
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from mlsysim.commands.fields import FILE, SECTIONS, UNUSED, USES, flags
from mlsysim.commands.limits import Limit, asserted
from mlsysim.commands.schema import faults, schema
from mlsysim.core.errors import ArgumentError, SpecError, UnknownNameError
from mlsysim.core.models import Model
from mlsysim.core.specs import Accelerator, FrozenMap
from mlsysim.core.systems import Fleet, Link
from mlsysim.registry import Hardware, Models, Systems

T = TypeVar("T")
Document = Mapping[str, Any]
Spell = Callable[[str, str], str]
"""From a table and a key to what a message calls it."""

_IDENTITY: Final = {"model": ("name", "card", "config"), "hardware": ("name", "card", "fleet")}
"""Keys of which one says what a thing is."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A question that can be answered.

    Parameters
    ----------
    where
        The file, or ``command line``.
    title
        What the scenario is called; empty if it is not.
    task
        ``solve``, ``serve`` or ``train``.
    model
        The network; None where a sweep varies it.
    hardware
        The device; that of the fleet where there is one. None where nothing says which.
    fleet
        The fleet, of a training run.
    devices, link
        Devices that share the work, and what joins them; None where nothing says so.
    workload
        What else was said of the workload, by key.
    tables
        The other tables, as they stand.
    limits
        Limits on the answer.
    """

    where: str
    title: str
    task: str
    model: Model | None
    hardware: Accelerator | None
    fleet: Fleet | None
    devices: int | None
    link: Link | None
    workload: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]
    limits: tuple[Limit, ...]

    def need(self, value: T | None, what: str) -> T:
        """Return a value that must be there.

        Raises
        ------
        ArgumentError
            If it is not.
        """
        if value is None:
            msg = f"{self.where}: {what}"
            raise ArgumentError(msg)
        return value

    @property
    def network(self) -> Model:
        """The network.

        Raises
        ------
        ArgumentError
            If the scenario has none.
        """
        if self.model is None:
            msg = f"{self.where}: no network is named: give [model] name, or --model"
            raise ArgumentError(msg)
        return self.model

    @property
    def device(self) -> Accelerator:
        """The device.

        Raises
        ------
        ArgumentError
            If the scenario has none.
        """
        return self.need(self.hardware, "no machine is named: give [hardware] name, or --hardware")

    def step(self) -> dict[str, Any]:
        """Return the arguments of ``Engine.solve`` besides the network and the device."""
        shared = {"tp_size": self.devices, "link": self.link}
        return {**self.workload, **{name: value for name, value in shared.items() if value is not None}}


def given(arguments: Namespace, command: str) -> Scenario:
    """Return the scenario of a command line: the file's, where flags do not say otherwise.

    Parameters
    ----------
    arguments
        What was parsed.
    command
        The command, which is called ``compare`` for neither of its files.

    Raises
    ------
    SpecError
        If file or flags say something that cannot be used.
    UnknownNameError
        If the zoo has no such thing.
    """
    document: dict[str, dict[str, Any]] = {}
    for flag, (table, key, _) in flags(command).items():
        value = getattr(arguments, flag.replace("-", "_"))
        if value is not None:
            document.setdefault(table, {})[key] = value
    spelled = {(table, key): f"--{flag}" for flag, (table, key, _) in flags(command).items()}
    _check(document, "command line", lambda table, key: spelled.get((table, key), key))
    if arguments.scenario is None:
        return _build(document, "command line", command)
    return _build(_merged(read(arguments.scenario), document), arguments.scenario, command)


def load(path: str) -> Scenario:
    """Return the scenario of a file, as the command that it is for would.

    Raises
    ------
    SpecError
        If the file says something that cannot be used.
    UnknownNameError
        If the zoo has no such thing.
    """
    document = read(path)
    return _build(document, path, document.get("task", "solve"))


def read(path: str) -> dict[str, Any]:
    """Return a scenario's document, checked against the schema; files that it names are beside it.

    Raises
    ------
    SpecError
        If it is no TOML, or breaks the schema.
    """
    try:
        document = tomllib.loads(Path(path).read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: no TOML: {error}"
        raise SpecError(msg) from None
    _check(document, path, _spell)
    for table, fields in SECTIONS.items():
        for key, field in fields.items():
            if field.kind == FILE and key in document.get(table, {}):
                document[table][key] = str(Path(path).parent / document[table][key])
    return document


def _spell(table: str, key: str) -> str:
    return f"[{table}] {key}" if key else table


def _check(document: Document, where: str, spell: Spell) -> None:
    found = [f"{spell(*(*path, '', '')[:2])}: {said}" for path, said in faults(document, schema())]
    if found:
        msg = f"{where}: {'; '.join(found)}"
        raise SpecError(msg)


def _merged(document: Document, flagged: Document) -> dict[str, Any]:
    """Return a document with flags in place of what it says; a flag that names a thing replaces its name."""
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in document.items()}
    for table, values in flagged.items():
        keys = _IDENTITY.get(table, ())
        named = any(key in values for key in keys)
        kept = {k: v for k, v in merged.get(table, {}).items() if not (named and k in keys)}
        merged[table] = {**kept, **values}
    return merged


def _build(document: Document, where: str, command: str) -> Scenario:
    """Return the scenario that a document describes, for a command."""
    task, tables = USES[command]
    asked = document.get("task", task)
    if asked != task:
        msg = f"{where}: it asks `{asked}`, and `mlsysim {command}` answers scenarios of task {task!r}"
        raise SpecError(msg)
    wrong = [*_foreign(document, command), *_ambiguous(document)]
    if wrong:
        msg = f"{where}: {'; '.join(wrong)}"
        raise SpecError(msg)
    model, hardware = document.get("model", {}), document.get("hardware", {})
    fleet = _system(hardware, "fleet", Fleet, where)
    device = _thing(hardware, where, "hardware", Hardware.__getitem__, card=Hardware.load)
    network: Model | None = _thing(
        model, where, "model", Models.__getitem__, card=Models.load, config=Models.from_hf_config
    )
    return Scenario(
        where=where,
        title=document.get("title", ""),
        task=task,
        model=network,
        hardware=fleet.node.accelerator if fleet is not None else device,
        fleet=fleet,
        devices=hardware.get("devices"),
        link=_system(hardware, "link", Link, where),
        workload=FrozenMap(document.get("workload", {})),
        tables=FrozenMap({name: FrozenMap(document.get(name, {})) for name in tables}),
        limits=tuple(
            asserted(figure, value, f"{where}: [assert]")
            for figure, value in document.get("assert", {}).items()
        ),
    )


def _foreign(document: Document, command: str) -> Iterator[str]:
    """Yield the keys of the tables in use that belong to another question."""
    task, tables = USES[command]
    for table in tables:
        for key in document.get(table, {}):
            others = SECTIONS[table][key].tasks
            if task not in others:
                yield f"[{table}] {key} is for {' and '.join(others)}; this asks {task}"
            elif table != "model" and key in UNUSED.get(command, ()):
                yield f"[{table}] {key} is not for {command}"


def _ambiguous(document: Document) -> Iterator[str]:
    """Yield the things that are named more than once."""
    for table, keys in _IDENTITY.items():
        said = [key for key in keys if key in document.get(table, {})]
        if len(said) > 1:
            yield f"[{table}] has {' and '.join(said)}; give one of {', '.join(keys)}"


def _thing(
    table: Mapping[str, Any],
    where: str,
    label: str,
    name: Callable[[str], T],
    **files: Callable[[str], T],
) -> T | None:
    """Return what a table names, or describes in a file."""
    if "name" in table:
        return found(name, table["name"], f"{where}: [{label}] name")
    return next((load(table[key]) for key, load in files.items() if key in table), None)


def found(look: Callable[[str], T], name: str, where: str) -> T:
    """Return what the zoo has under a name.

    Raises
    ------
    UnknownNameError
        If there is no such thing.
    """
    try:
        return look(name)
    except UnknownNameError as error:
        msg = f"{where}: {error}"
        raise UnknownNameError(msg) from None


def _system(table: Mapping[str, Any], key: str, kind: type[T], where: str) -> T | None:
    """Return a link or a fleet of the zoo."""
    if key not in table:
        return None
    thing = found(Systems.__getitem__, table[key], f"{where}: [hardware] {key}")
    if not isinstance(thing, kind):
        msg = f"{where}: [hardware] {key}: {thing} is a {type(thing).__name__.lower()}, no {key}"
        raise SpecError(msg)
    return thing
