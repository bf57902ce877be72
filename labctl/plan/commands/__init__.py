"""The command for a step: the same change by ip(8), tc(8), sysctl(8) and ttun.

Every command is typed on the machine as root. `ip -n NAME` works inside a namespace, so nothing is ever made outside
and moved in. ip(8) takes a bare word for one of its own where it can, abbreviated too, so every interface stands behind
`dev` or `name`. One command has no plain twin: a kernel without the dummy driver needs another, `stand_in`.
"""

from __future__ import annotations

import ipaddress
import shlex

from labctl.plan import steps
from labctl.plan.commands import files, processes
from labctl.plan.netem import as_typed
from labctl.plan.routes import DEFAULT_RULES, Route, Rule
from labctl.plan.steps import STAND_IN, Step
from labctl.topology.iproute import DEFAULT_METRIC


def in_running_lab(step: Step) -> str | None:
    """Return the command as it is typed in a lab that runs, in either mode; None where it is none of one namespace."""
    if isinstance(step, steps.StartEngine):
        return f"labctl restart {step.ref}"
    typed, name = command(step), shlex.quote(step.namespace)
    if "\n" in typed or typed.endswith("&"):
        return None
    for tool in ("ip", "tc", "bridge"):
        if typed.startswith(begins := f"{tool} -n {name} "):
            return f"labctl exec {name} -- {tool} {typed.removeprefix(begins)}"
    if typed.startswith(begins := f"ip netns exec {name} "):
        return f"labctl exec {name} -- {typed.removeprefix(begins)}"
    return typed if typed.startswith("labctl ") else None


