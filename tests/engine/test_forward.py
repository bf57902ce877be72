"""Forwarding between twins: no kernel, every fault, and every packet accounted for."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.counters import NAMES, Counters
from labctl.engine.forward import DeviceGone, Forwarder
from labctl.engine.loop.event_loop import Ending, run
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.loop.signals import heard
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.ports import MemoryPort

from .samples import PING, ipv4, udp
from .world import balance

OWN = OwnDatagrams.between(Address("10.0.1.1", 9000), Address("10.0.2.1", 9000))


class Rig:
    """A forwarder between three twins, and the lines that it said if it is watched."""

    def __init__(self, watched: bool = True) -> None:
        self.tun, self.peer, self.strangers = MemoryPort(), MemoryPort(), MemoryPort()
        self.counters = Counters.anonymous()
        self.lines: list[tuple[str, bytes, str | None]] = []
        self.forwarder = Forwarder(
            self.tun,
            self.peer,
            self.strangers,
            names=("tun0", "10.0.2.1:9000"),
            own=OWN,
            counters=self.counters,
            watch=(lambda *line: self.lines.append(line)) if watched else None,
        )

    def counted(self) -> dict[str, int]:
        """What is not zero, bytes and frames apart."""
        now = balance(self.counters)
        return {name: n for name, n in now.items() if n and not name.endswith(("_bytes", "_frames"))}

    def move(self) -> None:
        """Give every side turns until nothing waits."""
        for port, turn in (
            (self.tun, self.forwarder.tun_to_peer),
            (self.peer, self.forwarder.peer_to_tun),
            (self.strangers, self.forwarder.drop_stranger),
        ):
            while port.has_arrivals:
                turn()

    def run(self, stop: int, warm: Callable[[], None] = lambda: None) -> Ending:
        """Forward in the loop."""
        with closing(NetworkChanges("lo", addresses=False)) as changes:
            return run(self.forwarder, stop, warm, changes)

    def close(self) -> None:
        for port in (self.tun, self.peer, self.strangers):
            port.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def test_a_packet_crosses_unchanged_both_ways(rig: Rig) -> None:
    rig.tun.arrive(PING)
    rig.peer.arrive(PING)
    rig.move()
    assert rig.peer.sent == rig.tun.sent == [PING]
    assert rig.lines == [("tun0 > 10.0.2.1:9000", PING, None), ("10.0.2.1:9000 > tun0", PING, None)]
    traffic = {name: n for name, n in balance(rig.counters).items() if n}
    frames = {"tun_read_frames": 1, "tun_written_frames": 1}
    assert traffic == dict.fromkeys(NAMES[:8:2], 1) | dict.fromkeys(NAMES[1:8:2], len(PING)) | frames


@pytest.mark.parametrize(
    ("code", "drop"),
    [
        (errno.ENETUNREACH, "out_unreachable"),
        (errno.EHOSTUNREACH, "out_unreachable"),
        (errno.EMSGSIZE, "out_too_big"),
        (errno.EAGAIN, "out_busy"),
        (errno.ENOBUFS, "out_busy"),
        (errno.ECONNREFUSED, "out_refused"),
        (errno.EPERM, "out_send_failed"),
    ],
)
def test_a_send_that_fails_twice_is_one_drop(rig: Rig, code: int, drop: str) -> None:
    rig.peer.failures.extend([OSError(code, "")] * 2)
    rig.tun.arrive(PING)
    rig.move()
    assert rig.counted() == {"tun_read_packets": 1, drop: 1}
    assert rig.lines[0][2] == drop


@pytest.mark.parametrize("code", [errno.ECONNREFUSED, errno.EHOSTUNREACH])
def test_an_icmp_error_about_an_earlier_datagram_costs_the_next_one_nothing(rig: Rig, code: int) -> None:
    rig.peer.failures.append(OSError(code, ""))
    rig.tun.arrive(PING)
    rig.move()
    assert rig.peer.sent == [PING]
    assert rig.counted() == {"tun_read_packets": 1, "udp_sent_packets": 1, "icmp_errors": 1}


def test_an_icmp_error_met_while_receiving_is_only_counted(rig: Rig) -> None:
    rig.peer.arrive(ConnectionRefusedError(errno.ECONNREFUSED, ""), PING)
    rig.move()
    assert rig.counted() == {"udp_received_packets": 1, "tun_written_packets": 1, "icmp_errors": 1}


@pytest.mark.parametrize(
    ("code", "drop"),
    [
        (errno.EIO, "in_link_down"),
        (errno.EBADFD, "in_link_down"),
        (errno.EINVAL, "in_tun_rejected"),
        (errno.EAGAIN, "in_busy"),
        (errno.ENOBUFS, "in_busy"),
    ],
)
def test_a_write_that_fails_is_one_drop_and_the_next_packet_passes(rig: Rig, code: int, drop: str) -> None:
    rig.tun.failures.append(OSError(code, ""))
    rig.peer.arrive(PING, PING)
    rig.move()
    assert rig.counted() == {"udp_received_packets": 2, "tun_written_packets": 1, drop: 1}


def test_what_is_not_one_packet_never_reaches_the_device(rig: Rig) -> None:
    rig.peer.arrive(b"", PING[:-1], PING + b"\0", b"\0" * 40)
    rig.move()
    assert rig.tun.sent == []
    assert rig.counted() == {"udp_received_packets": 4, "in_empty": 1, "in_malformed": 3}


def test_what_is_not_one_packet_never_reaches_the_peer(rig: Rig) -> None:
    rig.tun.arrive(PING[:-1])
    rig.move()
    assert rig.peer.sent == []
    assert rig.counted() == {"tun_read_packets": 1, "out_malformed": 1}


def test_a_strangers_packet_never_reaches_the_device(rig: Rig) -> None:
    rig.strangers.arrive(PING)
    rig.move()
    assert rig.tun.sent == []
    assert rig.lines == [("192.0.2.99:9 > tun0", PING, "in_not_from_peer")]
    assert rig.counted() == {"udp_received_packets": 1, "in_not_from_peer": 1}


def test_a_routing_loop_is_cut(rig: Rig) -> None:
    rig.tun.arrive(ipv4("10.0.1.1", "10.0.2.1", 17, udp(9000, 9000, PING)))
    rig.move()
    assert rig.peer.sent == []
    assert rig.counted() == {"tun_read_packets": 1, "out_routing_loop": 1}


def test_a_flood_gets_no_more_than_its_turn(rig: Rig) -> None:
    for port, turn in (
        (rig.tun, rig.forwarder.tun_to_peer),
        (rig.peer, rig.forwarder.peer_to_tun),
        (rig.strangers, rig.forwarder.drop_stranger),
    ):
        port.arrive(PING, PING)
        turn()
    assert len(rig.peer.sent) == len(rig.tun.sent) == rig.counted()["in_not_from_peer"] == 1


codes = st.sampled_from([errno.ECONNREFUSED, errno.EIO, errno.EINVAL, errno.EAGAIN, errno.EPERM, errno.EBADFD])
failures = st.lists(st.none() | codes.map(lambda code: OSError(code, "")), max_size=40)
packets = st.lists(st.just(PING) | st.binary(max_size=60), max_size=20)


@given(watched=st.booleans(), out=packets, into=packets, strange=packets, on_send=failures, on_write=failures)
def test_every_packet_is_forwarded_or_is_exactly_one_drop(
    watched: bool,
    out: list[bytes],
    into: list[bytes],
    strange: list[bytes],
    on_send: list[OSError | None],
    on_write: list[OSError | None],
) -> None:
    rig = Rig(watched)
    rig.tun.arrive(*out)
    rig.peer.arrive(*into)
    rig.strangers.arrive(*strange)
    rig.peer.failures.extend(on_send)
    rig.tun.failures.extend(on_write)
    rig.move()
    now = balance(rig.counters)
    assert now["tun_read_packets"] == len(out)
    assert now["udp_received_packets"] == len(into) + len(strange)
    assert now["udp_sent_bytes"] == sum(map(len, rig.peer.sent))
    assert now["tun_written_bytes"] == sum(map(len, rig.tun.sent))
    rig.close()


@pytest.mark.parametrize("code", [errno.EBADFD, errno.EFAULT])
def test_the_end_of_the_device_ends_the_loop(rig: Rig, code: int) -> None:
    rig.tun.arrive(PING, OSError(code, ""))
    with heard(signal.SIGTERM) as stop:
        assert rig.run(stop) is Ending.DEVICE_GONE
    assert rig.peer.sent == [PING]


def test_a_hang_up_ends_the_loop_even_where_reading_shows_nothing(rig: Rig) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    rig.tun.fileno = lambda: reader  # type: ignore[method-assign]
    with heard(signal.SIGTERM) as stop:
        assert rig.run(stop) is Ending.DEVICE_GONE
    os.close(reader)


def test_an_unknown_fault_of_the_device_is_not_hidden(rig: Rig) -> None:
    rig.tun.arrive(OSError(errno.ENOMEM, ""))
    with pytest.raises(OSError) as caught:
        rig.forwarder.tun_to_peer()
    assert not isinstance(caught.value, DeviceGone)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_loop_and_the_old_handler_returns(rig: Rig, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with heard(signal.SIGTERM, signal.SIGINT) as stop:
        os.kill(os.getpid(), number)
        assert rig.run(stop) is Ending.STOPPED
    assert signal.getsignal(number) is before
