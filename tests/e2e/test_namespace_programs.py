"""The programs of namespaces: started in order, seen, repaired, and ended with everything that they have started."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.e2e.world import World, eventually

# What a program is told by, and by which it is found again among all processes.
SERVE = """\
import http.server, sys, time
print("starting", flush=True)
http.server.HTTPServer(("", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def lab(here: World, *programs: str, client: str = "") -> str:
    """The file of two namespaces; the programs are of `server`."""
    listed = "".join(f"      - {program}\n" for program in programs)
    return here.file(
        "lab.yaml",
        "name: programs\nnamespaces:\n  server:\n    interfaces:\n"
        '      eth0: {kind: veth, peer: "client:eth0", addresses: [192.0.2.1/30]}\n'
        + (f"    programs:\n{listed}" if listed else "")
        + "  client:\n    interfaces:\n"
        '      eth0: {kind: veth, peer: "server:eth0", addresses: [192.0.2.2/30]}\n' + client,
    )


def script(here: World, text: str, name: str = "x") -> Path:
    path = Path(here.file(name, text))
    path.chmod(0o755)
    return path


def programs(here: World) -> dict[str, dict[str, Any]]:
    return {program["program"]: program for program in here.json("status")["programs"]}


def running(here: World, words: str) -> list[int]:
    """The processes whose command begins with these words; those that supervise one begin with labctl."""
    return [pid for pid, title in here.processes() if title.startswith(words)]


def fetched(here: World, port: int = 80) -> str:
    code = f"import urllib.request as u; print(u.urlopen('http://192.0.2.1:{port}/').status)"
    return here.labctl("exec", "client", "--", "python3", "-c", code).stdout.strip()


def test_a_web_server_is_made_with_the_lab_and_gone_with_it(here: World) -> None:
    (here.home / "www").mkdir()
    file = lab(here, "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}, cwd: www}")
    assert [change["change"] for change in here.json("plan", file, code=1)["changes"]][-1:] == [
        "program python3 -m http.server 80"
    ]
    said = here.labctl("up", file, cwd="/").stdout
    assert "web  python3 -m http.server 80" in said and "2 namespaces, 2 interfaces, 1 program" in said
    assert fetched(here) == "200"
    web = programs(here)["server:web"]
    assert (web["state"], web["running"], web["restarts"], web["ended"]) == ("running", True, 0, "")
    assert Path(f"/proc/{web['pid']}/cwd").resolve() == (here.home / "www").resolve() or not here.is_root
    assert here.json("status")["drift"] == here.json("up", file)["changes"] == []
    assert '"GET / HTTP/1.1" 200' in here.labctl("logs", "server:web").stdout
    assert "server:web" in here.labctl("status").stdout
    here.labctl("down")
    assert here.processes() == []


def test_a_program_that_died_is_drift_and_brought_back(here: World) -> None:
    file = lab(here, "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}")
    here.labctl("up", file)
    (pid,) = running(here, "python3 -m http.server 80")
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not programs(here)["server:web"]["running"], "it has ended")
    assert (programs(here)["server:web"]["state"], programs(here)["server:web"]["ended"]) == (
        "ended",
        "ended by SIGTERM",
    )
    (change,) = here.json("plan", file, code=1)["changes"]
    assert change["reason"] == "is not running: ended by SIGTERM"
    assert here.json("status")["drift"] == [change] == here.json("up", file)["changes"]
    assert fetched(here) == "200" and here.json("status")["drift"] == []
    here.labctl("down")
