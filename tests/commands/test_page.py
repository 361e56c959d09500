"""Pages: the same answer as text, Markdown, JSON, CSV, and on a terminal."""

import builtins
import importlib.util
import io
import json

import pytest

from mlsysim import Q_
from mlsysim.commands.limits import asserted, judge
from mlsysim.commands.page import Facts, Page, Prose, Table, figures_table, write

FIGURES = {"latency": Q_("50 ms"), "fits": True, "gain": None}
PAGE = Page(
    title="A | B",
    parts=[
        Facts([("Latency", Q_("50 ms")), ("Fits", True)]),
        Prose(["It holds.", "It is [fast]."], "Why"),
        Table(("device", "time"), [("A100", 11.0), ("H100", None)], "Devices"),
    ],
    data={"title": "A | B", "latency": 50.0},
    records=figures_table(FIGURES),
    verdicts=judge(
        [asserted("latency", "<= 40 ms", "here"), asserted("fits", value=True, where="here")], FIGURES
    ),
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def written(output, stream=None):
    stream = stream or io.StringIO()
    write(PAGE, output, stream)
    return stream.getvalue()


def test_text():
    assert written("text") == (
        "A | B\n\n"
        "  Latency  50 ms\n"
        "  Fits     yes\n\n"
        "Limits\n"
        "        limit             found\n"
        "──────  ────────────────  ───────────────────────────────────────\n"
        "BROKEN  latency <= 40 ms  latency is 50 ms; the limit is <= 40 ms\n"
        "kept    fits == yes       fits is yes; the limit is == yes\n\n"
        "Why\n"
        "  It holds.\n"
        "  It is [fast].\n\n"
        "Devices\n"
        "device  time\n"
        "──────  ────\n"
        "A100      11\n"
        "H100       —\n"
    )


def test_markdown():
    text = written("markdown")

    assert text.startswith("### A \\| B\n\n|  |  |\n| --- | --- |\n| Latency | 50 ms |\n")
    assert "| BROKEN | latency \\<= 40 ms |" in text
    assert "**Why**\n\n- It holds.\n- It is \\[fast\\]." in text
    assert "| device | time |\n| --- | ---: |\n| A100 | 11 |\n| H100 | — |\n" in text


def test_json_holds_data_and_limits():
    data = json.loads(written("json"))

    assert data["latency"] == 50.0
    assert [limit["met"] for limit in data["limits"]] == [False, True]
    assert data["limits"][0]["value"] == {"value": 50, "unit": "ms"}


def test_csv_holds_records():
    assert written("csv") == "figure,value,unit\nlatency,50,ms\nfits,true,\ngain,,\n"


def test_broken_limits_are_known():
    assert [str(verdict.limit) for verdict in PAGE.broken] == ["latency <= 40 ms"]


def test_a_terminal_without_rich_gets_plain_text(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert written("text", Terminal()) == written("text")


def test_rich_is_not_looked_for_without_a_terminal(monkeypatch):
    imported = []
    real = builtins.__import__

    def watched(name, *rest):
        imported.append(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", watched)
    written("text")
    assert not [name for name in imported if name.startswith("rich")]


def test_rich_draws_tables_on_a_terminal(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = written("text", Terminal())

    assert "\x1b[1" in shown
    assert "It is [fast]." in shown
    assert "A100" in shown
    assert "BROKEN" in shown
    assert shown != written("text")


@pytest.mark.parametrize("output", ["json", "markdown", "csv"])
def test_other_formats_are_the_same_on_a_terminal(output):
    assert written(output, Terminal()) == written(output)
