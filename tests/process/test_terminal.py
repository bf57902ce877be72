"""The terminal of another session has no foreground for us: `su -c` begins a session, on the terminal that it has."""

from __future__ import annotations

import os

import pytest

from labctl.process import terminal
from labctl.process.child import in_child


def test_what_takes_the_terminal_of_another_session_goes_on_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def take() -> tuple[bool, int]:
        os.setsid()
        master, slave = os.openpty()
        with open(slave) as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            assert stdin.isatty()
            behind = terminal.is_behind()
            terminal.take()
            terminal.give_back()
        os.close(master)
        return behind, os.getpgrp() - os.getpid()

    assert in_child(take) == (False, 0)
