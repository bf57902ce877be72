"""The bytes of a topology: of a file, of a pipe, or of the standard input.

A pipe is read until all that write to it have closed it, as `labctl up -` and `labctl up <(COMMAND)` need. One that no
program writes to is refused after a moment: its end would never come.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

from labctl.errors import UsageError

MAX_BYTES = 1 << 20
STDIN = Path("/dev/stdin")
PATIENCE = 0.5  # seconds for which a writer of a named pipe may come later than its reader

EXAMPLE = "`labctl validate two-site` shows one that is right"


def name_of(path: Path) -> str:
    """Return what messages call a file."""
    return "<stdin>" if path == STDIN else str(path)


def plain_file(path: Path) -> str:
    """Return the absolute path of a plain file, empty for anything else: it cannot be read a second time."""
    return str(path.resolve()) if path.is_file() else ""


def content_of(path: Path) -> bytes:
    """Return all that is in a file or comes through a pipe. Raise UsageError where it cannot be, or is not, read."""
    try:
        if path == STDIN:
            return _all_of(0, path)
        # Without O_NONBLOCK the opening of a FIFO waits for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _all_of(descriptor, path)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "", "is the path right? " + EXAMPLE) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{name_of(path)[:200]!r} cannot be read", why or "", "may you read it? try: ls -l") from None


def _all_of(descriptor: int, path: Path) -> bytes:
    name, status = name_of(path), os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{name} is a directory", "", "name a file in it")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode) or path == STDIN):
        raise UsageError(f"{name} is no regular file", "", "save the topology to a file first")
    # The size in its status is not what is read where the file grows, or is one of /proc.
    content = b"" if status.st_size > MAX_BYTES else _read(descriptor)
    if content is None:
        hint = "start the program that writes to it, or name a file"
        raise UsageError(f"nothing comes through {name}", "it is a pipe, and no program writes to it", hint)
    if status.st_size > MAX_BYTES or len(content) > MAX_BYTES:
        raise UsageError(f"{name} is larger than {MAX_BYTES:,} bytes", "", "no topology is; is it the right file?")
    return content


def _read(descriptor: int) -> bytes | None:
    """Return all until the end, and not much more than is allowed; None where a pipe has no end, as without a writer.

    A pipe that no program has opened for writing yet looks to read(2) as if it had ended, but not to poll(2).
    """
    content = bytearray()
    began = _readable(descriptor, PATIENCE)
    while len(content) <= MAX_BYTES:
        try:
            piece = os.read(descriptor, MAX_BYTES)
        except BlockingIOError:  # a program has it open, and has not written yet
            began = _readable(descriptor, None)
            continue
        if not piece:
            return bytes(content) if began else None
        content += piece
        began = True
    return bytes(content)


def _readable(descriptor: int, seconds: float | None) -> bool:
    """Wait for something to read, or its end, and return whether it came in time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
