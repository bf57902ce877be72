"""A lesson.md is read and judged as a topology file is: all mistakes at once, each with its line and column."""

from __future__ import annotations

import random
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from labctl.learn.lesson.load import LessonFile, loads
from labctl.learn.lesson.model import json_schema
from labctl.learn.lesson.sections import before_commands, document
from labctl.learn.lesson.variables import substituted, values_of
from labctl.topology.mistakes import FileMistakes

RIGHT = """\
---
title: Two hosts
minutes: 5
topology: two-site
vars:
  host: {from: 20, to: 250}
  word: [hello, goodbye]
steps:
  - name: look
    predict: {question: "Which?", choices: [a, b], right: b, because: So it is.}
    seen:
      - {name: pinged, description: Ping it., at: "siteA:lo", protocol: icmp, to: 10.0.101.1}
    answer:
      - {name: ttl, question: "Which TTL?", number: $host}
    hints: [One., {goal: pinged, text: Two.}]
    solve: [{in: siteA, run: ping -c 1 10.0.101.1}]
  - name: change
    setup:
      - {edit: {namespaces: {siteB: {interfaces: {tun1: {addresses: [10.0.102.1/24, 10.0.102.$host/24]}}}}}}
      - {impair: {device: "siteA:tun0", loss: 10%}}
    check:
      - {name: answers, ping: {from: siteA, to: 10.0.102.$host}}
    solve: [{in: siteA, run: "true"}]
---
Before.

## Look

Say $word to $host, ${word}s to all in $folder, and nothing to $HOME.

```sh
## no heading
```

### Afterwards

Because.

## Change

More.
"""


def read(text: str, seed: int = 1) -> LessonFile:
    return loads(text, "lesson.md", Path("lessons/two-hosts"), seed)


def mistakes(text: str) -> list[str]:
    with pytest.raises(FileMistakes) as caught:
        read(text)
    return [f"{one.line}:{one.column} {one.what}" for one in caught.value.mistakes]


def test_a_lesson_is_read_with_its_sections_and_the_lab_of_each_step() -> None:
    lesson = read(RIGHT)
    first, second = lesson.sections
    assert (lesson.name, lesson.introduction, first.title, second.title) == ("two-hosts", "Before.", "Look", "Change")
    assert first.afterwards == "### Afterwards\n\nBecause."
    assert "## no heading" in first.text
    host = lesson.steps[1].check[0].ping
    assert host is not None and f"to {str(host.to).rpartition('.')[2]}, " in first.text
    assert re.search(r"Say (hello|goodbye) .*, \1s to all in /.*lessons/two-hosts, and nothing to \$HOME", first.text)
    before, after = (lab.namespaces["siteB"].interfaces["tun1"].addresses for lab in lesson.labs)
    assert len(before) == 1 and str(after[1]) == f"{host.to}/24"
    assert lesson.labs[0].checks, "a lab that nothing was edited of has its own checks"
    assert second.text == "More."


def test_what_is_expected_is_asked_before_the_commands_and_what_they_write() -> None:
    text = "Look:\n\n```text\nA --- B\n```\n\nThen:\n\n```console\n$ ping\n64 bytes\n```\n\nIt answers.\n"
    assert before_commands(text) == "Look:\n\n```text\nA --- B\n```\n\nThen:"
    assert before_commands("No commands.") == "No commands." and before_commands("```console\n$ ping\n```") == ""


def test_a_seed_makes_the_same_values_each_time_and_another_one_others() -> None:
    texts = [read(RIGHT, seed).sections[0].text for seed in (1, 1, 2, 3, 4, 5)]
    assert texts[0] == texts[1] and len(set(texts)) > 2


def test_a_folder_whose_name_is_not_utf_8_has_values_as_any_other() -> None:
    declared = {"port": {"from": 0, "to": 10**9}}
    assert values_of(declared, "tun", 7) == {"port": str(random.Random("tun 7").randint(0, 10**9))}
    assert values_of(declared, "\udcdcbung", 7).keys() == {"port"}


def test_a_number_may_be_calculated_from_another_one() -> None:
    values = {"size": "200", "word": "cable"}
    assert substituted("$size ${size + 28} ${size - 56}", values) == "200 228 144"
    for shells in ("${size-28}", "${word + 1}", "${other - 1}", "$(( 1 - 2 ))"):
        assert substituted(shells, values) == shells


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("minutes: 5", "minutes: soon", "3:10 'minutes' must be a whole number, found 'soon'"),
        ("    answer:", "    anser:", "13:5 unknown key 'anser' in a step"),
        ("right: b", "right: c", "10:14 'c' is none of the choices"),
        ('"siteA:lo"', '"siteA:lO"', "12:51 'siteA:lO' does not exist"),
        ("goal: pinged", "goal: ping", "15:26 this step has no goal 'ping'"),
        ("{in: siteA, run: ping", "{in: siteC, run: ping", "16:18 there is no namespace 'siteC'"),
        ("from: siteA, to: 10.0.102.$host", "from: siteC, to: 10.0.102.$host", "22:38 there is no namespace 'siteC'"),
        ('"siteA:tun0", loss', '"siteA:wan0", loss', "20:27 siteA:wan0 is no tunnel endpoint"),
        ("{in: siteA, run: ping -c 1 10.0.101.1}", "{run: ping}", "16:13 `run` needs a namespace"),
        ("  word: [hello, goodbye]", "  word: {from: 3, to: 1}", "7:9 there is no number from 3 to 1"),
        ("## Change\n", "", "17:5 this step has no heading in the text"),
        ("More.", "More.\n\n## Third", "43:1 the heading 'Third' has no step"),
        ("name: change", "name: look", "17:11 there is another step 'look'"),
        ("tun1: {addresses", "tun2: {addresses", "the key 'kind' is missing in an interface"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(right: str, wrong: str, expected: str) -> None:
    assert right in RIGHT
    assert any(expected in one for one in mistakes(RIGHT.replace(right, wrong, 1))), mistakes(
        RIGHT.replace(right, wrong, 1)
    )


def test_all_mistakes_are_told_at_once() -> None:
    wrong = RIGHT.replace("minutes: 5", "minutes: 0").replace("ping: {from: siteA", "pong: {from: siteA")
    assert len(mistakes(wrong.replace("right: b", "right: c"))) >= 3


def test_text_without_front_matter_is_told_so() -> None:
    assert mistakes("# A lesson\n") == ["1:1 there is no front matter"]


def test_text_without_sections_has_none() -> None:
    found = document("---\ntitle: a\n---\nBefore.\n")
    assert found is not None
    assert (found.introduction, found.sections) == ("Before.", ())


def test_the_schema_takes_what_is_right() -> None:
    parts = document(RIGHT)
    assert parts is not None
    jsonschema.validate(yaml.safe_load(parts.front), json_schema())


def test_the_schema_tells_what_a_number_is_for_that_may_be_a_variable() -> None:
    number = json_schema()["$defs"]["Seen"]["properties"]["count"]
    assert number["description"] == "How many." and number["default"] == 1 and len(number["anyOf"]) == 2


def test_the_lab_has_the_checks_that_an_edit_has_written() -> None:
    check = "checks: [{name: speed, throughput: {from: siteA, to: siteB, address: 10.0.102.1, at_least: 1mbit}}]"
    edited = RIGHT.replace("vars:", f"edit: {{{check}}}\nvars:")
    assert [[check.name for check in lab.checks] for lab in read(edited).labs] == [["speed"], ["speed"]]
    assert any("there is no namespace 'siteC'" in one for one in mistakes(edited.replace("to: siteB", "to: siteC")))
