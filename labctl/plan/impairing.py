"""What a running engine does to packets: the part of its command that can be changed without ending it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from labctl.engine.packets.impairment import Impairment, show
from labctl.plan.facts import Facts
from labctl.plan.steps import ImpairEngine, StartEngine, Step

NONE = "none"
_OPTIONS = {"--impair": "out", "--impair-in": "in"}


class Command(NamedTuple):
    """A command of an engine, taken apart: without its impairments, and these by direction, as words."""

    plain: str
    impairments: Mapping[str, str]

    @classmethod
    def of(cls, text: str) -> Command:
        words, impairments = shlex.split(text), dict.fromkeys(_OPTIONS.values(), NONE)
        while len(words) > 1 and words[-2] in _OPTIONS:  # they come last
            *words, option, value = words
            impairments[_OPTIONS[option]] = value
        return cls(shlex.join(words), impairments)

    def with_impairment(self, direction: str, words: str) -> Command:
        return self._replace(impairments={**self.impairments, direction: words})

    def __str__(self) -> str:
        options = {name: self.impairments[way] for name, way in _OPTIONS.items() if self.impairments[way] != NONE}
        return shlex.join((*shlex.split(self.plain), *(word for option in options.items() for word in option)))


def is_served(step: StartEngine, running: str) -> bool:
    """Whether the engine that runs is the wanted one, but for what can be changed while it runs."""
    if step.program or running == step.command:
        return running == step.command
    return Command.of(running).plain == Command.of(step.command).plain


def changes_of_impairments(wanted: Iterable[Step], facts: Facts) -> Iterator[ImpairEngine]:
    """The steps that make running engines impair as they are wanted to."""
    for step in wanted:
        if isinstance(step, StartEngine) and not step.program and step.subject in facts.engines:
            if step.subject not in facts.impaired and step.command == facts.engines[step.subject]:
                continue  # as most are, in a lab of hundreds
            now = facts.impaired.get(step.subject) or Command.of(facts.engines[step.subject]).impairments
            for direction, words in Command.of(step.command).impairments.items():
                if words != now[direction]:
                    yield ImpairEngine(step.namespace, step.interface, direction, words, now[direction])


def as_asked(before: str, after: str) -> list[str]:
    """The options of `labctl impair` that make the one impairment of the other."""
    now, then = Impairment.from_text(before).as_dict(), Impairment.from_text(after).as_dict()
    changed = {word: value for word, value in then.items() if value != now[word]}
    return [part for word, value in changed.items() for part in (f"--{word}", show(word, value))]
