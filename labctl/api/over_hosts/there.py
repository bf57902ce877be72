"""What is about one engine, program or namespace of a lab over hosts: it is done on the host where that is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl.api.caller import Caller
from labctl.api.over_hosts.sessions import result_of, sessions
from labctl.api.work import inspect, operate
from labctl.topology.interface_ref import InterfaceRef

if TYPE_CHECKING:
    from labctl.hosts.context import OverHosts
    from labctl.lab.engines.control import Changes
    from labctl.lab.impair import InForce


def logs(over: OverHosts, named: Sequence[str], follow: bool, caller: Caller) -> None:
    """Tell the lines that engines and programs wrote, each with the name of its host."""
    logins, lab = over.record.logins, over.record.lab
    by_host: dict[str, list[str]] = {}
    for name in named:
        by_host.setdefault(over.host_of(InterfaceRef.typed(name).namespace), []).append(name)
    works = {host: partial(inspect.logs, lab, by_host.get(host, ()), follow) for host in by_host or logins}
    width = max(map(len, works))
    with sessions({host: logins[host] for host in works}) as found:
        found.reach_all()
        answers = found.do(works, lambda host, line: caller.tell(f"{host.ljust(width)}  {line}"))
        for answer in answers.values():
            result_of(answer)


def impair(over: OverHosts, device: str, changes: Sequence[Changes]) -> InForce:
    """Change what packets suffer at a device."""
    host = over.host_of(InterfaceRef.typed(device).namespace)
    with sessions({host: over.record.logins[host]}) as found:
        found.reach_all()
        return found.on(host, partial(operate.impair, over.record.lab, device, changes))
