"""What a fault is: plain data. Nothing of it goes through labctl, which has to find it out.

A command of a fault is what a person types in a namespace. In it

    ENGINE[tun0]       stands for the PID of the engine of that TUN device
    program WORDS      is a program of ours (program.py), which keeps running

A hop is NAMESPACE:INTERFACE or NAMESPACE. Where a careful engineer would accept several answers, each is in `expected`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from labctl.diagnosis.reasons import Reason

Accepted = frozenset[tuple[str, Reason]]
Commands = tuple[tuple[str, str], ...]
PROGRAM = f"{sys.executable} {Path(__file__).with_name('program.py')}"
"""How program.py is started."""


@dataclass(frozen=True)
class Edit:
    """What is wrong in a file: the text that is right, and what stands there instead (once, within one line)."""

    right: str
    wrong: str


@dataclass(frozen=True)
class Fault:
    """One cause for which the check of a lab fails.

    `edits` are mistakes that stand in the file, and `lines` parts of those of its lines that a fix may name. `needs` is
    what the kernel may lack: where it refuses a command of such a fault, the fault cannot be tried.
    """

    name: str
    lab: str
    check: str
    expected: Accepted
    inject: Commands = ()
    edits: tuple[Edit, ...] = ()
    lines: tuple[str, ...] = ()
    needs: str = ""


@dataclass(frozen=True)
class Pair:
    """Two faults at once, of one lab. The check is that of the first."""

    first: Fault
    second: Fault

    @property
    def name(self) -> str:
        return f"{self.first.name} + {self.second.name}"


@dataclass(frozen=True)
class Control:
    """A change that is no fault: every check passes, and there is nothing to explain."""

    name: str
    lab: str
    inject: Commands = ()
    edits: tuple[Edit, ...] = ()


def at(*hops: str, why: Reason | tuple[Reason, ...]) -> Accepted:
    """Return every one of these reasons at every one of these hops; `siteA:wan0` stands for `siteA` as well."""
    reasons = (why,) if isinstance(why, Reason) else why
    return frozenset(product(_with_namespaces(hops), reasons))


def exactly(hop: str, *why: Reason) -> Accepted:
    """Return these reasons at this hop alone."""
    return frozenset(product([hop], why))


def _with_namespaces(hops: tuple[str, ...]) -> Iterator[str]:
    for hop in hops:
        yield hop
        yield hop.partition(":")[0]


def rule(hook: str, what: str, table: str = "inet", kind: str = "filter", priority: int = 0) -> str:
    """Return the command that adds a rule of nftables in a chain of its own."""
    chain = f"add chain {table} own c {{ type {kind} hook {hook} priority {priority} ; }}"
    return f"nft 'add table {table} own; {chain}; add rule {table} own c {what}'"
