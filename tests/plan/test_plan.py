"""The plan, against a kernel in miniature that refuses what the real one refuses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labctl.plan.change import Change
from labctl.plan.desired import desired
from labctl.plan.facts import NOTHING, Facts, FoundProgram, Link, Namespace, RunningCable, RunningEngine
from labctl.plan.plan import between
from labctl.plan.routes import DEFAULT_RULES, NextHop, Route, Rule
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddRule,
    AddVeth,
    AutomaticAddresses,
    ClearMaster,
    DeleteAddress,
    DeleteLink,
    DeleteNamespace,
    DeleteRoute,
    DeleteRule,
    ImpairEngine,
    MakeDirectory,
    NoAutomaticAddresses,
    RemoveFile,
    RemoveHosts,
    RunLine,
    SetMac,
    SetMaster,
    SetMtu,
    SetSysctl,
    SetUp,
    StartCable,
    StartEngine,
    StartProgram,
    Step,
    StopCable,
    StopEngine,
    StopProgram,
    WriteFile,
    WriteHosts,
)
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.load import load, loads
from labctl.topology.model import Topology
from labctl.topology.program_ref import ProgramRef
from labctl.topology.shipped import find

LOOPBACK = Link("lo", "lo", up=False, carrier=False, state="down", mtu=65536, addresses=("127.0.0.1/8", "::1/128"))


def changes(topology: Topology, facts: Facts) -> tuple[Change, ...]:
    return between(desired(topology), facts).changes


def plan(topology: Topology, facts: Facts) -> list[Step]:
    return [change.step for change in changes(topology, facts)]


def network(address: str) -> str:
    return str(ipaddress.ip_interface(address).network)


def itself(address: str) -> str:
    own = ipaddress.ip_interface(address)
    return f"{own.ip}/{own.max_prefixlen}"


class Kernel:
    """What the real one would be after some steps. A step out of order is an AssertionError."""

    def __init__(self, promotes: bool = False) -> None:
        self._promotes = promotes  # net.ipv4.conf.all.promote_secondaries
        self._spaces: dict[str, Namespace] = {}
        self._engines: dict[InterfaceRef, RunningEngine] = {}
        self._cables: dict[InterfaceRef, RunningCable] = {}
        self._programs: dict[ProgramRef, FoundProgram] = {}
        self._peers: dict[InterfaceRef, InterfaceRef] = {}
        self._set_by_user: set[tuple[str, str]] = set()  # bridges that no longer follow the MTU of their ports

    def facts(self) -> Facts:
        spaces = {
            name: replace(space, links={one: self._seen(name, link) for one, link in space.links.items()})
            for name, space in self._spaces.items()
        }
        return Facts(spaces, dict(self._engines), dict(self._programs), dict(self._cables))

    def _seen(self, space: str, link: Link) -> Link:
        """What follows from the rest: where a cable leads, how a bridge follows its ports, the routes of addresses."""
        follows = link.kind == "bridge" and (space, link.name) not in self._set_by_user
        ports = [port.mtu for port in self._spaces[space].links.values() if port.master == link.name and follows]
        return replace(
            link,
            peer=self._peers.get(InterfaceRef(space, link.name)),
            mtu=min(ports, default=link.mtu),
            networks=tuple(network(address) for address in link.addresses) if link.up else (),
            local=tuple(itself(address) for address in link.addresses) if link.up else (),
        )

    def by_hand(self, name: str, routes: tuple[Route, ...], rules: list[Rule]) -> None:
        """Other routes, and these rules beside those of the lab's own."""
        space = self._spaces[name]
        by_version = {
            version: tuple(rule for rule in found if rule not in DEFAULT_RULES[version])
            + tuple(rule for rule in rules if rule.version == version)
            for version, found in space.rules.items()
        }
        self._spaces[name] = replace(space, routes=routes, rules=by_version)

    def perform(self, step: Step) -> None:
        if isinstance(step, AddNamespace):
            assert step.namespace not in self._spaces, "File exists"
            self._spaces[step.namespace] = Namespace({"lo": LOOPBACK}, rules=DEFAULT_RULES)
            return
        assert step.namespace in self._spaces, "a step in a namespace that is not there"
        space = self._spaces[step.namespace]
        match step:
            case SetSysctl(path=path, value=value):
                found = re.fullmatch(r"net/ipv[46]/(?:conf|neigh)/([^/]+)/.*", path)
                assert not found or found[1] in ("all", "default", *space.links), "No such file or directory"
                self._spaces[step.namespace] = replace(space, sysctls={**space.sysctls, path: value})
            case AddLink():
                self._add(step.namespace, step.interface, step.kind, step.owner or "")
            case AddVeth():
                assert step.peer.namespace in self._spaces, "the peer's namespace is not there"
                self._add(step.namespace, step.interface, "veth")
                self._add(step.peer.namespace, step.peer.interface, "veth")
                self._peers |= {step.ref: step.peer, step.peer: step.ref}
            case SetMac(mac=mac):
                self._change(step, mac=mac)
            case SetMtu(mtu=mtu):
                before = self._link(step)
                if mtu != before.mtu:  # dev_set_mtu() tells the driver of nothing else
                    self._set_by_user.add((step.namespace, step.interface))
                mode = "" if mtu < 1280 else before.addrgenmode or "eui64"
                kept = tuple(address for address in before.addresses if mode or ":" not in address)
                self._change(step, mtu=mtu, addrgenmode=mode, addresses=kept)
            case SetMaster(master=master):
                assert space.links[master].kind == "bridge", "Operation not supported"
                self._change(step, master=master)
            case NoAutomaticAddresses():
                assert self._link(step).addrgenmode, "Address family not supported by protocol"
                self._change(step, addrgenmode="none")
            case AutomaticAddresses(mode=mode):
                self._change(step, addrgenmode=mode)
            case AddAddress(address=address):
                assert address not in self._link(step).addresses, "File exists"
                assert ":" not in address or self._link(step).addrgenmode, "Permission denied"
                self._change(step, addresses=(*self._link(step).addresses, address))
            case SetUp():
                self._change(step, up=True)
            case AddRoute(route=route):
                devices = [dev for dev in (route.dev, *(hop.dev for hop in route.nexthops)) if dev]
                assert all(space.links[device].up for device in devices), "Network is down"
                assert bool(devices or route.via) == (route.type == "unicast"), "Invalid argument"
                key = (route.to, route.table, route.metric)
                assert key not in [(one.to, one.table, one.metric) for one in space.routes], "File exists"
                own = [address.partition("/")[0] for link in space.links.values() for address in link.addresses]
                assert route.src in (None, *own), "Invalid prefsrc address"
                self._spaces[step.namespace] = replace(space, routes=(*space.routes, route))
            case AddRule(rule=rule):
                assert rule not in space.rules[rule.version], "File exists"
                rules = {**space.rules, rule.version: (*space.rules[rule.version], rule)}
                self._spaces[step.namespace] = replace(space, rules=rules)
            case DeleteRule(rule=rule):
                assert rule in space.rules[rule.version], "No such file or directory"
                left = tuple(other for other in space.rules[rule.version] if other != rule)
                self._spaces[step.namespace] = replace(space, rules={**space.rules, rule.version: left})
            case StartCable():
                assert self._link(step).kind == "tap", "only a TAP device has frames"
                assert step.ref not in self._cables, "Device or resource busy"
                self._cables[step.ref] = RunningCable(step.spec)
            case StopCable():
                del self._cables[step.ref]
            case StartEngine():
                assert self._link(step).kind == "tun" and self._link(step).up
                assert step.ref not in self._engines, "Device or resource busy"
                self._engines[step.ref] = RunningEngine(step.spec, step.spec.impairments)
            case ImpairEngine(direction=direction, impairment=impairment):
                running = self._engines[step.ref]
                assert running.impairments[direction] == step.before
                spec = running.spec.impaired(direction, impairment)
                self._engines[step.ref] = RunningEngine(spec, spec.impairments)
            case StopEngine():
                del self._engines[step.ref]
            case DeleteNamespace(namespace=name):
                assert name not in {ref.namespace for ref in (*self._engines, *self._cables)}, "an engine keeps it"
                assert name not in {ref.namespace for ref in self._programs}, "a program keeps it"
                for interface in space.links:
                    self._cut(name, interface)
                del self._spaces[name]
            case DeleteLink(namespace=name, interface=interface):
                assert step.ref not in (*self._engines, *self._cables), "an engine has it open"
                assert interface in space.links, "No such device"
                self._delete(name, interface)
                self._cut(name, interface)
            case DeleteAddress(address=address):
                assert address in self._link(step).addresses, "Cannot assign requested address"
                had = self._link(step).addresses
                self._change(step, addresses=self._left(address, had))
                has = self._link(step).addresses
                routes = tuple(_after_addresses(space.routes, {own.partition("/")[0] for own in {*had} - {*has}}))
                if ":" not in address and all(":" in other for other in has):
                    routes = tuple(route for route in routes if ":" in route.to or route.dev != step.interface)
                self._spaces[step.namespace] = replace(self._spaces[step.namespace], routes=routes)
            case ClearMaster():
                self._change(step, master="")
            case DeleteRoute(route=gone):
                remaining = list(space.routes)
                remaining.remove(gone)  # or: No such process
                self._spaces[step.namespace] = replace(space, routes=tuple(remaining))
            case WriteHosts():
                self._spaces[step.namespace] = replace(space, hosts=step.digest)
            case RemoveHosts():
                assert space.hosts is not None, "No such file or directory"
                self._spaces[step.namespace] = replace(space, hosts=None)
            case WriteFile(path=path) | MakeDirectory(path=path):
                self._spaces[step.namespace] = replace(space, files={**space.files, path: step.makes})
            case RemoveFile(path=path):
                assert path in space.files, "No such file or directory"
                left_over = {
                    other: file for other, file in space.files.items() if not f"{other}/".startswith(f"{path}/")
                }
                self._spaces[step.namespace] = replace(space, files=left_over)
            case StartProgram(spec=spec):
                assert spec.ref not in self._programs, "Address already in use"
                assert all(other in self._programs for other in spec.after), "it needs one that is not there"
                self._programs[spec.ref] = FoundProgram(spec, "running")
            case StopProgram(spec=spec):
                del self._programs[spec.ref]
            case RunLine(line=line):
                self._spaces[step.namespace] = replace(space, ran=(*space.ran, line))
            case _:
                raise AssertionError(f"unknown: {step}")

    def _left(self, gone: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """What is left where an address is taken away: the first of an IPv4 network takes the others along."""
        same = [other for other in addresses if ":" not in gone and network(other) == network(gone)]
        takes_all = same[:1] == [gone] and not self._promotes
        return tuple(other for other in addresses if other != gone and not (takes_all and other in same))

    def _add(self, space: str, name: str, kind: str, owner: str = "") -> None:
        there = self._spaces[space]
        assert name not in there.links, "File exists"
        self._set_by_user.discard((space, name))
        made = Link(name, kind, up=False, carrier=False, state="down", mtu=1500, owner=owner)
        self._spaces[space] = replace(there, links={**there.links, name: made})

    def _delete(self, space: str, name: str) -> None:
        there = self._spaces.get(space, Namespace())
        if name in there.links:
            links = {other: one for other, one in there.links.items() if other != name}
            left = {other: replace(one, master="") if one.master == name else one for other, one in links.items()}
            gone = {address.partition("/")[0] for address in there.links[name].addresses}
            routes = tuple(_after_link(_after_addresses(there.routes, gone), name))
            settings = {path: value for path, value in there.sysctls.items() if f"/{name}/" not in path}
            self._spaces[space] = replace(there, links=left, routes=routes, sysctls=settings)

    def _cut(self, space: str, name: str) -> None:
        """A cable goes with either of its ends."""
        other = self._peers.pop(InterfaceRef(space, name), None)
        if other:
            self._peers.pop(other, None)
            self._delete(*other)

    def _link(self, step: Any) -> Link:
        return self._spaces[step.namespace].links[step.interface]

    def _change(self, step: Any, **values: Any) -> None:
        there = self._spaces[step.namespace]
        link = replace(there.links[step.interface], **values)
        self._spaces[step.namespace] = replace(there, links={**there.links, step.interface: link})


def _after_addresses(routes: Iterable[Route], gone: Collection[str]) -> Iterator[Route]:
    """A route goes with its source address (fib_sync_down_addr()); an IPv6 one forgets it (rt6_remove_prefsrc())."""
    for route in routes:
        if route.src not in gone:
            yield route
        elif route.version == 6:
            yield replace(route, src=None)


def _after_link(routes: Iterable[Route], name: str) -> Iterator[Route]:
    """A route goes with any of its interfaces (fib_sync_down_dev()); an IPv6 one loses a next hop (fib6_ifdown())."""
    for route in routes:
        hops = tuple(hop for hop in route.nexthops if hop.dev != name)
        if route.version == 6 and hops:
            yield replace(route, nexthops=hops)
        elif route.dev != name and hops == route.nexthops:
            yield route


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Small labs of every kind of interface, with addresses that are each used once."""
    spaces: dict[str, dict[str, Any]] = {f"n{i}": {"interfaces": {}} for i in range(draw(st.integers(1, 4)))}
    numbers = iter(range(1, 200))
    where = st.sampled_from(sorted(spaces))

    def addresses() -> list[str]:
        chosen = draw(st.sampled_from([[], [4], [6], [4, 6]]))
        # Some of one network, for the first of it is more than the others; and some that another lab may have, too.
        hosts = draw(st.permutations(["1", "2", "3"]))[: draw(st.integers(1, 3))]
        place = draw(st.integers(0, 3)) * 60 + next(numbers)
        four, six = [f"10.{place}.0.{host}/24" for host in hosts], [f"fd00:{place}::{host}/64" for host in hosts]
        return [address for version in chosen for address in (four if version == 4 else six)]

    def add(space: str, name: str, **values: Any) -> None:
        more: dict[str, Any] = {"addresses": addresses()}
        if draw(st.booleans()):
            six = any(":" in address for address in more["addresses"])
            # Odd for a bridge alone: one that somebody set to what it would be by itself looks as if it followed.
            more["mtu"] = 2 * draw(st.integers(640 if six else 500, 4500)) + (values["kind"] == "bridge")
        if values["kind"] in ("tun", "tap"):
            more["owner"] = draw(st.sampled_from(["nobody", None]))
        if values["kind"] not in ("tun", "lo") and draw(st.booleans()):
            more["mac"] = f"02:00:00:00:00:{next(numbers):02x}"
        spaces[space]["interfaces"][name] = {**values, **more}

    def routed(space: dict[str, Any], name: str) -> None:
        """A route through an interface, or beside it; and a rule. Another lab may have the same, or nearly so."""
        four = [address for address in space["interfaces"][name]["addresses"] if ":" not in address]
        to = f"172.16.{draw(st.integers(0, 5))}.0/24"
        table, metric = draw(st.sampled_from(["main", "100"])), draw(st.integers(0, 1))
        ways: list[dict[str, Any]] = [{"dev": name}, {"type": "blackhole"}, {"dev": name, "mtu": 1000}]
        ways += [{"dev": name, "src": draw(st.sampled_from(four)).partition("/")[0]}] if four else []
        others = [other for other in space["interfaces"] if other != name]
        ways += [{"nexthops": [{"dev": name}, {"dev": draw(st.sampled_from(others))}]}] if others else []
        routes, rules = space.setdefault("routes", []), space.setdefault("rules", [])
        if (to, table, metric) not in [(one["to"], one["table"], one["metric"]) for one in routes]:
            routes.append({"to": to, "table": table, "metric": metric, **draw(st.sampled_from(ways))})
        priority = draw(st.integers(100, 103))
        if priority not in [rule["priority"] for rule in rules]:
            kinds: list[dict[str, Any]] = [{"table": 100}, {"type": "prohibit"}, {"iif": name}]
            asked = draw(st.sampled_from(kinds))
            rules.append({"priority": priority, "to": to, **asked})

    for i in range(draw(st.integers(0, 4))):
        add(draw(where), f"i{i}", kind=draw(st.sampled_from(["dummy", "tun", "tap", "bridge"])))
    for i in range(draw(st.integers(0, 3))):
        left, right = draw(where), draw(where)
        one, other = (
            f"x{i}",
            f"y{(i + draw(st.integers(0, 1))) % 3}",
        )  # so that an end may lead elsewhere in another lab
        if other in spaces[right]["interfaces"]:
            continue
        add(left, one, kind="veth", peer=f"{right}:{other}")
        add(right, other, kind="veth", peer=f"{left}:{one}")
    for space in spaces.values():
        ports = [name for name, one in space["interfaces"].items() if one["kind"] in ("veth", "tap", "dummy")]
        for one in space["interfaces"].values():
            if one["kind"] == "bridge" and len(ports) > 0 and draw(st.booleans()):
                one["ports"] = [ports.pop(draw(st.integers(0, len(ports) - 1)))]
                narrow = space["interfaces"][one["ports"][0]].get("mtu", 1500) < 1280
                if narrow and any(":" in address for address in one["addresses"]):
                    one.setdefault("mtu", 1281)  # else the file is refused
        for name in space["interfaces"]:
            if draw(st.booleans()):
                routed(space, name)
            if draw(st.integers(0, 3)) == 0:
                space.setdefault("sysctls", {})[f"net.ipv4.conf.{name}.rp_filter"] = 1
        if draw(st.booleans()):
            space.setdefault("sysctls", {})["net.ipv4.ip_forward"] = 1
        for path in draw(st.sets(st.sampled_from(["/a", "/a/b", "/a/b/c", "/etc/hosts"]), max_size=3)):
            below = any(other.startswith(f"{path}/") for other in ("/a", "/a/b", "/a/b/c"))
            content = {"content": draw(st.sampled_from("xy"))}
            space.setdefault("files", {})[path] = {"directory": True} if below else content
        space["exec"] = draw(st.lists(st.sampled_from(["true", "ls"]), max_size=2, unique=True))
    earlier: list[str] = []
    for number in range(draw(st.integers(0, 4))):
        home = draw(where)
        after = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        program = {"name": f"p{number}", "command": draw(st.sampled_from(["x", "y"])), "after": after}
        # In front of those that it starts after: the order of the file is not that of the start.
        spaces[home].setdefault("programs", []).insert(0, program)
        earlier.append(f"{home}:p{number}")
    return Topology.read({"name": "lab", "namespaces": spaces, "hosts_file": draw(st.booleans())})


settings.register_profile("labs", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("labs")

SHIPPED = ["two-site", "single-host"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_lab_is_made_and_then_there_is_nothing_to_do(name: str) -> None:
    topology, kernel = load(find(name)), Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    assert plan(topology, kernel.facts()) == []


@given(topologies())
def test_the_order_is_one_that_the_kernel_accepts_and_nothing_is_left(topology: Topology) -> None:
    kernel = Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    assert plan(topology, kernel.facts()) == []


@given(topologies(), st.data())
def test_a_lab_that_was_cut_off_is_finished_without_doing_anything_twice(
    topology: Topology, data: st.DataObject
) -> None:
    kernel, steps = Kernel(), plan(topology, NOTHING)
    cut = data.draw(st.integers(0, len(steps)))
    for step in steps[:cut]:
        kernel.perform(step)
    rest = plan(topology, kernel.facts())
    assert [step for step in rest if step not in steps[cut:]] == []
    for step in rest:
        kernel.perform(step)
    assert plan(topology, kernel.facts()) == []


@given(topologies(), topologies(), st.data())
def test_one_lab_becomes_another_from_any_moment_on(one: Topology, other: Topology, data: st.DataObject) -> None:
    kernel = Kernel(data.draw(st.booleans()))
    for topology in (one, other):
        steps = plan(topology, kernel.facts())
        for step in steps[: data.draw(st.integers(0, len(steps)))]:
            kernel.perform(step)
    for step in plan(other, kernel.facts()):
        kernel.perform(step)
    assert plan(other, kernel.facts()) == []


@given(topologies(), topologies(), st.data())
def test_facts_of_two_moments_make_a_plan(one: Topology, other: Topology, data: st.DataObject) -> None:
    """A lab is looked at namespace by namespace, and may change meanwhile: who follows it plans over both moments."""
    kernel, seen = Kernel(), list[Facts]()
    for topology in (one, other):
        steps = plan(topology, kernel.facts())
        for step in steps[: data.draw(st.integers(0, len(steps)))]:
            kernel.perform(step)
        seen.append(kernel.facts())
    names = sorted({name for facts in seen for name in facts.namespaces})
    looked = {name: data.draw(st.sampled_from(seen)).namespaces.get(name) for name in names}
    torn = {name: half_seen(space, data) for name, space in looked.items() if space}
    for topology in (one, other):
        changes(topology, Facts(torn, data.draw(st.sampled_from(seen)).engines))


def half_seen(space: Namespace, data: st.DataObject) -> Namespace:
    """Return a namespace in which the other end of a cable may not be known: its namespace has just lost its name."""
    unknown = data.draw(st.sets(st.sampled_from(sorted(space.links)))) if space.links else set()
    return replace(
        space, links={name: replace(link, peer=None) if name in unknown else link for name, link in space.links.items()}
    )


STRAY_ROUTES = [
    Route("172.16.1.0/24", type="prohibit"),
    Route("172.16.1.0/24", dev="lo", more=("tos", "0x10")),
    Route("172.16.1.0/24", dev="lo", src="127.0.0.1", metric=1),
    Route("172.16.2.0/24", table="100", nexthops=(NextHop(dev="lo"), NextHop(dev="i0"))),
    Route("10.9.9.9/32", dev="lo", type="local", table="local"),
]
STRAY_RULES = [Rule("inet", 100, action="blackhole", table=None), Rule("inet6", 99, more=("uidrange", "1-2"))]


@given(topologies(), st.data())
def test_what_was_made_by_hand_goes_and_default_rules_come_back(topology: Topology, data: st.DataObject) -> None:
    kernel = Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    for name, space in kernel.facts().namespaces.items():
        routes = data.draw(st.lists(st.sampled_from(STRAY_ROUTES), unique=True))
        twice = data.draw(st.lists(st.sampled_from(space.routes), max_size=1)) if space.routes else []
        rules = [*DEFAULT_RULES[4], *DEFAULT_RULES[6], *STRAY_RULES]
        kept = [rule for rule in rules if data.draw(st.booleans())]
        kernel.by_hand(name, (*space.routes, *routes, *twice), kept)
    for step in plan(topology, kernel.facts()):
        kernel.perform(step)
    assert plan(topology, kernel.facts()) == []


@given(topologies())
def test_no_step_is_there_twice_and_every_cable_is_made_once(topology: Topology) -> None:
    steps = plan(topology, NOTHING)
    assert len(set(steps)) == len(steps)
    ends = [end for step in steps if isinstance(step, AddVeth) for end in (step.ref, step.peer)]
    wanted = [
        (space, name)
        for space, one in topology.namespaces.items()
        for name, interface in one.interfaces.items()
        if interface.kind == "veth"
    ]
    assert sorted(ends) == sorted(wanted)


@given(topologies())
def test_a_plan_is_the_same_every_time(topology: Topology) -> None:
    assert plan(topology, NOTHING) == plan(topology, NOTHING)


def test_engines_come_last_and_up_comes_after_everything_that_an_interface_is() -> None:
    steps = plan(load(find("two-site")), NOTHING)
    assert all(isinstance(step, StartEngine) for step in steps[-2:])
    for interface in ("tun0", "wan0", "dummy0"):
        kinds = [type(s) for s in steps if (s.namespace, getattr(s, "interface", "")) == ("siteA", interface)]
        assert [kind for kind in kinds if kind is not StartEngine][-1] is SetUp


def test_a_lost_address_is_the_only_step_of_its_repair() -> None:
    topology, kernel = load(find("two-site")), Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    facts = kernel.facts()
    site = facts.namespaces["siteA"]
    bare = replace(site, links={**site.links, "tun0": replace(site.links["tun0"], addresses=())})
    left = plan(topology, replace(facts, namespaces={**facts.namespaces, "siteA": bare}))
    assert left == [AddAddress("siteA", "tun0", "10.0.101.1/24")]


def test_an_engine_that_is_outdated_ends_and_begins_for_that_reason_alone() -> None:
    topology, kernel = load(find("two-site")), Kernel()
    for step in plan(topology, NOTHING):
        kernel.perform(step)
    why = "its program ./my_ttun.py was edited since it was started"
    facts, device = kernel.facts(), InterfaceRef("siteA", "tun0")
    running = {**facts.engines, device: replace(facts.engines[device], outdated=why)}
    found = replace(facts, engines=running)
    stop, start = changes(topology, found)
    assert (type(stop.step), type(start.step)) == (StopEngine, StartEngine)
    assert stop.step.subject == start.step.subject == "siteA:tun0" and stop.reason == start.reason == why


def test_settings_of_a_namespace_come_before_its_interfaces_and_theirs_after() -> None:
    topology = loads(
        "name: lab\nnamespaces:\n  n:\n    interfaces: {d0: {kind: tap}}\n"
        "    sysctls: {net.ipv4.ip_forward: 1, net.ipv4.conf.d0.rp_filter: 2}\n",
        "lab.yaml",
    )
    steps = plan(topology, NOTHING)
    made = next(i for i, step in enumerate(steps) if isinstance(step, AddLink))
    early = [step.path for step in steps[:made] if isinstance(step, SetSysctl)]
    late = [step.path for step in steps[made:] if isinstance(step, SetSysctl)]
    assert "net/ipv4/ip_forward" in early and late == ["net/ipv4/conf/d0/rp_filter"]
    assert SetSysctl("n", "net/ipv4/ip_forward", "1") in steps
    assert SetSysctl("n", "net/ipv4/ip_forward", "0") not in steps
