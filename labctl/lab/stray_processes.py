"""Processes in a namespace of a lab that labctl has not started: each keeps it alive, with a name or without.

Another labctl that looks at the lab is in its namespaces, too, for a moment. Whoever does that holds open the namespace
to which it goes back.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from labctl.kernel.namespaces import NamespaceId, is_recorded
from labctl.kernel.programs import tun_devices
from labctl.process.patience import Patience
from labctl.process.processes import Process, end, kill, start_time

ROUNDS = 5
"""How often processes that have started meanwhile are killed, before a namespace is removed."""

VISIT = 1.0
"""Seconds for which a process is let look at a namespace before it is ended like the others."""


def end_inside(wanted: Collection[NamespaceId]) -> list[Process]:
    """End every process that is in one of these network namespaces. Return all that were found.

    A process may start others before it ends at SIGTERM. So this is repeated until there are none, and only those of
    the first round get SIGTERM before SIGKILL.
    """
    ended = []
    visits = Patience(VISIT)
    for finish in (end, *[kill] * ROUNDS):
        found = _staying(wanted, visits)
        if not found:
            break
        finish(found)
        ended += found
    return ended


def _staying(wanted: Collection[NamespaceId], visits: Patience) -> list[Process]:
    """Return every process that is in one of these namespaces, once no other is there for a visit only."""
    names = {f"net:[{known.inode}]" for known in wanted}
    for _ in visits.looks():
        found = inside(wanted)
        if not any(_visits(process, names) for process in found):
            break
    return found


def _visits(process: Process, names: Collection[str]) -> bool:
    """Return whether a process has another network namespace open than these, or is in another by now."""
    with suppress(OSError):  # it has ended, or is another's
        opened = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process.pid}/fd")]
        opened.append(os.readlink(f"/proc/{process.pid}/ns/net"))
        return any(name.startswith("net:[") and name not in names for name in opened)
    return False


def holders(known: NamespaceId, interface: str) -> list[Process]:
    """Return the processes in a network namespace that have a TUN device of it open."""
    return [process for process in inside([known]) if interface in tun_devices(process.pid).values()]


def inside(wanted: Iterable[NamespaceId]) -> list[Process]:
    """Return every process that is in one of these network namespaces, named or not, but for this one."""
    spaces = {(known.device, known.inode): known for known in wanted}
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        file = Path(entry.path, "ns/net")
        try:
            there = os.stat(file)
        except OSError:
            continue
        known = spaces.get((there.st_dev, there.st_ino))
        if known is None:
            continue
        started = start_time(int(entry.name))
        if started is not None and is_recorded(file, known):
            found.append(Process(int(entry.name), started))
    return found
