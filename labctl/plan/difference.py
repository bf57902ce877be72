"""What a step is for: how that which the kernel shows differs from what the step makes.

The one comparison of a plan. Over the facts after the removals it tells which steps are to be done; over the facts as
they were observed it tells why.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from labctl.plan import firewall, steps, steps_of_files, steps_of_programs
from labctl.plan.facts import Facts, FoundProgram, Link, Namespace, Neighbour, RunningEngine
from labctl.plan.own_file import OwnFile
from labctl.plan.program_spec import ProgramSpec
from labctl.plan.routes import is_same_route
from labctl.plan.steps import InterfaceStep, Step
from labctl.plan.steps_of_exec import RunLine
from labctl.plan.steps_of_firewall import SetFirewall
from labctl.plan.steps_of_hosts import WriteHosts

_NUMBER = re.compile(r"-?[0-9]+")
ABSENT = "is not there"
UNWANTED = "is not in the file"
"""The reason of most removals."""
CONSEQUENCE = "goes with a change above"
"""The reason of what is there, and has to be made again."""


class Change(NamedTuple):
    """A step of a plan, and why it is in there."""

    step: Step
    reason: str

    def __str__(self) -> str:
        return f"{self.step.subject} {self.step.words} ({self.reason})"

    @property
    def command(self) -> str:
        """The command that does the same from a shell."""
        from labctl.plan.commands import command  # which only some ask for

        return command(self.step)


def change(step: Step, facts: Facts) -> Change:
    """Return a step that makes something with its reason; what is there already goes with a removal before it."""
    return Change(step, difference(step, facts) or CONSEQUENCE)


def difference(step: Step, facts: Facts) -> str | None:
    """Return what the facts show in place of what the step makes; None where they show just that."""
    there = facts.namespaces.get(step.namespace)
    if there is None:
        return ABSENT
    if isinstance(step, steps.StartEngine):
        return _of_engine(step, facts.engines.get(step.ref))
    if isinstance(step, steps_of_programs.StartProgram):
        return of_program(step.spec, facts.programs.get(step.spec.ref))
    if isinstance(step, steps.ImpairEngine):
        return _of_impairment(step, facts.engines.get(step.ref))
    if isinstance(step, steps.AddVeth) and is_whole(step, facts):
        return None
    if not isinstance(step, InterfaceStep):
        return _of_namespace(step, there)
    link = there.links.get(step.interface)
    return ABSENT if link is None else _of_link(step, link)


def _of_namespace(step: Step, there: Namespace) -> str | None:
    match step:
        case steps.AddNamespace():
            return None
        case steps.SetSysctl(path=path, value=value):
            if path not in there.sysctls:
                return "is not known"
            return _unless(same_value(there.sysctls[path], value), f"is {there.sysctls[path]}")
        case steps.AddRoute(route=wanted):
            return _unless(any(is_same_route(wanted, route) for route in there.routes), ABSENT)
        case steps.AddRule(rule=rule):
            return _unless(any(rule in rules for rules in there.rules.values()), ABSENT)
        case steps_of_files.WriteFile(path=path) | steps_of_files.MakeDirectory(path=path):
            return _of_file(there.files.get(path), step.makes)
        case WriteHosts():
            found = "are not there" if there.hosts is None else "are others"
            return _unless(there.hosts == step.digest, found)
        case RunLine(line=line):
            return _unless(line in there.ran, "has not run")
        case SetFirewall(firewall=wanted):
            return firewall.difference(wanted, there.firewall, there.listing)
    raise TypeError(f"no way to compare {step!r}")


def _of_file(found: OwnFile | None, wanted: OwnFile) -> str | None:
    if found is None:
        return ABSENT
    if found.kind != wanted.kind:
        return f"is a {found.kind}" if found.kind else "is something else"
    if found.digest != wanted.digest:
        return "has another content"
    return _unless(found.mode == wanted.mode, f"its mode is {found.mode:04o}")


def _of_link(step: InterfaceStep, link: Link) -> str | None:
    match step:
        case steps.AddLink(kind=kind) if link.kind != kind:
            return f"is a {link.kind}"
        case steps.AddLink(owner=owner):
            return _unless(link.owner == (owner or ""), f"its owner is {link.owner or 'not set'}")
        case steps.AddVeth():
            return f"leads to {link.peer or 'nothing of the lab'}" if link.kind == "veth" else f"is a {link.kind}"
        case steps.SetMac(mac=mac):
            return _unless(link.mac == mac, f"is {link.mac}")
        case steps.SetMtu(mtu=mtu):
            return _unless(link.mtu == mtu, f"is {link.mtu}")
        case steps.SetMaster(master=master):
            return _unless(link.master == master, f"is a port of {link.master}" if link.master else "is no port")
        case steps.SetNetem(impairment=impairment):
            return _unless(link.netem == impairment, f"is {link.netem}" if link.netem else "is not impaired")
        case steps.SetOption(option=option, value=value):
            found = link.options.get(option, "not known")
            return _unless(found == value, f"is {found}")
        case steps.NoAutomaticAddresses():
            return _of_addrgenmode(link, "none")
        case steps.AutomaticAddresses(mode=mode):
            return _of_addrgenmode(link, mode)
        case steps.AddAddress(address=address):
            return _unless(address in link.addresses, ABSENT)
        case steps.AddNeighbour(neighbour=neighbour):
            return _of_neighbour(neighbour, link)
        case steps.SetUp():
            return _unless(link.up, "is down")
    raise TypeError(f"no way to compare {step!r}")


def _of_neighbour(wanted: Neighbour, link: Link) -> str | None:
    found = next((each for each in link.neighbours if wanted.is_in_place_of(each)), None)
    return ABSENT if found is None else _unless(found == wanted, f"is {found.lladdr} {found.state}")


def _of_addrgenmode(link: Link, mode: str) -> str | None:
    return _unless(link.addrgenmode == mode, f"is {link.addrgenmode}" if link.addrgenmode else "has no IPv6")


def _of_engine(step: steps.StartEngine, running: RunningEngine | None) -> str | None:
    if running is None:
        return "is not running"
    if running.outdated:
        return running.outdated
    if not running.spec.can_become(step.spec):
        return f"runs as {running.spec.command}"
    return "is stopped" if running.stopped else None


def of_program(wanted: ProgramSpec, found: FoundProgram | None) -> str | None:
    """Return what is found in place of a program; None where it runs as it should."""
    if found is None or found.state == "ended":
        return f"is not running: {found.ended}" if found and found.ended else "is not running"
    if found.state == "waiting":
        return f"{found.ended}, and waits to be started again"
    if found.outdated:
        return found.outdated
    changed = found.spec.changed(wanted)
    if changed:
        return f"runs as {found.spec.command}" if "command" in changed else f"its {' and '.join(changed)} changed"
    return "is stopped" if found.state == "stopped" else None


def _of_impairment(step: steps.ImpairEngine, running: RunningEngine | None) -> str | None:
    if running is None:
        return "is not running"
    found = running.impairments[step.direction]
    return _unless(found == step.impairment, "is not impaired" if str(found) == "none" else f"is {found}")


def _unless(holds: bool, told: str) -> str | None:
    return None if holds else told


def same_value(found: str | None, wanted: str) -> bool:
    """Return whether a setting is as it should be. One that can only be written cannot be shown to differ."""
    if found is None:
        return True
    words = [[int(word) if _NUMBER.fullmatch(word) else word for word in text.split()] for text in (found, wanted)]
    return words[0] == words[1]


def is_whole(cable: steps.AddVeth, facts: Facts) -> bool:
    """Return whether a cable is there, from the one end to the other."""
    here, there = facts.link(cable.ref), facts.link(cable.peer)
    return here is not None and there is not None and (here.peer, there.peer) == (cable.peer, cable.ref)
