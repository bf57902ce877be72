"""A namespace of a lab, and commands in it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.calls import packets
from labctl.errors import CommandFailed, CommandTimedOut, UsageError

if TYPE_CHECKING:
    import subprocess

    from labctl.api.lab import Lab
    from labctl.api.process import Process, Stream
    from labctl.lab.traced import Traced

Command = str | Sequence[str]
"""Words, or a line that is cut into words as a shell does (shlex), and never run by one."""


class Namespace:
    """A namespace of a lab: `lab["siteA"]`."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name

    def __repr__(self) -> str:
        return f"<Namespace {self.name} of lab {self.lab.name}>"

    def run(
        self,
        command: Command,
        *,
        check: bool = False,
        timeout: float | None = None,
        input: str | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command here to its end, as subprocess.run does with its output captured as text.

        A line is cut into words and no shell runs it; `["sh", "-c", LINE]` is for that. Without `input` it reads
        nothing. With `check`, raise CommandFailed where its exit code is not 0. Raise CommandTimedOut where it has not
        ended in `timeout` seconds; it is then ended. Raise UsageError where there is no such command, or no such
        namespace any more.
        """
        import subprocess  # what `up` of the command line can do without

        words = words_of(command)
        pipe = subprocess.PIPE
        given = subprocess.DEVNULL if input is None else pipe
        with self.popen(words, stdin=given, stdout=pipe, stderr=pipe, cwd=cwd, env=env) as process:
            try:
                stdout, stderr = process.communicate(input, timeout)
            except CommandTimedOut:
                process.kill()
                raise
        returncode = process.wait()
        if check and returncode:
            raise CommandFailed(words, returncode, stdout, stderr)
        return subprocess.CompletedProcess(words, returncode, stdout, stderr)

    def trace(self, command: Command) -> Traced:
        """Run a command here, and follow each of its packets through all interfaces and engines.

        What it prints is not kept. Raise UsageError where there is no such command, KernelRefused where packets cannot
        be seen.
        """
        return self.lab._do(partial(packets.trace_command, self.lab.name, self.name, words_of(command)))

    def popen(
        self,
        command: Command,
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a command here, with streams as subprocess.Popen has them, and do not wait for its end.

        It ends when the context manager that it is is left, or else with this program. Raise UsageError where there is
        no such command, or no such namespace any more.
        """
        from labctl.api.client import client
        from labctl.api.process import Process

        return Process(client(), self.lab.name, self.name, words_of(command), (stdin, stdout, stderr), cwd, env)


def words_of(command: Command) -> list[str]:
    """Return the words of a command. Raise UsageError where there is none."""
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise UsageError(f"{command!r} cannot be cut into words", str(error), "name the words in a list") from None
    if not words:
        raise UsageError("a command is needed", "", 'for example: lab["siteA"].run("ip route")')
    return words
