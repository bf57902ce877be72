"""Who may see the page: where it is served, and which requests are answered.

On loopback any program of this machine may ask, and a page of another site in a browser here may not: with a name of
its own for 127.0.0.1 (DNS rebinding) it would ask in its name, so the Host of a request must be one of loopback. On any
other address the path begins with a token that only the printed address has.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import field
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from socket import gethostname

from labctl.errors import UsageError
from labctl.frozen import frozen
from labctl.web.http import Request, Response

DEFAULT = "127.0.0.1:8484"

_WRITTEN = re.compile(r"(?:(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:]+)):)?(?P<port>\d{1,5})")
_LOOPBACK = "127.0.0.1"


@frozen
class Place:
    """An IP address, and the TCP port; 0 leaves it to the kernel."""

    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return ip_address(self.address).is_loopback

    @property
    def host(self) -> str:
        """Return the address as in a URL; what stands for all addresses, as the name of this machine."""
        address = ip_address(self.address)
        if address.is_unspecified:
            return gethostname()
        return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def place(written: str) -> Place:
    """Return the place of ADDRESS:PORT, or of a PORT on loopback. Raise UsageError for anything else."""
    found = _WRITTEN.fullmatch(written)
    if found is not None and int(found["port"]) <= 0xFFFF:
        address = found["six"] or found["name"] or _LOOPBACK
        try:
            return Place(str(ip_address(_LOOPBACK if address == "localhost" else address)), int(found["port"]))
        except ValueError:
            pass
    raise UsageError(
        f"{written!r} is no address for the page", "it takes ADDRESS:PORT or PORT", f"labctl watch LAB --web {DEFAULT}"
    )


@frozen
class Access:
    """The rules for a place, with its port as the kernel has it."""

    place: Place
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def root(self) -> str:
        """Return the path of the page."""
        return "/" if self.place.is_loopback else f"/{self.token}/"

    @property
    def url(self) -> str:
        """Return the address that a person opens."""
        return f"http://{self.place.host}:{self.place.port}{self.root}"

    def refusal(self, asked: Request) -> Response | None:
        """Return why a request is not answered, None where it is."""
        if self.place.is_loopback:
            return None if asked.host.lower() in self._hosts() else _forbidden(_OTHER_HOST)
        first = asked.path.split("/")[1]
        return None if secrets.compare_digest(first.encode(), self.token.encode()) else _forbidden(_NO_TOKEN)

    def _hosts(self) -> set[str]:
        names = ("localhost", self.place.host)
        return {f"{name}:{self.place.port}" for name in names} | (set(names) if self.place.port == 80 else set())


_OTHER_HOST = "This page is for this machine: open it as localhost or by its address."
_NO_TOKEN = "The address is not whole: open the one that labctl watch --web has printed, with its token."


def _forbidden(words: str) -> Response:
    return Response(HTTPStatus.FORBIDDEN, body=f"{words}\n".encode())
