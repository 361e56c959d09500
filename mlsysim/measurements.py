"""A table of published measurements, read with care: what is malformed is named by file, line and column."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlsysim.core.errors import MLSysError

COLUMNS: Final = (
    "id",
    "category",
    "model",
    "hardware",
    "hardware_key",
    "n_devices",
    "parallelism",
    "precision_weights",
    "precision_compute",
    "batch_or_concurrency",
    "input_len",
    "output_len",
    "software",
    "metric",
    "value",
    "unit",
    "confidence",
    "source",
    "notes",
)
"""Columns that a table must have; it may have others, in any order."""

COVERED: Final = ("1_llm_decode_b1", "2_llm_throughput", "3_prefill_ttft", "5_vision_nlp_reco", "8_edge_mcu")
"""Categories whose rows are predicted; those of any other are counted."""


class TableError(MLSysError, ValueError):
    """A table of measurements is malformed; the message begins with the file."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is measured: the step whose time it is, or the rate at which that step delivers.

    Parameters
    ----------
    unit
        As the table must write it.
    step
        ``decode``, ``prefill`` or ``forward``: one step; ``request``: a static batch to its last token.
    per_device
        Whether a rate is divided by the number of devices.
    """

    unit: str
    step: str
    per_device: bool = False

    def value(self, seconds: float, items: float, devices: int) -> float:
        """Return a step's time, or the items that it delivers in each second, in the metric's unit."""
        if self.unit in _SECOND:
            return seconds * _SECOND[self.unit]
        return items / seconds / (devices if self.per_device else 1)


_SECOND: Final = {"s": 1.0, "ms": 1e3}

METRICS: Final = {
    "decode_tokens_per_s": Metric(unit="tok/s", step="decode"),
    "time_per_output_token": Metric(unit="ms", step="decode"),
    "time_per_output_token_median": Metric(unit="ms", step="decode"),
    "decode_latency_per_token": Metric(unit="ms", step="decode"),
    "decoder_latency_per_token_b1": Metric(unit="ms", step="decode"),
    "prefill_tokens_per_s": Metric(unit="tok/s", step="prefill"),
    "time_to_first_token": Metric(unit="ms", step="prefill"),
    "encoder_latency_30s_window": Metric(unit="ms", step="prefill"),
    "output_tokens_per_s_total": Metric(unit="tok/s", step="request"),
    "output_tokens_per_s_per_gpu": Metric(unit="tok/s/GPU", step="request", per_device=True),
    "inference_images_per_s": Metric(unit="img/s", step="forward"),
    "inference_sequences_per_s": Metric(unit="seq/s", step="forward"),
    "offline_samples_per_s": Metric(unit="samples/s", step="forward"),
    "inference_latency": Metric(unit="ms", step="forward"),
    "latency": Metric(unit="ms", step="forward"),
    # The 90th percentile over one stream of equal samples, which lies close to the mean.
    "single_stream_p90_latency": Metric(unit="ms", step="forward"),
}
"""Metrics that are predicted, by name."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row of a table, its value read.

    Parameters
    ----------
    file, line
        Where the row begins.
    cells
        Texts by column.
    value
        The measured value, in the row's unit.
    """

    file: str
    line: int
    cells: Mapping[str, str]
    value: float

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


def read(path: str | Path) -> list[Measurement]:
    """Return the rows of a table of measurements.

    Parameters
    ----------
    path
        A CSV file with the columns ``COLUMNS``.

    Raises
    ------
    TableError
        With file, line and column, for the first fault.
    """
    found: list[Measurement] = []
    lines: dict[str, int] = {}
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_header(str(path), names)
        start = reader.line_num + 1
        for cells in reader:
            if cells:
                row = _row(str(path), start, names, cells)
                if (before := lines.setdefault(row["id"], start)) != start:
                    raise _fault(row.file, start, "id", f"{row['id']!r} is that of line {before} too")
                found.append(row)
            start = reader.line_num + 1
    except csv.Error as error:
        msg = f"{path}, line {reader.line_num}: not CSV: {error}"
        raise TableError(msg) from None
    return found


def _text(path: str | Path) -> str:
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}, line {line}: not UTF-8 text. Save the table as CSV in UTF-8."
        raise TableError(msg) from None


def _fault(file: str, line: int, column: str, what: str) -> TableError:
    return TableError(f"{file}, line {line}, column {column!r}: {what}")


def _check_header(file: str, names: list[str]) -> None:
    missing = [repr(name) for name in COLUMNS if name not in names]
    if missing:
        msg = f"{file}, line 1: missing column {', '.join(missing)}. A table has {', '.join(COLUMNS)}."
        raise TableError(msg)
    for name in COLUMNS:
        if names.count(name) > 1:
            raise _fault(file, 1, name, "stands there twice")


def _row(file: str, line: int, names: list[str], texts: list[str]) -> Measurement:
    if len(texts) < len(names):
        short = f"the row ends before it, with {len(texts)} cells for {len(names)} columns"
        raise _fault(file, line, names[len(texts)], short)
    if len(texts) > len(names):
        extra = f"{len(texts)} cells for {len(names)} columns. Quote a cell that holds a comma"
        raise _fault(file, line, names[-1], extra)
    cells = {name: text.strip() for name, text in zip(names, texts, strict=True)}
    for column in ("id", "category", "metric", "unit", "source"):
        if not cells[column]:
            raise _fault(file, line, column, "must not be empty")
    try:
        value = float(cells["value"])
    except ValueError:
        raise _fault(file, line, "value", f"must be a number; got {cells['value']!r}") from None
    if not 0 < value < math.inf:
        raise _fault(file, line, "value", f"must be positive and finite; got {cells['value']!r}")
    if cells["n_devices"] and not cells["n_devices"].isdigit():
        raise _fault(file, line, "n_devices", f"must be a whole number or empty; got {cells['n_devices']!r}")
    metric = METRICS.get(cells["metric"])
    if metric is not None and cells["category"] in COVERED and cells["unit"] != metric.unit:
        wrong = f"{cells['metric']} is in {metric.unit!r}; got {cells['unit']!r}"
        raise _fault(file, line, "unit", wrong)
    if cells["confidence"] not in {"high", "medium", "low"}:
        raise _fault(file, line, "confidence", f"must be high, medium or low; got {cells['confidence']!r}")
    return Measurement(file=file, line=line, cells=cells, value=value)
