"""Checks that run a command, ask a web server, a name server, or the kernel: what each concludes, in a lab."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import pytest

from tests.e2e.labs import tunnel
from tests.e2e.world import World, eventually, running
from tests.programs import needed

CROSSES = 'crosses: ["siteA:tun0", "siteB:tun1"]'
NS = "server: 10.0.102.1, timeout: 1"
CHECKS = f"""\
  - {{name: exec, exec: {{in: siteA, command: ping -c 2 -i 0.1 10.0.102.1, stdout: " 0% packet loss"}}, {CROSSES}}}
  - {{name: exec-quiet, exec: {{in: siteA, command: ping -c 1 10.0.101.1}}, quiet: ["siteA:tun0"]}}
  - {{name: exec-sent-nothing, exec: {{in: siteA, command: "true"}}, {CROSSES}}}
  - {{name: exec-here, exec: {{in: siteA, command: ./own.sh, stdout: "^here$"}}}}
  - {{name: exec-fails, exec: {{in: siteA, command: sh -c 'echo some words; exit 3'}}}}
  - {{name: exec-is-none, exec: {{in: siteA, command: nosuchprogram}}}}
  - name: exec-json
    exec: {{in: siteA, command: ip -j route get 10.0.102.1, json: {{0.dev: tun0, 0.prefsrc: 10.0.101.1}}}}
  - {{name: http, http: {{from: siteA, url: "http://10.0.102.1/page", body: "^hello$"}}, {CROSSES}}}
  - {{name: http-status, http: {{from: siteA, url: "http://10.0.102.1/none", status: 404}}}}
  - {{name: http-other, http: {{from: siteA, url: "http://10.0.102.1/none"}}}}
  - {{name: http-leads, http: {{from: siteA, url: "http://10.0.102.1/old", status: 302}}}}
  - {{name: http-follows, http: {{from: siteA, url: "http://10.0.102.1/old", redirects: 1, body: hello}}}}
  - {{name: http-chunked, http: {{from: siteA, url: "http://10.0.102.1/chunked", body: "^hello$"}}}}
  - {{name: http-stuck, http: {{from: siteA, url: "http://10.0.102.1/stuck", timeout: 0.5}}}}
  - {{name: http-refused, http: {{from: siteA, url: "http://10.0.102.1:81/"}}, expect: no-reply}}
  - {{name: http-refuses, http: {{from: siteA, url: "http://10.0.102.1:81/"}}}}
  - {{name: http-no-route, http: {{from: siteA, url: "http://203.0.113.1/"}}, expect: not-sent}}
  - {{name: http-is-none, http: {{from: siteA, url: "http://10.0.102.1:54/"}}}}
  - {{name: http-closes, http: {{from: siteA, url: "http://10.0.102.1:56/"}}}}
  - {{name: dns, dns: {{from: siteA, name: www.lab, is: [10.0.0.7], {NS}}}, {CROSSES}}}
  - {{name: dns-other, dns: {{from: siteA, name: www.lab, is: [10.0.0.8], {NS}}}}}
  - {{name: dns-none, dns: {{from: siteA, name: none.lab, is: [], {NS}}}}}
  - {{name: dns-missing, dns: {{from: siteA, name: none.lab, is: [10.0.0.7], {NS}}}}}
  - {{name: dns-long, dns: {{from: siteA, name: long.lab, is: [10.0.0.7], {NS}}}, {CROSSES}}}
  - {{name: dns-silent, dns: {{from: siteA, name: silent.lab, is: [], {NS}}}, expect: no-reply, {CROSSES}}}
  - {{name: dns-silence, dns: {{from: siteA, name: silent.lab, is: [10.0.0.7], {NS}}}}}
  - {{name: dns-refused, dns: {{from: siteA, name: www.lab, is: [], port: 55, {NS}}}}}
  - {{name: dns-no-route, dns: {{from: siteA, name: www.lab, is: [], server: 203.0.113.1}}, expect: not-sent}}
  - {{name: route, route: {{in: siteA, to: 10.0.102.1, dev: tun0, src: 10.0.101.1}}, quiet: ["siteA:tun0"]}}
  - {{name: route-other, route: {{in: siteA, to: 10.0.102.1, dev: wan0}}}}
  - {{name: route-none, route: {{in: siteA, to: 203.0.113.1}}, expect: not-sent}}
  - {{name: route-missing, route: {{in: siteA, to: 203.0.113.1}}}}
"""
SERVERS = """
import http.server, socket, threading, time

