"""The kinds of probes: a table of those that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labctl.checks.kinds.dns import DnsKind
from labctl.checks.kinds.exec import ExecKind
from labctl.checks.kinds.http import HttpKind
from labctl.checks.kinds.kind import AtLeast, Counts, Each, Kind, Number, Target
from labctl.checks.kinds.nc import NcKind
from labctl.checks.kinds.ping import PingKind
from labctl.checks.kinds.route import RouteKind
from labctl.checks.kinds.throughput import ThroughputKind
from labctl.topology.model import Dns, Exec, Http, Nc, Ping, Probe, RouteLookup, Throughput

_KINDS: Mapping[type[Probe], Callable[[Any], Kind]] = {
    Ping: PingKind,
    Nc: NcKind,
    Exec: ExecKind,
    Http: HttpKind,
    Dns: DnsKind,
    RouteLookup: RouteKind,
    Throughput: ThroughputKind,
}

__all__ = ["AtLeast", "Counts", "Each", "Kind", "Number", "Target", "kind_of"]


def kind_of(probe: Probe) -> Kind:
    """Return the kind of a probe, which knows all about it."""
    return _KINDS[type(probe)](probe)
