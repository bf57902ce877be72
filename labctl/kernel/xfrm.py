"""IPsec policies and states of a namespace, over xfrm netlink (linux/xfrm.h): how many there are, and none at all."""

from __future__ import annotations

from labctl.kernel import rtnetlink as rt

_NETLINK_XFRM = 6
_GET = {"policy": 0x15, "state": 0x12}  # XFRM_MSG_GETPOLICY, XFRM_MSG_GETSA
_FLUSH = {"policy": (0x1D, b""), "state": (0x1C, b"\0")}  # XFRM_MSG_FLUSHPOLICY, XFRM_MSG_FLUSHSA of any protocol


def counted() -> dict[str, int]:
    """Return how many policies and states this thread's namespace has, without those that there are none of.

    Raise OSError where the kernel cannot say.
    """
    netlink = rt.Rtnetlink(_NETLINK_XFRM)
    try:
        found = {what: len(netlink.messages(kind, b"")) for what, kind in _GET.items()}
    finally:
        netlink.close()
    return {what: number for what, number in found.items() if number}


def flush(what: str) -> None:
    """Delete all policies or all states of this thread's namespace. Raise OSError."""
    netlink = rt.Rtnetlink(_NETLINK_XFRM)
    try:
        netlink.request(*_FLUSH[what])
    finally:
        netlink.close()
