"""A cable between two hosts of the kernel: carrier, size of the path, and attacks."""

from __future__ import annotations

import secrets
import signal
import socket
import struct
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from labctl.engine.cable import control
from labctl.engine.cable.counters import DROPS_IN
from labctl.engine.cable.forward import Plug
from labctl.engine.cable.line import State
from labctl.engine.packets.address import Address
from tests.engine.cable.world import Pair, pair
from tests.engine.world import status, wait_for

pytestmark = pytest.mark.root

NOTICED = 5.0
"""Seconds: test_line.py holds it to two, without what a busy machine takes for the engines and to look."""


@pytest.fixture(scope="module")
def running(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("cable")) as made:
        yield made


@pytest.fixture
def joined(running: Pair) -> Iterator[Pair]:
    """The pair, which a test leaves as it was."""
    running.wait_until_up()
    yield running


def wait_until_down(here: Pair, since: float) -> None:
    """Wait until neither end has a carrier, and see that it did not take longer than it may."""
    for end in here.ends:
        wait_for(lambda end=end: not end.carrier, "the carrier to go")  # type: ignore[misc]
    assert time.monotonic() - since < NOTICED


def test_frames_cross_and_the_host_has_nothing_but_a_socket(joined: Pair) -> None:
    assert joined.a.ping() and joined.b.ping()
    for end in joined.ends:
        links = end.host.shell("ip -o link").splitlines()
        assert [line.split()[1].partition("@")[0].strip(":") for line in links] == ["lo", "eth0"]
        sockets = end.host.shell("ss -Huan").splitlines()
        assert len(sockets) == 1 and f":{end.port}" in sockets[0]


def test_the_offloads_are_engaged(joined: Pair) -> None:
    """A stream crosses as superframes, so there are far fewer frames than packets."""
    before = joined.a.now
    received = stream(joined, 20_000_000)
    now = joined.a.now
    frames, size = (now[name] - before[name] for name in ("sent_frames", "tap_read_bytes"))
    assert received == 20_000_000
    assert size / frames > 4000, f"{size / frames} bytes a frame"
    assert now["udp_sent_datagrams"] - before["udp_sent_datagrams"] > 10_000


def stream(here: Pair, size: int) -> int:
    """Send bytes by TCP from one lab to the other, and return how many came."""
    program = """
import socket, sys
listener = socket.create_server(("10.9.0.2", 5000))
print("there", flush=True)
peer, _ = listener.accept()
got = 0
while data := peer.recv(1 << 20):
    assert data == data[:1] * len(data)
    got += len(data)
print(got)
"""
    server = here.b.lab.start("python3", "-c", program)
    assert server.stdout and server.stdout.readline() == "there\n", server.communicate()
    client = f"import socket; socket.create_connection(('10.9.0.2', 5000)).sendall(b'x' * {size})"
    here.a.lab.shell(f'python3 -c "{client}"')
    return int(server.communicate(timeout=60)[0])


def test_the_engine_has_no_rights(joined: Pair) -> None:
    shown = status(joined.a.engine.pid)
    assert {shown["CapEff"], shown["CapPrm"], shown["CapBnd"]} == {"0" * 16}
    assert shown["NoNewPrivs"] == "1"
    assert shown["Seccomp"] == "2"
    limits = Path(f"/proc/{joined.a.engine.pid}/limits").read_text()
    assert "Max core file size        1                    1 " in limits


def test_the_key_is_nowhere_to_be_read(joined: Pair, tmp_path: Path) -> None:
    key = joined.plug()
    pid = joined.a.engine.pid
    seen = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    directory = joined.a.counters_path.parent
    kept = b"".join(path.read_bytes() for path in directory.iterdir() if path.is_file())
    for form in (key, key.hex().encode()):
        assert form not in seen + kept


