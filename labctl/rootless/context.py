"""The context of a lab: the machine itself for root, a rootless environment for an ordinary user.

A rootless environment is a holder process in a new user, mount, network and PID namespace with a private /run, in which
this user is root. Every command enters it and then runs the very code that root runs; nothing above this package asks
which of the two it is.

It is found by its name, which the kernel keeps (context_names.py), so there is no file that could outlive it.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NoReturn, Protocol, TypeVar

from labctl.errors import LabError, UsageError, kernel_errors_as
from labctl.process import working_directory
from labctl.process.child import Child, ChildEnded, Reply, Tell, start, worker
from labctl.process.processes import Process, opened
from labctl.process.signals import (
    ENDING,
    KEYBOARD,
    TERMINATION,
    beside_terminal,
    block_signals,
    fork,
    ignored,
    passed_on,
)
from labctl.process.syscalls import die_with_parent, setns
from labctl.rootless import context_names
from labctl.rootless.holder import NAMESPACES, environment_of_this_process, keep, start_holder
from labctl.rootless.privileges import has_network_rights

Result = TypeVar("Result")


class Context(Protocol):
    """Where a lab lives. `mode` is a word for reports; `lab` is the only lab that can live there, None for any."""

    mode: str
    lab: str | None

    @property
    def address(self) -> tuple[str | None, list[int]]:
        """Return what `context_at` makes the same context of, in another process that is sent these descriptors."""

    def call(self, work: Callable[[], Result]) -> Result:
        """Do some work there. Return its result, raise what it raised."""

    def hand_over(self, work: Callable[[], Result]) -> Result:
        """Do some work there as `call` does, which hears itself what asks this process to end: SIGTERM, SIGHUP."""

    def follow(self, work: Callable[[Tell], Result], listener: Tell) -> Result:
        """Do some work there that tells of its progress; the listener is called in this process. Return as `call`."""

    def start(self, work: Callable[[], object]) -> Child:
        """Start some work there beside this command, with which it ends. It does not hear Ctrl-C; that is ours."""

    def keep(self, owner: Process | None) -> None:
        """Have the context outlive this command, if this command made it; with an owner until that process ends."""

    def abandon(self) -> None:
        """End the context with everything in it, if this command made it."""

    def end(self, lab: str, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        """Do the last work for a lab there, and end what the lab has to itself before the work's context is left.

        Return the result. Raise UsageError for a lab in whose own environment this process runs.
        """


class HostContext:
    """The machine itself, for root: nothing to enter, nothing to end."""

    mode = "root"
    lab: str | None = None
    address: tuple[str | None, list[int]] = (None, [])

    def call(self, work: Callable[[], Result]) -> Result:
        return work()

    hand_over = call

    def follow(self, work: Callable[[Tell], Result], listener: Tell) -> Result:
        return work(listener)

    def start(self, work: Callable[[], object]) -> Child:
        parent = os.getpid()

        def beside(reply: Reply) -> None:
            die_with_parent(parent)
            beside_terminal()
            reply(work())

        return start(beside)

    def keep(self, owner: Process | None) -> None:
        pass

    def abandon(self) -> None:
        pass

    def end(self, lab: str, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        if lab == environment_of_this_process():
            raise UsageError(
                f"this is inside of lab {lab}", "this very command would end with it", "leave it: labctl down outside"
            )
        with work() as result:
            return result


class RootlessContext:
    """A rootless environment whose holder runs."""

    mode = "rootless"

    def __init__(self, lab: str, holder: int, control: socket.socket | None = None) -> None:
        self.lab: str | None = lab
        self._holder = holder  # a pidfd
        self._control = control

    @property
    def address(self) -> tuple[str | None, list[int]]:
        return self.lab, [self._holder]

    def call(self, work: Callable[[], Result]) -> Result:
        return self.follow(lambda _: work(), lambda _: None)

    def hand_over(self, work: Callable[[], Result]) -> Result:
        def hearing(reply: Reply) -> None:
            with ignored(*ENDING):  # once the work is done they come too late
                reply(work())

        result: Result = self._result_of(hearing, lambda: None, told=ENDING)
        return result

    def follow(self, work: Callable[[Tell], Result], listener: Tell) -> Result:
        result: Result = self._result_of(lambda reply: reply(work(reply.tell)), lambda: None, listener)
        return result

    def start(self, work: Callable[[], object]) -> Child:
        def beside(reply: Reply) -> None:
            beside_terminal()
            reply(work())

        return start(self._entering(beside))

    def end(self, lab: str, work: Callable[[], AbstractContextManager[Result]]) -> Result:
        def last(reply: Reply) -> None:
            with work() as result:
                reply(result)
                signal.pause()  # until this process ends with the environment

        result: Result = self._result_of(last, self._close)
        return result

    def _result_of(
        self,
        work: Callable[[Reply], None],
        then: Callable[[], None],
        listener: Tell = lambda _: None,
        told: Sequence[signal.Signals] = (),
    ) -> Any:
        """Return what a process in the environment replies; `then` is called while it may still be at work."""
        try:
            with worker(self._entering(work), told) as child:
                result = child.result(listener)
                then()
            return result
        except ChildEnded as ended:
            if self._ends():
                raise _just_ended() from None
            raise LabError(
                f"labctl was ended at its work in lab {self.lab}",
                _how_ended(ended.exit_code),
                "labctl list shows what is running",
            ) from None

    def _entering(self, work: Callable[[Reply], None]) -> Callable[[Reply], None]:
        """Return what enters the environment, in a child of this process, and then does some work there."""
        parent = os.getpid()

        def enter_and_work(reply: Reply) -> None:
            self._enter(parent, reply)
            work(reply)

        return enter_and_work

    def _enter(self, parent: int, reply: Reply) -> None:
        """Join every namespace of the environment. Returns in a child: only a child is in another PID namespace."""
        called_from = working_directory.here()
        with kernel_errors_as(f"the rootless environment of lab {self.lab} cannot be entered"):
            try:
                setns(self._holder, NAMESPACES)
            except ProcessLookupError:
                raise _just_ended() from None
            die_with_parent(parent)
            with block_signals() as unblock:  # none ends this process, and the child with it, once that has begun
                try:
                    child = fork()
                except OSError:  # a PID namespace whose first process ends takes none any more (ENOMEM, alloc_pid())
                    if self._ends():
                        raise _just_ended() from None
                    raise
                if child:
                    _outlive(child, reply, unblock)
                die_with_parent(0)
        working_directory.return_to(called_from)

    def keep(self, owner: Process | None) -> None:
        if self._control is None:
            return
        with opened(owner) if owner else nullcontext() as pidfd:
            if not owner or pidfd is not None:  # else it has ended: so does the context, with this command
                keep(self._control, pidfd)
                self._control = None

    def abandon(self) -> None:
        if self._control is not None:
            self._close()

    def _close(self) -> None:
        """End the holder, and wait until the kernel has ended everything in its PID namespace."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._holder, signal.SIGKILL)
        self._ends(10)

    def _ends(self, patience: float = 1) -> bool:
        """Return whether the holder ends within so many seconds: it is the last process of its PID namespace."""
        return bool(select.select([self._holder], [], [], patience)[0])


