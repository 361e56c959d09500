"""Choose paths by patterns, with the rules of Quarto's ``render``, ``contents`` and ``resources``.

A pattern matches at any depth (``*.qmd`` takes ``tutorials/a.qmd``); one that begins with ``/`` is
anchored; one without ``*``, ``?`` or ``[`` is a plain path, and a directory stands for everything
in it; ``!pattern`` takes paths away.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"[*?\[{]")


def is_glob(pattern: str) -> bool:
    """Tell a pattern from a plain path.

    Examples
    --------
    >>> is_glob("tutorials/*.qmd"), is_glob("about.qmd")
    (True, False)
    """
    return bool(SPECIAL.search(pattern))


def expression(pattern: str, *, base: str = "") -> re.Pattern[str]:
    """Return the regular expression for one pattern, relative to the directory ``base``.

    Examples
    --------
    >>> bool(expression("a/*.qmd").fullmatch("a/x.qmd"))
    True
    >>> bool(expression("/*.qmd").fullmatch("a/x.qmd"))
    False
    """
    anchored, glob = pattern.startswith("/"), pattern.lstrip("/")
    glob = glob.removeprefix("./")
    if not anchored and glob.startswith("../"):
        anchored, glob = True, posixpath.normpath(posixpath.join(base, glob))
        base = ""
    elif anchored:
        base = ""
    if glob.endswith("/"):
        glob += "**"
    anywhere = "" if anchored or not is_glob(glob) else "(?:[^/]+/)*"
    below = "(?:/.*)?" if not is_glob(glob) else ""
    prefix = re.escape(base + "/") if base not in ("", ".") else ""
    return re.compile(prefix + anywhere + _translate(glob) + below)


def _translate(glob: str) -> str:
    out, at = [], 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/"):
            out.append("(?:[^/]+/)*")
            at += 3
        elif rest.startswith("**"):
            out.append(".*")
            at += 2
        elif found := re.match(r"\[!?[^\]]+\]", rest):
            out.append(found[0].replace("[!", "[^"))
            at += len(found[0])
        elif found := re.match(r"\{([^{}]*)\}", rest):
            out.append("(?:" + "|".join(map(_translate, found[1].split(","))) + ")")
            at += len(found[0])
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
            at += 1
    return "".join(out)


def select(patterns: Sequence[str], paths: Iterable[str], *, base: str = "") -> list[str]:
    """Return the paths that the patterns choose, in the order of the patterns.

    Negative patterns take away from everything that was chosen; where there are only negative
    ones, they take away from all paths.

    Examples
    --------
    >>> select(["*.qmd", "!b.qmd"], ["a.qmd", "b.qmd", "x/c.qmd"])
    ['a.qmd', 'x/c.qmd']
    """
    paths = list(paths)
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    taken = [expression(p[1:], base=base) for p in patterns if p.startswith("!")]
    chosen: dict[str, None] = dict.fromkeys([] if wanted else paths)
    for pattern in wanted:
        matcher = expression(pattern.removeprefix("\\"), base=base)
        chosen.update(dict.fromkeys(path for path in paths if matcher.fullmatch(path)))
    return [path for path in chosen if not any(t.fullmatch(path) for t in taken)]