class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/old":
            self.send_response(302); self.send_header("Location", "page"); self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/chunked":
            self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
            self.wfile.write(b"4\\r\\na\\nhe\\r\\n4\\r\\nllo\\n\\r\\n0\\r\\n\\r\\n")
        elif self.path == "/stuck":
            self.send_response(200); self.send_header("Content-Length", "9"); self.end_headers()
            self.wfile.write(b"hello"); self.wfile.flush(); time.sleep(60)
        elif self.path == "/page":
            self.send_response(200); self.send_header("Content-Length", "6"); self.end_headers()
            self.wfile.write(b"hello\\n")
        else:
            self.send_error(404)
    def log_message(self, *_): pass

def answer(asked, cut):
    name = asked[12:].split(b"\\0")[0]
    question = asked[12:12 + len(name) + 5]
    flags, data = b"\\x81\\x80", b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\0\\0\\4" + bytes([10, 0, 0, 7])
    if b"none" in name:
        flags, data = b"\\x81\\x83", b""
    if b"long" in name and cut:
        flags, data = b"\\x83\\x80", b""
    return asked[:2] + flags + b"\\0\\1" + (b"\\0\\1" if data else b"\\0\\0") + bytes(4) + question + data

names = socket.socket(type=socket.SOCK_DGRAM); names.bind(("", 53))
long_names, talks = socket.create_server(("", 53)), socket.create_server(("", 54))
closes = socket.create_server(("", 56))
def by_datagram():
    while True:
        asked, sender = names.recvfrom(1000)
        if b"silent" not in asked:
            names.sendto(b"what is no answer", sender)
            names.sendto(answer(asked, True), sender)
def by_connection():
    while True:
        taken, _ = long_names.accept()
        found = answer(taken.recv(1000)[2:], False)
        taken.sendall(len(found).to_bytes(2, "big") + found[:5]); taken.sendall(found[5:]); taken.close()
def nonsense():
    while True:
        taken, _ = talks.accept()
        taken.sendall(b"220 welcome\\r\\n\\r\\n"); taken.close()
def closed():
    while True:
        taken, _ = closes.accept()
        taken.recv(1000); taken.close()
pages = http.server.ThreadingHTTPServer(("", 80), Pages)
for serve in (by_datagram, by_connection, nonsense, closed, pages.serve_forever):
    threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
time.sleep(1000)
"""
PASS = {
    "exec", "exec-quiet", "exec-here", "exec-json",
    "http", "http-status", "http-leads", "http-follows", "http-chunked", "http-refused", "http-no-route",
    "dns", "dns-none", "dns-long", "dns-silent", "dns-no-route", "route", "route-none",
}  # fmt: skip
OBSERVED = {
    "exec-fails": "ended with exit code 3; it said: some words",
    "exec-is-none": "it cannot be run: there is no program 'nosuchprogram' in PATH",
    "http-other": "404 Not Found, ",
    "http-stuck": "200 OK, 5 bytes of the body, but the rest did not come in time",
    "http-refuses": "nothing came back: Connection refused (ECONNREFUSED)",
    "http-no-route": "not sent: Network is unreachable (ENETUNREACH), as with no route",
    "http-is-none": "what came back is no HTTP: BadStatusLine: 220 welcome",
    "http-closes": "what came back is no HTTP: RemoteDisconnected: Remote end closed connection without response",
    "dns-other": "10.0.102.1 answers 10.0.0.7",
    "dns-none": "10.0.102.1 says that there is no name none.lab (NXDOMAIN)",
    "dns-silence": "10.0.102.1 did not answer within 1 s",
    "dns-refused": "nothing came back from 10.0.102.1: Connection refused (ECONNREFUSED)",
    "route-other": "to 10.0.102.1 dev tun0 src 10.0.101.1",
    "route-missing": "not sent: Network is unreachable (ENETUNREACH), as with no route",
}


def outcomes(here: World, *words: str, code: int | None) -> dict[str, Any]:
    return {check["name"]: check for check in here.json("verify", *words, code=code)["checks"]}


@pytest.fixture
def lab(here: World) -> World:
    Path(here.file("own.sh", "#!/bin/sh\necho here\n")).chmod(0o755)
    here.labctl("up", here.file("kinds.yaml", tunnel(checks=CHECKS)))
    return here


def test_each_kind_is_judged_by_what_comes_of_it_and_by_its_packets(lab: World) -> None:
    with running(lab, "siteB", SERVERS):
        found = outcomes(lab, code=1)
    assert {name for name, check in found.items() if check["passed"]} == PASS
    assert {name for name, check in found.items() if not check["asked"]} == {"exec-is-none"}
    for name, words in OBSERVED.items():
        assert found[name]["observed"].startswith(words), name
    for name in ("exec", "http", "dns-long"):
        assert len(found[name]["evidence"]) == 12 and all(one["observed"] > 0 for one in found[name]["evidence"])
    counted = {one["observed"] for one in found["dns-silent"]["evidence"][:6]}
    back = {one["observed"] for one in found["dns-silent"]["evidence"][6:]}
    assert (counted, back) == ({1}, {0}), "the question went, and nothing came back"
    assert found["exec-sent-nothing"]["outcome"] == "answered", "it is the counts that do not hold"
    assert found["http-refuses"]["lost"] == "siteB: no program listens on TCP port 81 of siteB"
    assert found["dns-refused"]["lost"] == "siteB: no program listens on UDP port 55 of siteB"
    lab.labctl("down")


def test_the_programs_of_the_machine_conclude_the_same(lab: World) -> None:
    needed("curl")
    needed("dig")
    names = [name for name in (*PASS, *OBSERVED) if name.startswith(("http", "dns"))]
    with running(lab, "siteB", SERVERS):
        found = eventually(lambda: timely(outcomes(lab, "--system-tools", *names, code=None)), "all wait long enough")
        own = outcomes(lab, *names, code=1)
    assert {name: check["outcome"] for name, check in found.items()} == {
        name: check["outcome"] for name, check in own.items()
    }
    assert {name for name, check in found.items() if check["passed"]} == PASS & {*names}
    lab.labctl("down")


def timely(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was found, None where a program ended too early, by its own clock, on a busy machine."""
    return None if any("too early" in check["observed"] for check in found.values()) else found


