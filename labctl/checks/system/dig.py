"""The dig of the machine, run inside the namespace."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from ipaddress import ip_address
from math import ceil

from labctl.checks import programs
from labctl.checks.dns_message import Answer
from labctl.checks.kinds.dns import DnsKind, concluded, dig
from labctl.checks.refusal import COMES_LATER_TOO, has_way, refused_at_once
from labctl.checks.results import Outcome
from labctl.checks.running_program import read_output, running
from labctl.checks.system.recognised import STARTING, recognised, unless_too_early
from labctl.process.patience import PatienceFor
from labctl.topology.model import Dns
from labctl.topology.values import Host

_STATUS = re.compile(r"^;; ->>HEADER<<- .*status: (\w+)", re.MULTILINE)
_RECORD = re.compile(r"^(\S+)\s+\d+\s+IN\s+(A|AAAA|CNAME)\s+(\S+)$", re.MULTILINE)
_AT_ONCE = {
    "network unreachable": errno.ENETUNREACH,
    "host unreachable": errno.EHOSTUNREACH,
    "operation not permitted": errno.EPERM,
    "permission denied": errno.EACCES,
    "invalid argument": errno.EINVAL,
}
"""What dig says of an errno of the first packet, in the words of its library."""


class SystemDig:
    """dig(1), whichever is first in PATH."""

    def __init__(self, patience: PatienceFor) -> None:
        """Raise MachineError where there is none, or it is not known."""
        self._patience = patience
        recognised("dig", "-v", known, "bind9-dnsutils")

    def ask(self, asked: Dns) -> Outcome:
        """Run dig, and conclude from what it prints."""
        server = DnsKind(asked).server()
        if server is None:
            return DnsKind(asked).ask(self._patience)
        words = [*dig(asked, server), "+tries=1", f"+time={ceil(asked.timeout)}", "+noall", "+comments", "+answer"]
        with running(asked.from_, words) as program:
            waiting = self._patience(ceil(asked.timeout) + STARTING, program.pid)
            while not program.has_ended() and read_output([program], waiting):
                pass
            said = program.data.decode(errors="replace") + program.messages()
        found = outcome(asked, server, said, has_way(asked.from_, server))
        return unless_too_early(found, asked.timeout if found.state == "silent" else None, waiting.waited())

    def typed(self, asked: Dns) -> str:
        """Return what a person types for the same."""
        return DnsKind(asked).typed()


def known(said: str) -> str | None:
    """Return the version of a dig that says this of itself; None where it is not known."""
    found = re.match(r"DiG 9\.\S+", said)
    return found[0] if found else None


def outcome(asked: Dns, server: Host, said: str, has_way: bool) -> Outcome:
    """Return what came of a question of which dig says this, where the kernel has a way to the server or has none."""
    if status := _STATUS.search(said):
        return concluded(asked, server, Answer(status[1], tuple(_addresses(asked, said)), truncated=False))
    low = said.lower()
    for words, number in _AT_ONCE.items():
        if words in low and has_way and number in COMES_LATER_TOO:
            return Outcome("silent", f"nothing came back from {server}: {words}")
        if words in low:
            return refused_at_once(OSError(number, words))
    if "timed out" in low or "no servers could be reached" in low or "connection refused" in low:
        why = "refused" if "connection refused" in low else f"did not answer within {asked.timeout:g} s"
        return Outcome("silent", f"{server} {why}")
    return Outcome("unasked", f"dig says: {programs.joined(said)}")


def _addresses(asked: Dns, said: str) -> Iterator[Host]:
    """Yield the addresses of the name, or of the one that it is another name for."""
    records = [(found[1].lower(), found[2], found[3].lower()) for found in _RECORD.finditer(said)]
    aliases = {owner: to for owner, kind, to in records if kind == "CNAME"}
    name = f"{asked.name}.".lower()
    for _ in range(len(aliases)):
        name = aliases.get(name, name)
    for owner, kind, data in records:
        if (owner, kind) == (name, asked.type):
            yield ip_address(data)
