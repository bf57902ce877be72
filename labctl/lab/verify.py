"""The checks of a running lab."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from labctl.checks.evidence import CountingPoint, Snapshot
from labctl.checks.needs import in_order
from labctl.checks.results import Result, Tools
from labctl.checks.run import Means, NoWatch, Watch, run
from labctl.diagnosis.grouping import by_cause
from labctl.diagnosis.verdict import Verdict, in_a_line
from labctl.errors import LabError, UsageError
from labctl.frozen import frozen
from labctl.kernel import namespaces
from labctl.kernel.lookup import NoWay, Way, way_to
from labctl.kernel.neighbours import unresolved
from labctl.kernel.observe import counters
from labctl.kernel.rtnetlink import Rtnetlink
from labctl.lab import names
from labctl.lab.challenge import Standing, hides, standing
from labctl.lab.engines.stats import EngineStats
from labctl.lab.explained_here import explainer
from labctl.lab.journal import Recorded
from labctl.lab.lock import asking
from labctl.lab.reconcile import pending
from labctl.lab.state import State, applied, existing
from labctl.plan.change import Change
from labctl.plan.desired import Desired, desired
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Check
from labctl.topology.rename import given_name
from labctl.topology.values import Host

if TYPE_CHECKING:
    from labctl.hosts.errors import HostLost
    from labctl.topology.checks_file import ChecksFile


@frozen
class Verified:
    """The results of the checks of a lab, how it differs from its file once they are done, and why checks failed."""

    lab: str
    file: str
    results: tuple[Result, ...]
    drift: tuple[Change, ...]
    diagnosis: tuple[Verdict, ...] = ()
    challenge: Standing | None = None  # while one runs there is neither drift nor diagnosis
    inventory: str = ""  # the file that says on which hosts the lab is; empty where `file` does
    given_name: str = ""  # what `up` needs with the file, where it was made with `--name`
    lost: tuple[HostLost, ...] = ()  # of which it is not known how they differ

    @property
    def passed(self) -> bool:
        """Return whether every check has passed: one that could not be asked has not."""
        return not self.failed

    @property
    def failed(self) -> tuple[Result, ...]:
        """Return the checks that have not passed."""
        return tuple(result for result in self.results if not result.passed)

    def raise_for_failures(self) -> Self:
        """Return this where every check has passed. Raise ChecksFailed with what failed, and why."""
        if self.failed:
            raise ChecksFailed(self)
        return self

    def __str__(self) -> str:
        """Return how many checks passed, all of those that did not, and the causes that were found."""
        counted = f"lab {self.lab}: {len(self.results) - len(self.failed)} of {len(self.results)} checks passed"
        causes = [f"{', '.join(verdict.checks) or self.lab}\n{verdict}" for verdict in self.diagnosis]
        return "\n\n".join([counted, *map(str, self.failed), *causes])


class ChecksFailed(LabError):
    """Checks of a lab have not passed. `verified` has all that was found."""

    def __init__(self, verified: Verified) -> None:
        names = ", ".join(result.name for result in verified.failed)
        number, of = len(verified.failed), len(verified.results)
        super().__init__(f"{number} of {of} checks of lab {verified.lab} failed: {names}", str(verified))
        self.args = (verified,)  # what pickle calls the class with
        self.verified = verified

    def __str__(self) -> str:
        return self.why


def verify(
    lab: str,
    checks: Sequence[str],
    tools: Callable[[PatienceFor], Tools],
    show: Callable[[Result], object],
    file: ChecksFile | None = None,
) -> Verified:
    """Run the named checks of a lab, or all, and show each result as soon as it is there.

    `tools` are the probes, or the machine's own tools. The checks are those of the lab, or of a `file` with others.

    Raise UsageError for a lab or a check that does not exist, or where those of the file do not fit; KernelRefused
    where the lab never came up.
    """
    state = existing(lab)
    wanted = desired(applied(state))
    known = _of_file(file, wanted) if file else wanted.topology.checks
    return verify_all(state, wanted, chosen(lab, known, checks), tools, show)


def _of_file(file: ChecksFile, wanted: Desired) -> Sequence[Check]:
    from labctl.topology.checks_file import checks_for  # with YAML and the rules of a file

    return checks_for(wanted.topology, file)


def verify_all(
    state: State,
    wanted: Desired,
    checks: Sequence[Check],
    tools: Callable[[PatienceFor], Tools],
    show: Callable[[Result], object],
) -> Verified:
    """Run checks of a lab, and show each result as soon as it is there. While a challenge runs no cause is told."""
    results, causes = [], []
    for result, found in explained(state, wanted, checks, tools):
        results.append(replace(result, lost=in_a_line(found)))
        causes.append((result.name, found))
        show(results[-1])
    stands = standing(state, wanted, results, every=all(each in checks for each in wanted.topology.checks))
    drift = () if hides(state) else pending(wanted, state).changes
    name = given_name(state.lab, wanted.topology.namespaces)
    return Verified(state.lab, state.read().file, tuple(results), drift, by_cause(causes), stands, given_name=name)


def explained(
    state: State, wanted: Desired, checks: Sequence[Check], tools: Callable[[PatienceFor], Tools]
) -> Iterator[tuple[Result, Sequence[Verdict]]]:
    """Run checks of a lab, while no other command does, and yield the result of each with why it has failed.

    While a challenge runs that is not told.
    """
    hidden = hides(state)
    for result, causes in diagnosed(state, wanted, checks, tools):
        yield result, () if hidden else causes


def diagnosed(
    state: State, wanted: Desired, checks: Sequence[Check], tools: Callable[[PatienceFor], Tools]
) -> Iterator[tuple[Result, Sequence[Verdict]]]:
    """Do as `explained`, for who may know while a challenge runs, too: its hints."""
    with asking(state), explainer(state, wanted, checks) as watch:
        for result in run(wanted, checks, means_of(state, state.read(), tools, watch)):
            yield result, () if result.passed or result.lacks else watch.explain(result)


def means_of(
    state: State, recorded: Recorded, tools: Callable[[PatienceFor], Tools], watch: Watch | None = None
) -> Means:
    """Return what the checks of a lab are made with, for the engines that are recorded now."""
    patience = patience_of(recorded)
    return Means(tools(patience), watch or NoWatch(), partial(snapshot, state), AskedKernel(), patience)


def patience_of(recorded: Recorded) -> PatienceFor:
    """Return what waits for something of a lab, for the engines that are recorded now."""
    carriers = [engine.process.pid for engine in recorded.engines.values()]
    carriers += [cable.process.pid for cable in recorded.cables.values()]

    def patience(seconds: float, *others: int) -> Patience:
        return Patience(seconds, *carriers, *others)

    return patience


class AskedKernel:
    """What the kernel says of the namespaces of a lab."""

    def way(self, namespace: str, to: Host) -> Way | NoWay:
        return way_to(namespace, to)

    def resolved(self, ref: InterfaceRef, neighbour: str) -> bool:
        with namespaces.inside(ref.namespace), closing(Rtnetlink()) as netlink:
            return socket.if_nametoindex(ref.interface) not in unresolved(netlink, neighbour)


def chosen(lab: str, checks: Sequence[Check], typed: Sequence[str]) -> list[Check]:
    """Return the checks of these names with all that they need, in the order of the file; all where none is typed."""
    known = {check.name: check for check in checks}
    wanted = names.chosen(lab, typed, known, "no check named")
    if not known:
        raise UsageError(f"lab {lab} has no checks", "its file has no `checks:`", "add some, then labctl up")
    return in_order((known[name] for name in wanted), checks)


def snapshot(state: State, points: Collection[CountingPoint]) -> Snapshot:
    """Return the counters of these points as they are now."""
    spaces = {name: counters(name) for name in {point.ref.namespace for point in points}}
    return Snapshot(
        {
            point.ref: found
            for point in points
            if not point.engine and (found := spaces[point.ref.namespace].get(point.ref.interface))
        },
        {ref: EngineStats.of(ref, state).counters for ref in {point.ref for point in points if point.engine}},
    )
