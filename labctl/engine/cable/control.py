"""How a running end is told its other end: a request on the control socket of its engine.

`{"peer": "192.0.2.2", "port": 47000, "key": "64 hex digits", "cipher": "aes-256-gcm"}` joins it with that end, and an
empty request only asks. The answer is `{"peer": "192.0.2.2:47000"}`, null before the first, or `{"error": "..."}`.
The key is on no command line, in no environment and in no file: it comes here and stays in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labctl.engine.cable.forward import Cable, Plug
from labctl.engine.cable.sealing import CIPHERS
from labctl.engine.control import request
from labctl.engine.packets.address import Address


def handle(cable: Cable, asked: Any, now: float) -> dict[str, object]:
    """Do what a request asks. Raise ValueError, OSError for one that cannot be done."""
    match asked:
        case {"peer": str(host), "port": int(port), "key": str(key), "cipher": str(cipher)} if cipher in CIPHERS:
            cable.plug(Plug(Address(host, port), bytes.fromhex(key), cipher), now)
        case {**anything} if not anything:
            pass
        case _:
            raise ValueError("a plug has a peer, a port, a key and a cipher")
    return {"peer": str(cable.peer) if cable.peer else None}


def plug(path: Path, plug: Plug) -> None:
    """Join the end whose engine listens at `path`. Raise ValueError if it refuses, OSError if it does not answer."""
    key, cipher = plug.key.hex(), plug.cipher
    request(path, {"peer": plug.peer.host, "port": plug.peer.port, "key": key, "cipher": cipher})


def peer_of(path: Path) -> str | None:
    """Return whom the end whose engine listens at `path` is joined with. Raise OSError if it does not answer."""
    peer = request(path, {}).get("peer")
    return peer if isinstance(peer, str) else None
