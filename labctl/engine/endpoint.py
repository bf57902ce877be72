"""One end of a tunnel, from its description to its end.

The order matters: catch signals, prepare what needs no port, open everything that needs rights, drop all privileges and
all that forwarding does not take, call `ready`, forward. When `ready` is called, the ports are open and packets are
counted from zero.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TextIO

from labctl.engine import drop_privileges
from labctl.engine.accounting import Watch
from labctl.engine.confinement import confine
from labctl.engine.control import Control, change
from labctl.engine.counters import Counters
from labctl.engine.errors import explained
from labctl.engine.features import Feature, Features
from labctl.engine.forward import Forwarder
from labctl.engine.kinds import Kinds, kinds_for
from labctl.engine.loop.cache_warmer import CacheWarmer
from labctl.engine.loop.event_loop import Ending, run
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.loop.signals import heard
from labctl.engine.packets.address import Address, check_bind, check_peer
from labctl.engine.packets.describe import describe
from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.routing_loop import OwnDatagrams
from labctl.engine.tun.device import IFNAMSIZ, TunDevice
from labctl.engine.tun.gso import limit_superframes
from labctl.engine.udp.peer import UdpPeer, UdpStrangers, open_udp
from labctl.engine.udp.wildcard import UNPRIVILEGED

NONE = Impairment()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TUN device, the address that its datagrams leave from and the one that they go to.

    Raise ValueError for a device name that the kernel would refuse, and for addresses that cannot be each other's peer.
    """

    device: str
    bind: Address
    peer: Address
    verbose: bool = False
    offload: bool = True  # let the kernel hand over many packets at once; without, one by one
    too_big: Literal["fragment", "icmp"] = "fragment"  # what a packet over the path's MTU gets
    impair: Impairment = NONE  # impairments of packets on their way out
    impair_in: Impairment = NONE  # and on their way in

    def __post_init__(self) -> None:
        # The rule of dev_valid_name in net/core/dev.c; %, which asks for a free number, we do not want.
        size = len(self.device.encode())
        if not 0 < size < IFNAMSIZ or self.device in (".", "..") or re.search(r"[/:%\s\0]", self.device):
            raise ValueError(f"{self.device!r} is no name for an interface: 1 to 15 bytes, no / : % or space")
        check_bind(self.bind)
        check_peer(self.bind, self.peer)

    @property
    def kinds(self) -> Kinds:
        """What it is made of in this process, loaded."""
        return kinds_for(self.offload, self.verbose)


def serve(
    endpoint: Endpoint,
    kinds: Kinds,
    *,
    counters_path: Path | None = None,
    control_path: Path | None = None,
    begin: Callable[[], None] = lambda: None,
    ready: Callable[[list[str]], None] = lambda engaged: None,
    out: TextIO,
    run_as: int | None = drop_privileges.NOBODY,
) -> Ending:
    """Forward until SIGTERM, SIGINT or the end of the device; return why it ended.

    `kinds` is that of the endpoint, perhaps from before this process was forked. Call it in the main thread of a
    process of its own: it drops the privileges of the process for good. `begin` is called before the first port is
    opened, and returns in the right network namespace. `ready` is called with the names of the offloads that are
    engaged. A line per packet is written to `out` if the endpoint is verbose, and one when the kernel refuses an
    offload that it had accepted.
    Raise EngineError if the endpoint cannot open.
    """
    with ExitStack() as open_things:
        stop = open_things.enter_context(heard(signal.SIGTERM, signal.SIGINT))
        counters = open_things.enter_context(_counters(counters_path))
        features = Features(lambda line: print(f"{endpoint.device}: {line}", file=out, flush=True))
        features.show_in(counters.feature_cell)
        control = _control(control_path, open_things)
        with _giving_up():
            drop_privileges.gain_nothing()
        begin()
        tun, changes, peer, strangers = _open(endpoint, kinds, open_things)
        for port in (tun, peer):
            port.engage(features)
        if endpoint.offload:
            limit_superframes(endpoint.device)
        if endpoint.too_big == "icmp":
            peer.refuse_too_big()
        own = OwnDatagrams.between(peer.source(), endpoint.peer)
        core = kinds.core(tun, peer, own, counters) if kinds.core else None
        if core:
            features.engage(Feature.C_CORE)
        forwarder = Forwarder(
            tun,
            peer,
            strangers,
            names=(endpoint.device, str(endpoint.peer)),
            own=own,
            counters=counters,
            watch=_printer(out) if endpoint.verbose else None,
            answer_too_big=endpoint.too_big == "icmp",
        )
        forwarder.stage_out.change(endpoint.impair)
        forwarder.stage_in.change(endpoint.impair_in)
        # C hardly notices that its caches are cold.
        warm = None if core else open_things.enter_context(closing(CacheWarmer(tun, peer, Counters.anonymous()))).warm
        with _giving_up():
            drop_privileges.enter(run_as, _kept(endpoint.bind))
        try:
            confine(moves=endpoint.bind.is_wildcard)
        except OSError as error:
            print(f"{endpoint.device}: seccomp is off: {error.strerror}", file=out, flush=True)
        else:
            features.engage(Feature.SECCOMP)
        ready(features.now.words)
        waits = partial(core.ready_descriptors, forwarder) if core else None
        beside: dict[int, Callable[[], object]] = {}
        if control:
            change_stages = partial(change, forwarder.stages, counters.change_cell)
            beside[control.fileno()] = partial(control.answer, change_stages)
        return run(forwarder, stop, warm, changes, beside, waits)


def _kept(bind: Address) -> int:
    """Return the mask of capabilities that an endpoint keeps: it may have to bind its port at another address."""
    return drop_privileges.NET_BIND_SERVICE if bind.is_wildcard and bind.port < UNPRIVILEGED else 0


def _giving_up() -> AbstractContextManager[None]:
    return explained("cannot give up rights", {}, "this is not expected: please report it")


def _open(
    endpoint: Endpoint, kinds: Kinds, open_things: ExitStack
) -> tuple[TunDevice, NetworkChanges, UdpPeer, UdpStrangers]:
    """Open the ports, and before that the subscription to changes."""
    tun = open_things.enter_context(closing(kinds.tun.open(endpoint.device)))
    with explained(f"cannot subscribe to changes of {endpoint.device}", {}, "this is not expected: please report it"):
        changes = open_things.enter_context(closing(NetworkChanges(endpoint.device, endpoint.bind.is_wildcard)))
    peer, strangers = open_udp(endpoint.bind, endpoint.peer, kinds.peer)
    open_things.enter_context(closing(peer))
    open_things.enter_context(closing(strangers))
    return tun, changes, peer, strangers


def _control(path: Path | None, open_things: ExitStack) -> Control | None:
    if path is None:
        return None
    with explained(f"cannot listen on {path}", {}, "choose a directory of your own"):
        control = Control(path)
    return open_things.enter_context(closing(control))


def _counters(path: Path | None) -> Counters:
    if path is None:
        return Counters.anonymous()
    with explained(f"cannot write the counters to {path}", {}, "choose a file in a directory of your own"):
        return Counters.create(path)


def _printer(out: TextIO) -> Watch:
    """Return a watcher that writes a line per packet, and flushes it, for it is read live."""

    def line(route: str, packet: bytes, drop: str | None) -> None:
        verdict = f", dropped: {drop}" if drop else ""
        print(f"{route}  {describe(packet)}{verdict}", file=out, flush=True)

    return line
