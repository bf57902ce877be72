"""A mount namespace of one's own: outside it nothing is to be seen of a lab, and `up` says so."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import World

AS_FIRST_PROCESS = ("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c")
"""A world in the world: what runs in it has the shell as the first process of its machine."""


def notes(here: World, around: str) -> list[str]:
    """What `up` notes, called with other words around it, by a shell that is the first process of its machine."""
    up, down = (
        shlex.join(here.command(*words))
        for words in (("up", here.file("pair.yaml", PAIR), "-f", "json"), ("down", "pair"))
    )
    told = here.run(*AS_FIRST_PROCESS, f"{around} sh -c {shlex.quote(f'{up} && {down} >&2')}").stdout
    return json.loads(told)["notes"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("around", ["unshare --mount", "unshare --mount --propagation slave"])
def test_a_lab_that_is_not_seen_outside_is_told(as_root: World, around: str) -> None:
    (note,) = notes(as_root, around)
    assert "mount namespace of its own (unshare -m" in note


@pytest.mark.parametrize("around", ["", "mount --make-rshared / && exec unshare --mount --propagation unchanged"])
def test_nothing_is_told_of_one_that_is_seen(as_root: World, around: str) -> None:
    assert notes(as_root, around) == []


def test_a_user_is_told_nothing(as_user: World) -> None:
    """A lab of a user is reached through its first process, from every mount namespace."""
    told = as_user.json("up", as_user.file("pair.yaml", PAIR))
    assert told["notes"] == []
    assert "note:" not in as_user.labctl("up", as_user.file("pair.yaml", PAIR)).stdout
    as_user.labctl("down")
