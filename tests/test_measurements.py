"""Reading a table: what is malformed is named by file, line and column."""

import csv
from pathlib import Path

import pytest

from mlsysim.measurements import COLUMNS, COVERED, METRICS, TableError, read

TABLE = Path(__file__).parents[1] / "data" / "measurements.csv"

ROW = {
    "id": "a",
    "category": "1_llm_decode_b1",
    "model": "Llama-3-8B",
    "hardware": "H100 SXM 80GB",
    "hardware_key": "",
    "n_devices": "1",
    "parallelism": "tp1",
    "precision_weights": "fp16",
    "precision_compute": "fp16",
    "batch_or_concurrency": "1",
    "input_len": "0",
    "output_len": "128",
    "software": "gpt-fast",
    "metric": "decode_tokens_per_s",
    "value": "120",
    "unit": "tok/s",
    "confidence": "high",
    "source": "somebody",
    "notes": "",
}


def written(path: Path, *rows: dict[str, str], columns=COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_public_table_is_read_whole():
    rows = read(TABLE)

    assert len(rows) == 1328
    assert len({row["id"] for row in rows}) == 1328
    assert {row["category"] for row in rows} > set(COVERED)


def test_lines_are_those_of_the_file(tmp_path):
    """A cell may hold a line break; blank lines are no rows."""
    path = written(tmp_path / "t.csv", ROW | {"notes": "two\nlines"}, ROW | {"id": "b"})
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")

    assert [row.line for row in read(path)] == [2, 4]
    assert read(path)[0].value == 120.0


def test_a_byte_order_mark_and_more_columns_do_no_harm(tmp_path):
    path = written(tmp_path / "t.csv", ROW | {"extra": "x"}, columns=("extra", *reversed(COLUMNS)))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read(path)[0]["extra"] == "x"


@pytest.mark.parametrize(
    ("change", "column", "said"),
    [
        ({"value": "fast"}, "value", "must be a number; got 'fast'"),
        ({"value": ""}, "value", "must be a number; got ''"),
        ({"value": "nan"}, "value", "must be positive and finite"),
        ({"value": "inf"}, "value", "must be positive and finite"),
        ({"value": "0"}, "value", "must be positive and finite"),
        ({"value": "-3"}, "value", "must be positive and finite"),
        ({"unit": "ms"}, "unit", "decode_tokens_per_s is in 'tok/s'; got 'ms'"),
        ({"unit": ""}, "unit", "must not be empty"),
        ({"id": " "}, "id", "must not be empty"),
        ({"n_devices": "two"}, "n_devices", "must be a whole number or empty; got 'two'"),
        ({"confidence": "certain"}, "confidence", "must be high, medium or low; got 'certain'"),
        ({"id": "z"}, "id", "'z' is that of line 2 too"),
    ],
)
def test_a_malformed_cell_is_named_by_file_line_and_column(tmp_path, change, column, said):
    path = written(tmp_path / "t.csv", ROW | {"id": "z"}, ROW | change)

    with pytest.raises(TableError) as caught:
        read(path)

    assert str(caught.value).startswith(f"{path}, line 3, column {column!r}: ")
    assert said in str(caught.value)


def test_a_short_row_and_a_long_one_are_named(tmp_path):
    path = written(tmp_path / "t.csv", ROW)
    whole = path.read_text("utf-8")

    path.write_text(whole + "b,1_llm_decode_b1\n", "utf-8")
    with pytest.raises(TableError, match="line 3, column 'model': the row ends before it, with 2 cells"):
        read(path)
    path.write_text(whole + "a,b," + "," * len(COLUMNS) + "\n", "utf-8")
    with pytest.raises(TableError, match=r"line 3, column 'notes': 22 cells for 19 columns\. Quote a cell"):
        read(path)


def test_a_missing_column_is_named(tmp_path):
    path = written(tmp_path / "t.csv", ROW, columns=[c for c in COLUMNS if c not in {"unit", "value"}])

    with pytest.raises(TableError, match="line 1: missing column 'value', 'unit'"):
        read(path)


def test_a_column_that_stands_twice_is_named(tmp_path):
    path = written(tmp_path / "t.csv", ROW)
    path.write_text(
        path.read_text("utf-8").replace("notes", "unit", 1).replace("id,", "notes,id,", 1), "utf-8"
    )

    with pytest.raises(TableError, match="line 1, column 'unit': stands there twice"):
        read(path)


def test_what_is_no_table_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"")
    with pytest.raises(TableError, match="line 1: missing column 'id'"):
        read(path)
    path.write_bytes(b"id,value\n\xff\xfe")
    with pytest.raises(TableError, match="line 2: not UTF-8 text"):
        read(path)
    written(path, ROW)
    path.write_text(path.read_text("utf-8") + 'a,"b"c\n', "utf-8")
    with pytest.raises(TableError, match="line 3: not CSV"):
        read(path)


def test_an_unknown_metric_has_any_unit(tmp_path):
    path = written(tmp_path / "t.csv", ROW | {"metric": "happiness", "unit": "smiles"})

    assert "happiness" not in METRICS
    assert read(path)[0]["unit"] == "smiles"
