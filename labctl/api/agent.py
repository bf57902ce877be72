"""labctl on a host, at work for a lab over several: each function here is called by labctl on another machine.

    N  labctl on the near machine, which has a session on this host (hosts/link.py)
    A  this process: a Python that ssh has started, with threads of Mitogen
    S  the process that works for A, as it does for any Python program (server.py): a W of it for each piece of work

What N asks for is a piece of work of `api.work`, which is done as a command on this host would do it. What the work
tells and what comes of it is sent to N as it comes. What the work made lasts once N has said that it is to be kept:
where N takes it back, where the session ends, or where N has said nothing for LEASE seconds, W takes it back.
"""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from labctl import __version__
from labctl.api.answering import AsAnswers
from labctl.api.client import Call, Client, client
from labctl.engine.cable.no_core import dump_no_core
from labctl.errors import LabError
from labctl.hosts import answers

if TYPE_CHECKING:
    from labctl.engine.cable.forward import Plug
    from labctl.lab.cables.joining import End, Seen
    from labctl.lab.cables.reach import Reach
    from labctl.plan.cable_spec import CableSpec

AHEAD = 1 << 18
"""Bytes that works tell before the near machine has taken them; beyond that they wait, as for the reader of a pipe."""

ALIVE = answers.dumps((0, "alive", None))
"""The answer of a host that is there."""

LEASE = 20.0
"""Seconds without a word from the near machine after which all that is not kept is taken back."""


class _Task(NamedTuple):
    call: Call
    keep: queue.SimpleQueue[bool]  # whether what it made is to be kept


def _settled(task: _Task) -> bool:
    """Have what some work made last, or taken back, as is said. Return whether it is so: its process may have ended."""
    while task.keep.empty():
        if task.call.wait(0.1):  # it made nothing that it has to wait with, or it was ended
            return task.call.settled()
    if task.keep.get():
        return task.call.accept()
    task.call.refuse()
    return True


class _Agent:
    """What this process does for the near machine."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._ahead, self._room = 0, threading.Condition()
        self._tasks: dict[int, _Task] = {}

    def begin(self, sender: Any) -> None:
        self._sender = sender
        self.hear()
        self._client: Client = client()
        threading.Thread(target=self._watch, daemon=True).start()

    def hear(self) -> None:
        self._heard = time.monotonic()

    def say(self, number: int, kind: str, what: object = None) -> None:
        self._sender.send(answers.dumps((number, kind, what)))

    def say_told(self, said: bytes) -> None:
        with self._room:
            self._room.wait_for(lambda: self._ahead < AHEAD)
            self._ahead += len(said)
        self._sender.send(said)

    def is_alive(self) -> None:
        self._sender.send(ALIVE)

    def took(self, size: int) -> None:
        with self._room:
            self._ahead -= size
            self._room.notify_all()

    def start(self, number: int, work: bytes) -> None:
        try:
            task = _Task(self._client.start(AsAnswers(number, work)), queue.SimpleQueue())
        except LabError as error:
            self.say(number, "failed", error)
            return
        self._tasks[number] = task
        threading.Thread(target=self._follow, args=(number, task), daemon=True).start()

    def settle(self, number: int, keep: bool) -> None:
        if task := self._tasks.get(number):
            if not keep:
                task.call.hang_up()
            task.keep.put(keep)

    def tell(self, number: int, what: bytes) -> None:
        if task := self._tasks.get(number):
            task.call.say(what)

    def interrupt(self, number: int) -> None:
        if task := self._tasks.get(number):
            task.call.interrupt()

    def _follow(self, number: int, task: _Task) -> None:
        """Send what some work tells and what comes of it, and settle what it made."""
        call = task.call
        try:
            try:
                self._sender.send(call.result(self.say_told))
            except LabError as error:
                self.say(number, "failed", error)
                return
            except KeyboardInterrupt:
                self.say(number, "failed", LabError("interrupted"))
                return
            except BaseException as error:
                self.say(number, "failed", LabError("labctl itself failed", f"{type(error).__name__}: {error}"))
                return
            if _settled(task):
                self.say(number, "settled")
            else:
                self.say(number, "failed", LabError("labctl was ended at its work", "its process is gone"))
        finally:
            self._tasks.pop(number, None)
            call.close()

    def _watch(self) -> None:
        """End this process, and so all that is not kept, once nothing was heard for LEASE seconds."""
        while (left := self._heard + LEASE - time.monotonic()) > 0:
            time.sleep(left)
        os._exit(0)


_here = _Agent()


class _Reach:
    """The ends of cables that are tried before a lab is made."""

    def __init__(self) -> None:
        self._open: Reach | None = None

    def ends(self, specs: Sequence[CableSpec]) -> Mapping[str, End]:
        from labctl.lab.cables.reach import Reach

        self._open = Reach(specs)
        return self._open.ends

    def tried(self, plugs: Mapping[str, Plug]) -> Mapping[str, Seen]:
        assert self._open is not None
        with self._open as reach:
            return reach.tried(plugs)


_reach = _Reach()


def _answer(ask: Callable[[Any], object], asked: bytes) -> bytes:
    """Return as plain data what comes of a question, or the LabError that it raises."""
    try:
        return answers.dumps(ask(pickle.loads(asked)))
    except LabError as error:
        return answers.dumps(error)


def ends(specs: bytes) -> bytes:
    """Open these ends of cables, without devices. Return what the other hosts have to know of them."""
    return _answer(_reach.ends, specs)


def tried(plugs: bytes) -> bytes:
    """Join the ends that are open, and close them. Return what was seen at each."""
    return _answer(_reach.tried, plugs)


def begin(sender: Any) -> str:
    """Begin a session, in which all is sent to `sender`. Return the version of labctl."""
    _here.begin(sender)
    return __version__


def alive() -> None:
    """Answer that this host is there, and hear that the near machine is."""
    _here.hear()
    _here.is_alive()


def clock() -> int:
    """Return the time of this host, in nanoseconds since the epoch."""
    _here.hear()
    return time.time_ns()


def took(size: int) -> None:
    """Note that so many bytes of what works have told are taken by now."""
    _here.took(size)


def start(number: int, work: bytes) -> None:
    """Begin some work, which has this number from now on."""
    _here.start(number, work)


def tell(number: int, what: bytes) -> None:
    """Tell some work something, which waits for it: the keys of cables."""
    dump_no_core()
    _here.tell(number, what)


def settle(number: int, keep: bool) -> None:
    """Have what some work made last, or take it back."""
    _here.settle(number, keep)


def interrupt(number: int) -> None:
    """Interrupt some work, as Ctrl-C does."""
    _here.interrupt(number)
