"""The development container has what the lessons need."""

from __future__ import annotations

import json

from labctl.learn.lesson.shipped import folders, load_named
from labctl.learn.programs import PACKAGES
from tests.e2e.world import REPO

FOLDER = REPO / ".devcontainer"


def test_it_is_built_of_a_file_that_is_there() -> None:
    written = json.loads((FOLDER / "devcontainer.json").read_text())
    assert (FOLDER / written["build"]["dockerfile"]).is_file()
    assert f"useradd --create-home --shell /bin/bash {written['remoteUser']}" in (FOLDER / "Dockerfile").read_text()


def test_it_installs_what_lessons_need() -> None:
    installed = set((FOLDER / "Dockerfile").read_text().split())
    needed = {program for name in folders() for program in load_named(name, 1).lesson.needs}
    assert {PACKAGES[program] for program in needed if program in PACKAGES} <= installed
