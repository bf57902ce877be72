"""Programs that are in the way of a lab: `python program.py WORD ARGUMENT...` prints a line once it is there."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN_NO_PI = 0x1001


def bound(kind: socket.SocketKind, address: str, port: str) -> socket.socket:
    """Return a socket that has the address and the port to itself."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.bind((address, int(port)))
    return made


def udp(address: str, port: str) -> None:
    """Read datagrams, and answer none."""
    receiver = bound(socket.SOCK_DGRAM, address, port)
    ready()
    while True:
        receiver.recv(65536)


def deaf(address: str, port: str) -> None:
    """Have a UDP port and never read it."""
    _receiver = bound(socket.SOCK_DGRAM, address, port)
    ready()
    signal.pause()


def tcp(address: str, port: str) -> None:
    """Accept connections and close them."""
    listener = bound(socket.SOCK_STREAM, address, port)
    listener.listen()
    ready()
    while True:
        listener.accept()[0].close()


def attach(device: str) -> None:
    """Open a TUN device."""
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN_NO_PI))


def tun(device: str) -> None:
    """Attach to a TUN device and never read it."""
    attach(device)
    ready()
    signal.pause()


def lazy(device: str, address: str, port: str) -> None:
    """Be what seems to be an engine and reads nothing."""
    attach(device)
    deaf(address, port)


def brief(device: str, address: str, port: str) -> None:
    """Be what seems to be an engine and ends at the first datagram."""
    attach(device)
    receiver = bound(socket.SOCK_DGRAM, address, port)
    ready()
    receiver.recv(65536)
    sys.exit("this is no packet that I know")


def send(address: str, port: str) -> None:
    """Send datagrams to a port, a hundred a second, that are no IP packets."""
    sender = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((address, int(port)))
    ready()
    while True:
        try:
            sender.send(b"hello, is this the right port?")
        except OSError as refused:
            print(refused, file=sys.stderr)
        time.sleep(0.01)


def busy() -> None:
    """Take as much of a CPU as there is, for a minute."""
    ready()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        pass


def ready() -> None:
    """Tell who waits for this program that it is at work."""
    print("ready", flush=True)


if __name__ == "__main__":
    {program.__name__: program for program in (udp, deaf, tcp, tun, send, lazy, brief, busy)}[sys.argv[1]](
        *sys.argv[2:]
    )
