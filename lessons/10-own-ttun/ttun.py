#!/usr/bin/env python3
"""ttun DEVICE BIND-IP BIND-PORT PEER-IP PEER-PORT: a packet of the TUN device is a UDP datagram, and back."""

import fcntl, os, select, socket, struct, sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h

device, bind_ip, bind_port, peer_ip, peer_port = sys.argv[1:]
bind, peer = (bind_ip, int(bind_port)), (peer_ip, int(peer_port))

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(bind)

while True:
    ready, _, _ = select.select([tun, udp], [], [])  # wait until there is something to read
    if tun in ready:
        packet = os.read(tun, 65535)
        # 1. send the packet to the peer
    if udp in ready:
        datagram, sender = udp.recvfrom(65535)
        # 2. write the datagram to the TUN device
