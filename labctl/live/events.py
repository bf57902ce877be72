"""What happened in a lab, as plain data: what `labctl events` writes, and what views mark.

Each has a `kind` (lab, namespace, link, address ...) and a `change` in one word, and `words` for a person. All other
fields are JSON as they are.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from labctl.frozen import frozen


@frozen
class LabEvent:
    """The lab as a whole: `begun` while its first `up` is at work."""

    kind: ClassVar[str] = "lab"
    change: Literal["begun", "up", "down"]
    mode: str = ""
    file: str = ""

    @property
    def words(self) -> str:
        return {"begun": "is being made", "up": "is up", "down": "is down"}[self.change]


@frozen
class HostEvent:
    """A host of the lab is lost: it is not reached, so what is on it is not known; or it is reached again.

    `begun`, `up` and `down` where the lab is so on this host, and not on all.
    """

    kind: ClassVar[str] = "host"
    change: Literal["lost", "reached", "begun", "up", "down"]
    host: str
    why: str = ""

    @property
    def words(self) -> str:
        match self.change:
            case "lost":
                return f"{self.host} is not reached" + (f": {self.why}" if self.why else "")
            case "reached":
                return f"{self.host} is reached again"
        return f"{self.host}: the lab {LabEvent(self.change).words} there"


@frozen
class NamespaceEvent:
    """A namespace came or went."""

    kind: ClassVar[str] = "namespace"
    change: Literal["added", "removed"]
    place: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.change}"


@frozen
class LinkEvent:
    """An interface came, went or changed; `before` and `after` where it has another value now."""

    kind: ClassVar[str] = "link"
    change: Literal["added", "removed", "up", "down", "carrier", "no-carrier", "mtu", "mac", "name", "master"]
    place: str
    before: str = ""
    after: str = ""

    @property
    def words(self) -> str:
        changed = f"{self.change} {self.before or 'none'} -> {self.after or 'none'}"
        return f"{self.place} {changed if self.before or self.after else self.change}"


@frozen
class AddressEvent:
    """An address of an interface came or went; `duplicate` where another host of the link has it (RFC 4862)."""

    kind: ClassVar[str] = "address"
    change: Literal["added", "removed", "duplicate"]
    place: str
    address: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.address} {self.change}"


@frozen
class RouteEvent:
    """A route came or went, in the words of ip-route(8)."""

    kind: ClassVar[str] = "route"
    change: Literal["added", "removed"]
    place: str
    route: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.route} {self.change}"


@frozen
class RuleEvent:
    """A rule of the routing policy came or went, in the words of ip-rule(8)."""

    kind: ClassVar[str] = "rule"
    change: Literal["added", "removed"]
    place: str
    priority: int
    rule: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.priority}: {self.rule} {self.change}"


@frozen
class NeighbourEvent:
    """An address of a link does not answer ARP or neighbour discovery, or does again."""

    kind: ClassVar[str] = "neighbour"
    change: Literal["failed", "answers"]
    place: str
    address: str

    @property
    def words(self) -> str:
        told = "does not answer" if self.change == "failed" else "answers again"
        return f"{self.place} {self.address} {told}"


@frozen
class EngineEvent:
    """An engine was started, has ended, was stopped by a signal, or continues; `removed`: the lab has it no more."""

    kind: ClassVar[str] = "engine"
    change: Literal["started", "ended", "stopped", "continued", "removed"]
    place: str
    pid: int

    @property
    def words(self) -> str:
        return f"{self.place} {self.change} (PID {self.pid})"


@frozen
class ProgramEvent:
    """A program was started, has ended, was stopped by a signal, or continues; `removed`: the lab has it no more."""

    kind: ClassVar[str] = "program"
    change: Literal["started", "ended", "stopped", "continued", "removed"]
    place: str
    pid: int
    how: str  # it ended, where that is known

    @property
    def words(self) -> str:
        told = self.how if self.change == "ended" and self.how else self.change
        return f"{self.place} {told}" + (f" (PID {self.pid})" if self.pid else "")


@frozen
class ImpairmentEvent:
    """Packets suffer something else now, in this direction; in the words of tc netem, `none` where nothing."""

    kind: ClassVar[str] = "impairment"
    change: Literal["changed"]
    place: str
    direction: str
    before: str
    after: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.direction} {self.before} -> {self.after}"


@frozen
class DropEvent:
    """Packets were dropped since the last look; `reason` is the name of the counter."""

    kind: ClassVar[str] = "drop"
    change: Literal["counted"]
    place: str
    reason: str
    packets: int
    told: str

    @property
    def words(self) -> str:
        return f"{self.place} {self.told}"


@frozen
class CheckEvent:
    """A check has another verdict than before, or its first, or it is known now why it failed.

    `not-asked`: its question could not be put.
    """

    kind: ClassVar[str] = "check"
    change: Literal["passed", "failed", "not-asked"]
    name: str
    observed: str
    why: str

    @property
    def words(self) -> str:
        return f"{self.name} {self.change}: {self.why or self.observed}"


@frozen
class DriftEvent:
    """The lab differs from its file in one thing more, or less; `command` is what would mend it."""

    kind: ClassVar[str] = "drift"
    change: Literal["appeared", "gone"]
    subject: str
    difference: str
    reason: str
    command: str

    @property
    def words(self) -> str:
        return f"{self.subject}: {self.difference} ({self.reason}) {self.change}"


@frozen
class ChallengeEvent:
    """A challenge runs in the lab: what differs from its file and why checks fail is not told; or it has ended.

    `since` is when it began, in seconds since the epoch.
    """

    kind: ClassVar[str] = "challenge"
    change: Literal["runs", "ended"]
    since: float

    @property
    def words(self) -> str:
        hidden = ": why checks fail, and what differs from the file, is not told" if self.change == "runs" else ""
        return f"a challenge {'runs' if self.change == 'runs' else 'has ended'}{hidden}"


@frozen
class MissedEvent:
    """The kernel told more of a namespace than was read in time; what is there was asked for anew."""

    kind: ClassVar[str] = "missed"
    change: Literal["overrun"]
    place: str

    @property
    def words(self) -> str:
        return f"{self.place}: some changes came too fast to be told one by one"


Event = (
    LabEvent
    | HostEvent
    | NamespaceEvent
    | LinkEvent
    | AddressEvent
    | RouteEvent
    | RuleEvent
    | NeighbourEvent
    | EngineEvent
    | ProgramEvent
    | ImpairmentEvent
    | DropEvent
    | CheckEvent
    | DriftEvent
    | ChallengeEvent
    | MissedEvent
)
