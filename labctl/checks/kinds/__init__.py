"""The kinds of probes: which there are. Each is loaded for the first check of its kind."""

from __future__ import annotations

from labctl.checks.kinds.kind import AtLeast, Counts, Each, Kind, Number, Target
from labctl.topology.model import Dns, Exec, Http, Nc, Ping, Probe, RouteLookup, Throughput

__all__ = ["AtLeast", "Counts", "Each", "Kind", "Number", "Target", "kind_of"]


def kind_of(probe: Probe) -> Kind:
    """Return the kind of a probe, which knows all about it."""
    match probe:
        case Ping():
            from labctl.checks.kinds.ping import PingKind

            return PingKind(probe)
        case Nc():
            from labctl.checks.kinds.nc import NcKind

            return NcKind(probe)
        case Exec():
            from labctl.checks.kinds.exec import ExecKind

            return ExecKind(probe)
        case Http():
            from labctl.checks.kinds.http import HttpKind

            return HttpKind(probe)
        case Dns():
            from labctl.checks.kinds.dns import DnsKind

            return DnsKind(probe)
        case RouteLookup():
            from labctl.checks.kinds.route import RouteKind

            return RouteKind(probe)
        case Throughput():
            from labctl.checks.kinds.throughput import ThroughputKind

            return ThroughputKind(probe)
