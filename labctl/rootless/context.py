"""The place where a lab lives: the machine itself for root, a room of its own for an ordinary user.

A room is a holder process in a new user, mount, network and PID namespace with a private /run, in which this user is
root. Every command enters the room and then runs the very code that root runs; nothing above this module asks which of
the two it is.

It is found by its name, which the kernel keeps (room_names), so there is no file that could be left behind or lie.
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, BinaryIO, NoReturn, Protocol, TypeVar

from labctl.errors import USED_UP, LabError, UsageError, kernel_errors_as
from labctl.process import working_directory
from labctl.process.privileges import has_network_rights
from labctl.process.signals import KEYBOARD, fork, ignored
from labctl.process.syscalls import die_with_parent, setns
from labctl.rootless import context_names
from labctl.rootless.holder import ROOM, keep, portable, start_holder

Result = TypeVar("Result")
Answer = Callable[[object], None]
"""What takes the result of some work out of a room."""


class Context(Protocol):
    """Where a lab lives; `lab` names it where there is room for one only."""

    mode: str
    lab: str | None

    @property
    def address(self) -> tuple[str | None, list[int]]:
        """What `place_at` makes the same place of, in another process that is handed these descriptors."""

    def call(self, work: Callable[[], Result]) -> Result:
        """Do some work there, and give what it returned or raise what it raised."""

    def keep(self) -> None:
        """Have the place outlive this command, if this command made it."""

    def abandon(self) -> None:
        """Give the place up again, if this command made it."""

    def end(self, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        """Do some last work there, and give the place up with everything in it before the work is left."""


class HostContext:
    """The machine itself, for root: nothing to enter, nothing to close."""

    mode = "root"
    lab: str | None = None
    address: tuple[str | None, list[int]] = (None, [])

    def call(self, work: Callable[[], Result]) -> Result:
        return work()

    def keep(self) -> None:
        pass

    def abandon(self) -> None:
        pass

    def end(self, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        with work() as result:
            return result


class RootlessContext:
    """A room with a running holder."""

    mode = "rootless"

    def __init__(self, lab: str, holder: int, control: socket.socket | None = None) -> None:
        self.lab: str | None = lab
        self._holder = holder  # a pidfd
        self._control = control

    @property
    def address(self) -> tuple[str | None, list[int]]:
        return self.lab, [self._holder]

    def call(self, work: Callable[[], Result]) -> Result:
        result: Result = self._asked(lambda answer: answer(work()), lambda: None)
        return result

    def end(self, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        def last(answer: Answer) -> None:
            with work() as result:
                answer(result)
                signal.pause()  # the room ends now, and we in it

        result: Result = self._asked(last, self._close)
        return result

    def _asked(self, work: Callable[[Answer], None], then: Callable[[], None]) -> Any:
        """What a child in the room answers; `then` is called while the child may still be at work."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        with kernel_errors_as(f"the room of lab {self.lab} cannot be entered", USED_UP):
            reader, writer = os.pipe()
            child = fork()
        if child == 0:
            os.close(reader)
            with open(writer, "wb") as answers:
                _enter_and_work(self._holder, parent, work, answers)
        os.close(writer)
        with ignored(*KEYBOARD), open(reader, "rb") as told:
            answer = told.read()
            error, result = pickle.loads(answer) if answer else (None, None)
            if answer and error is None:
                then()
            _, status = os.waitpid(child, 0)
        if not answer and self._ends():
            raise _just_ended()
        if not answer:
            raise LabError(
                f"the room of lab {self.lab} ended while a command was at work in it",
                f"its process ended with status {os.waitstatus_to_exitcode(status)}",
                "labctl list shows what is running",
            )
        if error is not None:
            raise error
        return result

    def keep(self) -> None:
        if self._control is not None:
            keep(self._control)
            self._control = None

    def abandon(self) -> None:
        if self._control is not None:
            self._close()

    def _close(self) -> None:
        """End the holder; returns when the kernel has ended everything in its PID namespace."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._holder, signal.SIGKILL)
        self._ends(10)

    def _ends(self, patience: float = 1) -> bool:
        """Whether the holder ends within so many seconds: it does so last of all that is in the room."""
        return bool(select.select([self._holder], [], [], patience)[0])


def context_at(lab: str | None, descriptors: Sequence[int]) -> Context:
    """The place whose address this is."""
    return HostContext() if lab is None else RootlessContext(lab, descriptors[0])


def context_of_new(lab: str) -> Context:
    """The place for a lab that may not exist yet. Raises MachineError where no room can be had."""
    if has_network_rights():
        return HostContext()
    return find_room(lab) or _make_room(lab)


def contexts() -> list[Context]:
    """Every place of this user where a lab can be."""
    if has_network_rights():
        return [HostContext()]
    found = (find_room(lab) for uid, lab in sorted(context_names.names()) if uid == os.geteuid())
    return [room for room in found if room is not None]


def refuse_elsewhere(lab: str) -> None:
    """Raise a UsageError for a lab that exists and cannot be reached: another user's, or one in the making."""
    if (claimant := context_names.claimant(lab)) and context_names.holder_of(lab) is None:
        raise _at_work(lab, claimant)
    owner = next((uid for uid, name in context_names.names() if name == lab and uid != os.geteuid()), None)
    if owner is not None and context_names.holder_of(lab, owner) is not None:
        raise UsageError(
            f"lab {lab} belongs to user {owner}, who made it without root",
            "it lives in a room of that user",
            "run labctl as that user, without sudo",
        )


def find_room(lab: str) -> RootlessContext | None:
    """The room of a lab of this user, or None where there is none."""
    pid = context_names.holder_of(lab)
    if pid is None:
        return None
    try:
        holder = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # The name still answers with the same PID, so it was alive when the pidfd was taken: it cannot be another's.
    if context_names.holder_of(lab) != pid:
        os.close(holder)
        return None
    return RootlessContext(lab, holder)


def _make_room(lab: str) -> RootlessContext:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(context_names.address(lab, os.geteuid()))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise _at_work(lab, context_names.claimant(lab) or "a process that has just ended") from None
    with claim:
        return RootlessContext(lab, *start_holder(claim))


def _at_work(lab: str, claimant: str) -> UsageError:
    return UsageError(f"another labctl is at work on lab {lab}", f"it is {claimant}", "wait until it has ended")


def _enter_and_work(holder: int, parent: int, work: Callable[[Answer], None], answers: BinaryIO) -> NoReturn:
    """C: join every namespace of the room, fork (a PID namespace is entered by children only), work, answer."""
    try:
        called_from = working_directory.here()
        with kernel_errors_as("the room of the lab cannot be entered", USED_UP):
            _enter(holder)
            die_with_parent(parent)
            worker = fork()
            if not worker:
                die_with_parent(0)
        if worker:
            answers.close()
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)  # our end is a signal to the worker, who has something to do
            with ignored(*KEYBOARD):
                _, status = os.waitpid(worker, 0)
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
        working_directory.return_to(called_from)
        work(lambda result: _answer(answers, None, result))
    except BaseException as error:
        with suppress(OSError, ValueError):  # it has been answered already, or nobody listens
            _answer(answers, portable(error), None)
    finally:
        os._exit(0)


def _answer(answers: BinaryIO, error: BaseException | None, result: object) -> None:
    answer = pickle.dumps((error, result))
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    with answers:
        answers.write(answer)


def _enter(holder: int) -> None:
    try:
        setns(holder, ROOM)
    except ProcessLookupError:
        raise _just_ended() from None


def _just_ended() -> UsageError:
    return UsageError(
        "the lab has just ended", "the first process of its room is gone", "labctl list shows what is running"
    )
