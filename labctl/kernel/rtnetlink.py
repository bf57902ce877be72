"""Requests to rtnetlink (RFC 3549), one socket per namespace.

A netlink socket belongs to the namespace in which it was opened, for as long as it lives, so a lab is built without
going back and forth. The socket is plain, and not one of pyroute2's, because then a refusal keeps the kernel's extended
acknowledgement text, which says what was wrong in words (linux/netlink.h: NLMSGERR_ATTR_MSG).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_ENDS = {_NLMSG_ERROR: HEADER.size, _NLMSG_DONE: 0}
"""What an answer ends with, and what of the request is between the errno there and the attributes.

It is the header alone (NETLINK_CAP_ACK). A dump that the kernel refuses, or breaks off, says so at its end.
"""
_ERRNO = struct.Struct("=i")
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK = 270, 10, 11, 12
_ATTR_MSG = 1

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_GETNSID = 90

DUMPS = 20
"""How often a dump is asked for at most that changes break into. What changes all the time is told as it came last."""

_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type; a value ends at a multiple of four
_NLA_TYPE_MASK = 0x3FFF


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, for a message that is laid out by hand; a value may be attributes again."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes) -> dict[int, bytes]:
    """Return the values of attributes, by kind; what is cut off is left out."""
    found, offset = {}, 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _NLA_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


class Refused(OSError):
    """The kernel answered a request with an errno; `text` is its extended acknowledgement, or empty."""

    def __init__(self, error: int, text: str) -> None:
        super().__init__(error, os.strerror(error))
        self.text = text


class Rtnetlink:
    """A netlink socket of the namespace in which it is made, of rtnetlink unless another protocol is given.

    Raise OSError where the kernel does not have the protocol.
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._is_interrupted = False

    def close(self) -> None:
        self._socket.close()

    def request(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Have the kernel do something. Raise Refused."""
        self._send(kind, body, flags | NLM_F_ACK)
        for _ in self._replies():
            pass

    def batch(self, *requests: tuple[int, bytes, int]) -> None:
        """Have the kernel do several things at once, each a kind, a body and flags; first and last are their frame.

        Raise Refused.
        """
        self._sequence += 1
        last = len(requests) - 2  # one answer is enough: what is refused is answered in any case, and before it
        self._socket.send(
            b"".join(
                self._message(kind, body, flags | (NLM_F_ACK if place == last else 0))
                for place, (kind, body, flags) in enumerate(requests)
            )
        )
        for _ in self._replies():
            pass

    def messages(self, kind: int, body: bytes, flags: int = NLM_F_DUMP) -> list[bytes]:
        """Return what answers a request, as it comes, without the headers. Raise Refused.

        A dump comes in parts. Where something is changed between two, there may be things in it twice, or not at all.
        """
        for _ in range(DUMPS):
            self._send(kind, body, flags)
            found = [message[HEADER.size :] for _, message in self._replies()]
            if not self._is_interrupted:
                break
        return found

    def _send(self, kind: int, body: bytes, flags: int) -> None:
        self._sequence += 1
        self._socket.send(self._message(kind, body, flags))

    def _message(self, kind: int, body: bytes, flags: int) -> bytes:
        return HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0) + body

    def _replies(self) -> Iterator[tuple[int, bytes]]:
        """Yield the messages of one answer, up to its acknowledgement."""
        self._is_interrupted = False
        while True:
            data = self._socket.recv(1 << 18)
            offset = 0
            while offset < len(data):
                length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
                message = data[offset : offset + length]
                offset += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                self._is_interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind in _ENDS:
                    _raise_if_refused(message, _ENDS[kind])
                    return
                yield kind, message


def _raise_if_refused(message: bytes, echoed: int) -> None:
    """Raise the errno in the last message of an answer, behind which the kernel echoes so many bytes of the request."""
    (error,) = _ERRNO.unpack_from(message, HEADER.size)
    if error < 0:
        text = attributes(message[HEADER.size + _ERRNO.size + echoed :]).get(_ATTR_MSG, b"")
        raise Refused(-error, text.rstrip(b"\0").decode(errors="replace"))
