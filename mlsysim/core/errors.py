"""What can go wrong, as a tree.

::

    MLSysError
    ├── ArgumentError      an argument has no usable value          (also a ValueError)
    │   └── UnitError      a unit is missing, unknown or wrong
    ├── SpecError          a card or a specification is malformed   (also a ValueError)
    ├── UnknownNameError   no such thing in a registry              (also a LookupError)
    ├── MissingSpecError   the thing is known, the figure is not published (also a LookupError)
    └── DoesNotFitError    raised on request, by ``raise_if_infeasible()``

Outcomes are values: a model that does not fit is a field of a result. Mistakes are exceptions.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MLSysError(Exception):
    """Base of every error that this package raises on purpose."""


class ArgumentError(MLSysError, ValueError):
    """One or more arguments of a call have no usable value."""


class UnitError(ArgumentError):
    """A quantity has no unit, an unknown one, or one of another dimension."""


class SpecError(MLSysError, ValueError):
    """A card or a specification is malformed."""


class UnknownNameError(MLSysError, LookupError, AttributeError):
    """A registry holds nothing of that name.

    It is an ``AttributeError`` too, so that ``hasattr`` and tab completion behave.
    """


class MissingSpecError(MLSysError, LookupError):
    """The thing is known, but the figure is not published."""


class DoesNotFitError(MLSysError):
    """A configuration needs more memory than its devices have."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the sentence that helps after an unknown *name*.

    Parameters
    ----------
    name
        What was asked for.
    known
        What exists.

    Returns
    -------
    str
        Near misses where there are any, else all known names.

    Examples
    --------
    >>> suggestion("h10", ["H100", "A100"])
    "Did you mean 'H100'?"
    >>> suggestion("zebra", ["H100", "A100"])
    'Known: A100, H100.'
    """
    names = sorted({str(n) for n in known})
    folded = {n.casefold().replace("-", "_").replace(" ", "_"): n for n in names}
    wanted = name.casefold().replace("-", "_").replace(" ", "_")
    near = [folded[n] for n in get_close_matches(wanted, folded, n=3, cutoff=0.6)]
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"Known: {', '.join(names)}."