@pytest.mark.parametrize(
    ("wire", "inner"),
    [*product((1500, 9000), ("fitting", 1500, 9000)), (1387, "fitting"), (65535, 1500), (65535, 65521)],
)
def test_every_size_crosses_whatever_the_path_takes(joined: Pair, wire: int, inner: str | int) -> None:
    joined.mtu(wire)
    for end in joined.ends:
        end.start_again()
    joined.plug()
    wait_for(lambda: [end.now["path_mtu"] for end in joined.ends] == [wire, wire], f"a path of {wire}")
    mtu = wire - 66 if inner == "fitting" else int(inner)
    joined.inner_mtu(mtu)
    before = joined.a.now
    assert joined.a.ping(2, "-M", "do", "-s", str(mtu - 28))
    datagrams = joined.a.now["udp_sent_datagrams"] - before["udp_sent_datagrams"]
    frames = joined.a.now["sent_frames"] - before["sent_frames"]
    assert (datagrams == frames) is (mtu <= wire - 66)
    assert stream(joined, 2_000_000) == 2_000_000
    joined.mtu(1500)
    joined.inner_mtu(1500)


def test_an_underlay_that_changes_is_measured_to_the_byte(joined: Pair) -> None:
    """It becomes smaller than any usual size and larger again, also where only the way between takes less."""
    joined.mtu(1387)
    wait_for(lambda: [end.now["path_mtu"] for end in joined.ends] == [1387, 1387], "a path of 1387")
    joined.mtu(1500)
    wait_for(lambda: [end.now["path_mtu"] for end in joined.ends] == [1500, 1500], "a path of 1500", 60)
    # What the interface of the other end drops on arrival leaves this end without an error.
    joined.b.host.shell(
        "nft 'table ip way { chain in { type filter hook input priority 0; ip length > 1000 drop; }; }'"
    )
    wait_for(lambda: [end.now["path_mtu"] for end in joined.ends] == [1000, 1500], "a path of 1000")
    joined.b.host.shell("nft delete table ip way")
    wait_for(lambda: [end.now["path_mtu"] for end in joined.ends] == [1500, 1500], "a path of 1500", 60)
    assert joined.a.ping()


def test_a_killed_engine_takes_both_carriers_along(joined: Pair) -> None:
    joined.a.engine.send_signal(signal.SIGKILL)
    wait_until_down(joined, time.monotonic())
    joined.a.start_again()
    joined.plug()
    assert joined.a.ping()


def test_a_cut_network_takes_both_carriers_along(joined: Pair) -> None:
    joined.a.host.ip("link set eth0 down")
    wait_until_down(joined, time.monotonic())
    joined.a.host.ip("link set eth0 up")
    joined.wait_until_up()
    assert joined.a.ping()


@pytest.mark.parametrize("blocked", ["a", "b"])
def test_one_blocked_direction_takes_both_carriers_along_and_is_named(joined: Pair, blocked: str) -> None:
    here, there = joined.ends if blocked == "a" else joined.ends[::-1]
    here.host.ip(f"route add blackhole {there.outside}/32")
    wait_until_down(joined, time.monotonic())
    wait_for(lambda: (here.now["state"], there.now["state"]) == (State.ONLY_IN, State.NOTHING_IN), "the direction")
    here.host.ip(f"route del blackhole {there.outside}/32")
    joined.wait_until_up()


def test_an_interface_that_is_set_down_is_no_carrier_at_the_other_end(joined: Pair) -> None:
    joined.a.lab.ip("link set wan0 down")
    wait_for(lambda: not joined.b.carrier, "the carrier to go")
    assert joined.b.now["state"] == State.PEER_DOWN
    joined.a.lab.ip("link set wan0 up")
    joined.wait_until_up()


def test_a_new_key_at_both_ends_goes_on(joined: Pair) -> None:
    before = joined.b.now
    joined.plug()
    assert joined.a.ping()
    assert joined.b.now["keys"] == before["keys"] + 1


def test_a_restarted_engine_has_no_key_and_sends_nothing(joined: Pair) -> None:
    joined.a.start_again()
    joined.a.lab.run("ping", "-c", "1", "-W", "0.2", joined.b.inside)
    now = joined.a.now
    assert (now["state"], now["keys"], now["udp_sent_datagrams"], now["beats_sent"]) == (State.UNPLUGGED, 0, 0, 0)
    joined.plug()


def test_a_plug_that_cannot_be_is_refused_and_changes_nothing(joined: Pair) -> None:
    key = joined.plug()
    for plug, why in ((Plug(Address("192.0.2.2", 47000), key), "used"), (Plug(Address("::1", 1), bytes(32)), "IPv4")):
        with pytest.raises(ValueError, match=why):
            control.plug(joined.a.control_path, plug)
    assert control.peer_of(joined.a.control_path) == f"192.0.2.2:{joined.b.port}"
    assert joined.a.ping()


