"""The commands of docs/class.md, typed by the teacher of a class."""

from __future__ import annotations

import shlex

from tests.learn.classroom.conftest import needs_root
from tests.learn.classroom.school import school
from tests.learn.classroom.test_class import CHECKS

PAGE = """
labctl class
labctl class verify
labctl class verify --checks checks.yaml --junit results.xml
labctl class message 'five more minutes'
labctl class reset alice
labctl class down --all
"""


def test_every_command_of_the_page_does_what_it_says() -> None:
    needs_root()
    with school(1) as made:
        made.together("up", "two-site")
        made.teacher.file("checks.yaml", CHECKS)
        told = [made.teacher.labctl(*shlex.split(line)[1:]).stdout for line in PAGE.split("\n") if line]
        for words, output in zip(
            ("14 of 14", "14 of 14", "4 of 4", "told alice", "ended", "no lab"), told, strict=True
        ):
            assert words in output
