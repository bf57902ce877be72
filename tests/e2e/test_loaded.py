"""What a command loads: a start is mostly imports, so a lab pays for what it has, and a command for what it does."""

from __future__ import annotations

import sys

from tests.e2e.world import REPO, World

PROGRAM = """\
import sys
from contextlib import ExitStack
from labctl.cli import run_cli

with ExitStack() as until_the_end:
    code = run_cli(until_the_end)
    print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""

COUNTED = """\
import gc, os, sys

def end(code):
    print("collections:", len(collections), "OpenSSL:", "_hashlib" in sys.modules, file=sys.stderr, flush=True)
    ended(code)

collections = []
gc.callbacks.append(lambda phase, _: collections.append(phase) if phase == "start" else None)
ended, os._exit = os._exit, end
from labctl.__main__ import main
main()
"""

TWO_SITE = str(REPO / "topologies" / "two-site.yaml")
FOR_ITSELF = {"labctl.learn", "labctl.web", "labctl.trace", "labctl.live", "labctl.diagnosis", "labctl.pytest_plugin"}
OF_CHECKS = {"labctl.checks", "http.client", "ssl", "subprocess"}
OF_A_FILE = {"pydantic", "yaml", "labctl.topology.model", "labctl.topology.rules", "labctl.topology.values"}
OF_A_PLAN = {"labctl.plan.steps", "labctl.plan.facts", "labctl.plan.change"}
OF_PROGRAMS = {"labctl.lab.programs.start", "labctl.lab.programs.supervisor", "labctl.lab.programs.stop"}
OF_HOSTS = {"mitogen", "cryptography", "labctl.engine.cable", "labctl.lab.cables"}
AS_COMMANDS = {"labctl.plan.commands", "labctl.plan.script"}


def loaded(here: World, *words: str) -> set[str]:
    done = here.run(sys.executable, "-c", PROGRAM, *words)
    return set(done.stderr.splitlines()[-1].split())


def of(modules: set[str], unwanted: set[str]) -> set[str]:
    """Return those of some modules that are unwanted, or in an unwanted package."""
    return {name for name in modules for top in unwanted if name == top or name.startswith(f"{top}.")}


def test_nothing_is_collected_before_there_is_garbage_and_openssl_is_for_digests(as_root: World) -> None:
    for words in (("--help",), ("up", TWO_SITE), ("status",), ("down",)):
        done = as_root.run(sys.executable, "-c", COUNTED, *words)
        assert done.stderr.splitlines()[-1] == f"collections: 0 OpenSSL: {words == ('status',)}", words


def test_a_command_loads_what_it_does_and_no_more(as_root: World) -> None:
    nothing_of = FOR_ITSELF | OF_PROGRAMS | OF_HOSTS | AS_COMMANDS
    help_ = loaded(as_root, "--help")
    assert of(help_, {"labctl.lab", "labctl.plan", "labctl.topology", "labctl.kernel", "labctl.api"}) == set()
    up = loaded(as_root, "up", TWO_SITE)
    assert of(up, nothing_of | OF_CHECKS | {"numpy", "pydantic", "labctl.api.lab"}) == set()
    assert of(up, {"labctl.kernel.observe", "labctl.kernel.nftables", "labctl.topology.json_schema"}) == set()
    status = loaded(as_root, "status")
    assert of(status, {"labctl.kernel.perform", "labctl.lab.programs.found", "labctl.process.users"}) == set()
    assert of(status, nothing_of | OF_CHECKS | {"numpy", "pyroute2", "yaml", "labctl.topology.rules"}) == set()
    verify = loaded(as_root, "verify", "own-tun-address-a")
    assert of(verify, {"labctl.learn", "labctl.web", "labctl.live", "http.client", "ssl", "yaml", "pyroute2"}) == set()
    down = loaded(as_root, "down")
    assert (
        of(down, nothing_of | OF_CHECKS | OF_A_FILE | OF_A_PLAN | {"rich", "pyroute2", "hashlib", "labctl.api.lab"})
        == set()
    )
