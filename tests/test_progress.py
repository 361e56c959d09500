"""A long computation keeps one line of a terminal up to date, and says nothing elsewhere."""

from io import StringIO

from mlsysim.progress import line


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def told(stream, moments):
    """Tell of ten points of a hundred at each moment."""
    times = iter([0.0, *moments])
    tell = line("points", stream, lambda: next(times))
    for i in range(len(moments)):
        tell(10 * (i + 1), 100)
    return stream.getvalue()


def test_a_short_run_says_nothing():
    assert told(Terminal(), [0.1] * 10) == ""


def test_a_long_run_says_how_far_it_is():
    """At 2 s, 20 of 100 are done: 80 more take 8 s."""
    assert told(Terminal(), [0.5, 2.0]) == "\r\x1b[Kpoints: 20 of 100 (20%), 8 s left"


def test_the_line_is_not_written_ten_times_a_moment():
    assert told(Terminal(), [2.0, 2.01, 2.02, 2.2]).count("points") == 2


def test_at_the_end_the_line_is_gone():
    assert told(Terminal(), [2.0] * 9 + [9.0]).endswith("\r\x1b[K")


def test_a_file_gets_nothing():
    assert told(StringIO(), [2.0, 3.0]) == ""
