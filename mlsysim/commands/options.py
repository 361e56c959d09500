"""What each command takes: flags, files and examples, declared without loading what answers them."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mlsysim.commands.fields import FILE, GROUPS, INTEGER, INTEGERS, LISTS, NUMBER, Field, flags
from mlsysim.commands.names import REGISTRIES
from mlsysim.commands.schema import describe

OUTPUTS: Final = ("text", "json", "markdown", "csv")
SHELLS: Final = ("bash", "zsh", "fish")

_NUMBERS: Final[dict[str, Callable[[str], Any]]] = {INTEGER: int, NUMBER: float}


def _names(text: str) -> list[str]:
    """Return the parts of a list that is written with commas."""
    return [part.strip() for part in text.split(",")]


def _counts(text: str) -> list[int] | str:
    """Return whole numbers that are written with commas; a range stays a text."""
    return text if ".." in text else [int(part) for part in text.split(",")]


@dataclass(frozen=True, kw_only=True)
class Option:
    """A flag or a place on the command line.

    Parameters
    ----------
    name
        ``--flag``, or the name of a place.
    says
        What it does.
    rest
        Further arguments of ``argparse``.
    words
        What can stand there, where that is known.
    cards
        Folder of the cards that it names.
    several
        Whether it takes a list with commas.
    """

    name: str
    says: str
    rest: dict[str, Any]
    words: tuple[str, ...] = ()
    cards: str = ""
    several: bool = False

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return "action" not in self.rest or self.rest["action"] in {"append", "extend"}

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare it to a parser."""
        parser.add_argument(self.name, help=self.says.replace("%", "%%"), **self.rest)


@dataclass(frozen=True)
class Command:
    """A command: what it does in a line, what it takes, and examples of it."""

    says: str
    options: tuple[Option, ...]
    examples: tuple[str, ...]


def _flag(name: str, field: Field) -> Option:
    """Return the flag of a scenario's key."""
    several = field.kind in LISTS
    read = (_counts if field.kind == INTEGERS else _names) if several else _NUMBERS.get(field.kind, str)
    shown = {FILE: "FILE", INTEGER: "N", INTEGERS: "N,N,…", NUMBER: "X"}.get(field.kind, "NAME")
    rest: dict[str, Any] = {"type": read, "metavar": f"{shown},…" if several and shown == "NAME" else shown}
    says = describe(field).removesuffix(".")
    if field.words and not several:
        rest["metavar"] = "WORD"
        says += f": {', '.join(field.words)}"
    return Option(
        name=f"--{name}", says=says, rest=rest, words=field.words, cards=field.cards, several=several
    )


def _output(default: str = "text") -> Option:
    rest = {"choices": OUTPUTS, "default": default, "metavar": "FORMAT"}
    return Option(
        name="--output", says=f"{', '.join(OUTPUTS)}; {default} if left out", rest=rest, words=OUTPUTS
    )


def _asks(command: str, *more: Option) -> tuple[Option, ...]:
    """Return what a command takes that answers a scenario."""
    file = Option(
        name="scenario",
        says="a scenario; flags take precedence over what it says",
        rest={"nargs": "?", "metavar": "SCENARIO.toml"},
    )
    return (file, *(_flag(name, field) for name, (_, _, field) in flags(command).items()), *more, _output())


_STEP: Final = ("latency", "throughput", "memory")

