"""The programs of a user inside a namespace of a lab: exec and shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

from labctl.errors import UsageError
from labctl.hosts.command import environment_inside
from labctl.kernel import namespaces, view
from labctl.lab.command_record import CommandRecord, history_in_bash
from labctl.lab.names import namespaces_of, resolve
from labctl.lab.state import State
from labctl.process import terminal
from labctl.process.execve import why_not
from labctl.process.signals import KEYBOARD, block_signals, ignored, on_terminal
from labctl.process.syscalls import die_with_parent

Wait = Callable[["subprocess.Popen[bytes]"], int]
"""Waits for a program to end, and returns its exit code as Popen has it."""


def execute(
    lab: str, namespace: str, command: Sequence[str], wait: Wait = subprocess.Popen.wait, output: int | None = None
) -> int:
    """Run a command in a namespace of a lab, on this terminal. Return its exit code, 128 + N if signal N ended it.

    `output` is a descriptor for what it prints, other than our own standard output. Raise UsageError if there is no
    such namespace or command.
    """
    return _run(lab, _resolved(lab, namespace), command, {}, wait=wait, output=output)


def record(lab: str, namespace: str, command: str) -> None:
    """Record a command as one that a person has typed, for a lesson that waits for it. Raise as `execute` does."""
    CommandRecord(State(lab).directory).add(_resolved(lab, namespace), command)


def shell(lab: str, namespace: str) -> int:
    """Run an interactive shell in a namespace of a lab, whose prompt names the namespace. Return its exit code."""
    name = _resolved(lab, namespace)
    program = os.environ.get("SHELL") or "/bin/sh"
    record = CommandRecord(State(lab).directory).file_of(name)
    if os.path.basename(program) != "bash":
        if record is not None:
            _tell(f"this shell is {program}, and a lesson sees only what is typed in bash, or run by labctl exec")
        return _run(lab, name, [program, "-i"], {"PS1": f"[{name}] $ "}, prepare=terminal.take)
    # bash sets PS1 in the files of its user, so the name is added after those have been read.
    rc = f'[ -r ~/.bashrc ] && . ~/.bashrc\nPS1="[{name}] $PS1"\n'
    if record is not None:
        rc += history_in_bash(record)
    fd = os.memfd_create("labctl-bashrc", 0)
    os.write(fd, rc.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        return _run(lab, name, [program, "--rcfile", f"/dev/fd/{fd}", "-i"], {}, (fd,), terminal.take)
    finally:
        os.close(fd)


def _tell(problem: str) -> None:
    with suppress(OSError):
        os.write(2, os.fsencode(f"labctl: {problem}\n"))


def _resolved(lab: str, namespace: str) -> str:
    return resolve(lab, namespace, namespaces_of(lab), "no namespace named")


def _run(
    lab: str,
    namespace: str,
    command: Sequence[str],
    extra: dict[str, str],
    pass_fds: tuple[int, ...] = (),
    prepare: Callable[[], None] = lambda: None,
    wait: Wait = subprocess.Popen.wait,
    output: int | None = None,
) -> int:
    fd = namespaces.open_namespace(namespace)
    environment = {**environment_inside(), "LABCTL_LAB": lab, "LABCTL_NAMESPACE": namespace, **extra}
    here = os.getpid()

    def enter() -> None:
        for problem in view.enter(fd, namespace):
            _tell(problem)
        die_with_parent(here)
        on_terminal()
        prepare()

    try:
        # The keyboard is for the program on the terminal; labctl only waits for it. What another signal raises amidst
        # Python's own hooks around a fork would be lost.
        with ignored(*KEYBOARD), block_signals() as unblock:
            process = subprocess.Popen(command, env=environment, preexec_fn=enter, pass_fds=pass_fds, stdout=output)
            try:
                unblock()
                code = wait(process)
            except BaseException:  # this process is to end: the program is asked to, too, and not waited for
                process.terminate()
                raise
    except OSError as error:
        raise UsageError(f"{command[0]!r} cannot be run", *why_not(command[0], error)) from None
    finally:
        os.close(fd)
    return code if code >= 0 else 128 - code
