"""How large a superframe the kernel may build for the TUN device.

By itself it builds them up to 64 KB of payload. Cut into packets, each with its own headers, that is a
little more than one UDP_SEGMENT send takes, and a second send of one or two packets costs the receiver as
much as the first. So the device is told to stop in time (IFLA_GSO_MAX_SEGS, linux/if_link.h): measured,
half as fast again.

It takes CAP_NET_ADMIN, which an engine drops. So the limit is one that is right for any MTU up to the usual one,
and for a larger one nothing has to be limited. Without that right, or on a kernel without the attribute, superframes
are just cut in two. The limit is never undone: without offloads it means nothing.
"""

from __future__ import annotations

import fcntl
import socket
import struct

from labctl.engine.packets.train import MOST_BYTES, MOST_PACKETS

SIOCGIFMTU = 0x8921
RTM_NEWLINK, NLM_F_REQUEST = 16, 1
IFLA_GSO_MAX_SEGS = 40
USUAL_MTU = 1500
# Of a superframe of 64 KB not even two packets of such a size can be cut. All that an engine with offloads
# could do for them is to finish checksums, which the kernel does for less while it copies the payload.
NOTHING_TO_CUT = 32768


def mtu_of(device: str, any_socket: socket.socket) -> int:
    """Return the MTU of an interface of the namespace of a socket, in bytes; USUAL_MTU if it is not there."""
    request = struct.pack("16s24x", device.encode())
    try:
        (mtu,) = struct.unpack_from("16xi", fcntl.ioctl(any_socket, SIOCGIFMTU, request))
    except OSError:
        return USUAL_MTU
    return int(mtu)


def limit_superframes(device: str) -> None:
    """Limit superframes for this device to what becomes one train. If the kernel refuses, nothing happens."""
    try:
        most = min(MOST_PACKETS, MOST_BYTES // USUAL_MTU)
        link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(device), 0, 0)
        body = link + struct.pack("=HHI", 8, IFLA_GSO_MAX_SEGS, most)
        header = struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST, 0, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
            # An error would come as an answer, which need not be read.
            netlink.send(header + body)
    except OSError:
        return