@pytest.mark.parametrize("lost", ["http", "dns"])
def test_a_lost_request_is_explained_as_any_other(here: World, lost: str) -> None:
    checks = "".join(line + "\n" for line in CHECKS.splitlines() if line.startswith(f"  - {{name: {lost},"))
    here.labctl("up", here.file("lost.yaml", tunnel(checks=checks.replace("timeout: 1", "timeout: 0.3"))))
    here.labctl("exec", "siteB", "--", "ip", "link", "set", "tun1", "down")
    with running(here, "siteB", SERVERS):
        found = outcomes(here, code=1)
    assert found[lost]["lost"] == "siteB:tun1: the interface siteB:tun1 is down"
    here.labctl("down")


ONE, TWO, THREE = (str(10 * os.getpid() + number) for number in range(3))  # seconds, which no other run sleeps for
ENDLESS = f"""\
  - name: sleeps
    exec: {{in: siteA, command: sh -c 'sleep {ONE} & setsid -f sleep {TWO}; sleep {THREE}', timeout: 0.5}}
  - {{name: writes, exec: {{in: siteA, command: "yes some words", timeout: 0.5}}}}
  - {{name: is-deaf, exec: {{in: siteA, command: sh -c "trap '' TERM INT; sleep {ONE}; sleep {TWO}", timeout: 0.5}}}}
  - {{name: leaves, exec: {{in: siteA, command: sh -c 'sleep {ONE} & setsid -f sleep {TWO}; exit 0'}}}}
  - {{name: asks, exec: {{in: siteA, command: sh -c 'read line </dev/tty'}}}}
"""


def sleepers() -> list[str]:
    """The processes that the commands have left."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:1] == [b"sleep"] and words[1:2] in ([ONE.encode()], [TWO.encode()], [THREE.encode()]):
            found.append(process.name)
    return found


def test_a_command_that_never_ends_is_ended_with_all_that_it_started(here: World) -> None:
    here.labctl("up", here.file("endless.yaml", tunnel(checks=ENDLESS)))
    found = outcomes(here, code=1)
    for name in ("sleeps", "writes", "is-deaf"):
        assert (found[name]["outcome"], found[name]["asked"]) == ("silent", True)
        assert found[name]["observed"].startswith("it did not end within 0.5 s, and was ended; it said")
    assert found["writes"]["observed"].endswith("it said: some words | some words | some words")
    assert found["leaves"]["passed"]
    assert found["asks"]["outcome"] == "differs" and "/dev/tty" in found["asks"]["observed"]
    assert sleepers() == []
    here.labctl("down")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_verify_that_is_ended_leaves_no_command_behind(here: World, number: signal.Signals) -> None:
    command = f"sh -c 'sleep {ONE} & sleep {THREE}'"
    endless = f"  - {{name: sleeps, exec: {{in: siteA, command: {command}, timeout: 600}}}}\n"
    here.labctl("up", here.file("endless.yaml", tunnel(checks=endless)))
    verify = here.start_labctl("verify", stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
    eventually(lambda: len(sleepers()) == 2, "the command runs")
    end = os.kill if number is signal.SIGKILL else os.killpg  # as a terminal does with Ctrl-C
    end(verify.pid, number)
    verify.wait()
    eventually(lambda: sleepers() == [], "nothing of it is left")
    here.labctl("down")
