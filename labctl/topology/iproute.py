"""Names and defaults of routes and rules, as ip(8) and the kernel have them; apart, for they need no model."""

from __future__ import annotations

TABLES = {"default": 253, "main": 254, "local": 255}
"""The routing tables that have a name (linux/rtnetlink.h: enum rt_class_t); any other is written as its number."""

IP_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ipv6-icmp": 58, "sctp": 132}
"""Protocols by the names that ip(8) takes from protocols(5); any other is written as its number."""

DEFAULT_METRIC = {4: 0, 6: 1024}
"""The metric of a static route where none is given, by IP version (ip-route(8)); for IPv6, 0 means the same."""

CONNECTED_METRIC = {4: 0, 6: 256}
"""The metric of the route that comes with an address, by IP version."""

DEFAULT_RULES = {4: ((0, "local"), (32766, "main"), (32767, "default")), 6: ((0, "local"), (32766, "main"))}
"""The rules with which a namespace is born, by IP version: priority and table.

They are fib_default_rules_init() and fib6_rules_net_init() in the kernel.
"""
