"""The signals that ask a command to end: Ctrl-C, kill(1), and the terminal that goes away."""

from __future__ import annotations

import signal

ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def carry_on() -> None:
    """Be deaf to them from now on: what is left to do is short, and half of it would be worse than all or nothing."""
    for number in ASKED_TO_END:
        signal.signal(number, signal.SIG_IGN)
