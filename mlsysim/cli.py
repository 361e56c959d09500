"""The command line: one function for each subcommand, which imports what it needs when it runs."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from mlsysim.core.errors import MLSysError

BAD_INPUT: Final = 2
"""What a command returns to the shell when it cannot use what it was given."""


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see --help)\n")


def validate_options(parser: argparse.ArgumentParser) -> None:
    """Declare what ``validate`` takes."""
    parser.add_argument(
        "table", metavar="TABLE.csv", help="measurements, in the columns of data/measurements.csv"
    )
    parser.add_argument(
        "--category", action="append", metavar="NAME", help="score this category alone; may be repeated"
    )
    parser.add_argument(
        "--calibration",
        metavar="NAME",
        help="use this preset for every row, not the one for the row's software",
    )
    parser.add_argument("--json", action="store_true", help="print the scores and every row as JSON")
    parser.add_argument(
        "--out", metavar="REPORT.html", type=Path, help="write a page with tables and scatters too"
    )


def validate(given: argparse.Namespace) -> None:
    """Score predictions against a table of published measurements."""
    from mlsysim.report import page  # noqa: PLC0415 - --help needs none of this
    from mlsysim.validation import validate as score  # noqa: PLC0415

    result = score(given.table, given.category, given.calibration)
    if given.out is not None:
        given.out.write_text(page(result), encoding="utf-8")
    print(json.dumps(result.to_dict(), indent=2, allow_nan=False) if given.json else result)


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does, what it takes, and examples of it."""

    run: Callable[[argparse.Namespace], None]
    options: Callable[[argparse.ArgumentParser], None]
    examples: tuple[str, ...]


COMMANDS: Final = {
    "validate": Command(
        validate,
        validate_options,
        (
            "validate data/measurements.csv",
            "validate data/measurements.csv --category 3_prefill_ttft --out report.html",
            "validate mine.csv --calibration ideal --json",
        ),
    ),
}
"""Subcommands by name."""


def _examples(*commands: Command) -> str:
    lines = [f"  python -m mlsysim {example}" for command in commands for example in command.examples]
    return "\n".join(["examples:", *lines])


def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    layout = argparse.RawDescriptionHelpFormatter
    whole = _Parser(
        prog="python -m mlsysim",
        description="First-principles performance of machine-learning systems.",
        epilog=_examples(*COMMANDS.values()),
        formatter_class=layout,
    )
    parts = whole.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        told = (command.run.__doc__ or "").strip()
        part = parts.add_parser(
            name, help=told, description=told, epilog=_examples(command), formatter_class=layout
        )
        command.options(part)
        part.set_defaults(run=command.run)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return what the shell is told: 0, or 2 for input that cannot be used.

    Parameters
    ----------
    arguments
        Words after the program's name; those of this process if left out.
    """
    given = parser().parse_args(arguments)
    try:
        given.run(given)
    except MLSysError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}")
    return 0


def _complain(message: str) -> int:
    print("python -m mlsysim:", " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT
