import pytest

from mlsysim import Q_, ArgumentError, show


def test_info_replaces_underscores_and_keeps_the_order(capsys):
    show.info("Inverse roofline", Target_SLA="50 ms ITL", Min_memory_BW=Q_("2.7794 TB/s"))

    assert capsys.readouterr().out.splitlines() == [
        "Inverse roofline",
        "  Target SLA     50 ms ITL",
        "  Min memory BW  2.779 TB/s",
    ]


def test_info_takes_a_row_called_title(capsys):
    show.info("Book", title="Roofline")

    assert "  title  Roofline" in capsys.readouterr().out


def test_a_short_row_is_refused_with_its_number():
    with pytest.raises(ArgumentError, match=r"row 1 has 1 cells, and there are 2 headers \(GPU, ms\)"):
        show.table(["GPU", "ms"], [["A100", 1], ["H100"]])


def test_a_caption_stands_above(capsys):
    show.table(["GPU"], [["A100"]], caption="Devices")

    assert capsys.readouterr().out.startswith("Devices\nGPU\n")


def test_a_notebook_gets_both_forms(monkeypatch):
    IPython = pytest.importorskip("IPython")
    shown = []

    class Shell:
        kernel = object()

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setattr("IPython.display.display", lambda data, *, raw: shown.append((data, raw)))
    show.banner("Audit", "Llama")

    ((data, raw),) = shown
    assert raw
    assert data["text/plain"] == "═════\nAudit\nLlama\n═════"
    assert data["text/html"].startswith('<div class="mls-banner">')
