"""Sweeping any solver: the engine in vectorised passes, every other one point by point."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple

import pint

from mlsysim.core.arguments import Arguments
from mlsysim.core.arrays import numpy
from mlsysim.core.engine import Engine
from mlsysim.core.errors import ArgumentError, MLSysError
from mlsysim.core.specs import FrozenMap
from mlsysim.core.sweeps.axes import Axis, anything, listed
from mlsysim.core.sweeps.columns import gathered
from mlsysim.core.sweeps.result import SweepResult
from mlsysim.progress import Progress, line

_TASK: Final = 64
"""Points that one task on a cluster solves."""


class _Answer(NamedTuple):
    """What one point said; no values where there is a reason."""

    values: tuple[Any, ...]
    fits: bool
    reason: str


def sweep(
    solver: Any,
    *,
    outputs: Sequence[str] | None = None,
    fixed: Mapping[str, Any] | None = None,
    client: Any = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> SweepResult:
    """Ask any solver every question of a grid.

    Parameters
    ----------
    solver
        A solver, its class, or a function; ``Engine`` is swept by ``Engine.sweep``.
    outputs
        What to keep of each answer, by name, dotted where it is a part of a part
        (``"decode.bottleneck"``); all numbers, quantities and words of the answer if left out.
    fixed
        Arguments that are lists themselves, and no axes.
    client
        A Dask ``Client``, or any executor with ``submit``, that does the work.
    progress
        Called with the points done and the points in all; a line on the terminal if left out.
    **arguments
        What the solver is asked: a list, a range or an array is an axis, anything else is the same at all
        points.

    Returns
    -------
    SweepResult
        One dimension for each axis, in the order of the arguments. Points whose answer says that it does
        not fit are marked; points where the solver refuses are missing, with the reason.

    Raises
    ------
    ArgumentError
        If the solver refuses every point, or an answer has no output of a name.

    Examples
    --------
    >>> from mlsysim import Hardware, Models, ServingModel
    >>> r = sweep(ServingModel, model=Models.Llama3_8B, hardware=[Hardware.A100, Hardware.H100],
    ...           batch_size=[1, 64], prompt=1024, outputs=["ttft", "tpot"])
    >>> r["tpot"].to("ms").magnitude.round(1).tolist()
    [[11.5, 19.4], [8.2, 12.0]]
    """
    if solver is Engine and outputs is None:
        return Engine.sweep(**arguments, **(fixed or {}), client=client, progress=progress)
    ask = _call(solver)
    given = Arguments("sweep")
    axes: list[Axis] = []
    same = dict(fixed or {})
    for name, value in arguments.items():
        items = listed(value)
        if items is None:
            same[name] = value
        else:
            axes.append(anything(given, name, items))
    given.close()
    shape = tuple(len(axis) for axis in axes)
    questions = (
        {**same, **dict(zip((axis.name for axis in axes), values, strict=True))}
        for values in itertools.product(*(axis.entries for axis in axes))
    )
    names, answers = _answers(ask, questions, outputs, client)
    tell, total = progress or line("points"), int(numpy().prod(shape, dtype=int))
    said: list[_Answer] = []
    for one in answers:
        said.append(one)
        tell(len(said), total)
    return _result(names, said, axes=tuple(axes), fixed=same, ask=ask)


def _call(solver: Any) -> Callable[..., Any]:
    """Return the function that answers one question."""
    if hasattr(solver, "solve"):
        made = solver() if isinstance(solver, type) else solver
        call: Callable[..., Any] = made.solve
        return call
    if callable(solver):
        return solver  # type: ignore[no-any-return]
    msg = f"sweep(): the first argument must be a solver such as ServingModel; got {solver!r}"
    raise ArgumentError(msg)


def _answers(
    ask: Callable[..., Any], questions: Iterator[dict[str, Any]], outputs: Sequence[str] | None, client: Any
) -> tuple[tuple[str, ...], Iterator[_Answer]]:
    """Return the names of the outputs, and the answers in the order of the questions.

    The first points are asked here until one has an answer, from which the outputs are read.
    """
    refused: list[_Answer] = []
    for question in questions:
        try:
            result = ask(**question)
        except MLSysError as error:
            refused.append(_Answer((), False, str(error)))
            continue
        names = tuple(outputs) if outputs is not None else _outputs(result, question)
        first = _read(result, names)
        rest = (
            (_one(ask, names, question) for question in questions)
            if client is None
            else _on_cluster(client, ask, names, questions)
        )
        return names, itertools.chain(refused, [first], rest)
    reasons = list(dict.fromkeys(answer.reason for answer in refused))
    more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
    msg = (
        f"sweep(): no point has an answer: {reasons[0]}{more}" if reasons else "sweep(): there are no points"
    )
    raise ArgumentError(msg)


def _on_cluster(
    client: Any, ask: Callable[..., Any], names: tuple[str, ...], questions: Iterator[dict[str, Any]]
) -> Iterator[_Answer]:
    batches = iter(lambda: list(itertools.islice(questions, _TASK)), [])
    futures = [client.submit(_several, ask, names, batch) for batch in batches]
    futures.reverse()
    while futures:
        yield from futures.pop().result()


def _several(
    ask: Callable[..., Any], names: tuple[str, ...], questions: list[dict[str, Any]]
) -> list[_Answer]:
    return [_one(ask, names, question) for question in questions]


def _one(ask: Callable[..., Any], names: tuple[str, ...], question: dict[str, Any]) -> _Answer:
    try:
        result = ask(**question)
    except MLSysError as error:
        return _Answer((), False, str(error))
    return _read(result, names)


def _read(result: Any, names: tuple[str, ...]) -> _Answer:
    try:
        values = tuple(attrgetter(name)(result) for name in names)
    except AttributeError as error:
        msg = f"sweep(): {error}; outputs are the names of what {type(result).__name__} has"
        raise ArgumentError(msg) from None
    return _Answer(values, bool(getattr(result, "fits", True)), "")


def _outputs(result: Any, question: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all that an answer says in numbers, quantities and words, and was not told."""
    names = [f.name for f in fields(result)] if is_dataclass(result) else []
    names += [name for name, kind in vars(type(result)).items() if isinstance(kind, property)]
    kept = tuple(
        name
        for name in names
        if not name.startswith("_")
        and name not in {*question, "fits", "title"}
        and isinstance(getattr(result, name), int | float | Enum | pint.Quantity)
    )
    if not kept:
        msg = f"sweep(): {type(result).__name__} has no number to keep; name its parts in outputs=[…]"
        raise ArgumentError(msg)
    return kept


def _result(
    names: tuple[str, ...],
    said: list[_Answer],
    *,
    axes: tuple[Axis, ...],
    fixed: Mapping[str, Any],
    ask: Callable[..., Any],
) -> SweepResult:
    np = numpy()
    shape = tuple(len(axis) for axis in axes)
    reasons = tuple(dict.fromkeys(answer.reason for answer in said if answer.reason))
    codes = {reason: code for code, reason in enumerate(reasons, start=1)}
    columns = {
        name: gathered(name, [None if a.reason else a.values[i] for a in said], shape)
        for i, name in enumerate(names)
    }
    return SweepResult(
        axes=axes,
        fixed=FrozenMap(fixed),
        columns=FrozenMap(columns),
        feasible=np.array([answer.fits for answer in said]).reshape(shape),
        reasons=reasons,
        reason_codes=np.array([codes.get(answer.reason, 0) for answer in said], dtype=np.uint32).reshape(
            shape
        ),
        ask=ask,
    )
