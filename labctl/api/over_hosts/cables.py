"""The cables of a lab over hosts: whether the hosts reach one another, how wide the ways are, and the ends joined.

An end is joined anew, with a new key, where either of the two does not carry: its engine may have begun anew, and a key
serves a pair of engines once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from functools import partial

from labctl.api import agent
from labctl.api.over_hosts.sessions import Sessions
from labctl.api.work import parts
from labctl.engine.cable.forward import Plug
from labctl.engine.cable.udp import resolved
from labctl.errors import KernelRefused, MachineError, UsageError
from labctl.lab.cables.ends import Waiting
from labctl.lab.cables.joining import End, Seen, blocked, joined, pairs
from labctl.lab.cables.status import CableStatus
from labctl.plan.desired import cable_spec
from labctl.plan.parts import fitted
from labctl.plan.parts import parts as parts_of
from labctl.topology.cables import address_of_host, cables_of
from labctl.topology.model import Topology

OPEN = "open UDP in the firewalls between the hosts: the ports that `ports:` of each host names, in both directions"


def with_addresses(topology: Topology) -> Topology:
    """Return a topology whose hosts have IP addresses, by DNS or as ssh has them. Raise UsageError for one of none."""
    if not cables_of(topology):
        return topology
    hosts = {name: known.replace(address=_address(topology, name)) for name, known in topology.hosts.items()}
    return topology.replace(hosts=hosts)


def _address(topology: Topology, host: str) -> str:
    known = address_of_host(topology, host)
    for name in (known, _as_ssh_has_it(str(topology.hosts[host].ssh or host))):
        try:
            return resolved(name)
        except OSError as error:
            why = error.strerror or str(error)
    raise UsageError(
        f"where the other hosts send to is not known of {host}",
        f"{known} has no address: {why}",
        f"say it in the file or the inventory: hosts: {{{host}: {{address: 192.0.2.1}}}}",
    )


def _as_ssh_has_it(login: str) -> str:
    """Return the name that ssh connects to (ssh_config(5), HostName)."""
    done = subprocess.run(["ssh", "-G", "--", login], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    return next((value for key, _, value in lines if key == "hostname"), login)


def fit(found: Sessions, topology: Topology, stands: Mapping[str, Topology]) -> Topology:
    """Return a topology whose cables are as wide as the ways between the hosts, unless the file says it.

    Where nothing of the lab stands, the ways are tried. Raise MachineError where hosts do not reach one another.
    """
    if not cables_of(topology):
        return topology
    return fitted(topology, _carried_now(found, topology, stands) if stands else _carried(found, topology))


def _carried(found: Sessions, topology: Topology) -> dict[str, int]:
    """Try the ways between the hosts. Return the largest packet that each cable carries in one datagram, in bytes."""
    shares = {host: share.part.cables for host, share in parts_of(topology).items() if share.part and share.part.cables}
    specs = {host: [cable_spec(end) for end in ends] for host, ends in shares.items()}
    ends: dict[str, dict[str, End]] = found.ask(agent.ends, specs, dict[str, End])
    addresses = {host: _address(topology, host) for host in shares}
    seen: dict[str, dict[str, Seen]] = found.ask(agent.tried, joined(ends, addresses), dict[str, Seen])
    if words := list(blocked(seen)):
        raise MachineError("the hosts do not reach one another", "\n".join(words), OPEN)
    return {cable: min(seen[host][cable].carried for host in both) for cable, both in pairs(seen).items()}


def _carried_now(found: Sessions, topology: Topology, stands: Mapping[str, Topology]) -> dict[str, int]:
    """Return what the cables of a lab that stands carry in one datagram; a new one as much as the narrowest."""
    known: dict[str, int] = {}
    for there in found.all(dict.fromkeys(stands, partial(parts.cables, topology.name, 0.0))).values():
        for name, cable in there.items():
            if cable.carried:
                known[name] = min(known.get(name, cable.carried), cable.carried)
    least = min(known.values(), default=0)
    return {str(cable): width for cable in cables_of(topology) if (width := known.get(str(cable), least))}


def plugs(topology: Topology, waiting: Mapping[str, Waiting]) -> dict[str, dict[str, Plug]]:
    """Return what each host is told to join the ends of all cables that do not carry, with new keys."""
    now = {host: there.cables for host, there in waiting.items()}
    dark = {cable for cable, both in pairs(now).items() if not all(now[host][cable].is_up for host in both)}
    told = joined(
        {host: there.ends for host, there in waiting.items()}, {host: _address(topology, host) for host in now}
    )
    return {host: {cable: plug for cable, plug in each.items() if cable in dark} for host, each in told.items()}


def check_carriers(now: Mapping[str, Mapping[str, CableStatus]]) -> None:
    """Raise KernelRefused where a cable does not carry, with what is in its way."""
    if words := list(_without_carrier(now)):
        raise KernelRefused("not all cables between hosts carry", "\n".join(words), OPEN)


def _without_carrier(now: Mapping[str, Mapping[str, CableStatus]]) -> Iterator[str]:
    """Yield what is in the way of cables that do not carry."""
    seen = {host: {name: each.seen() for name, each in cables.items()} for host, cables in now.items()}
    named = list(blocked(seen))
    yield from named
    if not named:
        yield from (
            f"{each.device} on {host}: {each}"
            for host, cables in now.items()
            for each in cables.values()
            if not each.is_up
        )


def notes(asked: Topology, made: Topology, now: Mapping[str, Mapping[str, CableStatus]]) -> Iterator[str]:
    """Yield what to know of the width of cables: one that was fitted, and one that is wider than its way."""
    cables = {name: cable for there in now.values() for name, cable in there.items()}
    for cable in cables_of(asked):
        carried, end = cables[str(cable)].carried, made.namespaces[cable.one.namespace].interfaces[cable.one.interface]
        if end.mtu is None or not carried:
            continue
        if asked.namespaces[cable.one.namespace].interfaces[cable.one.interface].mtu is None:
            yield f"cable {cable}: MTU {end.mtu}, what the way between the hosts carries in one datagram"
        elif end.mtu > carried:
            yield f"cable {cable}: MTU {end.mtu} is kept; packets larger than {carried} bytes take several datagrams"
