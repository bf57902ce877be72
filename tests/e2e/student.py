"""A student of a lesson without a screen: a process that goes through it, and is told what has been typed when.

It plays the lesson as `labctl learn` does. A request is a word on a line, the answer a line of JSON: what is lacking.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NoReturn, Self

from labctl.learn.answers import right
from labctl.learn.lesson.shipped import load_named
from labctl.learn.page import PREDICTION
from labctl.learn.player import Player
from labctl.learn.progress import Folder
from tests.e2e.world import DEADLINE, World


class Student:
    """A student in a process of their own, as a person of a world."""

    def __init__(self, here: World, lesson: str, seed: int) -> None:
        main = partial(_main, lesson, seed)
        self._process = here.start_forked(main, ["student"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        assert self._answer() == "", "the lesson has begun"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def predict(self) -> str:
        """Expect what is right, where that is asked, and have the lab looked at."""
        return self._ask("predict")

    def finish(self) -> str:
        """Answer what is asked, and wait until the step is done. Return what is not reached; empty if all is."""
        return self._ask("finish")

    def go_on(self) -> str:
        """Begin the next step."""
        return self._ask("go_on")

    def _ask(self, request: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{request}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process of the student has ended: see its standard error"
        answer: str = json.loads(line)
        return answer


def _main(lesson: str, seed: int) -> NoReturn:
    with Player.open(load_named(lesson, seed), Folder()) as player:
        requests = {"predict": _predict, "finish": _finish, "go_on": _go_on}
        player.start()
        print(json.dumps(""), flush=True)
        for line in sys.stdin:
            print(json.dumps(requests[line.strip()](player)), flush=True)
    sys.exit(0)


def _predict(player: Player) -> str:
    if player.step.predict is not None:
        player.answer(PREDICTION, player.step.predict.right)
    return _until(player, lambda: player.looks)


def _finish(player: Player) -> str:
    for answer in player.step.answer:
        player.answer(answer.name, right(answer, player.stage.lab))
    return _until(player, lambda: player.page.done)


def _go_on(player: Player) -> str:
    player.forward()
    return ""


def _until(player: Player, holds: Callable[[], bool]) -> str:
    """Wait for a condition. Return what is not reached where it does not come true."""
    deadline = time.monotonic() + DEADLINE
    if holds():
        return ""
    for _ in player.moments(pause=0.1):
        if holds():
            return ""
        if time.monotonic() > deadline:
            break
    return f"step {player.step.name!r}: {[goal for goal in player.goals if goal.state != 'reached']}"
