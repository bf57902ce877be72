"""A challenge from its beginning to its answer: a lab is made, faults are hidden in it, and their symptoms are told."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import partial

from labctl.api.caller import Caller
from labctl.api.calls.inspect import running
from labctl.api.lab import Lab
from labctl.api.sources import refuse_hosts
from labctl.errors import LabError, UsageError
from labctl.frozen import frozen
from labctl.hosts.record import recorded
from labctl.lab.challenge import Challenge, challenge_in, read, write
from labctl.lab.challenge_checks import look
from labctl.lab.own_labs import context_of
from labctl.lab.state import State, applied
from labctl.learn.challenges.choice import Placed, choose
from labctl.learn.challenges.symptoms import complaint, what_works
from labctl.learn.changes import perform
from labctl.learn.faults.fault import Level, as_level
from labctl.learn.faults.layout import Layout
from labctl.learn.faults.shell import as_typed
from labctl.report.challenge_values import Answer, Begun
from labctl.topology.model import Topology

HIGHEST_SEED = 9999
"""Of those that are drawn: short enough to be told from one table to the next."""

WORKS = 3
"""What holds is told of so many checks."""


@frozen
class Known:
    """A challenge with all that is worked out of it: the lab it is in, its topology, and its faults."""

    lab: str
    challenge: Challenge
    topology: Topology
    faults: tuple[Placed, ...]


def begin(source: str, seed: int | None, level: Level) -> Begun:
    """Make the lab of a topology anew, and hide faults in it. Return what is told of them.

    Raise UsageError where a lab of that name runs that is no solved challenge, or where the lab has no fault of the
    level; LabError where the faults do not show, or cannot be made: then no lab is left.
    """
    topology = Topology.load(source)
    refuse_hosts(topology, "a challenge is in a lab on one machine")
    seed = random.randint(1, HIGHEST_SEED) if seed is None else seed
    faults = choose(Layout(topology), seed, level)
    _refuse_to_end(topology.name)
    lab = Lab.up(source, fresh=True)
    try:
        return hide(lab, Challenge(source, seed, level, time.time()), topology, faults)
    except BaseException:
        lab.down()
        raise


def _refuse_to_end(lab: str) -> None:
    if lab not in running(Caller()):
        return
    if record := recorded(lab):
        where = f"lab {lab} runs, over {', '.join(record.hosts)}"
        raise UsageError(where, "a challenge makes it anew on this machine alone", f"labctl down {lab}, then again")
    found = context_of(lab).call(lambda: read(State(lab)))
    if found is None:
        raise UsageError(f"lab {lab} runs", "a challenge makes it anew", f"labctl down {lab}, then again")
    if not found.solved:
        raise UsageError(
            f"a challenge runs in lab {lab} already",
            f"{found.topology}, seed {found.seed}, level {found.level}",
            "labctl hint helps; labctl challenge --end ends it, and the lab",
        )


def hide(lab: Lab, challenge: Challenge, topology: Topology, faults: tuple[Placed, ...]) -> Begun:
    """Hide faults in a lab that is as its file says. Return what is told of them. Raise LabError where one fails."""
    context = context_of(lab.name)
    context.call(partial(write, State(lab.name), challenge))  # from here on nothing is told of what differs
    for fault in faults:
        for change in fault.injected.changes:
            perform(lab, change)
    looked = context.call(partial(look, lab.name))
    challenge = replace(challenge, failing=looked.failing, missing=looked.missing, began=time.time())
    if not all(fault.injected.check in looked.failing for fault in faults):
        what = f"challenge {challenge.topology}, seed {challenge.seed}, level {challenge.level} does not show here"
        raise LabError(what, "its check holds in spite of it", "try another seed")
    context.call(partial(write, State(lab.name), challenge))
    return told(Known(lab.name, challenge, topology, faults))


def known(lab: str) -> Known:
    """Return the challenge of a lab, which runs or is solved. Raise UsageError where there is none."""

    def work() -> tuple[Challenge | None, Topology]:
        return read(State(lab)), applied(State(lab))

    challenge, topology = context_of(lab).call(work)
    if challenge is None:
        raise UsageError(f"no challenge runs in lab {lab}", "", "labctl challenge two-site begins one")
    return Known(lab, challenge, topology, choose(Layout(topology), challenge.seed, as_level(challenge.level)))


def runs_in(lab: str) -> bool:
    """Return whether a challenge runs in a lab."""
    return recorded(lab) is None and context_of(lab).call(lambda: challenge_in(State(lab)) is not None)


def told(found: Known) -> Begun:
    """Return what is told of a challenge: as what its faults show, and what holds in spite of them."""
    challenge, draw = found.challenge, random.Random(found.challenge.seed)
    checks = {check.name: check for check in found.topology.checks}
    shown = dict.fromkeys(fault.injected.check for fault in found.faults)
    return Begun(
        found.lab,
        challenge,
        tuple(complaint(checks[name], draw) for name in shown),
        tuple(what_works(Layout(found.topology), challenge.failing)[:WORKS]),
        len(checks),
    )


def answer(found: Known) -> Answer:
    """Return what the faults of a challenge are, how they were made, and what mends them."""
    return Answer(
        found.lab,
        found.challenge,
        tuple(placed.fault.name for placed in found.faults),
        tuple(placed.fault.words for placed in found.faults),
        tuple(as_typed(change) for placed in found.faults for change in placed.injected.changes),
        tuple(as_typed(change) for placed in found.faults for change in placed.injected.solve),
    )


def reveal(lab: str) -> Answer:
    """Return the answer of a challenge, and record that it was looked at where it still runs. Raise UsageError."""
    found = known(lab)
    if not found.challenge.solved:
        shown = replace(found.challenge, revealed=True)
        context_of(lab).call(partial(write, State(lab), shown))
        found = replace(found, challenge=shown)
    return answer(found)
