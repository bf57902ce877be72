"""What a user would tell of a check that fails, and of one that holds: whom they want to reach, and no more."""

from __future__ import annotations

import random
from collections.abc import Collection

from labctl.learn.faults.layout import Layout
from labctl.topology.model import Check

_ENDS = ("Yesterday it did.", "This morning it still did.", "It did until last night.")


def complaint(check: Check, draw: random.Random) -> str:
    """Return what a user says of a check that expects an answer, and fails."""
    who = _who(check)
    end = draw.choice(_ENDS)
    if check.ping:
        told = (f"{who} gets no answer from {check.ping.to}.", f"{who} does not reach {check.ping.to} any more.")
        return f"{draw.choice(told)} {end}"
    if check.nc:
        what = "cannot connect to" if check.nc.protocol == "tcp" else "gets nothing through to"
        return f"{who} {what} the service of {check.nc.to} at {check.nc.address}, port {check.nc.port}. {end}"
    if check.http:
        return f"{who} cannot open {check.http.url}. {end}"
    if check.dns:
        return f"{who} does not find {check.dns.name} by its name. {end}"
    return f"{check.description or check.name}: not any more. {end}"


def what_works(layout: Layout, failing: Collection[str]) -> list[str]:
    """Return what a user would say of the checks that hold, each once: that a site reaches itself is no news."""
    within = {way.check.name for way in layout.local}
    holding = [check for check in layout.topology.checks if check.name not in {*failing, *within}]
    return [words for words in dict.fromkeys(map(praise, holding)) if words]


def praise(check: Check) -> str:
    """Return what a user says of one that holds; empty where it is nothing that they would notice."""
    who = _who(check)
    if check.expect in ("no-reply", "not-delivered", "not-sent"):
        return ""
    if check.ping:
        return f"{who} reaches {check.ping.to}"
    if check.nc:
        return f"{who} reaches port {check.nc.port} of {check.nc.address} over {check.nc.protocol.upper()}"
    if check.http:
        return f"{who} can open {check.http.url}"
    return ""


def _who(check: Check) -> str:
    """Return the namespace that asks."""
    return next(iter(check.probe.namespaces.values()), "")
