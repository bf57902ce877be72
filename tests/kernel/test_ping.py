"""The socket of a ping check beside the pings of others."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from unittest.mock import patch

import pytest

from labctl.checks.kinds.ping import ping
from labctl.kernel.packet_taps import attach
from labctl.process.patience import Patience
from labctl.topology.model import Ping
from tests.kernel.space import Space, shell

MANY = 100
"""Replies that do not fit into a socket for a few."""


@pytest.mark.parametrize(("others", "own"), [("127.0.0.2", "127.0.0.1"), ("::1", "::1")])
def test_replies_to_others_that_came_before_the_filter_take_no_room(shared: Space, others: str, own: str) -> None:
    def late(connection: socket.socket, program: bytes) -> None:
        shell(f"ping -q -c {MANY} -i 0.002 {others}")
        attach(connection, program)

    def look() -> str:
        module = "labctl.checks.kinds.ping"
        with patch(f"{module}.attach", late), patch(f"{module}.namespaces.inside", lambda _: nullcontext()):
            return ping(Ping.read({"from": "here", "to": own, "interval": 0.01}), Patience).words

    assert shared.ask(look) == "3 sent, 3 replies"
