"""The connections that a namespace follows, and whether it translates their addresses (proc(5): net/nf_conntrack).

A reply is expected with the ends exchanged. Where it is not, NAT has its hand in it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from labctl.frozen import frozen
from labctl.kernel.flow import Flow

_ICMP = {"icmpv6": "ipv6-icmp"}  # as proc(5) has it, and as protocols(5) does


@frozen
class Connection:
    """A connection: the packets that began it, and those that are expected to answer.

    `state` is that of TCP, in the kernel's words. ICMP has an identifier in place of ports.
    """

    original: Flow
    reply: Flow
    state: str
    answered: bool  # whether a reply was seen
    identifier: int | None = None

    @property
    def translated(self) -> bool:
        return self.reply != self.original.answer

    @property
    def words(self) -> str:
        """What is translated, in a few words; empty where nothing is."""
        mirror = self.original.answer
        to, source = (mirror.source, mirror.sport), (mirror.to, mirror.dport)
        parts = []
        if (self.reply.source, self.reply.sport) != to:
            parts.append(f"to {_end(*to)} becomes to {_end(self.reply.source, self.reply.sport)}")
        if (self.reply.to, self.reply.dport) != source:
            parts.append(f"from {_end(*source)} becomes from {_end(self.reply.to, self.reply.dport)}")
        return ", ".join(parts)


def _end(host: object, port: int) -> str:
    return f"{host} port {port}" if port else str(host)


def connections() -> list[Connection]:
    """Return the connections of this thread's namespace; none where it follows none, or the kernel does not tell."""
    with suppress(FileNotFoundError, PermissionError):
        lines = Path("/proc/thread-self/net/nf_conntrack").read_text().splitlines()
        return [_read(line.split()) for line in lines]
    return []


def _read(words: Sequence[str]) -> Connection:
    protocol = _ICMP.get(words[2], words[2])
    pairs = [word.partition("=")[::2] for word in words if "=" in word]
    second = [name for name, _ in pairs].index("src", 1)
    original, reply = dict(pairs[:second]), dict(pairs[second:])
    state = "" if "=" in words[5] or words[5].startswith("[") else words[5]
    return Connection(
        _flow(protocol, original),
        _flow(protocol, reply),
        state,
        "[UNREPLIED]" not in words,
        int(original["id"]) if "id" in original else None,
    )


def _flow(protocol: str, told: dict[str, str]) -> Flow:
    source, to = ipaddress.ip_address(told["src"]), ipaddress.ip_address(told["dst"])
    return Flow(to, source, protocol, int(told.get("sport", 0)), int(told.get("dport", 0)))
