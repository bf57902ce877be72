"""Routes and rules of a file as the kernel has them, every default filled in but the interface of a next hop."""

from __future__ import annotations

from labctl.plan.routes import NextHop, Route, Rule
from labctl.topology import model
from labctl.topology.routing import metric_of
from labctl.topology.values import Network


def route_of(written: model.Route) -> Route:
    """Return a route of a file; its interface is left open where the file leaves it open."""
    return Route(
        to=str(written.to),
        via=_text(written.via),
        dev=written.dev,
        metric=metric_of(written),
        type=written.type,
        table=written.table,
        src=_text(written.src),
        onlink=written.onlink,
        metrics=tuple((name, str(value)) for name in model.METRICS if (value := getattr(written, name)) is not None),
        nexthops=tuple(NextHop(_text(hop.via), hop.dev, hop.weight, hop.onlink) for hop in written.nexthops),
    )


def rule_of(written: model.Rule) -> Rule:
    """Return a rule of a file."""
    is_lookup = written.type == "unicast"
    return Rule(
        family="inet6" if written.version == 6 else "inet",
        priority=written.priority,
        inverted=written.not_,
        source=_selected(written.from_),
        to=_selected(written.to),
        fwmark=written.fwmark,
        iif=written.iif,
        oif=written.oif,
        ipproto=written.ipproto,
        sport=written.sport,
        dport=written.dport,
        action="lookup" if is_lookup else written.type,
        table=(written.table or "main") if is_lookup else None,
        suppress_prefixlength=written.suppress_prefixlength,
    )


def _selected(network: Network | None) -> str:
    """Return a network as the kernel shows it in a rule: `all` for that of all addresses."""
    return str(network) if network is not None and network.prefixlen else "all"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
