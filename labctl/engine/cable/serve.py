"""One end of a cable, from its description to its end.

The order is that of `endpoint.serve`: catch signals, prepare, open what needs rights, drop all privileges, call
`ready`, forward. When `ready` is called the end waits for its plug, without a carrier.
"""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TextIO

from labctl.engine import drop_privileges
from labctl.engine.cable import counters as count
from labctl.engine.cable.control import handle
from labctl.engine.cable.forward import Cable, DeviceGone, Ends
from labctl.engine.cable.no_core import dump_no_core
from labctl.engine.cable.sealing import rehearse
from labctl.engine.cable.tap import REQUESTS, Tap
from labctl.engine.cable.udp import CableSocket
from labctl.engine.confinement import confine
from labctl.engine.control import Control
from labctl.engine.errors import explained
from labctl.engine.features import Feature, Features
from labctl.engine.loop.event_loop import Ending
from labctl.engine.loop.network_changes import NetworkChanges
from labctl.engine.loop.signals import heard
from labctl.engine.loop.timer import Timer
from labctl.engine.tun.gso import limit_superframes

_BROKEN = select.EPOLLERR | select.EPOLLHUP


def serve(
    device: str,
    ends: Ends,
    opened: socket.socket,
    *,
    counters_path: Path,
    control_path: Path,
    begin: Callable[[], None] = lambda: None,
    ready: Callable[[list[str]], None] = lambda engaged: None,
    out: TextIO,
    run_as: int | None = drop_privileges.NOBODY,
) -> Ending:
    """Serve one end until SIGTERM, SIGINT or the end of the device; return why it ended.

    `opened` is the bound socket. Call this in the main thread of a process of its own, as `endpoint.serve`, whose
    arguments these are otherwise. Raise EngineError if the end cannot open.
    """
    with ExitStack() as open_things:
        stop = open_things.enter_context(heard(signal.SIGTERM, signal.SIGINT))

        def say(line: str) -> None:
            print(f"cable {ends.cable}: {line}", file=out, flush=True)

        with explained(f"cannot make {counters_path.name}", {}, "choose a directory of your own"):
            numbers = open_things.enter_context(count.CableCounters.create(counters_path))
            control = open_things.enter_context(closing(Control(control_path)))
        features = Features(say)
        features.show_in(numbers.feature_cell)
        with explained("cannot give up rights", {}, "this is not expected: please report it"):
            drop_privileges.gain_nothing()
        dump_no_core()
        begin()
        tap = open_things.enter_context(closing(Tap(device)))
        changes = open_things.enter_context(closing(NetworkChanges(device, addresses=False)))
        limit_superframes(device)
        udp = CableSocket(opened, features)
        numbers.cells[count.PORT] = udp.port
        cable = Cable(tap, udp, ends, numbers, say)
        with explained("cannot give up rights", {}, "this is not expected: please report it"):
            drop_privileges.enter(run_as)
        rehearse()
        try:
            confine(requests=REQUESTS)
        except OSError as error:
            say(f"seccomp is off: {error.strerror}")
        else:
            features.engage(Feature.SECCOMP)
        ready(features.now.words)
        return _run(cable, tap, udp, changes, control, stop)


def _run(cable: Cable, tap: Tap, udp: CableSocket, changes: NetworkChanges, control: Control, stop: int) -> Ending:
    with select.epoll() as epoll, closing(Timer()) as timer:
        handlers: dict[int, Callable[[], object]] = {
            udp.fileno(): lambda: cable.peer_to_tap(monotonic()),
            tap.fileno(): cable.tap_to_peer,
            changes.fileno(): partial(changes.handle, lambda: cable.link_changed(monotonic())),
            control.fileno(): partial(control.answer, lambda asked: handle(cable, asked, monotonic())),
            timer.fileno(): timer.acknowledge,
        }
        for descriptor in (stop, *handlers):
            epoll.register(descriptor, select.EPOLLIN)
        try:
            while True:
                for descriptor, events in epoll.poll():
                    if descriptor == stop:
                        return Ending.STOPPED
                    if descriptor == tap.fileno() and events & _BROKEN:
                        return Ending.DEVICE_GONE
                    handlers[descriptor]()
                # Behind the datagrams that wait: after a pause the other end is only silent if nothing has come.
                timer.arm(cable.tick(monotonic()))
        except DeviceGone:
            return Ending.DEVICE_GONE
