"""What is concluded from how a command ended, and from what it wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.checks.json_path import Missing, at, same
from labctl.checks.kinds.exec import ExecKind, concluded
from labctl.checks.results import Outcome
from labctl.kernel.run_command import Ended, NotRun
from labctl.topology.model import Exec

OSPF = {"neighbors": {"10.0.0.2": [{"state": "Full", "up": 12}], "10.0": {"0": "odd"}}, "": [True, None, 1.0]}


def outcome(written: str = "", code: int | None = 0, said: str = "", **asked: Any) -> Outcome:
    data = written.encode()
    command = Exec.read({"in": "a", "command": "some words", **asked})
    return concluded(command, Ended(code, data, len(data), said.encode() or data[-4096:]))


def test_the_exit_code_decides() -> None:
    assert outcome().state == "answered"
    assert outcome(code=3, exit=3).state == "answered"
    assert outcome("out\n\nerr\n", code=3) == Outcome("differs", "ended with exit code 3; it said: out | err")
    assert outcome(code=-9, exit=137).state == "answered"
    assert outcome(code=-9) == Outcome("differs", "ended with exit code 137, by SIGKILL; it said nothing")


def test_a_command_that_does_not_end_is_a_failure_and_one_that_cannot_be_run_was_not_asked() -> None:
    assert outcome("y\n" * 9, None, timeout=2) == Outcome(
        "silent", "it did not end within 2 s, and was ended; it said: y | y | y"
    )
    missing = concluded(Exec.read({"in": "a", "command": "x"}), NotRun("there is no program 'x'", "install"))
    assert missing == Outcome("unasked", "it cannot be run: there is no program 'x'; install")


def test_a_pattern_is_looked_for_in_every_line() -> None:
    assert outcome("one\ntwo\n", stdout="^two$").state == "answered"
    assert outcome("one\ntwo\n", stdout="^wo").words == "/^wo/ is not in its output; it said: one | two"
    assert outcome("", stdout="x").words == "/x/ is not in its empty output; it said nothing"


def test_what_was_written_is_shown_without_what_a_terminal_would_obey() -> None:
    assert outcome("\x1b[2J\0red\n", code=1).words.endswith("it said: �[2J�red")


def test_values_of_json_are_compared() -> None:
    text = json.dumps(OSPF)
    assert outcome(text, json={"neighbors.10.0.0.2.0.state": "Full"}).state == "answered"
    assert outcome(text, json={"neighbors.10.0.0.2.0.up": 12.0, ".0": True, ".-1": 1}).state == "answered"
    assert outcome(text, json={"neighbors.10.0.0.2.0.state": "Init"}).words.startswith(
        'neighbors.10.0.0.2.0.state is "Full", not "Init"'
    )
    assert outcome(text, json={"neighbors.10.0.0.3.0": "x"}).words.startswith(
        'there is no neighbors.10.0.0.3.0: neighbors.10.0.0 is "odd"'
    )
    assert outcome(text, json={".0": 1}).state == "differs", "true is no number"
    assert outcome("no", json={"a": 1}).words.startswith("its output is no JSON: Expecting value")
    assert outcome("", json={"a": 1}).words.startswith("its empty output is no JSON")


def test_output_that_was_cut_off_is_told_as_that() -> None:
    asked = Exec.read({"in": "a", "command": "x", "stdout": "z"})
    assert concluded(asked, Ended(0, b"aaa", 4000, b"z")).words.startswith("/z/ is not in the first 3 bytes of its")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_every_value_is_the_same_as_itself_after_json(value: Any) -> None:
    assert same(value, json.loads(json.dumps(value)))


@given(VALUES, st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), max_size=4))
def test_what_is_under_keys_is_found_whatever_dots_are_in_them(value: Any, keys: list[str]) -> None:
    whole = value
    for key in reversed(keys):
        whole = {key: whole}
    found = at(whole, ".".join(keys)) if keys else value
    assert not isinstance(found, Missing) and same(found, value)


@pytest.mark.parametrize("path", ["a", "0", "-1", "a.b", "²", "9" * 50])
def test_there_is_nothing_in_a_scalar_or_in_an_empty_list(path: str) -> None:
    assert isinstance(at([], path), Missing) and isinstance(at(5, path), Missing)


def test_what_is_expected_is_told_in_words() -> None:
    asked = Exec.read({"in": "a", "command": "x", "stdout": "up", "json": {"0.dev": "tun0"}})
    assert ExecKind(asked).expectation("answered") == 'exit code 0, /up/ in its output, 0.dev = "tun0"'
