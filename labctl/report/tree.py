"""A lab drawn as a tree, from the steps that made it."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from labctl.plan.facts import Substitution
from labctl.plan.steps import (
    AddAddress,
    AddLink,
    AddNamespace,
    AddRoute,
    AddRule,
    AddVeth,
    InterfaceStep,
    NoAutomaticAddresses,
    SetMaster,
    SetMtu,
    SetNetem,
    SetSysctl,
    SetUp,
    StartEngine,
    Step,
)


class LabTree:
    """The tree of a lab; it grows with every step that is done."""

    def __init__(self, title: str) -> None:
        self._tree = Tree(Text(title, style="bold"), guide_style="dim")
        self._spaces: dict[str, Tree] = {}
        self._lines: dict[tuple[str, str], tuple[Tree, Text]] = {}

    def grow(self, step: Step, substitution: Substitution | None = None) -> None:
        """Add what a step did, where it belongs."""
        match step:
            case AddNamespace():
                self._space(step.namespace)
            case AddVeth():
                self._line(step.namespace, step.interface).append(
                    f"  ⇄ {step.peer_namespace}:{step.peer_interface}", "dim"
                )
                self._line(step.peer_namespace, step.peer_interface).append(
                    f"  ⇄ {step.namespace}:{step.interface}", "dim"
                )
            case AddLink():
                self._line(step.namespace, step.interface).append(f"  {step.kind}", "dim")
                if substitution:
                    self._line(step.namespace, step.interface).append(f" ({substitution.used})", "yellow")
            case AddAddress():
                self._line(step.namespace, step.interface).append(f"  {step.address}", "cyan")
            case StartEngine():
                branch, _ = self._node(step.namespace, step.interface)
                branch.add(Text(step.command, "green"))
            case AddRoute() | AddRule():
                self._space(step.namespace).add(Text(step.words, "dim"))
            case SetMtu() | SetMaster() | SetNetem():
                self._line(step.namespace, step.interface).append(f"  {step.words}", "dim")
            case SetUp() | NoAutomaticAddresses():
                pass  # every interface of a lab is up: it would only be noise
            case InterfaceStep():
                self._line(step.namespace, step.interface).append(f"  {step.words}", "dim")
            case SetSysctl():
                pass

    def __rich__(self) -> Tree:
        return self._tree

    def _space(self, name: str) -> Tree:
        if name not in self._spaces:
            self._spaces[name] = self._tree.add(Text(name, "bold blue"))
        return self._spaces[name]

    def _node(self, namespace: str, interface: str) -> tuple[Tree, Text]:
        key = (namespace, interface)
        if key not in self._lines:
            text = Text(interface)
            self._lines[key] = (self._space(namespace).add(text), text)
        return self._lines[key]

    def _line(self, namespace: str, interface: str) -> Text:
        return self._node(namespace, interface)[1]
