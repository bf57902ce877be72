"""The forwarder between TUN devices: one raw IP packet per UDP datagram.

The engine stands on its own: it imports only the standard library and nothing else of labctl, so that
`ttun` runs wherever Python does. Programs use `endpoint.serve` and `counters.Counters`; people use
`ttun`.
"""
