"""How far a long computation is: one line on a terminal, nothing anywhere else."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int], None]
"""Called with what is done and with the whole, as it goes."""

PATIENCE = 1.0
"""Seconds before anything is said, and a tenth of it between two lines."""


def line(label: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return a callback that keeps one line up to date, where a person may be reading.

    Parameters
    ----------
    label
        What is counted.
    stream
        Where to write: standard error if left out. Nothing is written where it is no terminal.
    clock
        Seconds since any moment.

    Examples
    --------
    >>> line("points")(1, 2)  # a doctest's standard error is no terminal
    """
    out = sys.stderr if stream is None else stream
    start = last = clock()
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal last, shown
        now = clock()
        if done == total:
            if shown:
                out.write("\r\x1b[K")
                out.flush()
        elif now - start >= PATIENCE and now - last >= PATIENCE / 10 and out.isatty():
            left = (now - start) * (total - done) / done if done else float("inf")
            out.write(f"\r\x1b[K{label}: {done:,} of {total:,} ({done / total:.0%}), {left:.0f} s left")
            out.flush()
            last, shown = now, True

    return show
