"""Eight people of a class at once on one machine: none fails, none waits for another, and no lab is large.

`make class-cost` does the same with thirty, and shows the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import REPO, SUITE_IS_ROOT

PEOPLE = 8
MOST = 30
"""MB of a lab with two sites: a quarter more than was measured."""

CHECKS = """\
  - name: ping
    ping: {from: siteA, to: 10.0.102.1}
    crosses: ["siteA:tun0", "siteB:tun1"]
  - name: silence
    ping: {from: siteA, to: 10.0.102.9, timeout: 0.3}
    expect: no-reply
    crosses: ["siteA:tun0", "siteB:tun1"]
"""


@pytest.mark.skipif(not SUITE_IS_ROOT, reason="only root can become several users")
def test_eight_people_have_a_lab_each_at_once() -> None:
    with TemporaryDirectory(prefix="labctl-test-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder, "tunnel.yaml")
        file.write_text(tunnel(checks=CHECKS))
        words = ["--people", str(PEOPLE), "--file", str(file), "--rest", "0.1", "--json"]
        command = [sys.executable, "-m", "benchmarks.class_cost", *words]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    cost = json.loads(done.stdout)
    assert cost["labs"] == PEOPLE
    assert sorted(cost["memory"]) == ["an engine", "the holder"], "nothing else stays when `up` has ended"
    assert cost["memory_of_a_lab"] < MOST, cost["memory"]
