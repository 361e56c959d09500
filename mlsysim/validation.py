"""How wrong the package is: predictions scored against a table of published measurements.

The ratio is predicted over measured, in the metric's own unit. Above one, a rate or a time is predicted too
high.
"""

import html
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlsysim import mapping_collectives, mapping_facts, mapping_training
from mlsysim.core.calibration import Calibration, preset
from mlsysim.core.errors import ArgumentError, MLSysError, suggestion
from mlsysim.format import html_table, number, text_table
from mlsysim.mapping import Run, is_sourced, map_row
from mlsysim.mapping_collectives import CollectiveRun
from mlsysim.mapping_facts import FactRun
from mlsysim.mapping_training import TrainingRun
from mlsysim.measurements import Measurement, read

LEAST = 3
"""Rows that a rank correlation needs: two are always in order or in reverse."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table, and what became of it.

    Parameters
    ----------
    id, category, source, metric, unit, measured
        As the table states them.
    predicted
        In the same unit; None where the row is skipped.
    calibration
        Name of the preset that was used; empty for the family's usual one, and where none enters.
    remarks
        What was assumed.
    reason
        Why the row is skipped; empty where it is scored.
    is_sourced
        Whether its device has a card with all the figures that a prediction needs.
    """

    id: str
    category: str
    source: str
    metric: str
    unit: str
    measured: float
    predicted: float | None
    calibration: str
    remarks: tuple[str, ...]
    reason: str
    is_sourced: bool

    @property
    def ratio(self) -> float:
        """Predicted over measured; NaN where the row is skipped."""
        return math.nan if self.predicted is None else self.predicted / self.measured

    @property
    def error(self) -> float:
        """Magnitude of the error: 0.25 for a ratio of 1.25, and of 1/1.25."""
        return math.expm1(abs(math.log(self.ratio)))

    def __str__(self) -> str:
        return f"×{number(self.ratio, 3)} {self.id}"


