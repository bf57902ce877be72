"""Signals come as a descriptor that is readable: once, or again and again; and none is lost in a child."""

from __future__ import annotations

import os
import select
import signal

import pytest

from labctl.engine.loop.signals import heard, numbers_of


def test_each_signal_is_heard_with_its_number() -> None:
    with heard(signal.SIGTERM, again=(signal.SIGWINCH,)) as signals:
        assert numbers_of(signals) == set()
        for number in (signal.SIGWINCH, signal.SIGTERM, signal.SIGWINCH):
            os.kill(os.getpid(), number)
        assert select.select([signals], [], [], 0)[0]
        assert numbers_of(signals) == {signal.SIGWINCH, signal.SIGTERM}


def test_a_second_one_does_what_it_did_before() -> None:
    with pytest.raises(KeyboardInterrupt), heard(signal.SIGINT) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert numbers_of(signals) == {signal.SIGINT}
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_child_that_was_just_forked_ends_by_the_first_one(number: signal.Signals) -> None:
    with heard(signal.SIGTERM, signal.SIGHUP):
        if not (child := os.fork()):
            os.kill(os.getpid(), number)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
