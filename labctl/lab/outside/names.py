"""The names that checks look up: by the teacher's file, and not by files of the namespace."""

from __future__ import annotations

from labctl.checks.host_names import HOSTS, RESOLV
from labctl.kernel.own_files import LABS, Own
from labctl.plan.desired import Desired
from labctl.plan.steps import WriteFile, WriteHosts


def keep_names(wanted: Desired) -> None:
    """Have each namespace of this process's /run see the hosts and name servers that a topology has for it."""
    lab = LABS / wanted.topology.name
    for step in wanted.steps:
        match step:
            case WriteHosts(namespace=name, lines=lines):
                Own(lab, name).write_hosts(lines)
            case WriteFile(namespace=name, path=path, mode=mode, content=content) if path in (HOSTS, RESOLV):
                Own(lab, name).write(path, content, mode)
