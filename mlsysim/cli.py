"""The command line: commands by name, each of which loads what answers it when it runs."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from mlsysim.commands import completion
from mlsysim.commands.options import COMMANDS, Command
from mlsysim.core.errors import MLSysError, suggestion

if TYPE_CHECKING:
    from mlsysim.commands.page import Page

BAD_INPUT: Final = 2
"""What a command returns to the shell when it cannot use what it was given."""

BROKEN_LIMIT: Final = 3
"""What it returns when the answer breaks a limit."""

_INTERRUPTED: Final = 130


class _Parser(argparse.ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {' '.join(message.split())} (see --help)\n")


# Each command's module loads units and cards; --help and completion need neither.
def _zoo(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.zoo import zoo  # noqa: PLC0415

    return zoo(given)


def _solve(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.questions import answer  # noqa: PLC0415

    return answer(given, given.command)


def _sensitivity(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.questions import sensitivity  # noqa: PLC0415

    return sensitivity(given)


def _synthesize(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.questions import synthesize  # noqa: PLC0415

    return synthesize(given)


def _compare(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.compare import compare  # noqa: PLC0415

    return compare(given)


def _audit(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.audit import audit  # noqa: PLC0415

    return audit(given)


def _sweep(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.sweep import sweep  # noqa: PLC0415

    return sweep(given)


def _validate(given: argparse.Namespace) -> "Page":
    from mlsysim.commands.validate import validate  # noqa: PLC0415

    return validate(given)


def _schema(given: argparse.Namespace) -> "Page":  # noqa: ARG001 - the schema is one
    from mlsysim.commands.reference import reference  # noqa: PLC0415

    return reference()


RUN: Final[dict[str, Callable[[argparse.Namespace], "Page"]]] = {
    "zoo": _zoo,
    "solve": _solve,
    "serve": _solve,
    "train": _solve,
    "sensitivity": _sensitivity,
    "synthesize": _synthesize,
    "compare": _compare,
    "audit": _audit,
    "sweep": _sweep,
    "validate": _validate,
    "schema": _schema,
}
"""What answers each command; ``completion`` prints a script instead."""


def examples(command: Command) -> str:
    """Return the part of a command's help that shows how it is called."""
    return "\n".join(["examples:", *(f"  mlsysim {example}" for example in command.examples)])


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    layout = argparse.RawDescriptionHelpFormatter
    whole = _Parser(
        prog="mlsysim",
        description="First-principles performance of machine-learning systems.",
        epilog="exit codes: 0 answered, 2 the input cannot be used, 3 the answer breaks a limit.\n"
        "example:\n  mlsysim solve --model Llama3_8B --hardware H100",
        formatter_class=layout,
        allow_abbrev=False,
    )
    version = f"mlsysim {sys.modules['mlsysim'].__version__}"
    whole.add_argument("--version", action="version", version=version)
    parts = whole.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        part = parts.add_parser(
            name,
            help=command.says,
            description=command.says,
            epilog=examples(command),
            formatter_class=layout,
            allow_abbrev=False,
        )
        for option in command.options:
            option.add(part)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return what the shell is told.

    Parameters
    ----------
    arguments
        Words after the program's name; those of this process if left out.

    Returns
    -------
    int
        0; 2 for input that cannot be used; 3 where the answer breaks a limit.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        return _complain(f"no command {words[0]!r}. {suggestion(words[0], COMMANDS)} (see --help)")
    if words[:1] == [completion.ASK]:
        print(*completion.words(words[1:]), sep="\n")
        return 0
    whole = parser()
    given = whole.parse_args(words)
    if given.command is None:
        whole.error(f"a command is missing: {', '.join(COMMANDS)}")
    try:
        code = _run(given)
    except BrokenPipeError:  # the reader has seen enough, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except MLSysError as error:
        code = _complain(str(error))
    except OSError as error:
        code = _complain(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        code = _INTERRUPTED
    return code


def _run(given: argparse.Namespace) -> int:
    """Answer and write; say on standard error which limits are broken."""
    if given.command == "completion":
        print(completion.SCRIPTS[given.shell], end="")
        return 0
    page = RUN[given.command](given)
    from mlsysim.commands.page import write  # noqa: PLC0415 - needs units

    write(page, given.output, sys.stdout)
    sys.stdout.flush()
    for verdict in page.broken:
        print(f"mlsysim: {verdict.limit.where} {verdict.says}", file=sys.stderr)
    return BROKEN_LIMIT if page.broken else 0


def _complain(message: str) -> int:
    print("mlsysim:", " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT
