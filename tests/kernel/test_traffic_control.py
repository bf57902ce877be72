"""What tc(8) has set at an interface, and what was lost there."""

from __future__ import annotations

import pytest

from labctl.kernel.traffic_control import traffic_control
from tests.kernel.frames import CABLE
from tests.kernel.space import Space

UP = f"""sysctl -q net.ipv6.conf.default.disable_ipv6=1
{CABLE}; ip link set eth1 up; ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0;"""
PINGS = "ping -q -c3 -i0.01 -W0.05 10.0.0.2 || true"


def test_an_interface_on_which_nothing_was_set_is_left_out(space: Space) -> None:
    space.sh(UP)
    assert space.ask(traffic_control) == {}


def test_what_a_qdisc_drops_is_counted(space: Space) -> None:
    space.sh(f"{UP} tc qdisc add dev eth0 root blackhole; {PINGS}")
    ((queue,),) = (found.queues for found in space.ask(traffic_control).values())
    assert (queue.kind, queue.place, queue.counted.drops) == ("blackhole", "root", 3)


def test_a_qdisc_that_drops_nothing_counts_what_passes(space: Space) -> None:
    space.sh(f"{UP} tc qdisc add dev eth0 root pfifo; {PINGS}")
    ((queue,),) = (found.queues for found in space.ask(traffic_control).values())
    assert (queue.counted.packets, queue.counted.drops) == (3, 0)


@pytest.mark.parametrize("how, place", [("ingress", "ingress"), ("clsact", "ingress"), ("clsact", "egress")])
def test_a_filter_tells_where_it_is_and_what_it_does(space: Space, how: str, place: str) -> None:
    parent = place if how == "clsact" else "parent ffff:"
    space.sh(
        f"""{UP} tc qdisc add dev eth0 {how}
        tc filter add dev eth0 {parent} protocol ip pref 7 u32 match u32 0 0 action mirred egress redirect dev lo"""
    )
    ((found,),) = (each.filters for each in space.ask(traffic_control).values())
    assert (found.place, found.preference, found.protocol, found.kind) == (place, 7, "ip", "u32")
    assert [action.words for action in found.actions] == ["redirect to lo"]
    assert found.words == f"{place} pref 7 protocol ip u32 action redirect to lo"


def test_what_an_action_has_taken_is_counted(space: Space) -> None:
    space.sh(
        f"""{UP} tc qdisc add dev eth0 clsact
        tc filter add dev eth0 egress protocol ip u32 match u32 0 0 action mirred egress mirror dev lo
        {PINGS}"""
    )
    ((found,),) = (each.filters for each in space.ask(traffic_control).values())
    (action,) = found.actions
    assert (action.words, action.counted.packets) == ("mirror to lo", 3)


def test_a_filter_of_a_qdisc_at_the_root_is_there(space: Space) -> None:
    space.sh(
        f"""{UP} tc qdisc add dev eth0 root handle 1: htb default 1; tc class add dev eth0 classid 1:1 htb rate 1mbit
        tc filter add dev eth0 parent 1: protocol ip u32 match ip dst 10.0.0.2 classid 1:1"""
    )
    ((found,),) = (each.filters for each in space.ask(traffic_control).values())
    assert (found.place, found.kind, found.actions) == ("root", "u32", ())
