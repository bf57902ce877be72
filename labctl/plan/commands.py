"""What a person types for a step: the same change by ip(8), tc(8), sysctl(8) and ttun.

Everything is typed on the machine as root. `ip -n NAME` works inside a namespace, so nothing is ever made outside and
moved in. ip(8) takes a bare word for one of its own where it can, abbreviated too, so every interface stands behind
`dev` or `name`. One command has no plain twin: a kernel without the dummy driver needs another, `stand_in`.
"""

from __future__ import annotations

import ipaddress
import re
import shlex

from labctl.plan.foreign import DeleteForwarding, DeleteNeighbour, DeleteQdisc, DeleteTable, FlushXfrm
from labctl.plan.impairing import Command, as_asked
from labctl.plan.netem import as_typed
from labctl.plan.options import SetOption
from labctl.plan.routes import DEFAULT_RULES, Route, Rule
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddRule,
    AddVeth,
    AutomaticAddresses,
    ClearMaster,
    ClearNetem,
    DeleteAddress,
    DeleteLink,
    DeleteNamespace,
    DeleteRoute,
    DeleteRule,
    ImpairEngine,
    NoAutomaticAddresses,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
    StopEngine,
)
from labctl.topology.iproute import DEFAULT_METRIC

STAND_IN = "labctl: bridge stands in for dummy"
"""The alias of a bridge without ports that stands in where the kernel has no dummy driver."""

ADDRGENMODES = ("eui64", "none", "stable-privacy", "random")
"""In the order of their numbers (linux/if_link.h: IN6_ADDR_GEN_MODE_*)."""


def link_local_settings(mode: str) -> dict[str, str]:
    """The settings of an interface that give it a link-local address in this way, with no wait and no more packets."""
    return {"accept_dad": "0", "router_solicitations": "0", "addr_gen_mode": str(ADDRGENMODES.index(mode))}


