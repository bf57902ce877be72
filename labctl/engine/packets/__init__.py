"""Arithmetic over the bytes of packets, and the values that describe a tunnel: without sockets, clock or files."""
