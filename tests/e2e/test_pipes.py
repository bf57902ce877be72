"""A topology that comes through a pipe: `labctl up -`, and the process substitution of a shell."""

from __future__ import annotations

import shlex

from tests.e2e.labs import PAIR
from tests.e2e.world import World


def test_every_command_takes_a_topology_from_a_pipe(here: World) -> None:
    file = here.file("pair.yaml", PAIR)
    assert "2 namespaces" in here.labctl("validate", "-", say=PAIR).stdout
    assert here.labctl("export", "-", say=PAIR).stdout == here.labctl("export", file).stdout
    here.labctl("up", "-", say=PAIR)
    substituted = f"{shlex.join(here.command('plan'))} <(cat {shlex.quote(file)})"
    assert "nothing to do" in here.run("bash", "-c", substituted).stdout.lower()
    here.labctl("down")


def test_the_mistakes_of_the_standard_input_have_their_places(as_user: World) -> None:
    done = as_user.labctl("up", "-", say=PAIR.replace("192.0.2.2/30", "192.0.2.2/33"), code=2)
    assert "<stdin>:8:57: '33' is no prefix length" in done.stderr
    assert "<stdin> is empty" in as_user.labctl("up", "-", say="", code=2).stderr
