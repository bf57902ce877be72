"""What hosts on a link ask each other for: the link-layer address of a neighbour (RFC 826, RFC 4861)."""

from __future__ import annotations

from ipaddress import IPv6Address

from labctl.trace.dissect import Arp, Icmp
from labctl.trace.sightings import Sighting

_SOLICITATION, _ADVERTISEMENT = 135, 136  # RFC 4861 4.3, 4.4


def asked_for(sighting: Sighting) -> str:
    """Return the address that a frame asks for; empty where it asks for none."""
    content = sighting.frame.content
    if isinstance(content, Arp):
        return content.target if content.is_request else ""
    return _target(sighting, _SOLICITATION)


def told(sighting: Sighting) -> str:
    """Return the address that a frame answers for; empty where it is no such answer."""
    content = sighting.frame.content
    if isinstance(content, Arp):
        return "" if content.is_request else content.sender
    return _target(sighting, _ADVERTISEMENT)


def _target(sighting: Sighting, kind: int) -> str:
    """Return the target of a message of neighbour discovery (RFC 4861 4.3); empty where it is none of this type."""
    packet = sighting.frame.packet
    if packet is None or not isinstance(packet.transport, Icmp) or packet.version != 6 or len(packet.payload) < 16:
        return ""
    return str(IPv6Address(packet.payload[:16])) if packet.transport.kind == kind else ""
