"""What a cable has done, in numbers that other processes can read while it runs; `engine.counters` has the file.

A frame that comes from the TAP device leaves or is counted as one drop, and a datagram that comes is opened or counted
as one. So at any quiet moment

    tap_read_frames        == sent_frames + the sum of all `out_...` drops
    udp_received_datagrams == opened_datagrams + the sum of all `in_...` drops of datagrams
    received_frames        == tap_written_frames + the sum of all `in_...` drops of frames

A record whose piece was lost is `in_unfinished`; it was no frame yet. The numbers at the end do not count: they show
how the cable is now. Where the kernel refuses a row of datagrams midway, those that went out are not counted as sent,
and `lost_datagrams` of the other end is short by as many.
"""

from __future__ import annotations

from typing import ClassVar

from labctl.engine import counters

NAMES = (
    "tap_read_frames",
    "tap_read_bytes",
    "sent_frames",
    "udp_sent_datagrams",
    "udp_received_datagrams",
    "opened_datagrams",
    "received_frames",
    "tap_written_frames",
    "tap_written_bytes",
    "beats_sent",
    "beats_received",
    "out_no_carrier",  # frames: read while the other end is not there
    "out_refused",  # EPERM, ECONNREFUSED: by a firewall of this host, or an answer of the other's
    "out_unreachable",  # ENETUNREACH, EHOSTUNREACH
    "out_too_big",  # EMSGSIZE
    "out_busy",  # EAGAIN, ENOBUFS
    "out_send_failed",  # any other errno
    "in_not_joined",  # datagrams: come before this end had a key
    "in_not_from_peer",  # of another address or port
    "in_not_authentic",  # not sealed with a key of this cable
    "in_other_key",  # sealed with the key before this one, or with this one before this end had it
    "in_replayed",  # come before
    "in_stale",  # too late to tell whether they have come before
    "in_malformed",  # authentic, and nothing that this release sends
    "in_unfinished",  # records that miss a piece
    "in_link_down",  # frames: EIO, EBADFD
    "in_busy",  # EAGAIN, ENOBUFS
    "in_tap_rejected",  # any other errno
    # What is now.
    "port",
    "state",
    "path_mtu",
    "rtt_microseconds",
    "keys",  # how often this engine was given one
    "lost_datagrams",  # with frames, that the other end has sent since it was joined and that have not come
    "send_errno",  # why the kernel refused the last beat, 0 where it took it
    "instead_not_authentic",  # of those above, what has come since nothing comes of the other end
    "instead_not_from_peer",
    "instead_from_port",  # the last other port of the other host's address that something came from
    "searching",  # 1 while an end is still finding out the path MTU
)
DROPS_OUT = tuple(name for name in NAMES if name.startswith("out_"))
DROPS_IN = tuple(name for name in NAMES if name.startswith("in_"))

_INDEX = {name: index for index, name in enumerate(NAMES)}
TAP_READ, TAP_WRITTEN = _INDEX["tap_read_frames"], _INDEX["tap_written_frames"]
SENT_FRAMES, RECEIVED_FRAMES = _INDEX["sent_frames"], _INDEX["received_frames"]
UDP_SENT, UDP_RECEIVED, OPENED = (
    _INDEX["udp_sent_datagrams"],
    _INDEX["udp_received_datagrams"],
    _INDEX["opened_datagrams"],
)
BEATS_SENT, BEATS_RECEIVED = _INDEX["beats_sent"], _INDEX["beats_received"]
OUT_NO_CARRIER, OUT_REFUSED, OUT_UNREACHABLE, OUT_TOO_BIG, OUT_BUSY, OUT_SEND_FAILED = (
    _INDEX[name] for name in DROPS_OUT
)
IN_NOT_JOINED, IN_NOT_FROM_PEER, IN_NOT_AUTHENTIC, IN_OTHER_KEY, IN_REPLAYED, IN_STALE, IN_MALFORMED, IN_UNFINISHED = (
    _INDEX[name] for name in DROPS_IN[:8]
)
IN_LINK_DOWN, IN_BUSY, IN_TAP_REJECTED = (_INDEX[name] for name in DROPS_IN[8:])
PORT, STATE, PATH_MTU, RTT, KEYS, LOST = (_INDEX[name] for name in NAMES[-11:-5])
SEND_ERRNO, INSTEAD_NOT_AUTHENTIC, INSTEAD_NOT_FROM_PEER, INSTEAD_FROM_PORT, SEARCHING = (
    _INDEX[name] for name in NAMES[-5:]
)

_DROPPED = {
    "out_no_carrier": "frame{} for an end that was not there",
    "out_refused": "frame{} refused by a firewall of this host",
    "out_unreachable": "frame{} with no route to the other host",
    "out_too_big": "frame{} too large for the path",
    "out_busy": "frame{} for a socket whose buffer was full",
    "out_send_failed": "frame{} refused by the socket for another reason",
    "in_not_joined": "datagram{} before it was joined",
    "in_not_from_peer": "datagram{} from a stranger",
    "in_not_authentic": "datagram{} not sealed with the key of this cable",
    "in_other_key": "datagram{} sealed with another key of this cable, while it was joined anew",
    "in_replayed": "datagram{} that had come before",
    "in_stale": "datagram{} too late to tell whether they had come before",
    "in_malformed": "datagram{} that this release does not send",
    "in_unfinished": "frame{} of which a piece was lost",
    "in_link_down": "frame{} for an interface that is down",
    "in_busy": "frame{} for an interface whose queue was full",
    "in_tap_rejected": "frame{} rejected by the interface",
    "lost_datagrams": "datagram{} lost on the way from the other host",
}


def words_for(name: str, count: int) -> str:
    """Return what a person reads for `count` drops of this name, or datagrams that were lost."""
    return f"{count} {_DROPPED[name].format('' if count == 1 else 's')}"


class CableCounters(counters.Counters):
    """The cells of a cable, indexed by the constants of this module."""

    names: ClassVar[tuple[str, ...]] = NAMES
