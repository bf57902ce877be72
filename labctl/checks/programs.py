"""The programs called ping and nc: recognised by what they print of themselves, and what they print of a check parsed.

They differ in which options they take, how they listen and what they print at the end. So a program that is not known
is refused before the first check, and output of a known one that is not understood is no verdict. All of them are run
in the C locale, in which the kernel's errors have the same words everywhere. Pure: text in, answers out.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable

from labctl.checks import command_lines
from labctl.checks.refusal import COMES_LATER_TOO, refused_at_once
from labctl.checks.results import Outcome, State
from labctl.topology.model import Nc, Ping, Throughput

PingWords = Callable[[Ping], list[str]]
Iperf3Words = Callable[[Throughput], tuple[list[str], list[str]]]
NcWords = Callable[[Nc], tuple[list[str], list[str]]]

_PINGS: dict[str, PingWords] = {
    "iputils": command_lines.iputils,
    "GNU inetutils": command_lines.inetutils,
    "BusyBox": command_lines.busybox,
}
_NCS: dict[str, NcWords] = {
    "Ncat ": command_lines.openbsd,
    "OpenBSD netcat": command_lines.openbsd_verbose,
    "usage: nc [-46": command_lines.openbsd_verbose,  # as OpenBSD itself has it
    "connect to somewhere:": command_lines.traditional,
}

REFUSALS = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EPERM)
"""What the kernel refuses the first packet with (refusal.py)."""

KNOWN = {
    "ping": "known are those of iputils, GNU inetutils and BusyBox",
    "iperf3": "known is version 3",
    "nc": "known are those of OpenBSD, the traditional one, Ncat, and BusyBox where it was built with -u and -s",
    "curl": "known is the one of curl.se, from version 7.63 on",
    "dig": "known is the one of BIND 9",
}

_AT_ONCE = {
    **{os.strerror(number): number for number in REFUSALS},
    # musl's words, and what iputils makes of EACCES
    "Network unreachable": errno.ENETUNREACH,
    "Host is unreachable": errno.EHOSTUNREACH,
    "Do you want to ping broadcast? Then -b. If not, check your local firewall rules": errno.EACCES,
}
_LATER = tuple(map(os.strerror, (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT)))
_PING_COUNTED = re.compile(r"(\d+) packets? transmitted, (\d+) (?:packets? )?received")
_NOT_COUNTED = ("(DUP!)", "(BAD CHECKSUM!)")
_PING_FAILED = re.compile(r"^ping6?: (?:(?:connect|sendmsg|sendto|sending packet): )?(.+)$", re.MULTILINE)
_NC_FAILED = re.compile(r"^(?:.*: )?(.+?)\.?$", re.MULTILINE)


def ping_words(said: str) -> PingWords | None:
    """Return how a ping that says this of itself is called; None where it is not known."""
    return next((words for mark, words in _PINGS.items() if mark in said), None)


def nc_words(said: str) -> NcWords | None:
    """Return how both ends of an nc that says this of itself are called; None where it is not known, or cannot.

    That of BusyBox has UDP, and an address to listen on, only where it was built with them.
    """
    if "BusyBox" in said:
        return command_lines.traditional if all(re.search(rf"\s-{option}\b", said) for option in "us") else None
    return next((words for mark, words in _NCS.items() if mark in said), None)


def iperf3_words(said: str) -> Iperf3Words | None:
    """Return how both ends of an iperf3 that says this of itself are called; None where it is not known."""
    return command_lines.iperf3 if re.search(r"^iperf 3\.", said, re.MULTILINE) else None


def iperf3_intervals(said: str) -> list[tuple[float, int]] | None:
    """Return the seconds and the bytes of each interval that the JSON of iperf3 reports; None where it is not known."""
    try:
        sums = [each["sum"] for each in json.loads(said)["intervals"]]
        return [(float(each["seconds"]), int(each["bytes"])) for each in sums if each["seconds"] > 0]
    except (ValueError, KeyError, TypeError):
        return None


def introduction(said: str) -> str:
    """Return the line in which a program says its name and version, as far as that is known."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in lines if "invalid option" not in line), "nothing")


def ping_outcome(said: str, count: int) -> Outcome:
    """Return what a ping that sent `count` requests says came of them."""
    found = _PING_COUNTED.search(said)
    sent, received = (int(found[1]), int(found[2])) if found else (0, 0)
    if not received and (refusal := _refusal(_PING_FAILED, said)):
        return refused_at_once(OSError(refusal, ""))
    if not found:
        return Outcome("unasked", f"ping says: {joined(said)}")
    if sent != count or received > sent:
        return Outcome("unasked", f"{sent} sent, {received} replies, where {count} were to be sent")
    state: State = "answered" if received == sent else "differs" if received else "silent"
    return Outcome(state, f"{sent} sent, {received} replies" if received else f"{sent} sent, no reply")


def ping_received(said: str) -> int:
    """Return how many replies a ping has counted."""
    found = _PING_COUNTED.search(said)
    return int(found[2]) if found else 0


def ping_times(said: str) -> list[float]:
    """Return the seconds of each reply that a ping shows and counts: not of a copy, or of one that is damaged."""
    counted = (line for line in said.splitlines() if not line.endswith(_NOT_COUNTED))
    return [float(found[1]) / 1000 for line in counted if (found := re.search(r"time[=<]([0-9.]+) ?ms", line))]


def client_failure(said: str, has_way: bool) -> Outcome | None:
    """Return why an nc ended that had carried nothing; None where the network answered it so.

    "No route to host" is a route of type unreachable, an ARP request without answer, or what a router says by ICMP. nc
    does not say which, so the kernel was asked whether it has a way to send the packet.
    """
    refusal = _refusal(_NC_FAILED, said)
    if refusal in COMES_LATER_TOO and has_way:
        return None
    if refusal:
        return refused_at_once(OSError(refusal, ""))
    return None if any(words in said for words in _LATER) else Outcome("unasked", f"nc ended; it said: {joined(said)}")


def joined(said: str) -> str:
    """Return what a program said in one line."""
    return " ".join(said.split()) or "nothing"


def _refusal(pattern: re.Pattern[str], said: str) -> int | None:
    """Return the errno of the first line that says what the kernel refused at once."""
    found = (_AT_ONCE.get(words) for words in pattern.findall(said))
    return next((number for number in found if number), None)
