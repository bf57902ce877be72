"""What root does to a class: ends labs, with the rights of the student whose they are, and nothing else of theirs."""

from __future__ import annotations

import select
import signal
from collections.abc import Iterator, Sequence
from functools import partial

from labctl.errors import kernel_words
from labctl.learn.classroom.measure import workers
from labctl.learn.classroom.printable import printable
from labctl.process.apart import Limits, answers, as_user
from labctl.process.processes import opened
from labctl.rootless.holders import Holder

ENDING = 10.0
"""Seconds that are waited for the last process of a lab."""


def end(holders: Sequence[Holder]) -> Iterator[tuple[Holder, str]]:
    """End labs, with all that is in them. Yield each when it is gone, with what went wrong in words, or nothing."""
    works = [partial(_end, holder) for holder in holders]
    for number, answer in answers(works, workers(), Limits(ENDING + 2)):
        yield holders[number], printable(answer.why or str(answer.value))


def _end(holder: Holder) -> str:
    """Kill the first process of an environment, as its user, and wait until the kernel has ended all others."""
    with opened(holder.process) as pidfd:
        if pidfd is None:
            return ""
        return str(as_user(holder.uid, holder.gid, partial(_kill, pidfd))())


def _kill(pidfd: int) -> str:
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return ""
    except OSError as error:
        return kernel_words(error)
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    return "" if ended.poll(ENDING * 1000) else f"it has not ended within {ENDING:g} s"
