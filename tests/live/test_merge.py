"""A lab over hosts, put together from what each host tells."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.address import Address
from labctl.live import readings as r
from labctl.live.advance import advance
from labctl.live.events import LabEvent
from labctl.live.state import LabState
from labctl.plan import notifications as n
from labctl.plan.engine_spec import EngineSpec
from labctl.topology.interface_ref import InterfaceRef
from tests.live.following import run

HOSTS = {"srv1": ("a",), "srv2": ("b", "c")}
SPREAD = r.Spread(HOSTS, "/x.yaml", True)
TUN = {"srv1": InterfaceRef("a", "tun0"), "srv2": InterfaceRef("b", "tun0")}
LO = n.LinkThere(1, "lo", "lo", True, True, 65536)
WAN = n.LinkThere(2, "wan0", "tun", True, True, 1434, "02:00:00:00:00:01")
DIFFERENCE = r.Difference("a:wan0", "MTU 1434", "is 1400", "ip ...")


def recorded(host: str) -> r.Recorded:
    spec = EngineSpec(TUN[host], Address("10.0.0.1", 9000), Address("10.0.0.2", 9000))
    return r.Recorded("rootless", "", True, HOSTS[host], {TUN[host]: spec})


def told(host: str, *links: n.LinkThere) -> list[r.OnHost]:
    """Return what a host tells of a share that is up."""
    there = n.AllThere({link.index: link for link in links or (LO, WAN)}, (), (), ())
    seen = [r.Told(name, there) for name in HOSTS[host]]
    readings: list[r.Reading] = [recorded(host), *seen, r.Process(TUN[host], 7, "running")]
    return [r.OnHost(host, reading) for reading in readings]


UP, FIRST = run(LabState("lab"), SPREAD, *told("srv1"), *told("srv2"))


def test_a_lab_is_up_once_all_hosts_say_so() -> None:
    assert FIRST == ["lab: is up"]
    assert (UP.phase, UP.mode, UP.file) == ("up", "rootless", "/x.yaml")
    assert run(LabState("lab"), SPREAD, *told("srv1"))[0].phase == "down", "the other may say anything"
    assert {ref: engine.state for ref, engine in UP.engines.items()} == dict.fromkeys(TUN.values(), "running")


def test_a_host_is_lost_and_comes_back() -> None:
    lost, words = run(UP, r.HostLost("srv2", "no route"), r.HostLost("srv2", "timed out"))
    assert words == ["host: srv2 is not reached: no route"]
    assert lost.phase == "mixed"
    assert [host.lost for host in lost.lost] == ["timed out"]
    assert lost.unknown == dict.fromkeys(HOSTS["srv2"], "srv2 is not reached")
    assert lost.interface(InterfaceRef("a", "wan0")), "what is on the other is known"
    assert lost.interface(InterfaceRef("b", "wan0")) is None
    assert list(lost.engines) == [TUN["srv1"]]
    back, words = run(lost, *told("srv2", LO, replace(WAN, carrier=False)))
    assert words == ["host: srv2 is reached again", "lab: is up", "link: b:wan0 no-carrier", "link: c:wan0 no-carrier"]
    assert back.unknown == {}


def test_how_it_compares_with_its_file_is_said_once_every_host_was_asked() -> None:
    one, words = run(UP, r.OnHost("srv1", r.Compared((DIFFERENCE,))))
    assert (one.drift, words) == (None, ["drift: a:wan0: MTU 1434 (is 1400) appeared"])
    both, _ = run(one, r.OnHost("srv2", r.Compared(())))
    assert both.drift == (DIFFERENCE,)
    assert run(both, r.HostLost("srv2", ""))[0].drift is None
    back, _ = run(both, r.HostLost("srv2", ""), *told("srv2"))
    assert back.drift is None, "not before it was compared anew"


def test_no_verdict_outlasts_the_loss_of_a_host() -> None:
    checked, words = run(UP, r.Listed(("across",)), r.Checked("across", "passed", "1 reply"))
    assert words == ["check: across passed: 1 reply"]
    lost, _ = run(checked, r.HostLost("srv1", ""))
    assert [(one.name, one.verdict) for one in lost.checks.values()] == [("across", None)]


def test_a_lab_goes_down_on_one_host_after_the_other() -> None:
    gone = {host: r.OnHost(host, r.NotThere()) for host in HOSTS}
    part, words = run(UP, gone["srv1"])
    assert (part.phase, words) == ("mixed", ["host: srv1: the lab is down there"])
    assert not part.spaces["a"].there
    down, words = run(part, gone["srv2"], r.NotThere())
    assert (down, words) == (LabState("lab", at=down.at), ["lab: is down"])
    begun, words = run(down, replace(SPREAD, complete=False), gone["srv1"], *told("srv2"))
    assert (begun.phase, words) == ("begun", ["lab: is being made"])
    assert begun.spaces["a"].there, "nothing that is still to be made is missing"
    assert run(begun, *told("srv1"), SPREAD)[1] == ["lab: is up"]


def test_packets_are_of_the_whole_lab_in_the_order_in_which_they_came() -> None:
    packets = [r.Packet(at, InterfaceRef(name, "wan0"), True, True, 1, b"x") for at, name in ((9.0, "a"), (8.0, "b"))]
    seen, _ = run(UP, *(r.OnHost(host, r.Packets((one,), 2)) for host, one in zip(HOSTS, packets, strict=True)))
    assert (seen.packets, seen.packets_left_out) == (tuple(packets), 4)


hosts = st.sampled_from(list(HOSTS))
links = st.builds(
    n.LinkThere, st.integers(1, 3), st.sampled_from(["x", "y"]), st.just("tun"), *[st.booleans()] * 2, st.just(1434)
)
on_host = hosts.flatmap(
    lambda host: st.one_of(
        st.just(recorded(host)),
        st.just(r.NotThere()),
        st.builds(r.Told, st.sampled_from(HOSTS[host]), links),
        st.sampled_from([r.Compared(()), r.Compared((DIFFERENCE,))]),
        st.builds(r.NamespaceGone, st.sampled_from(HOSTS[host])),
    ).map(lambda reading: r.OnHost(host, reading))
)


@given(st.lists(st.one_of(on_host, st.builds(r.HostLost, hosts, st.just("why")))))
def test_what_is_known_of_a_namespace_is_what_its_host_says(readings: list[r.Reading]) -> None:
    whole, each = advance(LabState("lab"), 0.0, SPREAD)[0], {host: LabState("lab") for host in HOSTS}
    reached: dict[str, bool] = {}
    for at, reading in enumerate(readings, 1):
        whole, happened = advance(whole, float(at), reading)
        if isinstance(reading, r.OnHost):
            reached[reading.host] = True
            each[reading.host], _ = advance(each[reading.host], float(at), reading.reading)
        elif isinstance(reading, r.HostLost):
            reached[reading.host] = False
        all_there = reached == dict.fromkeys(HOSTS, True)
        if LabEvent("up") in [replace(event, mode="", file="") for event in happened if isinstance(event, LabEvent)]:
            assert all_there
            assert {share.phase for share in each.values()} == {"up"}
        assert whole.drift is None or all_there
        if whole.phase == "down":
            assert whole.spaces == {}
            continue
        assert list(whole.spaces) == [name for names in HOSTS.values() for name in names], "a partition over the hosts"
        for host, names in HOSTS.items():
            for name in names:
                known = whole.spaces[name]
                share = each[host].spaces if reached[host] else {}
                assert known.links == (share[name].links if name in share else {})
                assert known.there or reached[host], "of a host that is lost nothing is gone"
