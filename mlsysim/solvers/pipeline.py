"""Solvers one after the other: each stage takes what it names of the inputs and of the stages before it."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlsysim.core.errors import ArgumentError, suggestion
from mlsysim.core.specs import FrozenMap
from mlsysim.format import Shown, plain


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A question of a pipeline.

    Parameters
    ----------
    name
        What its result is called; later stages take it by this name.
    solve
        A function whose parameters are names of inputs or of earlier stages.
    wall
        What limits its result; a function of it that returns an enum.
    """

    name: str
    solve: Callable[..., Any]
    wall: Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, repr=False)
class PipelineResult(Shown):
    """Results of all stages, and the wall of each.

    Parameters
    ----------
    results
        What each stage gave, by its name.
    walls
        What limits each, by its name.
    """

    results: Mapping[str, Any]
    walls: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return the result of a stage."""
        try:
            return self.results[name]
        except KeyError:
            raise ArgumentError(f"no stage {name!r}. {suggestion(name, self.results)}") from None

    @property
    def fits(self) -> bool:
        """Whether every stage that knows of memory fits."""
        return all(getattr(result, "fits", None) is not False for result in self.results.values())

    @property
    def title(self) -> str:
        """The stages, in a line."""
        return " → ".join(self.results)

    def rows(self) -> list[tuple[str, Any]]:
        """Return the wall of each stage."""
        return [(name.replace("_", " ").capitalize(), str(wall)) for name, wall in self.walls.items()]

    def to_dict(self) -> dict[str, Any]:
        """Return walls and results as plain data, unrounded."""
        return {
            "walls": {name: str(wall) for name, wall in self.walls.items()},
            "results": {
                name: result.to_dict() if isinstance(result, Shown) else plain(result)
                for name, result in self.results.items()
            },
        }


class Pipeline:
    """Answers several questions at once, each on what came out before.

    Parameters
    ----------
    stages
        The questions, in order.

    Raises
    ------
    ArgumentError
        If two stages have one name.

    Examples
    --------
    >>> from mlsysim import Engine, Hardware, Models, ServingModel
    >>> def step(model, gpu):
    ...     return Engine.solve(model, gpu)
    >>> def serve(model, gpu, step):
    ...     return ServingModel().solve(model, gpu, step.batch_size)
    >>> asked = [Stage(name="step", solve=step, wall=lambda r: r.bottleneck),
    ...          Stage(name="serving", solve=serve, wall=lambda r: r.prefill.bottleneck)]
    >>> print(Pipeline(asked).solve(model=Models.Llama3_8B, gpu=Hardware.Cloud.H100))
    step → serving
      Step     Memory Bound
      Serving  Compute Bound
    """

    def __init__(self, stages: Iterable[Stage]) -> None:
        self.stages = tuple(stages)
        names = [stage.name for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise ArgumentError(f"Pipeline(): stages need names of their own, at least one; twice: {twice}")

    def solve(self, **inputs: Any) -> PipelineResult:
        """Return the result of every stage.

        Parameters
        ----------
        **inputs
            What the stages take by name.

        Raises
        ------
        ArgumentError
            If a stage takes a name that is neither an input nor an earlier stage, if an input has the name of
            a stage, or if no stage takes an input.
        """
        faults = [f"input {name!r} has the name of a stage" for name in inputs if name in self._names]
        known, taken = set(inputs), set()
        for stage in self.stages:
            wanted = set(inspect.signature(stage.solve).parameters)
            taken |= wanted
            faults += [
                f"stage {stage.name!r} takes {x!r}. {suggestion(x, known)}" for x in sorted(wanted - known)
            ]
            known.add(stage.name)
        faults += [
            f"no stage takes {name!r}. {suggestion(name, taken)}" for name in inputs if name not in taken
        ]
        if faults:
            raise ArgumentError("Pipeline.solve(): " + "; ".join(faults))
        results: dict[str, Any] = {}
        for stage in self.stages:
            given = {**inputs, **results}
            results[stage.name] = stage.solve(
                **{x: given[x] for x in inspect.signature(stage.solve).parameters}
            )
        walls = {stage.name: stage.wall(results[stage.name]) for stage in self.stages}
        return PipelineResult(results=FrozenMap(results), walls=FrozenMap(walls))

    @property
    def _names(self) -> set[str]:
        return {stage.name for stage in self.stages}