def test_over_ipv6_an_end_is_joined_in_the_same_way(root: None, tmp_path: Path) -> None:
    with pair(tmp_path, "2001:db8::{}") as here:
        assert here.a.ping() and here.b.ping()
        assert [end.now["path_mtu"] for end in here.ends] == [1500, 1500]
        for end in here.ends:
            end.lab.ip("link set wan0 mtu 1414")  # 1500 less an IPv6 header more
        before = here.a.now
        assert here.a.ping(2, "-M", "do", "-s", str(1414 - 28))
        after = here.a.now
        sent = [after[name] - before[name] for name in ("sent_frames", "udp_sent_datagrams")]
        assert sent[0] == sent[1]
        here.b.lab.ip("link del wan0")
        assert here.b.engine.wait(timeout=10) == 0
        wait_for(lambda: not here.a.carrier, "the other carrier to go")


class Attacker:
    """One who has root on the same wire, sees all that crosses it, and has no key."""

    def __init__(self, here: Pair) -> None:
        self.here = here
        self.raw = here.b.host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
        self.tap = here.b.host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
        self.tap.bind(("eth0", 0))
        self.tap.settimeout(5)
        self.before = here.a.now

    def spoof(self, payload: bytes, port: int | None = None) -> None:
        """Send a datagram to the engine of host A that seems to be of host B, from its engine's port."""
        a, b = self.here.ends
        udp = struct.pack("!HHHH", port or b.port, a.port, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 17, 0, *map(socket.inet_aton, (b.outside, a.outside)))
        self.raw.sendto(ip + udp, (a.outside, 0))

    def caught(self, number: int) -> list[bytes]:
        """Return datagrams of the engine of host B, as they are on the wire."""
        found: list[bytes] = []
        while len(found) < number:
            frame = self.tap.recv(1 << 16)
            if frame[23] == 17 and frame[26:30] == socket.inet_aton(self.here.b.outside) and len(frame) < 1600:
                found.append(frame[42:])
        return found

    def counted(self) -> dict[str, int]:
        now = self.here.a.now
        return {name: now[name] - self.before[name] for name in DROPS_IN if now[name] != self.before[name]}

    def wrote_nothing(self) -> bool:
        return self.here.a.now["tap_written_frames"] == self.before["tap_written_frames"]

    def close(self) -> None:
        self.raw.close()
        self.tap.close()


@pytest.fixture
def attacker(joined: Pair) -> Iterator[Attacker]:
    """With an inside that is silent: what is written then is not of the other end."""
    for end in joined.ends:
        end.lab.shell("ip link set wan0 arp off")
    made = Attacker(joined)
    yield made
    made.close()
    for end in joined.ends:
        end.lab.shell("ip link set wan0 arp on")
    assert joined.a.ping(), "the cable goes on"


def counts(attacker: Attacker, **expected: int) -> None:
    wait_for(lambda: attacker.counted() == expected, f"{expected}; there was {attacker.counted()}")
    assert attacker.wrote_nothing()


def test_spoofed_datagrams_are_not_authentic(attacker: Attacker) -> None:
    for _ in range(100):
        attacker.spoof(secrets.token_bytes(120))
    counts(attacker, in_not_authentic=100)


def test_another_port_of_the_other_host_is_a_stranger(attacker: Attacker) -> None:
    for datagram in attacker.caught(10):
        attacker.spoof(datagram, port=9)
    counts(attacker, in_not_from_peer=10)


def test_a_replay_is_counted(attacker: Attacker) -> None:
    for datagram in attacker.caught(15):
        attacker.spoof(datagram)
    counts(attacker, in_replayed=15)


def test_flipped_bits_are_not_authentic(attacker: Attacker) -> None:
    (datagram,) = attacker.caught(1)
    for bit in range(8 * len(datagram)):
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        attacker.spoof(bytes(flipped))
    counts(attacker, in_not_authentic=8 * len(datagram))


def test_the_engine_and_its_namespaces_are_those_of_the_lab(joined: Pair) -> None:
    inside = Path(f"/proc/{joined.a.engine.pid}/ns/net").readlink()
    assert inside == Path(f"/proc/{joined.a.lab.pid}/ns/net").readlink()
    assert inside != Path(f"/proc/{joined.a.host.pid}/ns/net").readlink()