def command(step: Step) -> str:
    """Return one command of a shell. Raise TypeError for a step of an unknown kind."""
    ip = ("ip", "-n", step.namespace)
    match step:
        case steps.AddNamespace(namespace=name):
            return shlex.join(("ip", "netns", "add", name))
        case steps.DeleteNamespace(namespace=name):
            return f"ip netns pids {shlex.quote(name)} | xargs -r kill; {shlex.join(('ip', 'netns', 'del', name))}"
        case steps.SetSysctl(name=name, value=value):
            return shlex.join(("ip", "netns", "exec", step.namespace, "sysctl", "-qw", f"{name}={value}"))
        case steps.AddLink(interface=interface, kind=("tun" | "tap") as kind, owner=owner):
            return shlex.join(
                (*ip, "tuntap", "add", "dev", interface, "mode", kind, *(("user", owner) if owner else ()))
            )
        case steps.AddLink(interface=interface, kind=kind):
            return shlex.join((*ip, "link", "add", "name", interface, "type", kind))
        case steps.AddVeth(interface=interface, peer=peer):
            here = ("name", interface, "netns", step.namespace)
            there = ("name", peer.interface, "netns", peer.namespace)
            return shlex.join(("ip", "link", "add", *here, "type", "veth", "peer", *there))
        case steps.DeleteLink(interface=interface):
            return shlex.join((*ip, "link", "del", "dev", interface))
        case steps.SetMac(interface=interface, mac=mac):
            return shlex.join((*ip, "link", "set", "dev", interface, "address", mac))
        case steps.SetMtu(interface=interface, mtu=mtu):
            return shlex.join((*ip, "link", "set", "dev", interface, "mtu", str(mtu)))
        case steps.SetMaster(interface=interface, master=master):
            return shlex.join((*ip, "link", "set", "dev", interface, "master", master))
        case steps.ClearMaster(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "nomaster"))
        case steps.SetNetem(interface=interface, impairment=impairment):
            netem = ("root", "netem", *as_typed(impairment))
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "replace", "dev", interface, *netem))
        case steps.ClearNetem(interface=interface):
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "del", "dev", interface, "root"))
        case steps.SetOption(interface=interface, option=option, value=value):
            return shlex.join((*ip, "link", "set", "dev", interface, *option.split(), value))
        case steps.DeleteTable(family=family, name=name):
            return shlex.join(("ip", "netns", "exec", step.namespace, "nft", "delete", "table", family, name))
        case steps.FlushXfrm(what=what):
            return shlex.join((*ip, "xfrm", what, "flush"))
        case steps.DeleteQdisc(interface=interface, place=place):
            return shlex.join(("tc", "-n", step.namespace, "qdisc", "del", "dev", interface, *place.split()))
        case steps.SetFirewall(firewall=firewall):
            load = shlex.join(("ip", "netns", "exec", step.namespace, "nft", "-f", "-"))
            end = "EOF" if "EOF" not in firewall.text.splitlines() else "END OF RULESET"
            return f"{load} <<'{end}'\nflush ruleset\n{firewall.text}{end}"
        case steps.AddNeighbour(interface=interface, neighbour=neighbour):
            entry = ("lladdr", neighbour.lladdr, "nud", "permanent") if neighbour.lladdr else ()
            proxy = () if entry else ("proxy",)
            return shlex.join((*ip, "neigh", "replace", *proxy, neighbour.to, *entry, "dev", interface))
        case steps.DeleteNeighbour(interface=interface, neighbour=neighbour):
            proxy = ("proxy",) if neighbour.state == "proxy" else ()
            return shlex.join((*ip, "neigh", "del", *proxy, neighbour.to, "dev", interface))
        case steps.DeleteForwarding(interface=interface, mac=mac):
            return shlex.join(("bridge", "-n", step.namespace, "fdb", "del", mac, "dev", interface, "master"))
        case steps.NoAutomaticAddresses(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "addrgenmode", "none"))
        case steps.AutomaticAddresses(interface=interface, settings=settings):
            # By the setting, for the change of the mode with ip(8) makes no address.
            below = (f"net/ipv6/conf/{interface}/{name}={value}" for name, value in settings.items())
            return shlex.join(("ip", "netns", "exec", step.namespace, "sysctl", "-qw", *below))
        case steps.SetUp(interface=interface):
            return shlex.join((*ip, "link", "set", "dev", interface, "up"))
        case steps.AddAddress(interface=interface, address=address):
            return shlex.join((*ip, "addr", "add", address, "dev", interface, *_at_once(address)))
        case steps.DeleteAddress(interface=interface, address=address):
            return shlex.join((*ip, "addr", "del", address, "dev", interface))
        case steps.AddRoute(route=route):
            return shlex.join((*ip, "route", "add", *route.head, "proto", "static", *route.hops))
        case steps.DeleteRoute(route=route):
            return shlex.join((*ip, "route", "del", *route.head, *_exact_metric(route), *route.hops))
        case steps.AddRule(rule=rule):
            maker = "kernel" if rule in DEFAULT_RULES[rule.version] else "static"
            return shlex.join((*ip, *_rule("add", rule), "protocol", maker))
        case steps.DeleteRule(rule=rule):
            return shlex.join((*ip, *_rule("del", rule)))
        case steps.WriteHosts() | steps.RemoveHosts():
            return files.hosts_command(step)
        case steps.RunLine():
            return processes.run_line(step)
        case steps.WriteFile() | steps.MakeDirectory() | steps.RemoveFile():
            return files.file_command(step)
        case steps.StartEngine(spec=spec):
            return processes.start_engine(spec)
        case steps.ImpairEngine(direction=direction, before=before, impairment=after):
            options = ("--direction", direction, *processes.impair_options(before, after))
            return shlex.join(("labctl", "impair", step.subject, *options))
        case steps.StopEngine(spec=spec):
            return processes.stop_engine(spec)
        case steps.StartCable(spec=cable):
            return f"# {cable.command}: labctl up starts it, for it needs a key that both hosts have"
        case steps.StopCable(spec=cable):
            return processes.stop_cable(cable)
        case steps.StartProgram(spec=program):
            return processes.start_program(program)
        case steps.StopProgram(spec=program):
            return processes.stop_program(program)
    raise TypeError(f"no command for {step!r}")


def _exact_metric(route: Route) -> tuple[str, ...]:
    """Return the default metric of a route that has it: without one, ip(8) may delete another route."""
    usual = DEFAULT_METRIC[route.version]
    return ("metric", str(usual)) if usual and route.metric == usual else ()


def _rule(verb: str, rule: Rule) -> tuple[str, ...]:
    family = ("-6",) if rule.family == "inet6" else ()
    return (*family, "rule", verb, "priority", str(rule.priority), *rule.parts)


def stand_in(step: Step) -> str:
    """Return the line for a kernel without the dummy driver: a bridge without ports swallows packets just the same."""
    if not isinstance(step, steps.AddLink) or step.kind != "dummy":
        return ""
    ip = ("ip", "-n", step.namespace, "link")
    make = (*ip, "add", "name", step.interface, "type", "bridge", "mcast_snooping", "0")
    silence = (*ip, "set", "dev", step.interface, "arp", "off", "multicast", "off", "alias", STAND_IN)
    return f"{shlex.join(make)} && {shlex.join(silence)}"


def _at_once(address: str) -> tuple[str, ...]:
    """Return what keeps a new IPv6 address from a wait for duplicates (RFC 4862 5.4)."""
    return ("nodad",) if ipaddress.ip_interface(address).version == 6 else ()
