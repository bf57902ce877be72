"""The programs of namespaces: started in order, seen, repaired, and ended with everything that they have started."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from labctl.process.processes import start_time
from tests.e2e.world import DEADLINE, World, eventually
from tests.programs import needed

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


VPN = """\
#!/usr/bin/env python3
import fcntl, os, struct, subprocess, time
descriptor = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(descriptor, 0x400454CA, struct.pack("16sH22x", b"vpn0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
for line in ("address add 10.7.0.1/24 dev vpn0", "link set vpn0 up", "route add 10.6.0.0/16 dev vpn0"):
    subprocess.run(["ip", *line.split()], check=True)
print("ready", flush=True)
time.sleep(1000)
"""


def test_the_device_of_a_program_is_its_own_and_goes_with_it(here: World) -> None:
    script(here, VPN)
    file = lab(here, "{name: vpn, command: ./x, ready: {log: ready}}")
    here.labctl("up", file)
    assert here.json("status")["drift"] == []
    assert "interface vpn0 in server" in here.labctl("up", file).stdout
    assert "10.6.0.0/16" in here.labctl("exec", "server", "--", "ip", "route").stdout, "it is as it was"
    without = lab(here)
    here.labctl("up", without)
    assert "vpn0" not in here.labctl("exec", "server", "--", "ip", "link").stdout
    assert here.json("status")["drift"] == []
    here.labctl("down")


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
    # Without root its PID is one of the environment's own.
    assert not here.is_root or Path(f"/proc/{web['pid']}/cwd").resolve() == (here.home / "www").resolve()
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


SLOW = "sh -c 'echo starting; sleep 0.3; echo \"listening on x\"; exec sleep 1000'"


def test_programs_start_in_order_side_by_side_and_end_the_other_way_round(here: World) -> None:
    fetch = 'import urllib.request as u; u.urlopen(\\"http://192.0.2.1/\\")'
    probe = (
        '    programs: [{name: probe, command: sleep 1002, after: ["server:web"],\n'
        f"      ready: {{command: \"python3 -c '{fetch}'\"}}}}]\n"
    )
    file = lab(
        here,
        "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}, after: [db, cache]}",
        f'{{name: db, command: "{SLOW.replace(chr(34), chr(92) + chr(34))}", ready: {{log: "^listening on .*"}}}}',
        "{name: cache, command: sleep 1001}",
        client=probe,
    )
    order = [change["subject"] for change in here.json("up", file)["changes"] if change["change"].startswith("program")]
    assert order == ["server:db", "server:cache", "server:web", "client:probe"]
    began = {name: started(here, name) for name in ("sleep 1000", "sleep 1001", "python3 -m http.server", "sleep 1002")}
    assert max(began["sleep 1000"], began["sleep 1001"]) <= began["python3 -m http.server"] <= began["sleep 1002"]
    assert all(program["running"] for program in programs(here).values())
    (removed,) = here.json("down")["labs"]
    gone = [one["name"] for one in removed["removed"] if one["kind"] == "program"]
    assert gone == ["client:probe", "server:web", "server:db", "server:cache"]
    assert here.processes() == []


def started(here: World, words: str) -> int:
    """When a process was started, in clock ticks since boot."""
    (pid,) = running(here, words)
    found = start_time(pid)
    assert found is not None
    return found


def told(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(change["action"], change["subject"], change["reason"]) for change in report["changes"]]


def test_a_changed_line_starts_that_program_again_and_no_other(here: World) -> None:
    web = "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}, after: [db]}"
    here.labctl("up", lab(here, web, "{name: db, command: sleep 1000}"))
    before = programs(here)
    changed = lab(here, web, "{name: db, command: sleep 1000, env: {A: b}}", "{name: new, command: sleep 1001}")
    assert told(here.json("plan", changed, code=1)) == [
        ("remove", "server:db", "its env changed"),
        ("make", "server:db", "its env changed"),
        ("make", "server:new", "is not running"),
    ]
    here.labctl("up", changed)
    after = programs(here)
    assert (
        after["server:web"]["pid"] == before["server:web"]["pid"]
        and after["server:db"]["pid"] != before["server:db"]["pid"]
    )
    without = lab(here, web.replace("after: [db]", "restart: always"))
    assert told(here.json("up", without)) == [
        ("remove", "server:web", "its restart changed"),
        ("remove", "server:db", "is not in the file"),
        ("remove", "server:new", "is not in the file"),
        ("make", "server:web", "its restart changed"),
    ]
    assert list(programs(here)) == ["server:web"] and here.json("status")["drift"] == []
    here.labctl("down")


def test_when_it_is_ready_is_of_the_start_alone(as_user: World) -> None:
    db, web = "{name: db, command: sleep 1001}", "{name: web, command: sleep 1000%s}"
    as_user.labctl("up", lab(as_user, db, web % ""))
    assert as_user.json("up", lab(as_user, db, web % ", ready: {log: x}, after: [db]"))["changes"] == []
    (removed,) = as_user.json("down")["labs"]
    assert [one["name"] for one in removed["removed"] if one["kind"] == "program"] == ["server:web", "server:db"]


def test_an_edited_program_is_started_again(here: World) -> None:
    path = script(here, "#!/bin/sh\necho first\nexec sleep 1000\n")
    file = lab(here, '{name: x, command: ./x, ready: {log: "first|second"}}')
    here.labctl("up", file)
    path.write_text("#!/bin/sh\necho second\nexec sleep 1001\n")
    stop, start = here.json("up", file)["changes"]
    assert stop["reason"] == start["reason"] == "its program ./x was edited since it was started"
    assert running(here, "sleep 1001") and not running(here, "sleep 1000")
    here.labctl("down")


def test_a_program_has_ended_though_what_it_left_writes_without_end(here: World) -> None:
    script(here, "#!/bin/sh\nyes & until [ -e end ]; do sleep 0.1; done; exit 3\n")
    here.labctl("up", lab(here, "{name: x, command: ./x, ready: {log: y}}"))
    here.file("end", "")
    eventually(lambda: programs(here)["server:x"]["ended"] == "ended with exit code 3", "it has ended")
    eventually(lambda: not running(here, "yes"), "what it left is ended, too")
    here.labctl("down")


def test_a_name_that_is_cut_amidst_a_character_is_in_nobodys_way(here: World) -> None:
    script(here, "#!/bin/sh\nwhile sleep 1000; do :; done\n", "мойсервер")
    file = lab(here, "{name: x, command: ./мойсервер}")
    here.labctl("up", file)
    left = ("exec", "client", "--", "sh", "-c", f"{here.home}/мойсервер > /dev/null 2>&1 & echo $!")
    pid = here.labctl(*left).stdout.strip()
    assert programs(here)["server:x"]["state"] == "running" and here.json("status")["drift"] == []
    here.labctl("restart", "server:x")
    assert f"process {pid}" in here.labctl("down").stdout
    assert here.processes() == []


def test_a_file_that_a_program_writes_itself_was_not_edited(here: World) -> None:
    Path(here.file("out", "of the last run")).chmod(0o666)
    code = "import sys, time; out = open(sys.argv[1], 'w'); print('more', file=out, flush=True); time.sleep(1000)"
    file = lab(here, f'{{name: x, command: "python3 -c \\"{code}\\" out"}}')
    here.labctl("up", file)
    eventually(lambda: (here.home / "out").read_text() == "more\n", "it has written")
    assert here.json("up", file)["changes"] == here.json("status")["drift"] == []
    here.labctl("down")


def test_restart_starts_anew_what_is_named(here: World) -> None:
    here.labctl("up", lab(here, "{name: web, command: sleep 1000}", "{name: db, command: sleep 1001}"))
    before = programs(here)
    found = here.json("restart", "server:web")
    assert [program["program"] for program in found["programs"]] == ["server:web"] and found["engines"] == []
    after = programs(here)
    assert after["server:web"]["pid"] != before["server:web"]["pid"] and after["server:db"] == before["server:db"]
    assert "started again: server:web, server:db" in here.labctl("restart", "-l", "programs").stdout
    said = here.labctl("restart", "server:wep", code=2).stderr
    assert "lab programs has no engine or program 'server:wep'" in said and "did you mean 'server:web'" in said
    here.labctl("down")


def test_a_program_that_is_stopped_can_say_goodbye(here: World) -> None:
    script(here, "#!/bin/sh\ntrap 'echo goodbye; exit' TERM\necho ready\nwhile :; do sleep 0.05; done\n")
    here.labctl("up", lab(here, "{name: p, command: ./x, ready: {log: ready}}"))
    (pid,) = running(here, "/bin/sh ./x")
    os.kill(pid, signal.SIGSTOP)
    assert here.json("status")["programs"][0]["state"] == "stopped"
    here.labctl("restart", "server:p")
    assert "goodbye" in here.labctl("logs", "server:p").stdout
    here.labctl("down")


def test_env_user_and_directory(here: World) -> None:
    text = (
        "#!/bin/sh\necho $A $B $LABCTL_LAB $LABCTL_NAMESPACE $LABCTL_PROGRAM $(id -u) $(basename $PWD)\n"
        "umask; tty; cat; exec sleep 1000\n"
    )
    (here.home / "sub").mkdir()
    script(here, text, "sub/x")
    here.home.chmod(0o755)
    user = "65534" if here.is_root else str(os.stat(here.home).st_uid)
    file = lab(here, f'{{name: x, command: ./x, cwd: sub, env: {{A: b c, B: 1}}, user: "{user}", ready: {{log: tty}}}}')
    here.labctl("up", file)
    said = [line.split("  ", 1)[1] for line in here.labctl("logs", "server:x").stdout.splitlines()]
    assert said == [f"b c 1 programs server server:x {65534 if here.is_root else 0} sub", "0022", "not a tty"]
    assert here.json("status")["substitutions"] == []
    here.labctl("down")


def test_another_user_opens_a_low_port_as_root_and_is_told_to_be_missing_without(here: World) -> None:
    file = lab(here, "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}, user: nobody, cwd: /}")
    here.labctl("up", file)
    (pid,) = running(here, "python3 -m http.server")
    found = here.json("status")["substitutions"]
    if here.is_root:
        assert found == [] and os.stat(f"/proc/{pid}").st_uid == 65534
    else:
        (one,) = found
        assert (one["subject"], one["wanted"], one["used"]) == ("server:web", "user nobody", "your own user")
        assert "in place of user nobody: your own user" in here.labctl("status").stdout
    assert here.json("up", file)["changes"] == []
    here.labctl("up", lab(here, "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}"))
    assert here.json("status")["substitutions"] == []
    said = here.labctl("up", lab(here, "{name: web, command: x, user: nosuchuser}"), code=2).stderr
    assert "there is no user 'nosuchuser' on this machine" in said
    here.labctl("down")


def test_a_program_that_fails_is_started_again_after_a_pause_that_grows(here: World) -> None:
    script(here, "#!/bin/sh\necho run >> runs\n[ $(wc -l < runs) -lt 4 ] && exit 3\necho ready\nexec sleep 1000\n")
    file = lab(here, "{name: x, command: ./x, restart: on-failure, ready: {log: ready}}")
    here.labctl("up", file)
    x = programs(here)["server:x"]
    assert (x["state"], x["restarts"], x["ended"]) == ("running", 3, "ended with exit code 3")
    said = here.labctl("logs").stdout
    pauses = [said.find(f"labctl: is started again in {pause} s") for pause in ("0.1", "0.2", "0.4")]
    assert said.count("labctl: ended with exit code 3") == 3 and -1 not in pauses and pauses == sorted(pauses)

    (pid,) = running(here, "sleep 1000")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: programs(here)["server:x"]["restarts"] == 4, "it is started again")
    eventually(lambda: here.json("status")["drift"] == [], "nothing is left to do")
    here.labctl("down")


def test_always_is_also_after_success_and_a_pause_is_drift(here: World) -> None:
    script(
        here,
        "#!/bin/sh\n[ -e gone ] && exit 0\ntrap 'touch gone; exit 0' USR1\necho ready\nwhile :; do sleep 0.05; done\n",
    )
    file = lab(here, "{name: x, command: ./x, restart: always, ready: {log: ready}}")
    here.labctl("up", file)
    (pid,) = running(here, "/bin/sh ./x")
    os.kill(pid, signal.SIGUSR1)
    eventually(lambda: programs(here)["server:x"]["restarts"] > 3, "it is started again and again")
    eventually(lambda: programs(here)["server:x"]["state"] == "waiting", "there is a pause")
    stop, start = here.json("plan", file, code=1)["changes"]
    assert stop["reason"] == start["reason"] == "ended with exit code 0, and waits to be started again"
    assert "ended with exit code 0, waits" in here.labctl("status").stdout
    (here.home / "gone").unlink()
    here.labctl("up", file)
    assert programs(here)["server:x"]["state"] == "running" and here.json("status")["drift"] == []
    here.labctl("down")
    assert here.processes() == []


def test_servers_that_people_know(here: World) -> None:
    needed("dnsmasq")
    needed("iperf3")
    here.file("dnsmasq.conf", "no-daemon\nno-resolv\nno-hosts\nuser=\npid-file\naddress=/shop.test/192.0.2.1\n")
    file = lab(
        here,
        "{name: dns, command: dnsmasq -C dnsmasq.conf, ready: {udp: 53}}",
        "{name: perf, command: stdbuf -oL iperf3 -s, ready: {log: Server listening}}",
        "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}",
    )
    here.labctl("up", file)
    asks = (
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5); s.connect(('192.0.2.1', 53));"
        " s.send(bytes.fromhex('000101000001000000000000') + b'\\4shop\\4test\\0' + bytes.fromhex('00010001'));"
        " print(s.recv(512)[-4:] == socket.inet_aton('192.0.2.1'))"
    )
    assert here.labctl("exec", "client", "--", "python3", "-c", asks).stdout == "True\n"
    here.labctl("exec", "client", "--", "iperf3", "-c", "192.0.2.1", "-n", "1M")
    assert fetched(here) == "200"
    assert "Accepted connection" in here.labctl("logs", "server:perf").stdout
    assert here.json("status")["drift"] == []
    here.labctl("down")
    assert here.processes() == []


def test_a_failed_check_names_the_program_that_should_listen_and_has_ended(here: World) -> None:
    check = (
        "checks:\n  - name: web\n"
        "    nc: {from: client, to: server, server: false, address: 192.0.2.1, port: 80, send: x, timeout: 1}\n"
    )
    web = "{name: web, command: python3 -m http.server 80, ready: {tcp: 80}}"
    file = lab(here, web, "{name: other, command: sleep 1000, ready: {command: 'true'}}", client=check)
    here.labctl("up", file)
    for pid in (*running(here, "python3 -m http.server 80"), *running(here, "sleep 1000")):
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not any(program["running"] for program in programs(here).values()), "both have ended")
    (verdict,) = here.json("verify", code=1)["diagnosis"]
    assert verdict["reason"] == "not-listening" and verdict["fix"].startswith("labctl up ")
    assert verdict["words"] == (
        "no program listens on TCP port 80 of server: its program server:web should, "
        "and is not running: ended by SIGTERM"
    )
    here.labctl("down")


def test_a_lab_of_another_name_has_programs_of_other_names(here: World) -> None:
    here.file("seen", "the file of one namespace\n")
    program = "{name: x, command: sh -c 'cat /etc/seen; exec sleep 1001', ready: {log: the file}, after: [y]}"
    client = (
        '    programs: [{name: late, command: sleep 1002, after: ["server:x"]}]\n'
        "  third: {programs: [{name: x, command: sleep 1003, ready: {command: test ! -e /etc/seen}}]}\n"
    )
    file = lab(here, program, "{name: y, command: sleep 1000}\n    files: {/etc/seen: {source: seen}}", client=client)
    here.labctl("up", file, "--name", "other")
    assert list(programs(here)) == ["other-server:y", "other-third:x", "other-server:x", "other-client:late"]
    assert "the file of one namespace" in here.labctl("logs", "server:x").stdout
    (listed,) = here.json("list")
    assert (listed["programs"], listed["programs_running"]) == (4, 4)
    here.labctl("restart", "server:x")
    assert here.json("status")["drift"] == []
    here.labctl("down")


def test_an_up_that_is_interrupted_while_a_program_is_waited_for_leaves_nothing(here: World) -> None:
    before = here.snapshot()
    file = lab(here, "{name: x, command: sh -c 'sleep 1001 & sleep 1000', ready: {command: sleep 1002, within: 60}}")
    process = here.start_labctl("up", file, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    eventually(lambda: running(here, "sleep 1002"), "it is waited for")
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130 and "Traceback" not in said
    eventually(lambda: here.snapshot() == before, "nothing is left")
