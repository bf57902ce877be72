"""Where an IP packet begins that a frame carries, or the packet of a tunnel that the kernel makes.

The tunnels of ttun are known by their ports (dissect); these are known by what they say of themselves: IP in IP
(RFC 2003), 6in4 (RFC 4213), GRE (RFC 2784, RFC 2890), VXLAN (RFC 7348) and Geneve (RFC 8926).
"""

from __future__ import annotations

import struct

from labctl.engine.packets.ip import UDP

IPV4, ARP, VLAN, IPV6, VLANS_OF_VLANS = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8  # EtherTypes, linux/if_ether.h
_TEB = 0x6558  # linux/if_ether.h: ETH_P_TEB, an Ethernet frame in a tunnel
_VLAN_VID_MASK = 0x0FFF  # linux/if_vlan.h
_IPIP, _IPV6, _GRE = 4, 41, 47  # linux/in.h
_VXLAN = (4789, 8472)  # IANA's port, and that of drivers/net/vxlan where none is named
_GENEVE = 6081  # net/geneve.h
_GRE_VERSION, _GRE_PARTS = 0x0007, (0x8000, 0x2000, 0x1000)  # checksum, key, sequence number: four bytes each
_VXLAN_HEADER, _GENEVE_HEADER = 8, 8
_VXLAN_HAS_VNI = 0x08


def ethernet(data: bytes) -> tuple[tuple[int, ...], int, int]:
    """Return the VLANs of an Ethernet frame, the EtherType behind their tags, and where that ends."""
    vlans: tuple[int, ...] = ()
    at = 12
    while (kind := int.from_bytes(data[at : at + 2])) in (VLAN, VLANS_OF_VLANS):
        vlans += (int.from_bytes(data[at + 2 : at + 4]) & _VLAN_VID_MASK,)
        at += 4
    return vlans, kind, at + 2


def carried(protocol: int, ports: tuple[int, int] | None, payload: bytes) -> bytes:
    """Return what begins with the IP packet that a tunnel carries in another's payload; empty where there is none."""
    if protocol in (_IPIP, _IPV6):
        return payload
    if protocol == _GRE and len(payload) >= 4:
        flags, kind = struct.unpack_from("!HH", payload)
        at = 4 + 4 * sum(bool(flags & part) for part in _GRE_PARTS)
        return b"" if flags & _GRE_VERSION else _of_kind(kind, payload[at:])
    if protocol != UDP or not ports:
        return b""
    if ports[1] in _VXLAN and payload[:1] and payload[0] & _VXLAN_HAS_VNI:
        return _of_kind(_TEB, payload[_VXLAN_HEADER:])
    if ports[1] == _GENEVE and len(payload) >= _GENEVE_HEADER:
        options = 4 * (payload[0] & 0x3F)
        return _of_kind(int.from_bytes(payload[2:4]), payload[_GENEVE_HEADER + options :])
    return b""


def _of_kind(kind: int, data: bytes) -> bytes:
    if kind == _TEB:
        _, kind, at = ethernet(data)
        data = data[at:]
    return data if kind in (IPV4, IPV6) else b""
