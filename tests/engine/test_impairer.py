"""A bad network, without a network and without a clock: what is lost, when it leaves, and in which order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labctl.engine.packets.impairer import Impairer, Limits
from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.ip import fault

from .samples import PING, echo_request, ipv4, ipv6, udp

untimed = settings(deadline=None)  # no test here looks at a clock, so neither does hypothesis
NEVER = 1e12
ROOMY = Limits(10**9, 10**9, 10**15)


def numbered(number: int, size: int = 40) -> bytes:
    """A packet of `size` bytes that tells which one it is."""
    return ipv4("10.0.1.1", "10.0.2.1", 253, number.to_bytes(size - 20, "big"))


def number_of(packet: bytes) -> int:
    return int.from_bytes(packet[20:], "big")


def numbers(packets: Iterable[bytes]) -> list[int]:
    return [number_of(packet) for packet in packets]


def departures(stage: Impairer) -> list[tuple[float, bytes]]:
    """Empty the stage, each packet at the moment that it announces."""
    gone: list[tuple[float, bytes]] = []
    while (at := stage.next_due()) is not None:
        batch = stage.due(at)
        assert batch, "next_due named a time at which nothing was due"
        assert not gone or at > gone[-1][0], "next_due went back in time"
        gone += [(at, packet) for packet in batch]
    return gone


def accounts(stage: Impairer) -> bool:
    count = stage.counts
    return count.offered + count.duplicated == count.left + count.lost + count.queue_full + stage.held


# Times on a coarse grid, so that things often happen at the very same moment.
GAPS = st.integers(0, 8).map(lambda eighths: eighths / 8)
CHANCES = st.sampled_from([0.0, 0.1, 0.5, 1.0])


@st.composite
def impairments(draw: st.DrawFn, *, reorder: bool = True) -> Impairment:
    delay = draw(st.sampled_from([0.0, 0.125, 0.5, 3.0]))
    return Impairment(
        delay=delay,
        jitter=draw(st.sampled_from([0.0, delay / 3, delay])),
        loss=draw(CHANCES),
        duplicate=draw(CHANCES),
        corrupt=draw(CHANCES),
        reorder=draw(CHANCES) if delay and reorder else 0.0,
        rate=draw(st.sampled_from([0, 100, 1000, 10_000, 10**9])),
        seed=draw(st.integers(0, 5)),
    )


LIMITS = st.sampled_from([Limits(), Limits(3, 5, 10**6), Limits(100, 100, 150)])
# Packets to offer (a gap in time and a size), questions whether something is due, and changes.
OFFERS = st.tuples(GAPS, st.integers(21, 90))
STEPS = st.lists(OFFERS | GAPS | impairments(), max_size=60)


@untimed
@given(impairments(), LIMITS, STEPS)
def test_every_packet_is_accounted_for_at_every_step(
    start: Impairment, limits: Limits, steps: list[tuple[float, int] | float | Impairment]
) -> None:
    now, bytes_in, bytes_out = 0.0, 0, 0
    stage = Impairer(start, now, limits=limits)
    for step in steps:
        before = stage.held, stage.held_bytes
        match step:
            case Impairment():
                stage.change(step, now)
                assert (stage.held, stage.held_bytes) == before
            case (pending, size):
                now += pending
                stage.offer(numbered(1, size), now)
                bytes_in += stage.held_bytes - before[1]
            case pending:
                now += pending
                bytes_out += sum(map(len, stage.due(now)))
                assert (at := stage.next_due()) is None or at > now
        assert accounts(stage)
        assert stage.held <= limits.held_packets and stage.held_bytes <= limits.held_bytes
        assert stage.held_bytes == bytes_in - bytes_out
    bytes_out += sum(len(packet) for _, packet in departures(stage))
    assert (stage.held, stage.held_bytes, bytes_out) == (0, 0, bytes_in)
    assert accounts(stage)


@untimed
@given(impairments(), st.lists(OFFERS, max_size=60), st.lists(GAPS.map(lambda pending: pending * 20), max_size=40))
def test_what_leaves_and_when_does_not_depend_on_how_often_one_asks(
    impairment: Impairment, offers: list[tuple[float, int]], questions: list[float]
) -> None:
    asked, unasked = Impairer(impairment, 0.0), Impairer(impairment, 0.0)
    sequence: list[bytes] = []
    now = 0.0
    for number, (pending, size) in enumerate(offers):
        now += pending
        if number in questions:
            sequence += asked.due(now)
        asked.offer(numbered(number, size), now)
        unasked.offer(numbered(number, size), now)
    assert sequence + asked.due(NEVER) == unasked.due(NEVER)
    assert asked.counts == unasked.counts


@untimed
@given(impairments(reorder=False), st.lists(OFFERS | impairments(reorder=False), max_size=60))
def test_without_reorder_the_order_is_kept_through_jitter_and_changes(
    start: Impairment, steps: list[tuple[float, int] | Impairment]
) -> None:
    stage, now, left = Impairer(replace(start, corrupt=0.0), 0.0), 0.0, []
    for number, step in enumerate(steps):
        if isinstance(step, Impairment):
            stage.change(replace(step, corrupt=0.0), now)
        else:
            now += step[0]
            left += stage.due(now)
            stage.offer(numbered(number, step[1]), now)
    sequence = numbers(left + stage.due(NEVER))
    assert sequence == sorted(sequence)


@untimed
@given(impairments(), st.lists(OFFERS, min_size=1, max_size=40))
def test_nothing_leaves_before_its_time(impairment: Impairment, offers: list[tuple[float, int]]) -> None:
    impairment = replace(impairment, corrupt=0.0, reorder=0.0)
    stage, now, came = Impairer(impairment, 0.0, limits=ROOMY), 0.0, {}
    for number, (pending, size) in enumerate(offers):
        now += pending
        came[number] = now
        stage.offer(numbered(number, size), now)
    for at, packet in departures(stage):
        sending = len(packet) * 8 / impairment.rate if impairment.rate else 0.0
        earliest = came[number_of(packet)] + sending + impairment.delay - impairment.jitter
        assert at >= earliest or at == pytest.approx(earliest)


def fates(impairment: Impairment, pending: float, name: str = "") -> list[tuple[str | None, list[bytes]]]:
    """What became of each of 300 packets, offered at this pace."""
    stage = Impairer(impairment, 0.0, limits=ROOMY, name=name)
    return [(stage.offer(numbered(n), n * pending), stage.due(NEVER)) for n in range(300)]


def lost(impairment: Impairment, name: str = "") -> set[int]:
    return {n for n, (verdict, _) in enumerate(fates(impairment, 1.0, name)) if verdict == "lost"}


@settings(untimed, max_examples=30)
@given(st.integers(0, 2**64 - 1), GAPS)
def test_the_same_seed_draws_the_same_at_any_pace(seed: int, pending: float) -> None:
    harsh = Impairment(loss=0.2, duplicate=0.2, corrupt=0.2, seed=seed)
    assert fates(harsh, pending) == fates(replace(harsh, delay=0.5, jitter=0.5, rate=9600), 0.001)


@settings(untimed, max_examples=30)
@given(impairments())
def test_one_impairment_does_not_shift_what_another_draws(other: Impairment) -> None:
    assert lost(replace(other, loss=0.3, seed=7)) == lost(Impairment(loss=0.3, seed=7))


def test_different_misfortunes_are_independent() -> None:
    stage = Impairer(Impairment(loss=0.5, duplicate=0.5, seed=1), 0.0)
    for n in range(10_000):
        stage.offer(numbered(n), 0.0)
    assert abs(stage.counts.duplicated - 2500) < 4 * (10_000 * 0.25 * 0.75) ** 0.5


def test_more_loss_takes_the_same_packets_and_others() -> None:
    assert lost(Impairment(loss=0.1, seed=7)) < lost(Impairment(loss=0.2, seed=7))


def test_another_seed_or_another_name_loses_other_packets() -> None:
    asked = Impairment(loss=0.5, seed=7)
    assert lost(asked) != lost(replace(asked, seed=8))
    assert lost(asked) != lost(asked, "other")
    unseeded = Impairment(loss=0.5)
    assert lost(unseeded) != lost(unseeded)


def test_a_full_queue_does_not_shift_what_is_drawn() -> None:
    asked = Impairment(loss=0.3, delay=1.0, seed=7)
    stage = Impairer(asked, 0.0, limits=Limits(held_packets=5))
    assert {n for n in range(300) if stage.offer(numbered(n), 0.0) == "lost"} == lost(asked)
    assert stage.counts.queue_full == 300 - stage.counts.lost - 5


@pytest.mark.parametrize("word", ["loss", "duplicate", "corrupt", "reorder"])
@pytest.mark.parametrize("chance", [0.01, 0.1])
def test_a_chance_is_met_within_four_sigma(word: str, chance: float) -> None:
    total = 20_000
    stage = Impairer(Impairment.from_dict({"delay": 1.0, word: chance, "seed": 1}), 0.0, limits=ROOMY)
    for n in range(total):
        stage.offer(numbered(n), n * 1e-6)
    count = stage.counts
    happened = {
        "loss": count.lost,
        "duplicate": count.duplicated,
        "corrupt": count.corrupted,
        "reorder": count.reordered,
    }
    sigma = (total * chance * (1 - chance)) ** 0.5
    assert abs(happened.pop(word) - total * chance) < 4 * sigma
    assert not any(happened.values())


@pytest.mark.parametrize(("word", "count"), [("loss", "lost"), ("duplicate", "duplicated"), ("corrupt", "corrupted")])
def test_always_means_always(word: str, count: str) -> None:
    stage = Impairer(Impairment.from_dict({word: 1.0}), 0.0)
    for n in range(100):
        stage.offer(numbered(n), 0.0)
    assert getattr(stage.counts, count) == 100


def test_losses_do_not_cluster() -> None:
    gone = lost(Impairment(loss=0.5, seed=3))
    pairs = sum(n + 1 in gone for n in gone)
    assert abs(pairs - 75) < 4 * (300 * 0.25 * 0.75) ** 0.5


def test_a_steady_delay_is_exact() -> None:
    stage = Impairer(Impairment(delay=0.05), 100.0)
    for n in range(100):
        assert stage.offer(numbered(n), 100.0 + n) is None
    assert departures(stage) == [(100.0 + n + 0.05, numbered(n)) for n in range(100)]
    assert stage.counts.delayed == 100


def test_jitter_is_uniform_around_the_delay() -> None:
    total, delay, jitter = 20_000, 0.05, 0.02
    stage = Impairer(Impairment(delay=delay, jitter=jitter, seed=1), 0.0)
    # At a pace that is slower than the jitter, so that no packet waits for the one before it.
    late = [departures(stage)[0][0] - n for n in range(total) if stage.offer(numbered(n), float(n)) is None]
    assert len(late) == total
    assert delay - jitter <= min(late) + 1e-9 < delay - 0.99 * jitter
    assert delay + 0.99 * jitter < max(late) <= delay + jitter + 1e-9
    assert abs(mean(late) - delay) < 4 * jitter / 3**0.5 / total**0.5
    tenths = Counter(int((value - delay + jitter) / (2 * jitter) * 10) for value in late)
    assert all(abs(tenths[tenth] - total / 10) < 4 * (total * 0.09) ** 0.5 for tenth in range(1, 9))


def test_a_fast_flow_is_not_reordered_by_jitter_and_stays_within_it() -> None:
    stage = Impairer(Impairment(delay=0.05, jitter=0.05, seed=1), 0.0)
    for n in range(1000):
        stage.offer(numbered(n), n * 1e-4)
    gone = departures(stage)
    assert numbers(packet for _, packet in gone) == list(range(1000))
    assert all(0 <= at - n * 1e-4 <= 0.1 + 1e-9 for n, (at, _) in enumerate(gone))


@pytest.mark.parametrize("rate", [9600, 10**6, 10**9])
@pytest.mark.parametrize("extra", [{}, {"delay": 0.5}, {"delay": 0.5, "reorder": 0.3}, {"duplicate": 0.5}])
def test_packets_take_their_bits_divided_by_the_rate(rate: int, extra: dict[str, float]) -> None:
    stage = Impairer(Impairment(rate=rate, seed=1, **extra), 0.0, limits=ROOMY)
    sizes = random.Random(1)
    for n in range(500):
        stage.offer(numbered(n, sizes.randint(40, 1500)), 0.0)
    gone = departures(stage)
    bits = 8 * sum(len(packet) for _, packet in gone)
    last = max(at for at, _ in gone) - extra.get("delay", 0.0)
    assert abs(last - bits / rate) <= 1500 * 8 / rate


@untimed
@given(st.lists(OFFERS, min_size=2, max_size=40))
def test_the_rate_is_never_exceeded_and_an_idle_link_saves_nothing_up(offers: list[tuple[float, int]]) -> None:
    stage, now = Impairer(Impairment(rate=1000), 0.0), 0.0
    for number, (pending, size) in enumerate(offers):
        now += pending
        stage.offer(numbered(number, size), now)
    for (before, _), (at, packet) in pairwise(departures(stage)):
        assert at - before >= len(packet) * 8 / 1000 - 1e-9


def test_the_link_queue_is_limited_and_the_wire_is_not() -> None:
    stage = Impairer(Impairment(rate=8000, delay=10_000.0), 0.0)
    verdicts = [stage.offer(numbered(n, 1000), 0.0) for n in range(1010)]
    assert verdicts == [None] * 1000 + ["queue_full"] * 10
    # A second later one packet is on the wire, and there is room for one more.
    assert [stage.offer(numbered(n, 1000), 1.0) for n in range(2)] == [None, "queue_full"]
    unlimited = Impairer(Impairment(delay=0.05), 0.0)
    assert not any(unlimited.offer(numbered(n), 0.0) for n in range(20_000))


def test_memory_is_limited_in_packets_and_in_bytes() -> None:
    for limits in (Limits(held_packets=3), Limits(held_bytes=139)):
        stage = Impairer(Impairment(delay=1.0), 0.0, limits=limits)
        assert [stage.offer(numbered(n), 0.0) for n in range(4)] == [None] * 3 + ["queue_full"]
        stage.due(1.0)
        assert stage.offer(numbered(4), 1.0) is None


def test_a_copy_that_finds_no_room_is_counted_and_the_original_goes_on() -> None:
    stage = Impairer(Impairment(delay=1.0, duplicate=1.0), 0.0, limits=Limits(held_packets=1))
    assert stage.offer(numbered(1), 0.0) is None
    assert (stage.counts.duplicated, stage.counts.queue_full, stage.held) == (1, 1, 1)


def test_the_copy_follows_its_original_directly() -> None:
    stage = Impairer(Impairment(delay=1.0, jitter=1.0, duplicate=1.0, corrupt=1.0, seed=1), 0.0)
    for n in range(50):
        stage.offer(numbered(n), n / 10)
    gone = departures(stage)
    assert gone[::2] == gone[1::2]


def test_a_reordered_packet_leaves_at_once_and_overtakes_what_is_in_flight() -> None:
    stage = Impairer(Impairment(delay=1.0, reorder=0.5, seed=1), 0.0)
    ahead = []
    for n in range(1000):
        stage.offer(numbered(n), n * 1e-4)
        ahead += stage.due(n * 1e-4)
    rest = numbers(stage.due(NEVER))
    assert rest == sorted(rest) and sorted(rest + numbers(ahead)) == list(range(1000))
    assert len(ahead) - stage.counts.reordered == rest[0], "those before the first in flight overtook nobody"


@untimed
@example(Impairment(delay=3.0, jitter=3.0, reorder=0.5, seed=1), [(0.125, 40)] * 100)
@given(impairments(), st.lists(OFFERS, max_size=60))
def test_reordered_counts_just_those_that_leave_before_an_earlier_one(
    impairment: Impairment, offers: list[tuple[float, int]]
) -> None:
    stage, now = Impairer(replace(impairment, corrupt=0.0), 0.0, limits=ROOMY), 0.0
    for number, (pending, size) in enumerate(offers):
        now += pending
        stage.offer(numbered(number, size), now)
    sequence = numbers(stage.due(NEVER))
    assert stage.counts.reordered == sum(min(sequence[at:]) < number for at, number in enumerate(sequence))


def test_a_packet_that_overtakes_nobody_is_not_counted_as_reordered() -> None:
    stage = Impairer(Impairment(delay=1.0, reorder=1.0), 0.0)
    for n in range(10):
        stage.offer(numbered(n), float(n))
        assert numbers(stage.due(float(n))) == [n]
    assert stage.counts.reordered == 0


TRANSPORTS = [
    (PING, 20),
    (ipv4("10.0.0.1", "10.0.0.2", 17, udp(1, 2, b"data"), options=bytes(8)), 28),
    (ipv6("fd00::1", "fd00::2", 17, udp(1, 2, b"data")), 40),
    (ipv6("fd00::1", "fd00::2", 0, bytes([17, 0]) + bytes(6) + udp(1, 2, b"data")), 48),
    (ipv4("10.0.0.1", "10.0.0.2", 1, b"x"), 20),
]


@pytest.mark.parametrize(("packet", "transport_at"), TRANSPORTS)
def test_corruption_flips_one_bit_anywhere_behind_the_ip_header(packet: bytes, transport_at: int) -> None:
    stage = Impairer(Impairment(corrupt=1.0, seed=1), 0.0)
    flipped = set()
    for _ in range(40 * len(packet)):
        stage.offer(packet, 0.0)
        (damaged,) = stage.due(0.0)
        difference = int.from_bytes(packet, "big") ^ int.from_bytes(damaged, "big")
        assert difference.bit_count() == 1 and len(damaged) == len(packet) and fault(damaged) is None
        flipped.add(8 * len(packet) - difference.bit_length())
    assert flipped <= set(range(8 * transport_at, 8 * len(packet)))
    assert len(flipped) > 0.9 * 8 * (len(packet) - transport_at)


@pytest.mark.parametrize("packet", [ipv4("10.0.0.1", "10.0.0.2", 1, b""), b"", b"no packet at all"])
def test_what_has_nothing_behind_an_ip_header_stays_whole(packet: bytes) -> None:
    stage = Impairer(Impairment(corrupt=1.0), 0.0)
    stage.offer(packet, 0.0)
    assert (stage.due(0.0), stage.counts.corrupted) == ([packet], 0)


def test_without_impairment_packets_pass_at_once_and_the_stage_says_so() -> None:
    stage = Impairer(Impairment(seed=7), 0.0)
    assert stage.is_idle
    stage.offer(PING, 1.0)
    assert not stage.is_idle, "a packet that went around the stage now would overtake"
    assert (stage.next_due(), stage.due(1.0), stage.next_due()) == (1.0, [PING], None)
    assert stage.is_idle and not stage.counts.delayed


def loaded(impairment: Impairment, count: int = 10) -> Impairer:
    """A stage with packets of 1000 bytes, all offered at 0."""
    stage = Impairer(impairment, 0.0)
    for n in range(count):
        stage.offer(numbered(n, 1000), 0.0)
    return stage


def test_reset_frees_everything_at_once_and_in_order() -> None:
    stage = loaded(Impairment(delay=3600.0, rate=80))
    stage.change(Impairment(), 5.0)
    assert not stage.is_idle
    assert numbers(stage.due(5.0)) == list(range(10))
    assert stage.is_idle


def test_a_new_rate_holds_for_what_waits_for_the_link() -> None:
    stage = loaded(Impairment(rate=8000))
    assert numbers(stage.due(3.5)) == [0, 1, 2]
    stage.change(Impairment(rate=80_000), 3.5)
    assert [at for at, _ in departures(stage)] == pytest.approx([3.6, 3.7, 3.8, 3.9, 4.0, 4.1, 4.2])


def test_a_new_delay_holds_for_what_is_on_the_wire() -> None:
    stage = loaded(Impairment(delay=10.0, rate=8000), 4)
    stage.change(Impairment(delay=2.0, rate=8000), 2.5)
    # Two have left the link, at 1 and at 2; the link begins again with the third.
    assert [at for at, _ in departures(stage)] == pytest.approx([3.0, 4.0, 5.5, 6.5])


def test_a_longer_delay_does_not_call_back_what_is_due() -> None:
    stage = loaded(Impairment(delay=1.0), 3)
    stage.change(Impairment(delay=60.0), 2.0)
    assert numbers(stage.due(2.0)) == [0, 1, 2]


def test_the_link_queue_is_counted_anew_after_a_change() -> None:
    stage = loaded(Impairment(rate=8000), 1000)
    assert stage.offer(PING, 0.0) == "queue_full"
    stage.change(Impairment(rate=16_000), 0.0)
    assert stage.offer(PING, 0.0) == "queue_full"
    stage.change(Impairment(delay=1.0), 0.0)
    assert stage.offer(PING, 0.0) is None


def test_a_change_goes_on_with_the_random_streams_and_a_new_seed_starts_new_ones() -> None:
    asked = Impairment(loss=0.3, seed=7)
    stage = Impairer(asked, 0.0)
    first = {n for n in range(200) if stage.offer(numbered(n), 0.0)}
    stage.change(replace(asked, delay=1.0), 0.0)
    assert first | {n for n in range(200, 300) if stage.offer(numbered(n), 0.0)} == lost(asked)
    stage.change(replace(asked, seed=8), 0.0)
    assert {n for n in range(300) if stage.offer(numbered(n), 0.0)} == lost(replace(asked, seed=8))


def test_loss_that_begins_later_takes_the_packets_that_it_would_have_taken_anyway() -> None:
    asked = Impairment(loss=0.3, seed=7)
    stage = Impairer(replace(asked, loss=0.0), 0.0)
    assert not any(stage.offer(numbered(n), 0.0) for n in range(100))
    stage.change(asked, 0.0)
    assert {n for n in range(100, 300) if stage.offer(numbered(n), 0.0)} == {n for n in lost(asked) if n >= 100}


def test_at_one_moment_the_packet_that_has_waited_leaves_before_the_one_that_skips() -> None:
    stage = Impairer(Impairment(delay=1.0), 0.0)
    stage.offer(numbered(0), 0.0)
    stage.change(Impairment(delay=1.0, reorder=1.0), 0.5)
    stage.offer(numbered(1), 1.0)
    assert numbers(stage.due(1.0)) == [0, 1]
    assert stage.counts.reordered == 0


def test_a_new_rate_sends_those_that_skip_the_wire_in_their_turn() -> None:
    slow = Impairment(delay=10.0, rate=8000)
    stage = Impairer(slow, 0.0)
    for n in range(4):
        stage.change(replace(slow, reorder=float(n % 2)), 0.0)
        stage.offer(numbered(n, 1000), 0.0)
    stage.change(replace(slow, rate=16_000), 0.0)
    gone = [(at, number_of(packet)) for at, packet in departures(stage)]
    assert gone == [(1.0, 1), (2.0, 3), (10.5, 0), (11.5, 2)]


def test_a_lost_packet_has_no_copy() -> None:
    stage = Impairer(Impairment(loss=1.0, duplicate=1.0, corrupt=1.0), 0.0)
    assert stage.offer(echo_request(), 0.0) == "lost"
    assert (stage.held, stage.counts.duplicated, stage.counts.corrupted) == (0, 0, 0)
