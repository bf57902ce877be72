"""Packets as they come, a line each: for a person, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from labctl.engine.packets.describe import describe
from labctl.kernel.packet_taps import Seen
from labctl.trace import dissect
from labctl.trace.encapsulation import ARP, IPV4, IPV6

_LEAST_ETHERTYPE = 0x0600  # what is less is the length of an IEEE 802.3 frame


def line(seen: Seen, tunnel_ports: Set[int], several: bool) -> str:
    """Return a packet as a line: local time, which of several interfaces, its direction there, and what it is."""
    when = datetime.fromtimestamp(seen.at / 1e9).strftime("%H:%M:%S.%f")
    where = f" {seen.ref}" if several else ""
    frame = dissect.frame(seen.frame, seen.ethernet, tunnel_ports)
    return f"{when}{where} {'out' if seen.outgoing else 'in '}  {words(frame)}"


def words(frame: dissect.Frame) -> str:
    """Return what a frame is, and what it carries inside a tunnel."""
    what = describe(frame.data)
    if isinstance(frame.content, dissect.Arp):
        what = f"{frame.content.words}, {len(frame.data)} bytes"
    elif frame.protocol not in (IPV4, IPV6):
        other = f"EtherType 0x{frame.protocol:04x}" if frame.protocol >= _LEAST_ETHERTYPE else "IEEE 802.3"
        what = f"{'ARP' if frame.protocol == ARP else other}, {len(frame.data)} bytes"
    vlans = "".join(f"VLAN {vlan}  " for vlan in frame.vlans)
    carried = carries(frame)
    return f"{vlans}{what}{f'; carries {carried}' if carried else ''}"


def json_line(seen: Seen, tunnel_ports: Set[int]) -> str:
    """Return a packet as a line of JSON; its headers are those of IP, the outermost first, and what they carry."""
    frame = dissect.frame(seen.frame, seen.ethernet, tunnel_ports)
    return json.dumps(
        {
            "seen_ns": seen.at,
            "namespace": seen.namespace,
            "interface": seen.interface,
            "direction": "out" if seen.outgoing else "in",
            "kind": seen.kind.name.lower(),
            "source_mac": frame.source_mac,
            "destination_mac": frame.destination_mac,
            "vlans": frame.vlans,
            "protocol": frame.protocol,
            "length": seen.length,
            "headers": [headers(layer) for layer in (frame.packet.layers if frame.packet else ())],
            "arp": asdict(frame.content) if isinstance(frame.content, dissect.Arp) else None,
        }
    )


def headers(packet: dissect.Packet) -> dict[str, Any]:
    """Return what the headers of an IP packet say, without its payload and what it carries or quotes."""
    found = asdict(replace(packet, payload=b"", inside=(), quoted=None))
    for name in ("payload", "inside", "quoted"):
        del found[name]
    return {**found, "protocol": packet.protocol_name}


def carries(frame: dissect.Frame) -> str:
    """Return what the UDP of a tunnel carries, in the words of `describe`; empty where it carries nothing."""
    outer = frame.packet
    if outer is None or not outer.inside:
        return ""
    first, more = outer.inside[0], len(outer.inside) - 1
    return f"{describe(outer.payload[: first.length])}{f' and {more} more' if more else ''}"


def comment(seen: Seen, tunnel_ports: Set[int]) -> str:
    """Return what a reader of a file is told of a packet beside its bytes."""
    carried = carries(dissect.frame(seen.frame, seen.ethernet, tunnel_ports))
    return f"carries {carried}" if carried else ""
