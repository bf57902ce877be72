"""The steps that a lab is made of, by what they are about."""

from __future__ import annotations

from labctl.plan.steps.addresses import AddAddress, AutomaticAddresses, DeleteAddress, NoAutomaticAddresses
from labctl.plan.steps.cables import StartCable, StopCable
from labctl.plan.steps.engines import ImpairEngine, StartEngine, StopEngine
from labctl.plan.steps.files import MakeDirectory, RemoveFile, RemoveHosts, WriteFile, WriteHosts
from labctl.plan.steps.firewall import DeleteTable, FlushXfrm, SetFirewall
from labctl.plan.steps.links import (
    STAND_IN,
    AddLink,
    AddVeth,
    ClearMaster,
    DeleteLink,
    SetMac,
    SetMaster,
    SetMtu,
    SetOption,
    SetUp,
)
from labctl.plan.steps.namespaces import AddNamespace, DeleteNamespace, SetSysctl
from labctl.plan.steps.neighbours import AddNeighbour, DeleteForwarding, DeleteNeighbour
from labctl.plan.steps.programs import RunLine, StartProgram, StopProgram
from labctl.plan.steps.qdiscs import ClearNetem, DeleteQdisc, SetNetem
from labctl.plan.steps.routes import AddRoute, AddRule, DeleteRoute, DeleteRule
from labctl.plan.steps.step import ABSENT, Action, InterfaceStep, Removal, Step

__all__ = [
    "ABSENT",
    "STAND_IN",
    "Action",
    "AddAddress",
    "AddLink",
    "AddNamespace",
    "AddNeighbour",
    "AddRoute",
    "AddRule",
    "AddVeth",
    "AutomaticAddresses",
    "ClearMaster",
    "ClearNetem",
    "DeleteAddress",
    "DeleteForwarding",
    "DeleteLink",
    "DeleteNamespace",
    "DeleteNeighbour",
    "DeleteQdisc",
    "DeleteRoute",
    "DeleteRule",
    "DeleteTable",
    "FlushXfrm",
    "ImpairEngine",
    "InterfaceStep",
    "MakeDirectory",
    "NoAutomaticAddresses",
    "Removal",
    "RemoveFile",
    "RemoveHosts",
    "RunLine",
    "SetFirewall",
    "SetMac",
    "SetMaster",
    "SetMtu",
    "SetNetem",
    "SetOption",
    "SetSysctl",
    "SetUp",
    "StartCable",
    "StartEngine",
    "StartProgram",
    "Step",
    "StopCable",
    "StopEngine",
    "StopProgram",
    "WriteFile",
    "WriteHosts",
]
