"""Warming caches: the packet goes round through the code of real packets, and it ends where nothing comes."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from labctl.engine.batches.tun import BatchTun
from labctl.engine.counters import Counters
from labctl.engine.loop.cache_warmer import CacheWarmer
from labctl.engine.loop.event_loop import Ending
from labctl.engine.loop.idling import WARMINGS
from labctl.engine.loop.signals import heard
from labctl.engine.tun.device import TunDevice
from labctl.engine.udp.offload import OffloadPeer
from labctl.engine.udp.peer import UdpPeer

from .samples import PING
from .test_forward import Rig
from .world import Namespace, balance, status, wait_for


@pytest.fixture
def rig() -> Iterator[Rig]:
    with closing(Rig(watched=False)) as rig:
        yield rig


@pytest.mark.parametrize(("tun", "peer"), [(TunDevice, UdpPeer), (BatchTun, OffloadPeer)])
def test_the_packet_goes_round_and_is_whole_each_time(tun: type[TunDevice], peer: type[UdpPeer]) -> None:
    with socket.socket() as unused:
        counters = Counters.anonymous()
        with closing(CacheWarmer(tun(unused.fileno()), peer(unused), counters)) as warmer:
            for _ in range(5):
                warmer.warm()
    now = balance(counters)
    for way in ("tun_read", "udp_sent", "udp_received", "tun_written"):
        assert (now[f"{way}_packets"], now[f"{way}_bytes"]) == (5, 5 * 84)
    assert now["tun_read_frames"] == now["tun_written_frames"] == 5


def test_caches_are_warmed_for_a_while_after_each_packet_and_then_no_more(rig: Rig) -> None:
    warmed = 0

    def warm() -> None:
        nonlocal warmed
        warmed += 1
        if warmed == 3:
            rig.tun.arrive(PING)
        if warmed == 3 + WARMINGS:
            # Time for some 100 more, if it did not sleep now.
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()

    rig.tun.arrive(PING)
    with heard(signal.SIGTERM) as stop:
        assert rig.run(stop, warm) is Ending.STOPPED
    assert warmed == 3 + WARMINGS
    assert rig.peer.sent == [PING, PING]


def test_nothing_is_warmed_before_the_first_packet(rig: Rig) -> None:
    warmed: list[str] = []
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with heard(signal.SIGTERM) as stop:
        assert rig.run(stop, lambda: warmed.append("once")) is Ending.STOPPED
    assert warmed == []


def test_an_idle_engine_sleeps(host: Namespace) -> None:
    host.ip("tuntap add dev tun0 mode tun", "addr add 10.0.101.1/24 dev tun0", "link set tun0 up")
    engine = host.ttun("tun0", "127.0.0.1", 9000, "127.0.0.1", 9001)
    host.run("ping", "-n", "-c", "1", "-W", "0.05", "10.0.101.2")
    wait_for(_unmoved(engine.pid), "the engine to sleep")


def _unmoved(pid: int) -> Callable[[], bool]:
    """True once a process has not run for as long as some ten warmings would take."""
    seen: tuple[float, str] = (time.monotonic(), "")

    def unmoved() -> bool:
        nonlocal seen
        ran = status(pid)["voluntary_ctxt_switches"]
        if ran != seen[1]:
            seen = (time.monotonic(), ran)
        return time.monotonic() - seen[0] > 0.02

    return unmoved
