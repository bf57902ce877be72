"""A forwarder of one's own, as the text of a program: small, and it does what a test asks of it."""

from __future__ import annotations

import sys

_FORWARDER = """\
#!INTERPRETER -SE
import fcntl, os, select, signal, socket, struct, sys

device, bind_address, bind_port, peer_address, peer_port = sys.argv[1:6]
BEFORE
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", device.encode(), 0x1001))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((bind_address, int(bind_port)))
udp.connect((peer_address, int(peer_port)))
print("forwards", flush=True)
while True:
    ready = select.select([tun, udp], [], [])[0]
    try:
        if tun in ready:
            udp.send(os.read(tun, 65535))
        if udp in ready:
            os.write(tun, udp.recv(65535))
    except ConnectionRefusedError:
        pass
"""

IN_THE_BACKGROUND = """\
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
nowhere = os.open("/dev/null", os.O_RDWR)
for stream in 0, 1, 2:
    os.dup2(nowhere, stream)
if not os.fork():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()
"""
"""It becomes a daemon as daemon(3) does, with a helper that does not want to end."""

COMMAND = "{device} {bind_address} {bind_port} {peer_address} {peer_port}"


def forwarder(before: str = "") -> str:
    """The text of a program that forwards; `before` is what it does first."""
    return _FORWARDER.replace("INTERPRETER", sys.executable).replace("BEFORE", before)
