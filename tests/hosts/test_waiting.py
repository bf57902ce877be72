"""Packets of several hosts are handed out in order and to the last, however hosts answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.api.over_hosts.capture import Waiting
from labctl.kernel.packet_taps import PacketType, Seen
from labctl.lab.look import Portion
from labctl.trace.clocks import Reading, clocks

HOSTS = ("srv1", "srv2", "srv3")
KNOWN = clocks({host: [Reading(0, 0, 0)] for host in HOSTS})


def packet(at: int, host: str) -> Seen:
    return Seen(at, host, "eth0", PacketType.HOST, True, 0, b"")


@given(st.data())
def test_none_is_lost_or_waits_for_ever(data: st.DataObject) -> None:
    """A packet that comes while a host answers is later than the moment that the host has told."""
    left = {host: sorted(data.draw(st.lists(st.integers(1, 100), max_size=8))) for host in HOSTS}
    every = sorted(at for times in left.values() for at in times)
    waiting, taken = Waiting(HOSTS), list[int]()
    for moment in range(1, 401):
        asked = waiting.asked()
        assert asked, "else nothing would come any more"
        for host in asked:
            ahead = moment + data.draw(st.integers(0, 3))
            told = [at for at in left[host] if at < ahead]
            left[host] = left[host][len(told) :]
            waiting.add(host, Portion(tuple(packet(at, host) for at in told), moment, 0), KNOWN)
        taken += [seen.at for seen in waiting.settled()]
        if len(taken) == len(every):
            break
    assert taken == every
