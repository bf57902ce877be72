"""Which end is told what, so that two of them become one cable; and what is in the way of one that does not.

Pure but for the keys: each call makes new ones, so no two ends ever meet with one that was used.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from labctl.engine.cable.forward import Plug
from labctl.engine.cable.sealing import KEY, Cipher
from labctl.engine.packets.address import Address


class End(NamedTuple):
    """An end that waits: the port of its socket, and the cipher that is the faster one on its host."""

    port: int
    cipher: Cipher


def joined(ends: Mapping[str, Mapping[str, End]], addresses: Mapping[str, str]) -> dict[str, dict[str, Plug]]:
    """Return what each host is told, by the names of host and cable, with a new key for each cable.

    `ends` are those of each host by the name of the cable, `addresses` where each host is reached, as IP addresses. A
    cable of which only one end is there is left out.
    """
    told: dict[str, dict[str, Plug]] = {host: {} for host in ends}
    for cable, (one, other) in pairs(ends).items():
        mine, yours = ends[one][cable], ends[other][cable]
        key, cipher = secrets.token_bytes(KEY), _cipher(mine.cipher, yours.cipher)
        told[one][cable] = Plug(Address(addresses[other], yours.port), key, cipher)
        told[other][cable] = Plug(Address(addresses[one], mine.port), key, cipher)
    return told


def _cipher(*preferred: Cipher) -> Cipher:
    """Return the cipher of a cable: ChaCha20, which is fast on every CPU, unless both ends prefer AES."""
    return "aes-256-gcm" if set(preferred) == {"aes-256-gcm"} else "chacha20-poly1305"


def pairs(ends: Mapping[str, Mapping[str, object]]) -> dict[str, tuple[str, str]]:
    """Return the two hosts of each cable, in the order of the hosts."""
    hosts: dict[str, list[str]] = {}
    for host, cables in ends.items():
        for cable in cables:
            hosts.setdefault(cable, []).append(host)
    return {cable: (both[0], both[1]) for cable, both in hosts.items() if len(both) == 2}


class Seen(NamedTuple):
    """How a cable is, seen from one host: the state of its line, the port of its socket there, and how much it takes.

    `path_mtu` is that of the way between the hosts in bytes, `carried` the largest packet within the cable that travels
    in one datagram. `instead` is what comes while nothing of the other end does, and `refused` why the kernel does not
    send: in words, empty where there is none.
    """

    state: str
    port: int
    path_mtu: int
    carried: int
    instead: str = ""
    refused: str = ""


def blocked(seen: Mapping[str, Mapping[str, Seen]]) -> Iterator[str]:
    """Yield what is in the way of the cables that do not carry, with the direction and the port; by host and cable."""
    for cable, (one, other) in pairs(seen).items():
        for here, there in ((one, other), (other, one)):
            if not seen[here][cable].state:  # it sends nothing, and shows nothing
                continue
            if seen[there][cable].state == "nothing_in":
                yield f"{_closed(here, seen[here][cable], there, seen[there][cable])} ({cable})"
            elif seen[here][cable].state == "too_small":
                yield f"large datagrams from {here} to {there} do not arrive ({cable})"


def _closed(here: str, sends: Seen, there: str, hears: Seen) -> str:
    port = f"UDP port {hears.port} of {there}"
    if sends.refused:
        return f"{here} does not send to {port}: {sends.refused}"
    return f"what {here} sends to {port} does not arrive" + (f", but {hears.instead}" if hears.instead else "")
