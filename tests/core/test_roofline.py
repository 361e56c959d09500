"""The time equation, by hand."""

from dataclasses import FrozenInstanceError, replace

import pytest

from mlsysim import Bottleneck
from mlsysim.core.roofline import Terms


@pytest.fixture
def terms():
    """2e12 FLOP at 1e14·0.5 FLOP/s take 40 ms; 1e10 B at 1e12·0.8 B/s take 12.5 ms; overhead 5 ms."""
    return Terms(
        flops=2e12,
        traffic=1e10,
        peak=1e14,
        bandwidth=1e12,
        compute_efficiency=0.5,
        memory_efficiency=0.8,
        serial_fraction=0.2,
        overhead=5e-3,
    )


def test_time_is_the_longer_phase_a_share_of_the_shorter_and_the_overhead(terms):
    """40 + 0.2·12.5 + 5 = 47.5 ms."""
    assert terms.compute_time == pytest.approx(40e-3, rel=1e-15)
    assert terms.memory_time == pytest.approx(12.5e-3, rel=1e-15)
    assert terms.busy_time == pytest.approx(42.5e-3, rel=1e-15)
    assert terms.latency == pytest.approx(47.5e-3, rel=1e-15)


@pytest.mark.parametrize(("share", "milliseconds"), [(0.0, 45.0), (0.5, 51.25), (1.0, 57.5)])
def test_overlap_spans_maximum_to_sum(terms, share, milliseconds):
    """From max(40, 12.5) + 5 to 40 + 12.5 + 5."""
    assert replace(terms, serial_fraction=share).latency == pytest.approx(milliseconds / 1e3, rel=1e-15)


@pytest.mark.parametrize(
    ("compute", "memory", "overhead", "limit"),
    [
        (3.0, 2.0, 1.0, Bottleneck.COMPUTE),
        (2.0, 3.0, 1.0, Bottleneck.MEMORY),
        (1.0, 2.0, 3.0, Bottleneck.OVERHEAD),
        (2.0, 2.0, 1.0, Bottleneck.MEMORY),
        (2.0, 2.0, 2.0, Bottleneck.MEMORY),
        (2.0, 1.0, 2.0, Bottleneck.COMPUTE),
        (1.0, 2.0, 2.0, Bottleneck.MEMORY),
        (0.0, 0.0, 0.0, Bottleneck.MEMORY),
    ],
)
def test_the_bottleneck_is_the_largest_term_and_ties_go_to_memory_then_compute(
    compute, memory, overhead, limit
):
    times = Terms(
        flops=compute,
        traffic=memory,
        peak=1.0,
        bandwidth=1.0,
        compute_efficiency=1.0,
        memory_efficiency=1.0,
        serial_fraction=0.0,
        overhead=overhead,
    )
    assert times.bottleneck is limit


def test_the_bottleneck_reads_as_the_course_says_it():
    words = ["Memory Bound", "Compute Bound", "Overhead Bound", "Communication Bound"]
    assert [str(b) for b in Bottleneck] == words


def test_terms_cannot_be_changed(terms):
    with pytest.raises(FrozenInstanceError):
        terms.peak = 1.0
