"""Work in a child process, and what came of it: fork(2), a pipe(7), and pickle.

The child may tell of its progress, replies once, with a result or an error, and may go on after that. A pipe that
closes without a reply means that the child has ended, or has become another program.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple, NoReturn, TypeVar

from labctl.errors import LabError, kernel_errors_as
from labctl.process import pickling
from labctl.process.signals import KEYBOARD, block_signals, fork, ignored, passed_on

Result = TypeVar("Result")

Tell = Callable[[Any], object]
"""Called with what happens, while some work is done."""


class _Told(NamedTuple):
    what: object


class Reply:
    """The child's end of the pipe. Called with a result, or failed with an error, it is closed."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def __call__(self, result: object) -> None:
        self._send(None, result)

    def tell(self, what: object) -> None:
        """Tell of progress, before the reply."""
        pickling.dump(_Told(what), self._pipe)
        self._pipe.flush()

    def fail(self, error: BaseException) -> None:
        """Reply that the work has failed."""
        self._send(portable(error), None)

    def close(self) -> None:
        """Leave the reply to another process, which has this end of the pipe, too."""
        self._pipe.close()

    def _send(self, error: BaseException | None, result: object) -> None:
        reply = pickling.dumps((error, result))
        with suppress(OSError):
            _flush()
        with self._pipe:
            self._pipe.write(reply)


class ChildEnded(Exception):
    """A child ended before it had replied."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code  # -N if signal N ended it


class Child:
    """A child process that may reply."""

    def __init__(self, pid: int, pipe: BinaryIO) -> None:
        self.pid = pid
        self._pipe = pipe

    def reply(self, listener: Tell = lambda _: None) -> tuple[BaseException | None, Any] | None:
        """Wait for the reply, and hand the listener what is told before it.

        Return an error or a result, None where the pipe closes without either.
        """
        with self._pipe:
            while True:
                try:
                    said = pickling.load(self._pipe)
                except (EOFError, pickling.UnpicklingError):  # it has ended, perhaps amidst a word
                    return None
                if not isinstance(said, _Told):
                    reply: tuple[BaseException | None, Any] = said
                    return reply
                listener(said.what)

    def result(self, listener: Tell = lambda _: None) -> Any:
        """Wait for the reply as `reply` does. Return the result.

        Raise the error, ChildEnded where there is none; then it has ended.
        """
        reply = self.reply(listener)
        if reply is None:
            raise ChildEnded(self.wait())
        error, result = reply
        if error is not None:
            self.wait()
            raise error
        return result

    def close(self) -> None:
        """Wait for no reply."""
        self._pipe.close()

    def wait(self) -> int:
        """Wait until it has ended. Return its exit code, -N if signal N ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def start(work: Callable[[Reply], object]) -> Child:
    """Fork a child that does some work; what the work raises is its reply. Raise KernelRefused where it cannot be."""
    _flush()
    with kernel_errors_as("labctl could not start a process"):
        reader, writer = os.pipe()
        try:
            pid = fork()
        except BaseException:
            os.close(reader)
            os.close(writer)
            raise
    if pid == 0:
        os.close(reader)
        _run(work, writer)
    os.close(writer)
    return Child(pid, open(reader, "rb"))


@contextmanager
def worker(work: Callable[[Reply], object], told: Sequence[signal.Signals] = ()) -> Iterator[Child]:
    """Yield a child that does some work, and wait at the end until it has ended. It is passed on the signals `told`.

    Ctrl-C reaches every process of the terminal; the one that waits ignores it, to hear what the other makes of it.
    """
    child = start(work)
    with ignored(*KEYBOARD), passed_on(child.pid, told):
        yield child
        child.wait()


def in_child(work: Callable[[], Result]) -> Result:
    """Do some work in a child process. Return its result. Raise what it raised, ChildEnded where it was ended."""
    with worker(lambda reply: reply(work())) as child:
        result: Result = child.result()
    return result


def portable(error: BaseException) -> BaseException:
    """Return an error that pickle can carry to another process: itself, with its traceback as a note, or its text."""
    if not isinstance(error, LabError):
        import traceback

        error.add_note("in another process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickling.loads(pickling.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error


def _run(work: Callable[[Reply], object], pipe: int) -> NoReturn:
    try:
        with open(pipe, "wb") as file:
            reply = Reply(file)
            try:
                work(reply)
            except BaseException as error:
                # A signal may come twice: of the terminal, and passed on by who waits for this process.
                with block_signals(), suppress(OSError, ValueError):  # it has replied, or the parent has ended
                    reply.fail(error)
    finally:
        os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
