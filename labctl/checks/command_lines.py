"""What a person types for a check: the command lines of the programs called ping and nc.

Pure: a check in, words out. `labctl exec` puts them into the namespace, as root and without.
"""

from __future__ import annotations

import shlex
from math import ceil

from labctl.topology.model import Nc, Ping, Throughput

MORE = 1.5
"""How many times as much as its bounds a sender of datagrams sends, so that it is the network that meets them."""

DATAGRAM = 1200
"""Bytes in each of its datagrams; with headers they are within the smallest MTU of IPv6 (RFC 8200, section 5)."""


def iputils(ping: Ping) -> list[str]:
    """Return the command line of ping(8) of iputils."""
    return _ping(ping, "-n", "-W", f"{ping.timeout:g}")


def inetutils(ping: Ping) -> list[str]:
    """Return that of ping(1) of GNU inetutils, which waits for whole seconds."""
    return _ping(ping, "-n", "-W", str(ceil(ping.timeout)))


def busybox(ping: Ping) -> list[str]:
    """Return that of the ping of BusyBox, which resolves no names and waits for whole seconds."""
    return _ping(ping, "-W", str(ceil(ping.timeout)))


def _ping(ping: Ping, *options: str) -> list[str]:
    return [
        "ping", "-c", str(ping.count), "-i", f"{ping.interval:g}", "-s", str(ping.size), *options, str(ping.to),
    ]  # fmt: skip


def ping_typed(ping: Ping) -> str:
    """Return what a person types to ping the same address by hand."""
    words = ["ping", "-c", str(ping.count)]
    words += ["-i", f"{ping.interval:g}"] if ping.bounded else []
    words += ["-s", str(ping.size)] if ping.size != 56 else []
    return _in(ping.from_, [*words, str(ping.to)])


def iperf3(asked: Throughput) -> tuple[list[str], list[str]]:
    """Return the command lines of server and client of iperf3(1), which counts whole seconds."""
    address, port = str(asked.address), str(asked.port)
    udp = ["-u", "-l", str(DATAGRAM), "-b", f"{offered(asked):.0f}"] if asked.protocol == "udp" else []
    server = ["iperf3", "-s", "-1", "-B", address, "-p", port]
    return server, ["iperf3", "-c", address, "-p", port, "-t", str(ceil(asked.seconds)), *udp]


def offered(asked: Throughput) -> float:
    """Return the bits per second that are sent over UDP."""
    return MORE * max(bound for bound in asked.bounds if bound is not None)


def iperf3_typed(asked: Throughput) -> str:
    """Return what a person types to measure the same by hand."""
    server, client = iperf3(asked)
    return f"{_in(asked.to, server)} & {_in(asked.from_, client)}"


def openbsd(nc: Nc) -> tuple[list[str], list[str]]:
    """Return the command lines of server and client of nc.openbsd(1)."""
    udp = ["-u"] if nc.protocol == "udp" else []
    address, port = str(nc.address), str(nc.port)
    return ["nc", "-n", *udp, "-l", address, port], ["nc", "-n", *udp, address, port]


def traditional(nc: Nc) -> tuple[list[str], list[str]]:
    """Return those of nc.traditional(1), which takes the address to listen on by -s."""
    udp = ["-u"] if nc.protocol == "udp" else []
    address, port = str(nc.address), str(nc.port)
    return ["nc", "-n", *udp, "-l", "-s", address, "-p", port], ["nc", "-n", *udp, address, port]


def openbsd_verbose(nc: Nc) -> tuple[list[str], list[str]]:
    """Return those of nc.openbsd(1) with a client that says why it failed: not over UDP, where -v sends datagrams."""
    server, client = openbsd(nc)
    return server, [client[0], "-v", *client[1:]] if nc.protocol == "tcp" else client


def nc_openbsd(nc: Nc) -> str:
    """Return what a person types with Debian's usual nc: the server in the background, then the client."""
    return nc_typed(nc, *openbsd(nc))


def nc_typed(nc: Nc, server: list[str], client: list[str]) -> str:
    """Return what a person types to carry the same data by hand, with these command lines of both ends."""
    answer = f"printf %s {shlex.quote(nc.reply)} | " if nc.reply else ""
    say = f"printf %s {shlex.quote(nc.send)} | {_in(nc.from_, client)}"
    return f"{answer}{_in(nc.to, server)} & {say}" if nc.server else say


def _in(namespace: str, words: list[str]) -> str:
    return f"labctl exec {namespace} -- {shlex.join(words)}"
