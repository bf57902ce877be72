"""Whether the facts already show what a step would make; nothing of a topology is needed to tell."""

from __future__ import annotations

import re

from labctl.plan.facts import Facts, Namespace
from labctl.plan.impairing import is_served
from labctl.plan.routes import is_same_route
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddRule,
    AddVeth,
    NoAutomaticAddresses,
    SetMac,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
)

_NUMBER = re.compile(r"-?[0-9]+")

End = tuple[str, str]
"""An interface: its namespace and its name."""


def holds(step: Step, facts: Facts) -> bool:
    """Whether what the step would make is there already."""
    there = facts.namespaces.get(step.namespace)
    if there is None:
        return False
    match step:
        case AddNamespace():
            return True
        case SetSysctl(path=path, value=value):
            return path in there.sysctls and same_value(there.sysctls[path], value)
        case AddRoute(route=wanted_route):
            return any(is_same_route(wanted_route, route) for route in there.routes)
        case AddRule(rule=rule):
            return any(rule in rules for rules in there.rules.values())
        case StartEngine():
            return is_served(step, facts.engines.get(step.subject, ""))
        case AddVeth():
            return is_whole(step, facts)
    link = there.links.get(getattr(step, "interface", ""))
    if link is None:
        return False
    match step:
        case AddLink(kind=kind, owner=owner):
            return (link.kind, link.owner) == (kind, owner or "")
        case SetMac(mac=mac):
            return link.mac == mac
        case SetMtu(mtu=mtu):
            return link.mtu == mtu
        case SetMaster(master=master):
            return link.master == master
        case SetNetem(impairment=impairment):
            return link.netem == impairment
        case NoAutomaticAddresses():
            return link.addrgenmode == "none"
        case AddAddress(address=address):
            return address in link.addresses
        case SetUp():
            return link.up
    raise TypeError(f"no way to tell whether {step!r} holds")


def same_value(found: str | None, wanted: str) -> bool:
    """Return whether a setting is as it should be. One that can only be written cannot be shown to differ."""
    if found is None:
        return True
    words = [[int(word) if _NUMBER.fullmatch(word) else word for word in text.split()] for text in (found, wanted)]
    return words[0] == words[1]


def is_whole(cable: AddVeth, facts: Facts) -> bool:
    """Whether a cable is there, from the one end to the other."""
    here, there = ends(cable)
    return peer_of(facts, here) == there and peer_of(facts, there) == here


def ends(cable: AddVeth) -> tuple[End, End]:
    return (cable.namespace, cable.interface), (cable.peer_namespace, cable.peer_interface)


def peer_of(facts: Facts, end: End) -> End | None:
    """The other end of a cable, None where there is no such cable."""
    link = facts.namespaces.get(end[0], Namespace()).links.get(end[1])
    if link is None or not link.peer:
        return None
    space, _, interface = link.peer.partition(":")
    return space, interface
