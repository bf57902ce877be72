"""The part of an engine's command that can be changed while it runs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labctl.engine.packets.impairment import Impairment
from labctl.plan.facts import Facts
from labctl.plan.impairing import NONE, Command, as_asked, changes_of_impairments, is_served
from labctl.plan.steps import StartEngine

WORDS = st.builds(
    Impairment,
    delay=st.sampled_from([0.05, 0.001, 2.0]),
    jitter=st.sampled_from([0.0, 0.0005]),
    loss=st.sampled_from([0.0, 0.1, 1.0]),
    reorder=st.sampled_from([0.0, 0.25]),
    rate=st.sampled_from([0, 8000, 10**7]),
    seed=st.none() | st.integers(0, 9),
).map(str) | st.just(NONE)


def engine(out: str, into: str, *more: str) -> StartEngine:
    options = [*more, *(("--impair", out) if out != NONE else ()), *(("--impair-in", into) if into != NONE else ())]
    return StartEngine("a", "tun 0", "192.0.2.1", 9000, "192.0.2.2", 9000, tuple(options))


@given(WORDS, WORDS, st.booleans())
def test_a_command_comes_together_as_it_was_taken_apart(out: str, into: str, verbose: bool) -> None:
    step = engine(out, into, *(["-v"] if verbose else []))
    command = Command.of(step.command)
    assert command.impairments == {"out": out, "in": into}
    assert str(command) == step.command
    assert is_served(step, command.plain) and not is_served(step, f"{command.plain} --no-offload")


@given(WORDS, WORDS, WORDS, WORDS)
def test_the_steps_make_what_runs_what_is_wanted(one: str, two: str, three: str, four: str) -> None:
    runs, wanted = engine(one, two), engine(three, four)
    command = Command.of(runs.command)
    for step in changes_of_impairments([wanted], Facts(engines={runs.subject: runs.command})):
        assert step.before == command.impairments[step.direction] != step.impairment
        command = command.with_impairment(step.direction, step.impairment)
    assert str(command) == wanted.command


@given(WORDS, WORDS)
def test_what_a_person_types_changes_one_impairment_into_the_other(before: str, after: str) -> None:
    options = as_asked(before, after)
    named = dict(zip([option.removeprefix("--") for option in options[::2]], options[1::2], strict=True))
    assert Impairment.from_text(before).merged(named) == Impairment.from_text(after)
    assert bool(named) == (before != after)


def test_a_program_of_somebodys_own_is_taken_as_it_is() -> None:
    assert Command.of("fwd --impair x --verbose").plain == "fwd --impair x --verbose"
    step = StartEngine("a", "t", "192.0.2.1", 1, "192.0.2.2", 1, program=("fwd", "--impair", "x"))
    assert is_served(step, "fwd --impair x") and not is_served(step, "fwd --impair y")
    assert list(changes_of_impairments([step], Facts(engines={step.subject: step.command}))) == []