COMMANDS: Final = {
    "zoo": Command(
        "List devices, networks, systems and sites, each figure from a source.",
        (
            Option(
                name="registry",
                says=f"{', '.join(REGISTRIES)}; how many there are of each if left out",
                rest={"nargs": "?", "choices": REGISTRIES, "metavar": "REGISTRY"},
                words=REGISTRIES,
            ),
            Option(
                name="card",
                says="show all figures of this one, with their sources",
                rest={"nargs": "?", "metavar": "NAME"},
                cards="*",
            ),
            Option(
                name="--where",
                says="keep what meets every bound: vendor=AMD, 'bandwidth>=2 TB/s', 'peak.fp8 > 1 PFLOP/s'",
                rest={"nargs": "+", "action": "extend", "metavar": "BOUND", "default": []},
            ),
            _output(),
        ),
        (
            "zoo",
            "zoo hardware --where vendor=AMD 'bandwidth>=3 TB/s'",
            "zoo models Llama3_70B",
            "zoo systems --output csv",
        ),
    ),
    "solve": Command(
        "Time one step of a network on a machine, and say what limits it.",
        _asks("solve"),
        (
            "solve --model Llama3_8B --hardware H100 --batch-size 8 --context 4096",
            "solve docs/examples/decode.toml",
            "solve docs/examples/decode.toml --hardware H200 --output json",
        ),
    ),
    "serve": Command(
        "Time a batch of requests from first token to last, and count how many fit.",
        _asks("serve"),
        (
            "serve --model Llama3_8B --hardware H100 --batch-size 16 --prompt 1024 --output-tokens 256",
            "serve docs/examples/serving.toml --output markdown",
        ),
    ),
    "train": Command(
        "Time a training step on a fleet, or a whole run.",
        _asks("train"),
        (
            "train --model Llama3_8B --hardware H100 --devices 1024 --tokens 15e12 --mfu 0.4",
            "train docs/examples/training.toml",
        ),
    ),
    "sensitivity": Command(
        "Say which resource is worth investing in, as elasticities of the step's time.",
        _asks(
            "sensitivity",
            Option(
                name="--perturbation",
                says="half-width of the central difference in percent; 10 if left out",
                rest={"type": float, "metavar": "PERCENT", "default": 10.0},
            ),
        ),
        ("sensitivity --model Llama3_70B --hardware A100", "sensitivity docs/examples/decode.toml"),
    ),
    "synthesize": Command(
        "Say what hardware a latency needs, and which devices of the zoo meet it.",
        _asks("synthesize"),
        (
            "synthesize --model Llama3_70B --target-latency '50 ms'",
            "synthesize docs/examples/decode.toml --target-latency '20 ms' --output markdown",
        ),
    ),
    "compare": Command(
        "Explain a proposal against a base: speed-up, factors, what holds it back, what to buy instead.",
        (
            Option(name="base", says="the scenario as it is", rest={"metavar": "BASE.toml"}),
            Option(name="proposal", says="the scenario as it would be", rest={"metavar": "PROPOSAL.toml"}),
            Option(
                name="--fail-if",
                says="return 3 if this holds for the proposal, as 'latency > 1.1x' (of the base's), "
                "'ttft > 300 ms' or 'speedup < 1'; may be repeated",
                rest={"action": "append", "metavar": "CONDITION", "default": []},
            ),
            Option(
                name="--candidates",
                says=f"group of the zoo to buy from: {', '.join(GROUPS)}; cloud if left out",
                rest={"choices": GROUPS, "metavar": "GROUP", "default": GROUPS[0]},
                words=GROUPS,
            ),
            _output(),
        ),
        (
            "compare docs/examples/base.toml docs/examples/proposal.toml --output markdown",
            "compare docs/examples/base.toml docs/examples/proposal.toml --fail-if 'latency > 1.1x'",
        ),
    ),
    "audit": Command(
        "Follow a training run and its serving through every solver, and say what limits each part.",
        _asks("audit"),
        ("audit docs/examples/audit.toml",),
    ),
    "sweep": Command(
        "Answer a whole grid of steps in one call.",
        _asks(
            "sweep",
            Option(
                name="--best",
                says="show the best point by one answer: throughput, latency or memory",
                rest={"choices": _STEP, "metavar": "ANSWER"},
                words=_STEP,
            ),
            Option(
                name="--pareto",
                says="show the points that no other beats in both of two answers, as latency throughput",
                rest={"nargs": 2, "choices": _STEP, "metavar": ("X", "Y")},
                words=_STEP,
            ),
            Option(
                name="--rows",
                says="most points that text and markdown list, 20 if left out; csv and json list all",
                rest={"type": int, "metavar": "N", "default": 20},
            ),
        ),
        (
            "sweep --model Llama3_8B --hardware A100,H100,H200 --batch-size 1..256*4 --context 1024",
            "sweep docs/examples/sweep.toml --best throughput",
            "sweep docs/examples/sweep.toml --pareto latency throughput --output markdown",
        ),
    ),
    "validate": Command(
        "Score predictions against a table of published measurements.",
        (
            Option(
                name="table",
                says="measurements, in the columns of data/measurements.csv",
                rest={"metavar": "TABLE.csv"},
            ),
            Option(
                name="--category",
                says="score this category alone; may be repeated",
                rest={"action": "append", "metavar": "NAME"},
            ),
            Option(
                name="--calibration",
                says="use this preset for every row, not the one for the row's software",
                rest={"metavar": "NAME"},
            ),
            Option(
                name="--out",
                says="write a page with tables and scatters too",
                rest={"metavar": "REPORT.html", "type": Path},
            ),
            Option(
                name="--json",
                says="the same as --output json",
                rest={"action": "store_const", "const": "json", "dest": "output", "default": "text"},
            ),
            _output(),
        ),
        (
            "validate data/measurements.csv --category 1_llm_decode_b1",
            "validate data/measurements.csv --category 3_prefill_ttft --calibration ideal --json",
        ),
    ),
    "schema": Command(
        "Print the JSON Schema of a scenario file, or its keys as a table.",
        (_output("json"),),
        ("schema", "schema --output text"),
    ),
    "completion": Command(
        "Print a script that completes commands, flags and names in a shell.",
        (
            Option(
                name="shell",
                says=", ".join(SHELLS),
                rest={"choices": SHELLS, "metavar": "SHELL"},
                words=SHELLS,
            ),
        ),
        ("completion bash", "completion zsh", "completion fish"),
    ),
}
"""Commands by name."""
