"""The kernel as the oracle: it cuts the same superframe, and every byte is compared.

A superframe that is written to `in0` is forwarded to `out0`, which has no offloads, so the kernel must cut
it itself and finish the checksums. All it changes besides is the TTL.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import NamedTuple

import pytest

from labctl.engine.batches.tun import BatchTun
from labctl.engine.features import Features
from labctl.engine.packets import split as alone
from labctl.engine.packets.vnet import LAYOUT
from labctl.engine.tun.device import IFF_NO_PI, IFF_TUN, TUNSETIFF, TunDevice

from .core_rig import CoreRig
from .oracle import ACK, CWR, FIN, PSH, UDP, Segment, is_right
from .test_offload import NOISE, split, train_of
from .world import Namespace, wait_for

pytestmark = pytest.mark.root


class Router(NamedTuple):
    """A namespace that forwards from one TUN device to the other."""

    into: BatchTun
    out: TunDevice

    def forwarded(self, number: int, protocol: int) -> list[bytes]:
        """The next packets of this protocol that the kernel sends out, a number of them."""
        got: list[bytes] = []
        while len(got) < number:
            packet = wait_for(lambda: read(self.out), "a packet")
            if packet[9 if packet[0] >> 4 == 4 else 6] == protocol:
                got.append(packet)
        return got


@pytest.fixture
def router(host: Namespace) -> Iterator[Router]:
    with ExitStack() as opened:

        def attach() -> Router:
            into = opened.enter_context(closing(BatchTun.open("in0")))
            return Router(into, opened.enter_context(closing(TunDevice.open("out0"))))

        made = host.call(attach)
        made.into.engage(Features())
        host.shell(
            """
            cd /proc/sys/net
            echo 0 > ipv6/conf/in0/disable_ipv6; echo 0 > ipv6/conf/out0/disable_ipv6
            ip link set in0 mtu 9000 up; ip link set out0 mtu 9000 up
            ip addr add 10.0.101.9/24 dev in0; ip addr add 10.0.102.9/24 dev out0
            echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding
            for name in all in0 out0; do echo 0 > ipv4/conf/$name/rp_filter; done
            """
        )
        host.ip("addr add fd00:1::9/64 dev in0 nodad", "addr add fd00:2::9/64 dev out0 nodad")
        yield made


WHOLES = [
    (Segment(NOISE[:7000], flags=ACK | PSH), 1348),
    (Segment(NOISE[:7000], flags=ACK | FIN | PSH, id=65533, sequence=2**32 - 1500), 1001),
    (Segment(NOISE[:6000], flags=ACK | CWR | PSH, options=b""), 1000),
    (Segment(NOISE[:3001], options=bytes([1] * 40)), 1500),
    (Segment(NOISE[:4000], protocol=UDP, id=65534), 333),
    (Segment(NOISE[:4000], protocol=UDP), 1000),
]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("whole", "gso_size"), WHOLES)
def test_the_kernel_cuts_as_we_do(router: Router, core: str, whole: Segment, gso_size: int, version: int) -> None:
    if version == 6:
        whole = replace(whole, source="fd00:1::1", destination="fd00:2::1")
    frame, header = whole.packet(partial=True), whole.header(gso_size)
    # hdr_len tells the kernel how much to copy; it must cover the headers on the way in.
    written = header._replace(hdr_len=whole.head)
    os.writev(router.into.fileno(), [LAYOUT.pack(*written), frame])
    less = replace(whole, ttl=whole.ttl - 1)
    train = split(less.packet(partial=True), header)
    ours = [bytes(each) for each in train.packets()]
    assert router.forwarded(train.number, whole.protocol) == ours
    assert [bytes(each) for each in alone.split(less.packet(partial=True), header).packets()] == ours
    if core == "c":
        with closing(CoreRig("c")) as rig:
            rig.device.send(LAYOUT.pack(*header) + less.packet(partial=True))
            rig.turn()
            assert (rig.sent(), rig.left) == (ours, 0)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("whole", "gso_size"), [each for each in WHOLES if each[0].flags & ~(PSH | ACK) == 0])
def test_the_kernel_takes_what_we_merge_and_gives_back_every_packet(
    router: Router, core: str, whole: Segment, gso_size: int, version: int
) -> None:
    if version == 6:
        whole = replace(whole, source="fd00:1::1", destination="fd00:2::1")
    train = train_of([each.packet() for each in whole.cut(gso_size)])
    if core == "c":
        with closing(CoreRig("c")) as rig:
            rig.arrive(train.data, train.size)
            rig.turn()
            (frame,) = rig.written()
            assert rig.left == 0
        os.write(router.into.fileno(), frame)
    else:
        (piece,) = router.into.pieces(train)
        router.into.send(piece)
    expected = [each.packet() for each in replace(whole, ttl=whole.ttl - 1).cut(gso_size)]
    assert router.forwarded(train.number, whole.protocol) == expected


@pytest.mark.parametrize("killed", [False, True])
def test_a_device_that_was_used_with_offloads_is_plain_again(host: Namespace, killed: bool) -> None:
    host.ip("tuntap add dev tun0 mode tun", "addr add 10.0.101.1/24 dev tun0", "link set tun0 up")
    engine = host.call(lambda: BatchTun.open("tun0"))
    engine.engage(Features())
    if killed:
        os.close(engine.fileno())
        host.call(lambda: TunDevice.open("tun0")).close()
    else:
        engine.close()
    # Attach as socat does, which never heard of offloads.
    descriptor = host.call(lambda: os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
    request = struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI)
    host.call(lambda: fcntl.ioctl(descriptor, TUNSETIFF, request))
    with closing(TunDevice(descriptor)) as plain, closing(host.call(udp_socket)) as sender:

        def asked() -> bytes | None:
            # What is sent before the kernel has noticed that somebody is attached is lost.
            sender.sendto(bytes(100), ("10.0.101.5", 9))
            return read(plain)

        packet = wait_for(asked, "the packet")
    assert is_right(packet)


def udp_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def read(port: TunDevice) -> bytes | None:
    try:
        came = port.receive()
        return bytes(came[0].data if isinstance(came, list) else came)
    except BlockingIOError:
        return None
