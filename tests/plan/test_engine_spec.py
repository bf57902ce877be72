"""An engine as a value: what of it can be changed while it runs, and the commands that are made of it."""

from __future__ import annotations

import shlex
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine import ttun
from labctl.engine.packets.address import Address
from labctl.engine.packets.impairment import Impairment
from labctl.lab.engines.engine_process import endpoint_of
from labctl.plan.commands.processes import impair_options
from labctl.plan.desired import Desired
from labctl.plan.engine_spec import NO_IMPAIRMENT, EngineSpec
from labctl.plan.facts import Facts, Link, Namespace, RunningEngine
from labctl.plan.mtu import Mtus
from labctl.plan.plan import between
from labctl.plan.steps import AddLink, AddNamespace, ImpairEngine, StartEngine, Step, StopEngine
from labctl.topology.interface_ref import InterfaceRef
from labctl.topology.model import Topology
from labctl.topology.routed import Routed

DEVICE = InterfaceRef("a", "tun0")
IMPAIRMENTS = st.builds(
    Impairment,
    delay=st.sampled_from([0.05, 0.001, 2.0]),
    jitter=st.sampled_from([0.0, 0.0005]),
    loss=st.sampled_from([0.0, 0.1, 1.0]),
    reorder=st.sampled_from([0.0, 0.25]),
    rate=st.sampled_from([0, 8000, 10**7]),
    seed=st.none() | st.integers(0, 9),
) | st.just(NO_IMPAIRMENT)


def engine(out: Impairment = NO_IMPAIRMENT, into: Impairment = NO_IMPAIRMENT, verbose: bool = False) -> EngineSpec:
    ends = Address("192.0.2.1", 9000), Address("192.0.2.2", 9000)
    return EngineSpec(DEVICE, *ends, verbose=verbose, impair=out, impair_in=into)


def steps_of(wanted: EngineSpec, runs: EngineSpec) -> list[Step]:
    """The plan for an engine that runs and is wanted otherwise."""
    topology = Topology.read({"name": "lab", "namespaces": {"a": {}}})
    space = Namespace({"tun0": Link("tun0", "tun", up=True, carrier=True, state="up", mtu=1500)})
    facts = Facts({"a": space}, {DEVICE: RunningEngine(runs, runs.impairments)})
    asked = AddNamespace("a"), AddLink(*DEVICE, "tun"), StartEngine(*DEVICE, wanted)
    desired = Desired(topology, asked, Mtus(Routed(topology, {})), {})
    return [change.step for change in between(desired, facts).changes]


@given(IMPAIRMENTS, IMPAIRMENTS, st.booleans())
def test_the_command_of_an_engine_starts_the_same(out: Impairment, into: Impairment, verbose: bool) -> None:
    spec = engine(out, into, verbose)
    program, *words = shlex.split(spec.command)
    assert program == "ttun"
    assert ttun.endpoint_of(ttun.ttun_parser().parse_args(words)) == endpoint_of(spec)


@given(IMPAIRMENTS, IMPAIRMENTS, IMPAIRMENTS, IMPAIRMENTS)
def test_the_steps_make_what_runs_what_is_wanted(
    one: Impairment, two: Impairment, three: Impairment, four: Impairment
) -> None:
    runs, wanted = engine(one, two), engine(three, four)
    assert runs.can_become(wanted)
    for step in steps_of(wanted, runs):
        assert isinstance(step, ImpairEngine)
        assert step.before == runs.impairments[step.direction] != step.impairment
        runs = runs.impaired(step.direction, step.impairment)
    assert runs == wanted


@given(IMPAIRMENTS, IMPAIRMENTS)
def test_all_but_the_impairments_takes_a_start(out: Impairment, into: Impairment) -> None:
    runs, wanted = engine(out, into), replace(engine(), offload=False)
    assert not runs.can_become(wanted)
    assert [type(step) for step in steps_of(wanted, runs)] == [StopEngine, StartEngine]


@given(IMPAIRMENTS, IMPAIRMENTS)
def test_what_a_person_types_changes_one_impairment_into_the_other(before: Impairment, after: Impairment) -> None:
    options = impair_options(before, after)
    named = dict(zip([option.removeprefix("--") for option in options[::2]], options[1::2], strict=True))
    assert before.merged(named) == after
    assert bool(named) == (before != after)


def test_a_program_is_told_by_its_command_and_has_no_impairments_to_change() -> None:
    program = replace(engine(), program=("fwd", "--impair", "x"))
    assert program.command == program.unimpaired.command == "fwd --impair x"
    assert program.can_become(replace(program, directory="/elsewhere"))
    assert not program.can_become(replace(program, program=("fwd", "--impair", "y")))
    assert not program.can_become(engine())
    assert steps_of(program, replace(program, impair=Impairment(loss=0.1))) == []
