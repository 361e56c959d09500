"""Completion in the shell: the scripts, and the words that they ask for."""

from collections.abc import Mapping, Sequence
from typing import Final

from mlsysim.commands.names import REGISTRIES, cards
from mlsysim.commands.options import COMMANDS, Option

ASK: Final = "--complete"
"""The hidden flag: the words of the line follow it, the unfinished one last."""

SCRIPTS: Final[Mapping[str, str]] = {
    "bash": """\
# mlsysim completion bash > ~/.local/share/bash-completion/completions/mlsysim
_mlsysim() {
    local IFS=$'\\n'
    COMPREPLY=($(mlsysim --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _mlsysim mlsysim
""",
    "zsh": """\
#compdef mlsysim
# mlsysim completion zsh > a folder of your $fpath, as _mlsysim
_mlsysim() {
    local -a found
    found=("${(@f)$(mlsysim --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
if [[ "$funcstack[1]" == "_mlsysim" ]]; then _mlsysim "$@"; else compdef _mlsysim mlsysim; fi
""",
    "fish": """\
# mlsysim completion fish > ~/.config/fish/completions/mlsysim.fish
function __mlsysim_words
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -e words[1]
    mlsysim --complete $words "$last" 2>/dev/null
end
complete -c mlsysim -a '(__mlsysim_words)'
""",
}
"""By shell. Where nothing is known, the shell completes files."""


def words(line: Sequence[str]) -> list[str]:
    """Return what can stand in place of the last, unfinished word.

    Parameters
    ----------
    line
        The words after the program's name.

    Examples
    --------
    >>> words(["sens"]), words(["solve", "--hardware", "RTX_50"])
    (['sensitivity'], ['RTX_5080', 'RTX_5090'])
    """
    *before, last = [word for word in line if word != "="] or [""]
    if not before:
        return _starting(last, [*COMMANDS, "--help", "--version"])
    options = COMMANDS[before[0]].options if before[0] in COMMANDS else ()
    flags = {option.name: option for option in options if option.name.startswith("-")}
    owner = flags.get(before[-1])
    if owner is not None and owner.takes_value:
        return _values(owner, last)
    if last.startswith("-"):
        return _starting(last, [*flags, "--help"])
    return _in_place(options, _places(before[1:], flags), last)


def _in_place(options: Sequence[Option], filled: Sequence[str], last: str) -> list[str]:
    """Return what can stand in the next place of a command, of which some are filled."""
    places = [option for option in options if not option.name.startswith("-")]
    if len(filled) >= len(places):
        return []
    place = places[len(filled)]
    if place.cards == "*" and filled[0] in REGISTRIES:
        return _starting(last, [card.stem for card in cards(filled[0])])
    return _starting(last, place.words)


def _starting(start: str, among: Sequence[str]) -> list[str]:
    return [word for word in among if word.startswith(start)]


def _values(option: Option, last: str) -> list[str]:
    """Return the values of a flag; of a list, those of its last part."""
    head, comma, part = last.rpartition(",") if option.several else ("", "", last)
    known = [card.stem for card in cards(option.cards)] if option.cards else option.words
    return [f"{head}{comma}{word}" for word in _starting(part, known)]


def _places(before: Sequence[str], flags: Mapping[str, Option]) -> list[str]:
    """Return the words that are neither flags nor their values."""
    found, skip = [], False
    for word in before:
        if skip or word.startswith("-"):
            skip = not skip and word in flags and flags[word].takes_value
        else:
            found.append(word)
    return found
