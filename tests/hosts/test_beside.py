"""Two threads with work in one session: each is told of its own, and of a host that is lost, whoever hears that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from labctl.api.caller import Caller
from labctl.api.over_hosts.beside import Beside
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.over_hosts.task import Task
from labctl.hosts import answers
from labctl.hosts.errors import HostLost
from labctl.hosts.link import Links
from labctl.hosts.record import Host
from tests.hosts.test_sessions import _Hosts


def _some_work(caller: Caller) -> str:
    raise NotImplementedError


@contextmanager
def heard(found: Sessions, task: Task[str], told: list[str]) -> Iterator[None]:
    """Have a thread hear what hosts say of some work, until that is over."""
    thread = threading.Thread(target=found.until, args=(lambda: task.over, lambda _, what: told.append(what)))
    thread.start()
    yield
    thread.join()


def test_who_works_beside_hears_of_its_own_work_while_others_hear_of_theirs() -> None:
    found = Sessions()
    found.log_in(cast("Links", _Hosts()), {"srv1": Host("srv1", ())})
    beside, looks, own = Beside({"srv1": found}), list[str](), list[str]()
    look, check = found.start("srv1", _some_work), beside.start("srv1", _some_work)
    with heard(found, look, looks):
        for number, kind, what in (
            (1, "told", "a counter"),
            (2, "told", "an answer"),
            (1, "told", "another"),
            (2, "result", "well"),
        ):
            found.heard("srv1", answers.dumps((number, kind, what)))
        beside.until(lambda: check.over, lambda _, what: own.append(what))
        assert not look.over
        found.heard("srv1", answers.dumps((1, "result", "well")))
    assert (looks, own, check.result) == (["a counter", "another"], ["an answer"], "well")


def test_who_works_beside_learns_that_a_host_is_lost() -> None:
    hosts = {host: Sessions() for host in ("srv1", "srv2")}
    for host, found in hosts.items():
        found.log_in(cast("Links", _Hosts()), {host: Host(host, ())})
    beside = Beside(hosts)
    lost, other = beside.start("srv1", _some_work), beside.start("srv2", _some_work)
    with heard(hosts["srv1"], hosts["srv1"].start("srv1", _some_work), []):
        hosts["srv1"].heard("srv1", None)
        beside.until(lambda: lost.over)
    assert (beside.reached, [*beside.lost], other.over) == (("srv2",), ["srv1"], False)
    with pytest.raises(HostLost):
        beside.start("srv1", _some_work).result  # noqa: B018
