"""dns: which addresses a name server has for a name."""

from __future__ import annotations

from labctl.checks.dns_message import Answer, Malformed
from labctl.checks.dns_query import query
from labctl.checks.host_names import RESOLV, name_servers
from labctl.checks.kinds.kind import Counts, Target
from labctl.checks.refusal import NotSent, refused_at_once
from labctl.checks.results import Outcome, State
from labctl.errors import kernel_words
from labctl.process.patience import PatienceFor
from labctl.topology.model import Dns
from labctl.topology.values import Host

QUESTION = 16
"""Bytes of a question without the labels of its name."""


class DnsKind:
    """A question for the addresses of a name."""

    def __init__(self, asked: Dns) -> None:
        self.asked = asked

    def ask(self, patience: PatienceFor) -> Outcome:
        """Send the question, and compare the answer."""
        asked, server = self.asked, self.server()
        if server is None:
            return Outcome("unasked", f"there is no name server in {RESOLV} of {asked.from_}, and `server` names none")
        try:
            found = query(asked.from_, server, asked.port, asked.name, asked.type, asked.timeout, patience)
        except NotSent as refused:
            return refused_at_once(refused.error)
        except TimeoutError:
            return Outcome("silent", f"{server} did not answer within {asked.timeout:g} s")
        except OSError as error:
            return Outcome("silent", f"nothing came back from {server}: {kernel_words(error)}")
        except Malformed as problem:
            return Outcome("differs", f"what {server} answers is no message of DNS: {problem}")
        return concluded(asked, server, found)

    def server(self) -> Host | None:
        """Return the name server that is asked; None where the namespace knows none."""
        return self.asked.server or next(iter(name_servers(self.asked.from_)), None)

    def typed(self) -> str:
        """Return the question with dig(1)."""
        return f"labctl exec {self.asked.from_} -- {' '.join(dig(self.asked, self.asked.server))}"

    def expectation(self, wanted: State) -> str:
        """Return the addresses that have to be answered."""
        asked = self.asked
        of = f" from {asked.server}" if asked.server else ""
        answer = {"silent": "no reply", "not-sent": "not sent"}.get(wanted)
        return f"{asked.name} {asked.type}{of}: {answer or listed(asked.is_)}"

    def counts(self, wanted: State, leaving: int, arriving: int) -> Counts:
        """Return that only the protocol knows: an answer that is too long for a datagram takes a connection."""
        return Counts(None, 0 if wanted == "silent" else None)

    def target(self) -> Target | None:
        """Return the name server."""
        asked, server = self.asked, self.server()
        if server is None:
            return None
        return Target(asked.from_, server, "udp", asked.port, size=QUESTION + len(asked.name) + 2)

    def briefly(self, seconds: float, times: int) -> Dns:
        """Return the same with a shorter time-out."""
        return self.asked.replace(timeout=min(self.asked.timeout, seconds))


def concluded(asked: Dns, server: Host, found: Answer) -> Outcome:
    """Return the outcome of an answer."""
    if found.code not in ("NOERROR", "NXDOMAIN"):
        return Outcome("differs", f"{server} answers {found.code}")
    if found.code == "NXDOMAIN" and not found.addresses:
        told = f"{server} says that there is no name {asked.name} (NXDOMAIN)"
    elif not found.addresses:
        told = f"{server} has no address of type {asked.type} for {asked.name}"
    else:
        told = f"{server} answers {listed(found.addresses)}"
    return Outcome("answered" if set(found.addresses) == set(asked.is_) else "differs", told)


def listed(addresses: tuple[Host, ...]) -> str:
    """Return addresses in words."""
    return ", ".join(map(str, addresses)) or "no address"


def dig(asked: Dns, server: Host | None) -> list[str]:
    """Return the command line of dig(1)."""
    at = [f"@{server}"] if server else []
    port = ["-p", str(asked.port)] if asked.port != 53 else []
    return ["dig", *at, *port, f"{asked.name}.", asked.type]
