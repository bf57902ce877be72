"""What an nc check concludes from the bytes that came to either end: a pure function."""

from __future__ import annotations

from labctl.checks.results import Outcome
from labctl.topology.model import Nc

_TAKEN = {"tcp": "acknowledged", "udp": "sent"}
"""What is known of data at a server that does not say what it got."""


def delivery(asked: Nc, arrived: bytes | None, returned: bytes, ended: str = "") -> Outcome:
    """Return the outcome of `arrived` at the server and `returned` to the client.

    `arrived` is None where the server is a program of its own, which does not say what it got: then everything was
    delivered, unless `ended` says what kept it from that, an errno or the time-out.
    """
    sent, reply = asked.send.encode(), (asked.reply or "").encode()
    delivered = not ended if arrived is None else arrived == sent
    if delivered and returned == reply:
        taken = "arrived as they were sent" if arrived is not None else _TAKEN[asked.protocol]
        back = f", {len(returned)} came back" if reply else ""
        return Outcome("answered", f"{len(sent)} bytes {taken}{back}")
    why = f": {ended}" if ended else ""
    if not arrived and not returned:
        return Outcome("silent", f"nothing {'came back' if arrived is None else 'arrived'}{why}")
    there = [] if arrived is None else [_compared(arrived, sent, "arrived")]
    back_again = [_compared(returned, reply, "came back")] if reply or returned else []
    return Outcome("differs", ", ".join((*there, *back_again)) + why)


def _compared(got: bytes, wanted: bytes, verb: str) -> str:
    if len(got) != len(wanted):
        return f"{len(got)} of {len(wanted)} bytes {verb}"
    return f"{len(got)} bytes {verb}" + (" as they were sent" if got == wanted else " and differ")
