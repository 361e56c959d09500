"""Sweeps as tables and labelled arrays of other libraries, imported when asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlsysim.core.arrays import numpy
from mlsysim.core.sweeps.columns import NOWHERE, Answers, Column

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import Dataset


def _heading(name: str, column: Column) -> str:
    return f"{name} [{column.units}]" if column.units else name


def _words(codes: Any, words: Sequence[Any]) -> Any:
    import pandas as pd  # noqa: PLC0415

    return pd.Categorical.from_codes(codes, categories=pd.Index([str(word) for word in words]))


def to_pandas(result: Answers) -> "DataFrame":
    """Return one row a point, in the order of the grid; a column's unit stands in its heading."""
    import pandas as pd  # noqa: PLC0415 - only where a table is asked for

    np = numpy()
    table: dict[str, Any] = {}
    for i, axis in enumerate(result.axes):
        shape = [1] * len(result.axes)
        shape[i] = len(axis)
        codes = np.arange(len(axis), dtype=np.int32).reshape(shape)
        flat = np.broadcast_to(codes, result.shape).ravel()
        if axis.is_number:
            table[axis.heading] = np.asarray(axis.labels)[flat]
        else:
            table[axis.name] = _words(flat, axis.labels)
    for name, column in result.columns.items():
        values = np.ravel(column.magnitude)
        if column.words:
            codes = np.where(values == NOWHERE, -1, values.astype(np.int16))
            table[name] = _words(codes, column.words)
        else:
            table[_heading(name, column)] = values
    table["feasible"] = np.ravel(result.feasible)
    if result.reasons:
        reasons = np.ravel(result.reason_codes).astype(np.int32) - 1
        table["missing"] = _words(reasons, result.reasons)
    return pd.DataFrame(table)


def to_xarray(result: Answers) -> "Dataset":
    """Return a data set with one dimension an axis; units and words stand in the attributes."""
    import xarray as xr  # noqa: PLC0415

    dims = [axis.name for axis in result.axes]
    variables: dict[str, Any] = {}
    for name, column in result.columns.items():
        notes: dict[str, Any] = {"units": column.units} if column.units else {}
        if column.words:
            notes["words"] = [str(word) for word in column.words]
        variables[name] = (dims, column.magnitude, notes)
    variables["feasible"] = (dims, result.feasible)
    variables["missing"] = (dims, result.reason_codes, {"words": ["", *result.reasons]})
    coords = {
        axis.name: (axis.name, list(axis.labels), {"units": axis.units} if axis.units else {})
        for axis in result.axes
    }
    attributes = {name: str(value) for name, value in result.fixed.items()}
    return xr.Dataset(variables, coords=coords, attrs=attributes)
