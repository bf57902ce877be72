"""What a running engine does to packets: the part of its command that can be changed without ending it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from labctl.engine.impair_words import Impairment, show
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
        words, impairments = iter(shlex.split(text)), dict.fromkeys(_OPTIONS.values(), NONE)
        plain = []
        for word in words:
            if word in _OPTIONS:
                impairments[_OPTIONS[word]] = next(words, NONE)
            else:
                plain.append(word)
        return cls(shlex.join(plain), impairments)

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


def in_force(device: str, facts: Facts) -> Mapping[str, str]:
    """What an engine does to packets now, by direction: what its command says, if nobody asked for anything else."""
    return facts.impaired.get(device) or Command.of(facts.engines[device]).impairments


def impairments(wanted: Iterable[Step], facts: Facts) -> Iterator[ImpairEngine]:
    """The steps that make running engines impair as they are wanted to."""
    for step in wanted:
        if isinstance(step, StartEngine) and not step.program and step.subject in facts.engines:
            if step.subject not in facts.impaired and step.command == facts.engines[step.subject]:
                continue  # as most are, in a lab of hundreds
            now = in_force(step.subject, facts)
            for direction, words in Command.of(step.command).impairments.items():
                if words != now[direction]:
                    yield ImpairEngine(step.namespace, step.interface, direction, words, now[direction])


def as_asked(before: str, after: str) -> list[str]:
    """The options of `labctl impair` that make the one impairment of the other. A seed can be named, not taken away."""
    now, then = Impairment.from_text(before).as_dict(), Impairment.from_text(after).as_dict()
    changed = {word: value for word, value in then.items() if value is not None and value != now[word]}
    return [part for word, value in changed.items() for part in (f"--{word}", show(word, value))]