def command(step: Step) -> str:
    """One line of shell. Raises TypeError for a step that it does not know."""
    ip = ("ip", "-n", step.namespace)
    match step:
        case AddNamespace(namespace=name):
            return shlex.join(("ip", "netns", "add", name))
        case DeleteNamespace(namespace=name):
            return f"ip netns pids {shlex.quote(name)} | xargs -r kill; {shlex.join(('ip', 'netns', 'del', name))}"
        case SetSysctl(name=name, value=value):
            return shlex.join(("ip", "netns", "exec", step.namespace, "sysctl", "-qw", f"{name}={value}"))
        case AddLink(interface=interface, kind=("tun" | "tap") as kind, owner=owner):
            return shlex.join(
                (*ip, "tuntap", "add", "dev", interface, "mode", kind, *(("user", owner) if owner else ()))
            )
        case AddLink(interface=interface, kind=kind):
            return shlex.join((*ip, "link", "add", "name", interface, "type", kind))
        case AddVeth(interface=interface, peer_namespace=space, peer_interface=peer):
            ends = ("name", interface, "netns", step.namespace, "type", "veth", "peer", "name", peer, "netns", space)
            return shlex.join(("ip", "link", "add", *ends))
        case DeleteLink(interface=interface):
            return shlex.join((*ip, "link", "del", "dev", interface))
        case SetMac(interface=interface, mac=mac):
            return shlex.join((*ip, "link", "set", "dev", interface, "address", mac))
        case SetMtu(interface=interface, mtu=mtu):
            return shlex.join((*ip, "link", "set", "dev", interface, "mtu", str(mtu)))
        case SetMaster(interface=interface, master=master):
            return shlex.join((*ip, "link", "set", "dev", interface, "master", master))
        case ClearMaster(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "nomaster"))
        case SetNetem(interface=interface, impairment=words):
            netem = ("root", "netem", *as_typed(words))
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "replace", "dev", interface, *netem))
        case ClearNetem(interface=interface):
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "del", "dev", interface, "root"))
        case SetOption(interface=interface, option=option, value=value):
            return shlex.join((*ip, "link", "set", "dev", interface, *option.split(), value))
        case DeleteTable(family=family, name=name):
            return shlex.join(("ip", "netns", "exec", step.namespace, "nft", "delete", "table", family, name))
        case FlushXfrm(what=what):
            return shlex.join((*ip, "xfrm", what, "flush"))
        case DeleteQdisc(interface=interface, place=place):
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "del", "dev", interface, *place.split()))
        case DeleteNeighbour(interface=interface, neighbour=neighbour):
            proxy = ("proxy",) if neighbour.state == "proxy" else ()
            return shlex.join((*ip, "neigh", "del", *proxy, neighbour.to, "dev", interface))
        case DeleteForwarding(interface=interface, mac=mac):
            return shlex.join(("bridge", "-n", step.namespace, "fdb", "del", mac, "dev", interface, "master"))
        case NoAutomaticAddresses(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "addrgenmode", "none"))
        case AutomaticAddresses(interface=interface, mode=mode):
            # By the setting, for the change of the mode with ip(8) makes no address.
            settings = (
                f"net/ipv6/conf/{interface}/{name}={value}" for name, value in link_local_settings(mode).items()
            )
            return shlex.join(("ip", "netns", "exec", step.namespace, "sysctl", "-qw", *settings))
        case SetUp(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "up"))
        case AddAddress(interface=interface, address=address):
            return shlex.join((*ip, "addr", "add", address, "dev", interface, *_at_once(address)))
        case DeleteAddress(interface=interface, address=address):
            return shlex.join((*ip, "addr", "del", address, "dev", interface))
        case AddRoute(route=route):
            return shlex.join((*ip, "route", "add", *route.head, "proto", "static", *route.hops))
        case DeleteRoute(route=route):
            return shlex.join((*ip, "route", "del", *route.head, *_exact_metric(route), *route.hops))
        case AddRule(rule=rule):
            maker = "kernel" if rule in DEFAULT_RULES[rule.version] else "static"
            return shlex.join((*ip, *_rule("add", rule), "protocol", maker))
        case DeleteRule(rule=rule):
            return shlex.join((*ip, *_rule("del", rule)))
        case StartEngine(run_as=owner, program=program, directory=directory):
            # ttun gives up its rights by itself, once it has opened what takes some.
            become = ("setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups") if owner and program else ()
            line = f"{shlex.join(('ip', 'netns', 'exec', step.namespace, *become))} {step.command}"
            return f"(cd {shlex.quote(directory)} && {line}) &" if directory else f"{line} &"
        case ImpairEngine(direction=direction, before=before, impairment=after):
            options = ("--direction", direction, *as_asked(before, after))
            return shlex.join(("labctl", "impair", step.subject, *options))
        case StopEngine(command=words):
            # Only in this namespace: another lab may have an engine with the very same words. A script's own words come
            # behind those of its interpreter.
            there = f'--nslist net --ns "$(ip netns pids {shlex.quote(step.namespace)} | head -n 1)"'
            # Its impairments may have been changed since, but not its title.
            plain = re.escape(Command.of(words).plain).replace(chr(92) + " ", " ")
            return f"pkill -f {there} {shlex.quote(plain + '( --impair.*)?$')}"
    raise TypeError(f"no way to type {step!r}")


def _exact_metric(route: Route) -> tuple[str, ...]:
    """The metric that a route has without being asked for: where none is said, another route may be meant."""
    usual = DEFAULT_METRIC[route.version]
    return ("metric", str(usual)) if usual and route.metric == usual else ()


def _rule(verb: str, rule: Rule) -> tuple[str, ...]:
    family = ("-6",) if rule.family == "inet6" else ()
    return (*family, "rule", verb, "priority", str(rule.priority), *rule.parts)


def stand_in(step: Step) -> str:
    """The line for a kernel without the dummy driver, where a bridge without ports swallows packets just the same."""
    if not isinstance(step, AddLink) or step.kind != "dummy":
        return ""
    ip = ("ip", "-n", step.namespace, "link")
    make = (*ip, "add", "name", step.interface, "type", "bridge", "mcast_snooping", "0")
    silence = (*ip, "set", "dev", step.interface, "arp", "off", "multicast", "off", "alias", STAND_IN)
    return f"{shlex.join(make)} && {shlex.join(silence)}"


def _at_once(address: str) -> tuple[str, ...]:
    """A new IPv6 address waits for duplicates (RFC 4862 5.4), unless it is told not to."""
    return ("nodad",) if ipaddress.ip_interface(address).version == 6 else ()
