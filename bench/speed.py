"""How much of a reader's time the package takes: import, one solve, all cards.

Run from the root of the repository::

    python -m bench.speed

Three figures from one run, each with what it is a multiple of: the engine's import beyond that of pint, a
scalar ``Engine.solve`` in time equations, the reading of all cards in parses of their TOML. Times are the
best of several repetitions, since whatever else the machine does only adds to them; ratios carry over from
one machine to another better than times do.
"""

import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from importlib.resources import files

REPEATS = 7
LOOPS = 2_000

TIMED = "{before}\nimport time\nstart = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"


def best(seconds: Callable[[], float]) -> float:
    """Return the least of several measurements."""
    return min(seconds() for _ in range(REPEATS))


def fresh(code: str, *, before: str = "") -> float:
    """Return the seconds that code takes in a new interpreter, after what comes before."""
    command = [sys.executable, "-c", TIMED.format(before=before, code=code)]
    return best(lambda: float(subprocess.check_output(command, text=True)))  # noqa: S603 - our own code


def each(call: Callable[[], object], loops: int = LOOPS) -> float:
    """Return the seconds of one call, averaged over many."""

    def once() -> float:
        start = time.perf_counter()
        for _ in range(loops):
            call()
        return (time.perf_counter() - start) / loops

    return best(once)


def imports() -> list[str]:
    """Measure what an import costs beyond that of pint."""
    pint, bare = fresh("import pint"), fresh("import mlsysim")
    beyond = fresh("import mlsysim; mlsysim.Engine", before="import pint")
    return [
        f"import pint                    {pint * 1e3:8.1f} ms",
        f"import mlsysim                 {bare * 1e3:8.1f} ms   {bare / pint:6.2f} of pint",
        f"and Engine, beyond pint        {beyond * 1e3:8.1f} ms   {beyond / pint:6.2f} of pint",
    ]


def solves() -> list[str]:
    """Measure a scalar solve, and the time equation inside it."""
    from mlsysim import Engine, Hardware, Models  # noqa: PLC0415 - after the imports were timed

    model, hardware = Models.Llama3_8B, Hardware.Cloud.A100
    terms = Engine.solve(model, hardware).terms
    solve = each(lambda: Engine.solve(model, hardware))
    equation = each(lambda: terms.latency)
    unit = each(lambda: Engine.solve(model, hardware).latency)
    return [
        f"time equation alone            {equation * 1e6:8.1f} µs",
        f"Engine.solve                   {solve * 1e6:8.1f} µs   {solve / equation:6.1f} equations",
        f"Engine.solve and .latency      {unit * 1e6:8.1f} µs   {unit / equation:6.1f} equations",
    ]


def cards() -> list[str]:
    """Measure the reading of every card, and of the TOML that it is written in."""
    folders = (files("mlsysim") / "data").iterdir()
    texts = [
        card.read_text("utf-8")
        for folder in folders
        for group in folder.iterdir()
        for card in group.iterdir()
    ]
    parsing = each(lambda: [tomllib.loads(text) for text in texts], loops=5)
    loading = fresh("Hardware.list(); Models.list()", before="from mlsysim import Hardware, Models")
    return [
        f"TOML of {len(texts)} cards               {parsing * 1e3:8.1f} ms",
        f"all cards                      {loading * 1e3:8.1f} ms   {loading / parsing:6.1f} of the TOML",
    ]


if __name__ == "__main__":
    print("\n".join([*imports(), *solves(), *cards()]))
