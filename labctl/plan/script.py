"""A whole lab as the script that a person would type, with its own way back.

It is the desired steps, in an order for people: one interface after the other, each with everything that belongs to
it, then the routes, the engines and the programs. The state that it leaves is the one that `labctl up` leaves; a test
compares the two.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Iterable
from itertools import groupby

from labctl.plan import steps
from labctl.plan.commands import command
from labctl.plan.commands.files import netns_file
from labctl.plan.commands.processes import preamble, start_and_wait
from labctl.plan.desired import Desired
from labctl.plan.steps import STAND_IN, InterfaceStep, Step
from labctl.topology.model import Topology

_STAND_IN = f"""\
# Where the kernel has no dummy driver, a bridge without ports swallows packets just the same.
stand_in() {{
    ip -n "$1" link add name "$2" type bridge mcast_snooping 0
    ip -n "$1" link set dev "$2" arp off multicast off alias {shlex.quote(STAND_IN)}
}}
"""

_NAMESPACES, _SETTINGS, _INTERFACES, _PORTS, _ROUTES, _RULES, _FIREWALLS, _FILES, _ENGINES, _LINES, _PROGRAMS = range(
    11
)
_HEADINGS = {
    _NAMESPACES: "Namespaces: each is a network stack of its own.",
    _SETTINGS: "Settings that a new namespace would else take from the machine.",
    _PORTS: "Bridges get their ports.",
    _ROUTES: "What is not next door has a way.",
    _RULES: "Rules: which packets are looked up in which table.",
    _FILES: "Files that `ip netns exec` shows in one namespace alone.",
    _FIREWALLS: "Firewalls: what may pass, and from which address it goes on.",
    _ENGINES: "The engines: each carries the packets of its TUN device to its peer, one per UDP datagram.",
    _LINES: "Lines that run once.",
    _PROGRAMS: "The programs: each starts once those that it needs are ready.",
}


def script(desired: Desired) -> str:
    """Return a POSIX shell script: without a word it makes the lab, with `down` it removes it."""
    topology = desired.topology
    ordered = sorted(desired.steps, key=lambda step: _place(step, topology))
    name = shlex.quote(topology.name)
    parts = [
        f"#!/bin/sh\n{_commented(_title(topology))}#\n"
        f"# As root:  sh {name}.sh        makes it; where a command fails it stops there\n"
        f"#           sh {name}.sh down   takes away these namespaces and whatever runs in them\n"
        f"# It needs {_needed(ordered)} in the PATH.\n",
        _down(desired),
        "set -e\n",
    ]
    if any(isinstance(step, steps.AddLink) and step.kind == "dummy" for step in ordered):
        parts.append(_STAND_IN)
    programs = [step.spec for step in ordered if isinstance(step, steps.StartProgram)]
    parts.extend(preamble(programs))
    for heading, group in groupby(ordered, key=lambda step: _heading(step, topology)):
        parts.append(f"# {heading}\n" + "".join(f"{_typed(step)}\n" for step in group))
    return "\n".join(parts)


def _needed(ordered: Iterable[Step]) -> str:
    nft = ", nft(8)" if any(isinstance(step, steps.SetFirewall) for step in ordered) else ""
    return f"ip(8), sysctl(8){nft} and ttun"


def _title(topology: Topology) -> str:
    return f"{topology.name}: {topology.description}" if topology.description else topology.name


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, 110))


def _down(desired: Desired) -> str:
    names = shlex.join(desired.topology.namespaces)
    written = [file for step in desired.steps if (file := netns_file(step))]
    removed = f"    rm -f {shlex.join(written)}\n" if written else ""
    emptied = dict.fromkeys((*(os.path.dirname(file) for file in written), "/etc/netns"))
    removed += f"    rmdir {shlex.join(emptied)} 2>/dev/null || :\n" if written else ""
    return f"""\
if [ "$1" = down ]; then
    for name in {names}; do
        ip netns pids "$name" | xargs -r kill
        ip netns del "$name"
    done
{removed}    exit
fi
"""


def _typed(step: Step) -> str:
    if isinstance(step, steps.StartProgram):
        return "\n".join(start_and_wait(step.spec))
    line = command(step)
    if isinstance(step, steps.AddLink) and step.kind == "dummy":
        return f"{line} 2>/dev/null || stand_in {shlex.join((step.namespace, step.interface))}"
    return line


def _place(step: Step, topology: Topology) -> tuple[int, ...]:
    """Return where a step stands; steps of one place keep their order."""
    space = list(topology.namespaces).index(step.namespace)
    interface = _interface(step, topology)
    match step:
        case steps.AddNamespace():
            return (_NAMESPACES, space)
        case steps.SetMaster():
            return (_PORTS, space)
        case steps.AddRoute():
            return (_ROUTES, space)
        case steps.AddRule():
            return (_RULES, space)
        case steps.WriteHosts() | steps.WriteFile() | steps.MakeDirectory():
            return (_FILES, space)
        case steps.SetFirewall():
            return (_FIREWALLS, space)
        case steps.StartEngine() | steps.StartCable():
            return (_ENGINES,)
        case steps.RunLine():
            return (_LINES, space)
        case steps.StartProgram():
            return (_PROGRAMS,)
        case _ if interface is None:
            return (_SETTINGS, space)
    order = ["lo", *topology.namespaces[step.namespace].interfaces]
    # A cable is one command for both of its ends, so every cable comes before anything is done with an end.
    return (
        (_INTERFACES, space, order.index(interface))
        if not isinstance(step, steps.AddVeth)
        else (_INTERFACES, -1, space)
    )


def _interface(step: Step, topology: Topology) -> str | None:
    """Return the interface that a step is about; None where it is about the whole namespace."""
    if isinstance(step, InterfaceStep):
        return step.interface
    if isinstance(step, steps.SetSysctl):
        interfaces = topology.namespaces[step.namespace].interfaces
        return next((part for part in step.path.split("/")[3:4] if part in interfaces), None)
    return None


def _heading(step: Step, topology: Topology) -> str:
    phase, *_ = _place(step, topology)
    if phase in _HEADINGS:
        return _HEADINGS[phase]
    if isinstance(step, steps.AddVeth):
        return "Cables: a veth has two ends, each born in its own namespace."
    interface = _interface(step, topology) or ""
    kind = "lo" if interface == "lo" else topology.namespaces[step.namespace].interfaces[interface].kind
    return f"{step.namespace}: {interface}{_told(kind)}"


def _told(kind: str) -> str:
    return {
        "lo": ", without which a host does not even reach itself",
        "dummy": ", an interface that swallows what is sent through it",
        "tun": ", a TUN device: IP packets to and from a program",
        "tap": ", a TAP device: Ethernet frames to and from a program",
        "veth": ", its end of a cable",
        "bridge": ", a switch",
    }[kind]
