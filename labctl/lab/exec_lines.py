"""The lines of `exec:`: each runs once, in its namespace, and must end in time and with the exit code that is asked.

A line may leave something running, as `dnsmasq` does when it goes into the background: it has ended when its shell has.
What it has written up to then is told if it fails.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress

from labctl.errors import UsageError
from labctl.kernel import namespaces, view
from labctl.lab.programs.supervisor import how_it_ended
from labctl.plan.steps import RunLine
from labctl.process.patience import Patience
from labctl.process.signals import TERMINATION, block_signals, ignored, not_delayed
from labctl.process.syscalls import die_with_parent

TOLD_LINES, TOLD_BYTES = 10, 4000
"""How much is told of what a line has written: its end."""

_PIPE = 1 << 16  # bytes that a pipe holds (pipe(7))

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a line that did not end."""


class LineFailed(UsageError):
    """A line of `exec:` did not end as it must."""


def run(step: RunLine, lab: str) -> None:
    """Run a line and wait for its end. Raise LineFailed."""
    line = step.line
    namespace = namespaces.open_namespace(step.namespace)
    here = os.getpid()

    def enter() -> None:
        os.setsid()  # so that it can be ended with all that it has started
        for problem in view.enter(namespace, step.namespace):
            os.write(2, os.fsencode(f"labctl: {problem}\n"))
        os.chdir(line.directory or "/")
        die_with_parent(here)
        not_delayed()

    output, theirs = os.pipe()
    # What a signal raises amidst Python's own hooks around a fork would be lost, and the line left behind.
    with block_signals() as unblock:
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", line.command],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env={**os.environ, "LABCTL_LAB": lab, "LABCTL_NAMESPACE": step.namespace},
                preexec_fn=enter,
            )
        except (OSError, subprocess.SubprocessError) as error:
            os.close(output)
            raise LineFailed(f"{_name(step)} cannot be run", str(error), f"it runs in {line.directory}") from None
        finally:
            os.close(theirs)
            os.close(namespace)
        try:
            unblock()
            said, ended = _followed(process, output, step.within)
        finally:
            with ignored(*TERMINATION):
                os.close(output)
                if process.poll() is None:
                    _end(process)
    if not ended:
        raise _failed(step, f"did not end within {step.within:g} s", said, "let it end, or give it longer: `within:`")
    if process.returncode != line.exit:
        wanted = f", not with {line.exit}" if line.exit else ""
        what = f"{how_it_ended(process.returncode)}{wanted}"
        raise _failed(step, what, said, "correct the line, or say which code it must have: `exit:`")


def _followed(process: subprocess.Popen[bytes], output: int, seconds: float) -> tuple[bytes, bool]:
    """Return the end of what a process has written, and whether it has ended within so many seconds."""
    said = b""
    pidfd = os.pidfd_open(process.pid)
    try:
        ready, waiting = select.poll(), Patience(seconds, process.pid)
        ready.register(output, select.POLLIN)
        ready.register(pidfd, select.POLLIN)
        for _ in waiting.arrivals(ready):
            ended = pidfd in dict(ready.poll(0))  # before it is read what was written until then
            if output in dict(ready.poll(0)):
                part = os.read(output, _PIPE)
                said = (said + part)[-TOLD_BYTES:]
                if not part:
                    ready.unregister(output)  # it has closed it, and goes on
            if ended:
                process.wait()
                return said, True
        return said, False
    finally:
        os.close(pidfd)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)


def _name(step: RunLine) -> str:
    return f"{step.namespace}: {step.words}"


def _failed(step: RunLine, what: str, said: bytes, hint: str) -> LineFailed:
    lines = said.decode(errors="replace").splitlines()[-TOLD_LINES:]
    told = "  it said:" + "".join(f"\n    {line}" for line in lines) if lines else "it said nothing"
    return LineFailed(f"{_name(step)} {what}", told, hint)
