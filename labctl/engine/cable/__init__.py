"""The cable engine: a veth whose two ends are on two hosts, as a TAP device on each and sealed UDP datagrams between.

Each end has one UDP socket in its host's own network namespace and nothing else there. What crosses is sealed by a key
that only the two ends have (`sealing`), so what is not authentic, or comes twice (`replay`), is counted and goes no
further. `wire` says what a datagram is, `records` puts frames together that took several; `line` knows whether the
other end is there and how large a datagram the path takes. These are pure. `forward` moves frames between the two
ports, `tap` and `udp`, and `serve` is one end from its description to its end.
"""
