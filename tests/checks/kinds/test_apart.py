"""Halves of a probe on two hosts: who listens waits for who sends, however long that takes to begin."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address

import pytest

from labctl.checks.kinds import nc_apart
from labctl.process.patience import Patience
from labctl.topology.model import Nc


def test_the_time_of_a_server_counts_from_when_its_client_has_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client on a busy host was begun later than the server waited, and its packets met a closed port."""
    server = socket.socket(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    monkeypatch.setattr(nc_apart, "opened", lambda *_: server)
    monkeypatch.setattr(nc_apart, "listen", lambda *_: server.bind(("127.0.0.1", 0)))
    asked = Nc(
        from_="a", to="b", address=IPv4Address("192.0.2.1"), port=8000, protocol="udp", send="there", reply="back"
    )
    happened = []

    def patience(seconds: float, *others: int) -> Patience:
        happened.append("its time begins")
        return Patience(0)

    def begun() -> None:
        client.sendto(b"there", server.getsockname())
        happened.append("the client has sent")

    with socket.socket(type=socket.SOCK_DGRAM) as client:
        half = nc_apart.serve(asked, patience, lambda: happened.append("listens"), begun)
        assert happened == ["listens", "the client has sent", "its time begins"]
        assert half.received == b"there" and client.recv(10) == b"back"