def _outlive(child: int, reply: Reply, unblock: Callable[[], None]) -> NoReturn:
    """End as a child does, and reap it: else its environment could not end before the machine's init has reaped it."""
    reply.close()
    with passed_on(child, TERMINATION):
        unblock()  # what came before there was a child is passed on, too
        with ignored(*KEYBOARD, signal.SIGTSTP):  # Ctrl-Z is for the others of its job: whoever dies is to be reaped
            _, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def context_at(lab: str | None, descriptors: Sequence[int]) -> Context:
    """Return the context whose `address` this is."""
    return HostContext() if lab is None else RootlessContext(lab, descriptors[0])


def this_machine() -> Context:
    """Return where this process is: for what works beside it."""
    return HostContext()


def context_for(lab: str) -> Context | None:
    """Return where a lab of this user lives or would live, None where that is still to be made."""
    return HostContext() if has_network_rights() else _find(lab)


def context_of_new(lab: str) -> Context:
    """Return where a lab is to live that may not exist yet, made if need be. Raise MachineError if it cannot be."""
    return context_for(lab) or _make(lab)


def contexts() -> list[Context]:
    """Return every context of this user in which a lab can live."""
    if has_network_rights():
        return [HostContext()]
    found = (_find(lab) for uid, lab in sorted(context_names.names()) if uid == os.geteuid())
    return [context for context in found if context is not None]


def refuse_elsewhere(lab: str) -> None:
    """Raise UsageError for a lab that exists and cannot be reached: another user's, or one that is being made."""
    if (claimant := context_names.claimant(lab)) and context_names.holder_of(lab) is None:
        raise _at_work(lab, claimant)
    owner = next((uid for uid, name in context_names.names() if name == lab and uid != os.geteuid()), None)
    if owner is not None and context_names.holder_of(lab, owner) is not None:
        raise UsageError(
            f"lab {lab} belongs to user {owner}, who made it without root",
            "it lives in a rootless environment of that user",
            "run labctl as that user, without sudo",
        )


def _find(lab: str) -> RootlessContext | None:
    """Return the rootless environment of a lab of this user, None where there is none."""
    pid = context_names.holder_of(lab)
    if pid is None:
        return None
    try:
        holder = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # The name still answers with the same PID, so that process was alive when the pidfd was opened: it is the holder.
    if context_names.holder_of(lab) != pid:
        os.close(holder)
        return None
    return RootlessContext(lab, holder)


def _make(lab: str) -> RootlessContext:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(context_names.address(lab, os.geteuid()))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise _taken(lab) from None
    with claim:
        return RootlessContext(lab, *start_holder(lab, claim))


def _taken(lab: str) -> UsageError:
    """Return the error for a name that is not free. Any user may take any name, and only root can end that one."""
    if (other := context_names.taken_by(lab)) is not None:
        from labctl.process.users import user_name

        hint = "choose another name with --name, and tell who runs this machine"
        return UsageError(f"the name of lab {lab} is taken", f"by user {user_name(other)}", hint)
    return _at_work(lab, context_names.claimant(lab) or "a process that has just ended, or one of another user")


def _at_work(lab: str, claimant: str) -> UsageError:
    return UsageError(f"another labctl is at work on lab {lab}", f"it is {claimant}", "wait until it has ended")


def _how_ended(status: int) -> str:
    """Return how a process in the environment ended, by what the one that waits for it there made its own status."""
    with suppress(ValueError):
        return f"its process there was ended by {signal.Signals(256 - status).name}"
    return f"its process there ended with status {status}"


def _just_ended() -> UsageError:
    return UsageError(
        "the lab has just ended",
        "the first process of its rootless environment is gone",
        "labctl list shows what is running",
    )
