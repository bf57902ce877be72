"""The variables of a lesson: what each is for a seed, and `$NAME`, `${NAME}` or `${NAME - 28}` in a text.

`$folder` is the directory of the lesson, with the files that ship with it. Else only the names of the lesson's own
variables are replaced: what looks like a variable besides is one of the shell.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any


def values_of(declared: Any, lesson: str, seed: int) -> dict[str, str]:
    """Return the value of each variable as it is written in the front matter, before that is known to be right.

    What is no variable has no value: the model tells what is wrong with it.
    """
    chance = random.Random(f"{lesson} {seed}".encode(errors="surrogateescape"))  # a folder may have any name
    if not isinstance(declared, Mapping):
        return {}
    chosen = {str(name): _chosen(variable, chance) for name, variable in declared.items()}
    return {name: value for name, value in chosen.items() if value is not None}


def _chosen(variable: Any, chance: random.Random) -> str | None:
    match variable:
        case [_, *_]:
            return str(chance.choice(variable))
        case {"from": int(least), "to": int(most)} if least <= most:
            return str(chance.randint(least, most))
    return None


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the value of each variable in place of its `$NAME` or `${NAME}`.

    A whole number may have another one added or taken away: `${NAME + 28}`, with blanks, which is none of the shell's.
    """
    names = "|".join(sorted(map(re.escape, values), key=len, reverse=True))
    numbers = "|".join(
        sorted((re.escape(name) for name, value in values.items() if value.isdecimal()), key=len, reverse=True)
    )

    def calculated(found: re.Match[str]) -> str:
        other = int(found[3])
        return str(int(values[found[1]]) + (other if found[2] == "+" else -other))

    if numbers:
        text = re.sub(rf"\${{({numbers}) ([+-]) (\d+)}}", calculated, text)
    return re.sub(rf"\$(?:({names})\b|{{({names})}})", lambda found: values[found[1] or found[2]], text)
