"""The checks of a topology in namespaces of these names, whoever made them, and with what."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from labctl.checks.kinds import kind_of
from labctl.checks.kinds.nc import nc
from labctl.checks.kinds.ping import ping
from labctl.checks.results import WANTED, Outcome, Result
from labctl.checks.run import Means, run
from labctl.errors import LabError
from labctl.kernel import namespaces
from labctl.lab.outside.captured import Captured
from labctl.lab.verify import AskedKernel
from labctl.plan.desired import Desired
from labctl.process.patience import Patience, PatienceFor
from labctl.topology.model import Check, Exec, Nc, Ping, Probe, Throughput

_NOT_FROM_OUTSIDE: Mapping[type[Probe], str] = {
    Exec: "it runs a program in the lab, whose owner may change what that says",
    Throughput: "it sends more than can be looked at packet by packet",
}


class OutsideProbes:
    """labctl's own probes, as far as they run no program.

    `mark` tells their packets from others: the identifier of echo requests, or the port of a client; 0 where it is not
    known.
    """

    def __init__(self, patience: PatienceFor) -> None:
        self._patience = patience
        self.mark = 0

    def prepare(self, checks: Sequence[Check]) -> None:
        """Nothing is needed but Python."""

    def ask(self, probe: Probe) -> Outcome:
        """Make a probe, where all of its namespaces are there."""
        missing = [name for name in probe.namespaces.values() if not namespaces.taken(name)]
        if missing:
            return Outcome("unasked", f"there is no namespace {' and no '.join(missing)}")
        if refused := _NOT_FROM_OUTSIDE.get(type(probe)):
            return Outcome("unasked", refused)
        try:
            if isinstance(probe, Ping):
                self.mark = random.getrandbits(16)
                return ping(probe, self._patience, self.mark)
            self.mark = 0
            if isinstance(probe, Nc):
                return nc(probe, self._patience, self._begun)
            return kind_of(probe).ask(self._patience)
        except LabError as error:
            return Outcome("unasked", f"{error.what}: {error.why}")

    def _begun(self, port: int) -> None:
        self.mark = port

    def typed(self, probe: Probe) -> str:
        """Return what a person types for the same."""
        return kind_of(probe).typed()


def verify(wanted: Desired, checks: Sequence[Check], carriers: Collection[int]) -> Iterator[Result]:
    """Run checks in the namespaces of this process's /run/netns, and yield the result of each.

    `carriers` are processes below which packets may be carried: where those wait for a CPU, a time-out waits, too.
    """

    def patience(seconds: float, *others: int) -> Patience:
        return Patience(seconds, *carriers, *others)

    probes, asked = OutsideProbes(patience), {check.name: check for check in checks}
    with closing(Captured(wanted.topology, checks, lambda: probes.mark)) as captured:
        means = Means(probes, captured, captured.observe, AskedKernel(), patience)
        for result in run(wanted, checks, means):
            yield _proven(asked[result.name], result, captured)


def _proven(check: Check, result: Result, captured: Captured) -> Result:
    """Return a result, as far as what was counted proves it."""
    if result.lacks:
        return result
    if wrong := captured.wrong_kinds():
        # Nothing is counted there, which is as little a proof that nothing crosses as that something does.
        return replace(result, passed=False, lost="; ".join(wrong))
    counts_decide = bool(check.quiet) if result.passed else result.outcome == WANTED[check.expect]
    if counts_decide and (missed := captured.missed()):
        why = f"{missed} packets were too many to be looked at: what was counted is not all"
        return replace(result, passed=False, asked=False, outcome="unasked", lost=why)
    return result