@dataclass(frozen=True)
class Score:
    """How well a group of rows is predicted.

    Parameters
    ----------
    members
        The rows, those that are skipped included.
    """

    members: tuple[Row, ...]

    @property
    def rows(self) -> int:
        """Rows of the group."""
        return len(self.members)

    @cached_property
    def predicted(self) -> tuple[Row, ...]:
        """Rows that are scored."""
        return tuple(row for row in self.members if row.predicted is not None)

    @property
    def scored(self) -> int:
        """Number of rows that are scored."""
        return len(self.predicted)

    @property
    def sourced(self) -> int:
        """Rows of high or medium confidence whose device has sourced figures."""
        return sum(row.is_sourced for row in self.members)

    @property
    def median_error(self) -> float | None:
        """Median error, as a share."""
        return quantile([row.error for row in self.predicted], 0.5)

    @property
    def p90_error(self) -> float | None:
        """Error that a tenth of the rows exceed, as a share."""
        return quantile([row.error for row in self.predicted], 0.9)

    @property
    def bias(self) -> float | None:
        """Median of the ratio, less one."""
        middle = quantile([math.log(row.ratio) for row in self.predicted], 0.5)
        return None if middle is None else math.expm1(middle)

    @property
    def band(self) -> tuple[float, float] | None:
        """The ratio's 10th and 90th percentile."""
        low, high = (quantile([row.ratio for row in self.predicted], share) for share in (0.1, 0.9))
        return None if low is None or high is None else (low, high)

    @property
    def worst(self) -> Row | None:
        """The row of largest error."""
        return max(self.predicted, key=lambda row: row.error, default=None)

    @property
    def rank_correlation(self) -> dict[str, float | None]:
        """Spearman's rank correlation by metric, never across; None where it has no meaning."""
        pairs: dict[str, list[tuple[float, float]]] = {}
        for row in self.predicted:
            pairs.setdefault(row.metric, []).append((row.measured, row.predicted or 0.0))
        return {metric: spearman(*zip(*found, strict=True)) for metric, found in sorted(pairs.items())}

    @property
    def skipped(self) -> dict[str, int]:
        """Number of rows that are not scored, by reason."""
        return dict(Counter(row.reason for row in self.members if row.reason).most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return the score as plain data, unrounded."""
        names = ("rows", "scored", "median_error", "bias", "p90_error", "rank_correlation", "skipped")
        return {name: getattr(self, name) for name in names}

    def cells(self) -> list[Any]:
        """Return the score as a table shows it, under ``HEADERS``."""
        worst = "—" if self.worst is None else str(self.worst)
        shares = [_percent(self.median_error), _percent(self.p90_error), _percent(self.bias, "+")]
        band = "—" if self.band is None else " to ".join(f"{end:.2f}" for end in self.band)
        return [self.rows, self.scored, self.sourced, *shares, band, worst]


HEADERS = ("rows", "scored", "sourced", "error", "90 %", "bias", "10 to 90 %", "worst")
"""What a score shows: rows, those scored, those on hardware with sourced figures; the median error, and the
one that a tenth exceeds; bias; percentiles of the ratio; the row of largest error, its ratio first."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ValidationResult:
    """Predictions against a table of measurements.

    Parameters
    ----------
    path
        The table.
    calibration
        What was used for every row; empty where each row has that of its software.
    rows
        Every row of the chosen categories, scored or not.
    """

    path: str
    calibration: str
    rows: tuple[Row, ...]

    def by(self, key: Callable[[Row], tuple[str, ...]]) -> dict[tuple[str, ...], Score]:
        """Return the score of each group of rows that share a key, in order of the keys."""
        groups: dict[tuple[str, ...], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(key(row), []).append(row)
        return {name: Score(tuple(groups[name])) for name in sorted(groups)}

    @property
    def categories(self) -> dict[str, Score]:
        """The score of each category."""
        return {name: score for (name,), score in self.by(lambda row: (row.category,)).items()}

    @property
    def groups(self) -> dict[tuple[str, ...], Score]:
        """The score of each category, metric and source of which a row is scored."""
        found = self.by(lambda row: (row.category, row.metric, row.source))
        return {name: score for name, score in found.items() if score.scored}

    @property
    def title(self) -> str:
        """What was scored, in a line."""
        whole = Score(self.rows)
        chosen = self.calibration or "that of each row's software"
        return f"{self.path}: {whole.scored} of {whole.rows} rows scored; calibration: {chosen}"

    def tables(self) -> list[tuple[str, Sequence[str], list[list[Any]]]]:
        """Return caption, headers and rows of each table that a reader sees."""
        categories = self.categories
        ranks = [
            [category, metric, sum(row.metric == metric for row in score.predicted), _rank(value)]
            for category, score in categories.items()
            for metric, value in score.rank_correlation.items()
        ]
        reasons = [[c, reason, n] for c, score in categories.items() for reason, n in score.skipped.items()]
        scores = [[name, *score.cells()] for name, score in categories.items()]
        groups = [
            [category, metric, *score.cells(), source]
            for (category, metric, source), score in self.groups.items()
        ]
        return [
            ("By category", ("category", *HEADERS), scores),
            ("By category, metric and source", ("category", "metric", *HEADERS, "source"), groups),
            ("Rank correlation", ("category", "metric", "scored", "Spearman"), ranks),
            ("Not scored", ("category", "reason", "rows"), reasons),
        ]

    def __repr__(self) -> str:
        parts = [f"{caption}\n{text_table(heads, rows)}" for caption, heads, rows in self.tables() if rows]
        return "\n\n".join([self.title, *parts])

    def _repr_html_(self) -> str:
        parts = [html_table(heads, rows, caption) for caption, heads, rows in self.tables() if rows]
        return "".join([f"<p>{html.escape(self.title)}</p>", *parts])

    def to_dict(self) -> dict[str, Any]:
        """Return categories and rows as plain data, unrounded; a row that is skipped predicts None."""
        rows = [
            {
                "id": row.id,
                "measured": row.measured,
                "predicted": row.predicted,
                "ratio": None if row.predicted is None else row.ratio,
            }
            for row in self.rows
        ]
        return {"categories": {n: s.to_dict() for n, s in self.categories.items()}, "rows": rows}


def validate(
    path: str | Path,
    categories: str | Iterable[str] | None = None,
    calibration: str | Calibration | None = None,
) -> ValidationResult:
    """Return predictions for every row of a table of measurements, and how wrong they are.

    Parameters
    ----------
    path
        A CSV file in the columns of ``data/measurements.csv``.
    categories
        The categories to score; all of the table if left out.
    calibration
        What to use for every row, in place of the preset that belongs to its software. Collectives take the
        preset of its name for networks, or are skipped if there is none.

    Returns
    -------
    ValidationResult
        Rows that cannot be predicted are counted by reason.

    Raises
    ------
    TableError
        If the table is malformed, with file, line and column.
    ArgumentError
        If the table has no such category, or there is no such calibration.
    """
    chosen = None if calibration is None else preset(calibration)
    table = read(path)
    present = {row["category"] for row in table}
    wanted = present if categories is None else {categories} if isinstance(categories, str) else {*categories}
    for name in sorted(wanted - present):
        msg = f"{path} has no row of category {name!r}. {suggestion(name, present)}"
        raise ArgumentError(msg)
    rows = tuple(_score(row, chosen) for row in table if row["category"] in wanted)
    return ValidationResult(path=str(path), calibration="" if chosen is None else chosen.name, rows=rows)


_MAPPERS: Mapping[
    str, tuple[Callable[[Measurement], CollectiveRun | FactRun | TrainingRun], Callable[..., bool]]
] = {
    mapping_collectives.CATEGORY: (
        mapping_collectives.map_collective,
        mapping_collectives.is_sourced_collective,
    ),
    mapping_training.CATEGORY: (mapping_training.map_training, mapping_training.is_sourced_training),
    mapping_facts.CATEGORY: (mapping_facts.map_fact, mapping_facts.is_sourced_fact),
}
"""Categories whose rows are no call of the engine: what makes a row a run, and tells whether it could be."""


def _score(row: Measurement, calibration: Calibration | None) -> Row:
    run: Run | CollectiveRun | FactRun | TrainingRun | None = None
    predicted, reason = None, ""
    find, has_figures = _MAPPERS.get(row["category"], (map_row, is_sourced))
    try:
        run = find(row)
        predicted = run.predict(calibration)
    except MLSysError as error:
        reason = str(error).split(". ")[0].rstrip(".")
    return Row(
        id=row["id"],
        category=row["category"],
        source=row["source"],
        metric=row["metric"],
        unit=row["unit"],
        measured=row.value,
        predicted=predicted,
        calibration=((run.calibration if run else None) or "") if calibration is None else calibration.name,
        remarks=() if run is None else run.remarks,
        reason=reason,
        is_sourced=row["confidence"] != "low" and has_figures(row),
    )


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return a quantile by linear interpolation; None of no values.

    Examples
    --------
    >>> quantile([4.0, 1.0, 2.0], 0.5), quantile([1.0, 2.0], 0.9), quantile([], 0.5)
    (2.0, 1.9, None)
    """
    ordered = sorted(values)
    if not ordered:
        return None
    below, rest = divmod(share * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + rest * (high - low)


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equal values share the mean of theirs.

    Examples
    --------
    >>> ranks([10.0, 30.0, 20.0, 30.0])
    [1.0, 3.5, 2.0, 3.5]
    """
    ordered = sorted(values)
    first = {value: i for i, value in reversed([*enumerate(ordered)])}
    count = Counter(ordered)
    return [first[value] + (count[value] + 1) / 2 for value in values]


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return the rank correlation of two series; None for fewer than ``LEAST`` pairs or a constant one.

    Examples
    --------
    >>> spearman([1, 2, 3, 4], [1, 4, 9, 16]), spearman([1, 2, 3], [3, 2, 1]), spearman([1, 1, 1], [1, 2, 3])
    (1.0, -1.0, None)
    """
    if len(first) < LEAST or len({*first}) == 1 or len({*second}) == 1:
        return None
    middle = (len(first) + 1) / 2
    a, b = ([rank - middle for rank in ranks(values)] for values in (first, second))
    return _dot(a, b) / math.sqrt(_dot(a, a) * _dot(b, b))


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(first, second, strict=True))


def _percent(value: float | None, sign: str = "") -> str:
    return "—" if value is None else f"{100 * value:{sign}.1f} %"


def _rank(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"
