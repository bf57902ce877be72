"""The faults that everybody may look at, by class."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from tests.diagnosis.fault import Fault, Pair
from tests.diagnosis.faults import (
    addresses,
    afterwards,
    engines,
    files,
    firewalls,
    links,
    lived,
    moved,
    others,
    pairs,
    routes,
    settings,
    several,
    translated,
    written,
)

AFTERWARDS = "thought of afterwards"

BY_CLASS: Mapping[str, tuple[Fault, ...]] = {
    "file wrong": files.FAULTS,
    "routes, rules": routes.FAULTS,
    "links, neighbours": links.FAULTS,
    "addresses": addresses.FAULTS,
    "settings, sizes": settings.FAULTS,
    "engines, sockets": engines.FAULTS,
    "firewalls, NAT": firewalls.FAULTS,
    "tc, xfrm, others": others.FAULTS,
    AFTERWARDS: tuple(
        chain(afterwards.FAULTS, lived.FAULTS, moved.FAULTS, several.FAULTS, translated.FAULTS, written.FAULTS)
    ),
}

PAIRS: tuple[Pair, ...] = pairs.among(chain.from_iterable(BY_CLASS.values()))
