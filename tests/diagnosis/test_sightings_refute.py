"""What was seen refutes: no cause lies before a place at which the packets were seen, and none is lost before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from labctl.diagnosis import walk
from labctl.diagnosis.asked import asked_of
from labctl.diagnosis.facts import Case
from labctl.diagnosis.path import Paths
from labctl.diagnosis.reasons import Reason
from labctl.kernel.lookup import NoWay
from tests.diagnosis.cases import CHECKS, asking, followed, topology

LABS = sorted({lab for lab, _ in CHECKS})


def one_way(lab: str) -> Iterable[Case]:
    """The probes of a lab's checks on their way there, without an answer."""
    found = topology(lab)
    for check in found.checks:
        if (lab, check.name) not in CHECKS:
            continue
        asked = asked_of(check, Paths(found))
        assert asked is not None
        case = asking(found, replace(asked, answered=False))
        if len(case.stages) > 1:
            yield case


def broken(case: Case, names: Iterable[str]) -> Case:
    """The same with everything dead in some namespaces: links, engines, routes."""
    gone = set(names)
    spaces = {
        name: replace(space, links={each: replace(link, up=False) for each, link in space.links.items()})
        if name in gone
        else space
        for name, space in case.spaces.items()
    }
    engines = {
        ref: replace(engine, alive=ref.namespace not in gone, counted={}) for ref, engine in case.engines.items()
    }
    ways = {stage: NoWay(101, "") if stage.namespace in gone else way for stage, way in case.ways.items()}
    return replace(case, spaces=spaces, engines=engines, ways=ways)


@pytest.mark.parametrize("lab", LABS)
def test_nothing_is_named_where_packets_have_passed(lab: str) -> None:
    for whole in one_way(lab):
        for seen in range(len(whole.stages)):
            ahead = {stage.namespace for stage in whole.stages[seen:]}
            behind = {stage.namespace for stage in whole.stages[:seen]} - ahead
            told = walk.verdicts(broken(followed(whole, seen), behind))
            assert {verdict.reason for verdict in told} == {Reason.UNKNOWN}, (seen, told)


@pytest.mark.parametrize("lab", LABS)
def test_one_packet_that_came_through_refutes_all_that_would_lose_every_one(lab: str) -> None:
    for whole in (case for case in one_way(lab) if case.asked.protocol != "tcp"):  # whose packets are followed as one
        for seen in range(1, len(whole.stages) - 1):
            lost = followed(whole, seen)
            both = replace(lost, probes=[*whole.probes, *lost.probes])
            asked = {stage.namespace for stage in walk.in_question(both)}
            ahead = {stage.namespace for stage in whole.stages[seen:]} - asked
            told = walk.verdicts(broken(both, ahead))
            assert not {verdict.hop.partition(":")[0] for verdict in told} & ahead, (seen, told)


@pytest.mark.parametrize("lab", LABS)
def test_no_packet_is_lost_before_a_place_at_which_it_was_seen(lab: str) -> None:
    for whole in one_way(lab):
        for seen in range(len(whole.stages) + 1):
            case = followed(whole, seen)
            places = {str(each.station.ref) for probe in case.probes for each in probe.sightings}
            for verdict in walk.verdicts(case):
                before, _, after = verdict.hop.partition(" and ")
                assert not after or after not in places, (seen, verdict)
                assert before in places or before == case.asked.sender or seen == 0, (seen, verdict)
