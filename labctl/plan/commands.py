"""The command for a step: the same change by ip(8), tc(8), sysctl(8) and ttun.

Every command is typed on the machine as root. `ip -n NAME` works inside a namespace, so nothing is ever made outside
and moved in. ip(8) takes a bare word for one of its own where it can, abbreviated too, so every interface stands behind
`dev` or `name`. One command has no plain twin: a kernel without the dummy driver needs another, `stand_in`.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Sequence

from labctl.engine.packets.impairment import Impairment, show
from labctl.plan import steps, steps_of_files, steps_of_programs
from labctl.plan.automatic_addresses import link_local_settings
from labctl.plan.commands_of_exec import exec_command
from labctl.plan.commands_of_files import file_command, hosts_command
from labctl.plan.engine_spec import EngineSpec
from labctl.plan.netem import as_typed
from labctl.plan.program_spec import ProgramSpec
from labctl.plan.routes import DEFAULT_RULES, Route, Rule
from labctl.plan.steps import STAND_IN, Step
from labctl.plan.steps_of_exec import RunLine
from labctl.plan.steps_of_firewall import SetFirewall
from labctl.plan.steps_of_hosts import RemoveHosts, WriteHosts
from labctl.topology.iproute import DEFAULT_METRIC


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
        case SetFirewall(firewall=firewall):
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
        case steps.AutomaticAddresses(interface=interface, mode=mode):
            # By the setting, for the change of the mode with ip(8) makes no address.
            settings = (
                f"net/ipv6/conf/{interface}/{name}={value}" for name, value in link_local_settings(mode).items()
            )
            return shlex.join(("ip", "netns", "exec", step.namespace, "sysctl", "-qw", *settings))
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
        case WriteHosts() | RemoveHosts():
            return hosts_command(step)
        case RunLine():
            return exec_command(step)
        case steps_of_files.WriteFile() | steps_of_files.MakeDirectory() | steps_of_files.RemoveFile():
            return file_command(step)
        case steps.StartEngine(spec=spec):
            return _start(spec)
        case steps.ImpairEngine(direction=direction, before=before, impairment=after):
            options = ("--direction", direction, *impair_options(before, after))
            return shlex.join(("labctl", "impair", step.subject, *options))
        case steps.StopEngine(spec=spec):
            return _stop(spec)
        case steps_of_programs.StartProgram(spec=program):
            return start_program(program)
        case steps_of_programs.StopProgram(spec=program):
            return _pkill(program.ref.namespace, re.escape(program.command), program.stop_signal)
    raise TypeError(f"no command for {step!r}")


def _start(spec: EngineSpec) -> str:
    # ttun drops its privileges by itself, once it has opened what takes some.
    become = _as_user(spec.run_as if spec.program else None)
    line = f"{shlex.join(('ip', 'netns', 'exec', spec.device.namespace, *become))} {spec.command}"
    return _in_background(line, spec.directory)


def start_program(spec: ProgramSpec, output: str = "") -> str:
    """Return the command that starts a program in the background, its output to a file where one is named."""
    inside = beside(spec, spec.words)
    return _in_background(f"{inside} > {output} 2>&1" if output else inside, spec.cwd)


def beside(spec: ProgramSpec, words: Sequence[str]) -> str:
    """Return the command that runs something in the namespace of a program, as its user and in its environment."""
    become = _OTHER_USER.format(spec.user) if spec.user else ""
    variables = ("env", *(f"{name}={value}" for name, value in spec.env)) if spec.env else ()
    return f"ip netns exec {shlex.quote(spec.ref.namespace)} {become}{shlex.join((*variables, *words))}"


# With its groups, and the one right that a program of another user keeps.
_OTHER_USER = (
    'setpriv --reuid={0} --regid="$(id -g {0})" --init-groups'
    " --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service "
)


def _as_user(user: str | None) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()


def _in_background(line: str, directory: str) -> str:
    return f"(cd {shlex.quote(directory)} && {line}) &" if directory else f"{line} &"


def _stop(spec: EngineSpec) -> str:
    # Its impairments may have been changed since, but not its title.
    return _pkill(spec.device.namespace, f"{re.escape(spec.unimpaired.command)}( --impair.*)?", "TERM")


def _pkill(namespace: str, title: str, number: str) -> str:
    # Only in this namespace: another lab may have an engine with the same command. A script's own words come behind
    # those of its interpreter.
    there = f'--nslist net --ns "$(ip netns pids {shlex.quote(namespace)} | head -n 1)"'
    other = f"-{number} " if number != "TERM" else ""
    plain = title.replace(chr(92) + " ", " ")
    return f"pkill {other}-f {there} {shlex.quote(plain + '$')}"


def impair_options(before: Impairment, after: Impairment) -> list[str]:
    """Return the options of `labctl impair` that change the one impairment into the other."""
    now = before.as_dict()
    changed = {word: value for word, value in after.as_dict().items() if value != now[word]}
    return [part for word, value in changed.items() for part in (f"--{word}", show(word, value))]


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
