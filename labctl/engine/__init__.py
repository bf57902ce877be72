"""The forwarder between TUN devices: one raw IP packet per UDP datagram.

The engine stands on its own: it imports nothing else of labctl, and besides the standard library only numpy, where
there is no core in C; without both it forwards packet by packet. Its interface is the command `ttun`, and for programs
`endpoint.serve` and `counters.Counters`.

`packets` is arithmetic over bytes; `tun` and `udp` are the two sides that packets cross, with `ports` as their common
interface; `forward` moves packets from one to the other, and `loop` calls it when there is something to move. `core`
and `batches` do the same for many packets at once, in C and with numpy.
"""
