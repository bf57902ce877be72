"""route: where the kernel of a namespace would send a packet. It is asked as for a packet; none is sent."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.checks.kinds.kind import Counts
from labctl.checks.refusal import refused_at_once
from labctl.checks.results import Outcome, State
from labctl.kernel.lookup import NoWay, Way, way_to
from labctl.process.patience import PatienceFor
from labctl.topology.model import RouteLookup


class RouteKind:
    """A look-up of a route."""

    def __init__(self, asked: RouteLookup) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Ask the kernel."""
        return concluded(self.asked, way_to(self.asked.in_, self.asked.to))

    def typed(self) -> str:
        """Return the look-up with ip-route(8)."""
        return f"labctl exec {self.asked.in_} -- ip route get {self.asked.to}"

    def expectation(self, wanted: State) -> str:
        """Return the way that is expected."""
        if wanted == "not-sent":
            return f"no way to {self.asked.to}"
        meant = " ".join(f"{key} {value}" for key, value in _meant(self.asked))
        return f"to {self.asked.to} {meant}" if meant else f"a way to {self.asked.to}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return that no packet is sent."""
        return Counts(0, 0)

    def target(self) -> None:
        """Return that no packet is sent."""
        return

    def briefly(self, seconds: float, times: int) -> RouteLookup:
        """Return the same: the kernel answers at once."""
        return self.asked


def concluded(asked: RouteLookup, found: Way | NoWay) -> Outcome:
    """Return the outcome of a look-up."""
    if isinstance(found, NoWay):
        return refused_at_once(OSError(found.errno, ""))
    has = {"via": found.via, "dev": found.interface, "src": found.source}
    told = f"to {asked.to} " + " ".join(f"{key} {value}" for key, value in has.items() if value)
    if found.local:
        told += ", which is an address of its own"
    other = [key for key, value in _meant(asked) if has[key] != value]
    return Outcome("differs" if other else "answered", told)


def _meant(asked: RouteLookup) -> Iterator[tuple[str, str]]:
    """Yield what is expected of the way, in the words of ip-route(8)."""
    for key, value in (("via", asked.via), ("dev", asked.dev), ("src", asked.src)):
        if value is not None:
            yield key, str(value)
