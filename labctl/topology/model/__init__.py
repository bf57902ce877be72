"""The topology file as types: what can be written, and nothing else.

The model says what a single value may be. What must hold between values (a peer that exists, an address that is used
once) is in `rules`; where a mistake stands in the file is in `load`. The JSON Schema that editors use is generated
from here. Lists are tuples and every model is frozen: a topology is read, never changed.
"""

from __future__ import annotations

from labctl.topology.model.base import Model
from labctl.topology.model.bounds import Bounds, LossBounds, RttBounds
from labctl.topology.model.checks import PROBES, Check, Nc, Ping, Probe
from labctl.topology.model.exec_line import ExecLine
from labctl.topology.model.files import File
from labctl.topology.model.hosts import CableEnd, LabHost, Part
from labctl.topology.model.impair import Impair
from labctl.topology.model.interfaces import Bridge, Dummy, Interface, Loopback, Tap, Tun, Veth
from labctl.topology.model.namespace import Namespace
from labctl.topology.model.neighbours import Neighbour
from labctl.topology.model.probes import Dns, Exec, Http, RouteLookup
from labctl.topology.model.programs import Program, Ready, RestartPolicy
from labctl.topology.model.routes import METRICS, NextHop, Route, RouteType, Rule, RuleType
from labctl.topology.model.throughput import Throughput
from labctl.topology.model.topology import Topology, json_schema
from labctl.topology.model.tunnels import Engine, TunnelEndpoint

__all__ = [
    "METRICS",
    "PROBES",
    "Bounds",
    "Bridge",
    "CableEnd",
    "Check",
    "Dns",
    "Dummy",
    "Engine",
    "Exec",
    "ExecLine",
    "File",
    "Http",
    "Impair",
    "Interface",
    "LabHost",
    "Loopback",
    "LossBounds",
    "Model",
    "Namespace",
    "Nc",
    "Neighbour",
    "NextHop",
    "Part",
    "Ping",
    "Probe",
    "Program",
    "Ready",
    "RestartPolicy",
    "Route",
    "RouteLookup",
    "RouteType",
    "RttBounds",
    "Rule",
    "RuleType",
    "Tap",
    "Throughput",
    "Topology",
    "Tun",
    "TunnelEndpoint",
    "Veth",
    "json_schema",
]
