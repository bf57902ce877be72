"""A lab drawn as a tree, from the steps that made it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from labctl.plan import steps
from labctl.plan.recorded import Substitution
from labctl.plan.steps import InterfaceStep, Step
from labctl.topology.interface_ref import InterfaceRef


class LabTree:
    """The tree of a lab; it grows with every step that is done.

    The namespaces stand in the order that is named, for those of several hosts are made in none.
    """

    def __init__(self, title: str, namespaces: Iterable[str] = ()) -> None:
        self._tree = Tree(Text(title, style="bold"), guide_style="dim")
        self._spaces: dict[str, Tree] = {}
        self._lines: dict[InterfaceRef, tuple[Tree, Text]] = {}
        for name in namespaces:
            self._space(name)

    def grow(self, step: Step, substitution: Substitution | None = None) -> None:
        """Add what a step did, where it belongs."""
        match step:
            case steps.AddNamespace():
                self._space(step.namespace)
            case steps.AddVeth():
                self._line(step.ref).append(f"  ⇄ {step.peer}", "dim")
                self._line(step.peer).append(f"  ⇄ {step.ref}", "dim")
            case steps.AddLink():
                self._line(step.ref).append(f"  {step.kind}", "dim")
                if substitution:
                    self._line(step.ref).append(f" ({substitution.used})", "yellow")
            case steps.AddAddress():
                self._line(step.ref).append(f"  {step.address}", "cyan")
            case steps.StartEngine():
                branch, _ = self._node(step.ref)
                branch.add(Text(step.spec.command, "green"))
            case steps.StartCable():
                self._line(step.ref).append(f"  {step.words}", "dim")
            case steps.StartProgram(spec=spec):
                line = Text(spec.ref.name)
                line.append(f"  {spec.command}", "green")
                if substitution:
                    line.append(f" ({substitution.used})", "yellow")
                self._space(step.namespace).add(line)
            case (
                steps.AddRoute()
                | steps.AddRule()
                | steps.SetFirewall()
                | steps.WriteFile()
                | steps.MakeDirectory()
                | steps.RunLine()
            ):
                self._space(step.namespace).add(Text(step.words, "dim"))
            case steps.SetMtu() | steps.SetMaster() | steps.SetNetem():
                self._line(step.ref).append(f"  {step.words}", "dim")
            case steps.SetUp() | steps.NoAutomaticAddresses():
                pass  # every interface of a lab is up: it would only be noise
            case InterfaceStep():
                self._line(step.ref).append(f"  {step.words}", "dim")
            case steps.SetSysctl() | steps.WriteHosts():
                pass

    def __rich__(self) -> Tree:
        return self._tree

    def _space(self, name: str) -> Tree:
        if name not in self._spaces:
            self._spaces[name] = self._tree.add(Text(name, "bold blue"))
        return self._spaces[name]

    def _node(self, ref: InterfaceRef) -> tuple[Tree, Text]:
        if ref not in self._lines:
            text = Text(ref.interface)
            self._lines[ref] = (self._space(ref.namespace).add(text), text)
        return self._lines[ref]

    def _line(self, ref: InterfaceRef) -> Text:
        return self._node(ref)[1]
