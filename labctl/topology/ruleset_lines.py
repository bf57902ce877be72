"""On which line of a ruleset its chains, their policies and their rules stand.

No more of the language of nft(8) is read than its form: words, quotes, comments, braces, and the ends of statements.
A rule is known by its number in its chain, as the kernel knows it. Where rules come into a chain in another way than in
its braces or by `add rule`, their numbers are not known, and the chain has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
_OF_THE_CHAIN = ("policy", "comment", "flags", "devices")


@dataclass
class ChainLines:
    """The line of a chain, that of its policy, and those of its rules in their order; `rules` is None if not known."""

    line: int
    policy: int | None = None
    rules: list[int] | None = field(default_factory=list)


Name = tuple[str, str, str]
"""The family, the table and the name of a chain."""


class _Statement(NamedTuple):
    """Words up to the end of a statement, or up to a brace that opens a block, and the line of the first."""

    words: tuple[str, ...]
    line: int
    ends_with: str  # one of ; { }


def lines_of(ruleset: str) -> Mapping[Name, ChainLines]:
    """Return the chains of a ruleset with their lines, which count from 1."""
    found: dict[Name, ChainLines] = {}
    blocks: list[tuple[str, ...]] = []  # the words before each brace that is open
    in_rule = 0  # braces that are open within a rule
    begun: _Statement | None = None  # the rule that they are in
    for statement in _statements(ruleset):
        words, line, ends_with = statement
        chain = _chain(blocks)
        if chain is None:
            if words and ends_with == ";":
                _add_rule(words, line, found)
            if ends_with == "{":
                blocks.append(words)
                if inside := _chain(blocks):
                    found.setdefault(inside, ChainLines(line))
            elif ends_with == "}" and blocks:
                blocks.pop()
            continue
        if ends_with == "{":
            in_rule += 1
            begun = begun or statement
        elif ends_with == "}" and in_rule:
            in_rule -= 1
        elif not in_rule:
            _in_chain(begun or statement, found[chain])
            begun = None
            if ends_with == "}":
                blocks.pop()
    return found


def _chain(blocks: list[tuple[str, ...]]) -> Name | None:
    """Return the chain whose braces are open, None outside of one."""
    if len(blocks) != 2 or blocks[1][-2:-1] != ("chain",):
        return None
    table = tuple(word for word in blocks[0] if word not in ("add", "create"))[1:]
    family, name = (table[0], table[-1]) if table[:1] and table[0] in FAMILIES else ("ip", table[-1] if table else "")
    return family, name, blocks[1][-1]


def _in_chain(statement: _Statement, chain: ChainLines) -> None:
    words = statement.words
    if not words:
        return
    if words[0] == "policy":
        chain.policy = statement.line
    elif words[0] not in _OF_THE_CHAIN and not (words[0] == "type" and "hook" in words) and chain.rules is not None:
        chain.rules.append(statement.line)


def _add_rule(words: tuple[str, ...], line: int, found: dict[Name, ChainLines]) -> None:
    """Add what a command outside of braces adds to a chain."""
    verb, kind, *rest = (*words, "", "")
    if kind != "rule" or verb not in ("add", "insert", "replace", "delete"):
        return
    family, *rest = rest if rest[0] in FAMILIES else ("ip", *rest)
    table, name, *_ = (*rest, "", "")
    chain = found.setdefault((family, table, name), ChainLines(line))
    if verb == "add" and chain.rules is not None and rest[2:3] not in (["index"], ["handle"], ["position"]):
        chain.rules.append(line)
    else:
        chain.rules = None


def _statements(ruleset: str) -> Iterator[_Statement]:
    words: list[str] = []
    first = line = 1
    for word, line in _words(ruleset):
        if word in ("\n", ";", "{", "}"):
            yield _Statement(tuple(words), first if words else line, ";" if word == "\n" else word)
            words = []
        else:
            first = first if words else line
            words.append(word)
    if words:
        yield _Statement(tuple(words), first, ";")


def _words(ruleset: str) -> Iterator[tuple[str, int]]:
    """Yield words, braces and the ends of statements, each with its line."""
    for number, text in enumerate(ruleset.split("\n"), 1):
        at = 0
        joined = text.rstrip().endswith("\\")
        while at < len(text):
            char = text[at]
            if char == "#":
                break
            if char in ";{}":
                yield char, number
                at += 1
            elif char in "\"'":
                end = text.find(char, at + 1)
                end = len(text) if end < 0 else end
                yield text[at + 1 : end], number
                at = end + 1
            elif char.isspace() or char == "\\":
                at += 1
            else:
                end = next((place for place in range(at, len(text)) if text[place] in " \t\r;{}\"'#\\"), len(text))
                yield text[at:end], number
                at = end
        if not joined:
            yield "\n", number
