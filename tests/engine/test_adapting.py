"""What an engine chose is looked at again when its cause changes: counted in calls and frames, not in speed."""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest

from labctl.engine.counters import Counters
from labctl.engine.features import Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.packets.address import Address
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.ports import MemoryPort
from labctl.engine.udp.offload import OffloadPeer
from labctl.engine.udp.peer import open_udp

from .conftest import EVERY, Sites
from .oracle import UDP, Segment
from .test_offload import train_of
from .world import Namespace, balance, wait_for

pytestmark = pytest.mark.root

TUN = Feature.TUN_TSO | Feature.TUN_USO | Feature.TCP_MERGE | Feature.UDP_MERGE


class Calls(OffloadPeer):
    """Counts the packets of each call that the kernel took."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.taken: list[int] = []

    def send(self, piece) -> None:  # type: ignore[no-untyped-def]
        super().send(piece)
        self.taken.append(piece.number)


@pytest.mark.parametrize("ends", [("192.0.2.1", "192.0.2.2"), ("fd00:1::1", "fd00:1::2")])
def test_trains_are_whole_again_once_the_underlay_is_wide_again(sites: Sites, ends: tuple[str, str]) -> None:
    """The MTU of the cable goes from 1500 to 1290 and back: packets of 1400 bytes go singly only meanwhile."""
    for site, end in ((sites.a, 1), (sites.b, 2)):
        site.shell("echo 0 > /proc/sys/net/ipv6/conf/wan0/disable_ipv6")
        site.ip(f"addr add fd00:1::{end}/64 dev wan0 nodad")
    bind, far = (Address(host, 9000) for host in ends)
    peer, strangers = sites.a.call(lambda: open_udp(bind, far, Calls))
    features, twin = Features(), MemoryPort()
    peer.engage(features)
    train = train_of([each.packet() for each in Segment(bytes(40 * 1372), UDP).cut(1372)])
    with closing(peer), closing(strangers), closing(twin), Counters.anonymous() as counters:
        forwarder = Forwarder(
            twin, peer, strangers, names=("", ""), own=OwnDatagrams.between(bind, far), counters=counters
        )
        for mtu, calls in ((1500, [40]), (1290, [1] * 40), (1290, [1] * 40), (1500, [40]), (1500, [40])):
            for site in (sites.a, sites.b):
                site.ip(f"link set wan0 mtu {mtu}")
            peer.taken.clear()
            forwarder.send_out(train)
            assert peer.taken == calls, f"at {mtu}"
        assert features.now == Feature.UDP_SEGMENT | Feature.UDP_GRO
        counters.cells[0] = 200  # they were not read from a device
        assert balance(counters)["udp_sent_packets"] == 200


def test_an_engine_cuts_and_merges_as_the_mtu_of_its_device_asks_for(
    sites: Sites, counters: Callable[..., tuple[Counters, Counters]], core: str
) -> None:
    """Superframes are nothing to the engine while a packet is as large as they are; an edit of the MTU changes that."""
    both = counters()

    def engaged(wanted: Feature) -> bool:
        return both[0].features == wanted

    every = EVERY[core]
    for mtu, wanted in ((65000, every & ~TUN), (1400, every), (65000, every & ~TUN)):
        set_mtu(sites.a, mtu)
        wait_for(partial(engaged, wanted), f"{wanted} at {mtu}, not {both[0].features}")
        assert sites.a.ping("10.0.102.1")


@pytest.mark.parametrize("addresses", [False, True])
def test_an_endpoint_hears_of_its_own_device_and_of_no_other(host: Namespace, addresses: bool) -> None:
    host.ip("tuntap add dev tun0 mode tun", "tuntap add dev tun1 mode tun")
    told: list[str] = []
    with closing(host.call(lambda: NetworkChanges("tun0", addresses))) as changes:
        for line, reaches in (
            ("link set tun1 mtu 1400", False),
            ("link set tun0 mtu 1400", True),
            ("addr add 10.0.0.1/32 dev tun1", addresses),
            ("link del tun1", addresses),  # with its address
            ("link del tun0", True),
        ):
            host.ip(line)
            if select.select([changes], [], [], 0)[0]:
                changes.handle(partial(told.append, line))
            assert (told[-1:] == [line]) is reaches


def set_mtu(site: Namespace, mtu: int) -> None:
    site.ip(f"link set tun0 mtu {mtu}")
