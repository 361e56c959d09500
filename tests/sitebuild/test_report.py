from sitebuild.errors import CellError
from sitebuild.report import Report


def test_messages_are_told_by_place_and_counted():
    report = Report()
    report.warn("b.qmd", "late", line=2)
    report.error("a.qmd", "broken", line=10)
    report.error("a.qmd", "first", line=9)
    report.notice("c.qmd", "by the way")
    assert report.text().splitlines() == [
        "notice: c.qmd: by the way",
        "warning: b.qmd:2: late",
        "error: a.qmd:9: first",
        "error: a.qmd:10: broken",
        "2 errors, 1 warning",
    ]


def test_a_strict_report_fails_for_a_warning_but_does_not_stop():
    report = Report(strict=True)
    report.warn("a.qmd", "unknown citation @x")
    assert report.failed
    assert not report.stopped
    assert "error: a.qmd: unknown citation @x" in report.text()


def test_a_notice_has_no_consequence():
    report = Report(strict=True)
    report.notice("a.qmd", "by the way")
    assert not report.failed
    assert report.text() == "notice: a.qmd: by the way"


def test_the_same_message_is_told_once():
    report = Report()
    report.warn("a.qmd", "x")
    report.warn("a.qmd", "x")
    assert len(report.messages) == 1


def test_a_failing_cell_brings_its_traceback():
    report = Report()
    report.fail(CellError("a.qmd", 3, 2, "ValueError", "no", details="Cell In[2]\nValueError: no"))
    assert "error: a.qmd:3: cell 2 raised ValueError: no\n    Cell In[2]\n" in report.text()


def test_a_crash_names_the_page_and_the_exception():
    report = Report()
    report.crash("a.qmd", KeyError("k"))
    assert report.failed
    assert "a.qmd: sitebuild stopped with KeyError: 'k'" in report.text()
