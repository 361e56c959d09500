"""M/M/c by hand, against factorials, and at its limits."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsysim.core.queueing import erlang_c, mean_wait, wait_quantile, wait_tail

SERVERS = st.integers(1, 60)
LOAD = st.floats(0.001, 0.999)


def textbook(c: int, a: Fraction) -> Fraction:
    """Erlang's formula as it is printed, with factorials and in exact fractions."""
    top = a**c / math.factorial(c) * Fraction(c) / (c - a)
    return top / (sum(a**n / math.factorial(n) for n in range(c)) + top)


def test_three_servers_by_hand():
    """c = 3, a = 2: top = (8/6)·3 = 4; the sum is 1 + 2 + 2 = 5; C = 4/9. With s = 9 s the mean wait is
    (4/9)·9/(3 − 2) = 4 s, and P(W > 9 s) = (4/9)/e.
    """
    assert erlang_c(3, 2.0) == pytest.approx(4 / 9, rel=1e-14)
    assert mean_wait(3, 2.0, 9.0) == pytest.approx(4.0, rel=1e-14)
    assert wait_tail(3, 2.0, 9.0, 9.0) == pytest.approx(4 / 9 / math.e, rel=1e-14)


@given(SERVERS, st.integers(1, 99))
def test_the_recursion_is_the_printed_formula(servers, percent):
    offered = Fraction(servers * percent, 100)
    assert erlang_c(servers, float(offered)) == pytest.approx(float(textbook(servers, offered)), rel=1e-9)


@given(LOAD)
def test_one_server_waits_as_often_as_it_is_busy(load):
    assert erlang_c(1, load) == pytest.approx(load, rel=1e-12)
    assert mean_wait(1, load, 1.0) == pytest.approx(load / (1 - load), rel=1e-12)


@given(SERVERS, LOAD)
def test_more_servers_at_the_same_utilisation_wait_less(servers, load):
    assert erlang_c(servers + 1, load * (servers + 1)) <= erlang_c(servers, load * servers) * (1 + 1e-12)


@given(SERVERS, LOAD, st.floats(0, 0.999))
def test_the_quantile_inverts_the_tail(servers, load, share):
    at = wait_quantile(servers, load * servers, 10.0, share)
    tail = wait_tail(servers, load * servers, 10.0, at)
    if at > 0:
        assert tail == pytest.approx(1 - share, rel=1e-6)
    else:
        assert tail <= 1 - share + 1e-12


@settings(max_examples=25)
@given(st.integers(1, 12), st.floats(0.1, 0.95))
def test_the_mean_is_the_area_under_the_tail(servers, load):
    """Trapezes under P(W > t) up to where nothing is left: an independent way to the mean."""
    offered = load * servers
    end = 30 / (servers - offered)
    step = end / 2000
    tails = [wait_tail(servers, offered, 1.0, step * i) for i in range(2001)]
    area = step * (sum(tails) - (tails[0] + tails[-1]) / 2)
    assert area == pytest.approx(mean_wait(servers, offered, 1.0), rel=1e-3)


@pytest.mark.parametrize("offered", [2.0, 3.0, 1e9])
def test_a_load_that_no_line_can_work_off(offered):
    assert erlang_c(2, offered) == 1.0
    assert wait_tail(2, offered, 1.0, 5.0) == 1.0
    assert mean_wait(2, offered, 1.0) == wait_quantile(2, offered, 1.0, 0.5) == math.inf


def test_many_servers_neither_overflow_nor_vanish():
    """20,000 servers at 99 % wait seldom; at 1 % the chance is below what a float can hold."""
    assert 0.0 < erlang_c(20_000, 19_800.0) < 0.2
    assert erlang_c(20_000, 200.0) == 0.0


def test_no_load_waits_never():
    assert erlang_c(4, 0.0) == 0.0
    assert wait_quantile(4, 0.0, 1.0, 0.999) == 0.0
