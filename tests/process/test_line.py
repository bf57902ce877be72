"""Objects between two processes: whole, in order, and never half of one."""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.process.line import Hangup, Line

objects = st.one_of(st.integers(), st.text(), st.lists(st.binary(max_size=300_000), max_size=3))


def received(line: Line, number: int) -> list[Any]:
    """So many objects, or fewer where the other end is closed."""
    found: list[Any] = []
    with suppress(Hangup):
        while len(found) < number:
            select.select([line], [], [])
            found += line.received()
    return found


@settings(max_examples=30)
@given(st.lists(objects, max_size=6))
def test_what_is_sent_arrives_whole_and_in_order(sent: list[object]) -> None:
    near, far = Line.pair()

    def send() -> None:
        for one in sent:
            near.send(one)
        near.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert received(far, len(sent)) == sent
    sender.join()
    with pytest.raises(Hangup):
        far.received()
    far.close()


def test_what_was_sent_before_the_other_end_was_closed_is_received() -> None:
    near, far = Line.pair()
    near.send("last words")
    near.close()
    assert far.received() == ["last words"]
    with pytest.raises(Hangup):
        far.received()
    with pytest.raises(Hangup):
        far.send("too late")
    far.close()


def test_without_anything_to_receive_it_does_not_wait() -> None:
    near, far = Line.pair()
    assert far.received() == []
    near.close()
    far.close()


def test_an_offer_for_which_there_is_no_room_is_left_out_whole() -> None:
    near, far = Line.pair()
    offers = [frozenset({f"n{number}", "x" * (number % 700)}) for number in range(20_000)]
    for offer in offers:
        near.offer(offer)  # far more than the kernel keeps
    found = far.received()
    assert 0 < len(found) < len(offers)
    places = {offer: place for place, offer in enumerate(offers)}
    assert [places[one] for one in found] == sorted(places[one] for one in found)
    near.send("after that")
    assert received(far, 1) == ["after that"]
    near.close()
    far.close()


def test_the_end_of_a_process_hangs_up() -> None:
    near, far = Line.pair()
    child = os.fork()
    if child == 0:
        near.close()
        far.send("I was here")
        os._exit(0)
    far.close()
    assert received(near, 2) == ["I was here"]
    os.waitpid(child, 0)
    near.close()
