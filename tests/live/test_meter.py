"""Rates out of counters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.live.meter import POINTS, WINDOW, Meter, Rates
from labctl.plan.facts import LinkCounters

seconds = st.integers(1, 5000).map(lambda thousandths: thousandths / 1000)
moved = st.builds(LinkCounters, *[st.integers(0, 10**12)] * 6)
steps = st.lists(st.tuples(seconds, moved), min_size=1, max_size=80)


def plus(before: LinkCounters, more: LinkCounters) -> LinkCounters:
    return LinkCounters(*(getattr(before, name) + getattr(more, name) for name in vars(before)))


@given(steps)
def test_a_rate_is_what_was_counted_over_the_time_it_took(taken: list[tuple[float, LinkCounters]]) -> None:
    meter, at, counters = Meter().sampled(0.0, LinkCounters()), 0.0, LinkCounters()
    known = [(at, counters)]
    for took, more in taken:
        at, counters = at + took, plus(counters, more)
        known.append((at, counters))
        meter = meter.sampled(at, counters)
    within = [one for one in known[:-1] if at - one[0] <= WINDOW] or known[-2:-1]
    since, before = within[0]
    expected = (counters.rx_packets - before.rx_packets) / (at - since)
    assert abs(meter.rates.rx_packets - expected) <= 1e-6 * max(1.0, expected)
    assert abs(meter.rates.tx_bits - 8 * (counters.tx_bytes - before.tx_bytes) / (at - since)) <= 1e-6 * max(
        1.0, meter.rates.tx_bits
    )
    assert len(meter.history) == min(len(taken), POINTS)
    assert meter.counters == counters
    assert len(meter.samples) <= len(taken) + 1


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), moved), max_size=30))
def test_no_clock_and_no_counter_makes_a_negative_rate(samples: list[tuple[float, LinkCounters]]) -> None:
    """Clocks are set back, and interfaces replaced by others of their name."""
    meter = Meter()
    for at, counters in samples:
        meter = meter.sampled(at, counters)
        assert all(rate >= 0 for rates in (meter.rates, *meter.history) for rate in vars(rates).values())


def test_a_counter_that_begins_anew_is_no_rate() -> None:
    meter = Meter().sampled(1, LinkCounters(tx_packets=1000)).sampled(2, LinkCounters(tx_packets=10))
    assert meter.rates == Rates() and meter.history == (Rates(),)
    assert meter.sampled(3, LinkCounters(tx_packets=30)).rates.tx_packets == 20


def test_what_is_not_sent_any_more_has_no_rate_after_the_window() -> None:
    meter = Meter().sampled(0, LinkCounters()).sampled(1, LinkCounters(rx_bytes=1000))
    assert meter.rates.rx_bits == 8000
    for at in (2, 3, 4):
        meter = meter.sampled(at, LinkCounters(rx_bytes=1000))
    assert meter.rates.rx_bits == 0
    assert [rates.rx_bits for rates in meter.history] == [8000, 0, 0, 0]
