"""What comes over a session counts if it is an answer, and to what the same host was asked."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from itertools import count
from types import FrameType
from typing import Any, cast

import pytest

from labctl.api import agent, server
from labctl.api.caller import Caller
from labctl.api.over_hosts.sessions import Sessions
from labctl.errors import LabError
from labctl.hosts import answers
from labctl.hosts.link import Link, Links
from labctl.hosts.record import Host
from labctl.process.line import Line
from tests.e2e.world import eventually


def _some_work(caller: Caller) -> str:
    raise NotImplementedError


class _Hosts:
    """Two hosts that are reached at once, and to which nothing is sent."""

    def connect(self, hosts: Mapping[str, Host], begin: Callable[[Link], object]) -> dict[str, Any]:
        return {host: _Silent(host) for host in hosts}


class _Silent:
    def __init__(self, host: str) -> None:
        self.host = host

    def cast(self, function: Callable[..., Any], *arguments: Any) -> None:
        pass


class _Telling(agent._Agent):
    """An agent that is reached at once, and tells what it has to tell."""

    host = "srv1"

    def __init__(self, found: Sessions, told: list[str]) -> None:
        super().__init__()
        self._told, self.sent = told, 0
        self._sender, self._found = self, found

    def connect(self, hosts: Mapping[str, Host], begin: Callable[[Link], object]) -> dict[str, Any]:
        return {self.host: self}

    def send(self, said: bytes) -> None:
        self.sent += len(said)
        self._found.heard(self.host, said)

    def cast(self, function: Callable[..., Any], *arguments: Any) -> None:
        if function is agent.took:
            self.took(*arguments)

    def work(self) -> None:
        for each in self._told:
            self.say_told(answers.dumps((1, "told", each)))
        self.say(1, "result", "well")


def test_a_host_tells_no_more_than_a_slow_reader_takes() -> None:
    found, lines = Sessions(), [f"{number} {'x' * 1000}" for number in range(2000)]
    telling = _Telling(found, lines)
    found.log_in(cast("Links", telling), {"srv1": Host("srv1", ())})
    task = found.start("srv1", _some_work)
    thread = threading.Thread(target=telling.work, daemon=True)
    thread.start()
    heard: list[str] = []

    def hear(_: object, line: str) -> None:
        assert telling.sent <= sum(map(len, heard)) + agent.AHEAD + 2000 + 100 * len(heard)
        heard.append(line)

    eventually(lambda: telling.sent >= agent.AHEAD, "it tells ahead of what is taken")
    found.wait([task], hear)
    assert heard == lines and task.result == "well"


def test_work_that_is_settled_is_not_kept_in_memory() -> None:
    found = Sessions()
    found.log_in(cast("Links", _Hosts()), {"srv1": Host("srv1", ())})
    for number in (1, 2):
        task = found.start("srv1", _some_work)
        kept = weakref.ref(task)
        found.heard("srv1", answers.dumps((number, "result", "well") if number == 1 else (2, "failed", LabError("no"))))
        found.wait([task])
        if number == 1:
            found.heard("srv1", answers.dumps((1, "settled", None)))
            found.settle([task], keep=True)
        del task
        gc.collect()
        assert kept() is None


class _NothingMore:
    """What says that hosts have said more."""

    def set(self) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        raise AssertionError("something that was said has been lost: it would be waited for without end")


def test_ctrl_c_at_any_moment_loses_nothing_of_what_hosts_say() -> None:
    """Neither the end of work on one host nor the loss of another: who waits for both would wait for ever."""
    for number in count(1):
        found = Sessions()
        found._more = _NothingMore()  # type: ignore[assignment]
        found.log_in(cast("Links", _Hosts()), dict.fromkeys(("srv1", "srv2"), Host("", ())))
        tasks = [found.start(host, _some_work) for host in found.reached]
        found.heard("srv1", None)
        found.heard("srv2", answers.dumps((2, "result", "well")))
        try:
            sys.settrace(_interrupt_at(number))
            found.wait(tasks)
            sys.settrace(None)
            break
        except KeyboardInterrupt:
            sys.settrace(None)
        assert [task.over for task in tasks] == [True, True], number
        assert tasks[1].result == "well"
    assert number > 100, "the instructions are not seen any more"


def _interrupt_at(number: int) -> Callable[[FrameType, str, object], Any]:
    """Return a trace function (sys.settrace) by which the instruction of this number in `until` is interrupted."""
    left = number

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(("over_hosts/sessions.py", "over_hosts/task.py")):
            return None
        if event == "call":
            within = frame.f_code.co_name == "until" or (frame.f_back is not None and frame.f_back.f_trace is not None)
            frame.f_trace_opcodes = within
            return trace if within else None
        if event == "opcode":
            left -= 1
            if not left:
                raise KeyboardInterrupt
        return trace

    return trace


def test_all_that_a_caller_says_at_once_is_heard_one_by_one() -> None:
    ours, theirs = Line.pair()
    hear = server._Hearing(theirs)
    for number in range(3):
        ours.send(number)
    assert [hear(), hear(), hear()] == [0, 1, 2]
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"1",
        answers.dumps("result"),
        answers.dumps((1, "result")),
        answers.dumps(([], "result", None)),
        answers.dumps((1, None, None)),
        answers.dumps((1, "failed", "no error")),
        answers.dumps((1, "result", ["no", "text"])),
    ],
)
def test_a_host_that_says_what_is_no_answer_is_lost_and_the_other_is_not(said: bytes) -> None:
    found = Sessions()
    found.log_in(cast("Links", _Hosts()), dict.fromkeys(("srv1", "srv2"), Host("", ())))
    tasks = [found.start(host, _some_work) for host in found.reached]
    found.heard("srv1", said)
    found.heard("srv1", answers.dumps((2, "result", "of another")))
    found.heard("srv2", answers.dumps((2, "result", "well")))
    found.wait(tasks)
    assert tasks[1].result == "well"
    assert found.reached == ("srv2",)
    with pytest.raises(LabError, match="srv1 does not answer as labctl does"):
        tasks[0].result  # noqa: B018
