"""Commands on a lab over two hosts, from a shell: two-site stands for all of them."""

from __future__ import annotations

from labctl.hosts import logind
from tests.hosts.conftest import Wire
from tests.hosts.test_two_site import INVENTORY


def test_commands_of_a_shell(wire: Wire) -> None:
    near = wire.near
    near.labctl("up", "two-site", "-i", near.file("inventory.yaml", INVENTORY))
    devices = ["siteA:tun0", "siteB:tun1", "siteA:wan0", "siteB:wan0"]
    assert sorted(near.labctl("restart").stdout.partition("again: ")[2].strip().split(", ")) == sorted(devices)
    hosts, _, whose = zip(*(line.split()[:3] for line in near.labctl("logs").stdout.splitlines()), strict=True)
    assert list(hosts) == sorted(hosts), "of one host after the other"
    assert set(whose) == set(devices)
    assert near.json("verify", "underlay")["checks"][0]["passed"], "the cable is joined again"
    near.labctl("impair", "siteA:tun0", "--loss", "10%")
    assert "from two-site -i inventory.yaml" in near.labctl("status").stdout
    assert "loss 10%" in near.labctl("impair", "siteA:tun0", "--show").stdout
    near.labctl("capture", "siteB:wan0", "--duration", "0.1", "-w", "seen.pcapng")
    assert near.run("od", "-An", "-tx1", "-N4", "seen.pcapng").stdout.split() == ["0a", "0d", "0d", "0a"], "pcapng"
    near.labctl("impair", "siteA:tun0", "--reset")
    names = ("hello-over-tcp-a-to-b", "hello-over-udp-b-to-a")
    by_programs = near.json("verify", "--system-tools", *names)["checks"]
    assert {each["name"]: each["passed"] for each in by_programs}.items() >= dict.fromkeys(names, True).items()
    assert "siteA reaches 192.0.2.2" in near.labctl("why", "siteA", "192.0.2.2").stdout
    for words in ("exec", "trace"):
        said = near.labctl(words, "siteB", "--", "no-such-program", code=2).stderr
        assert said.startswith("on srv2: 'no-such-program' cannot be run\n"), said
    with wire.srv2.labctl_is(None):
        assert "labctl is not installed on srv2" in near.labctl("exec", "siteB", "--", "true", code=3).stderr
    assert near.labctl("exec", "siteA", "--", "env").stdout.count("LABCTL_") == 3, "what is meant by the lab, no note"
    assert "lab two-site is over srv1, srv2" in near.labctl("up", "two-site", code=2).stderr
    assert "lab two-site runs, over srv1, srv2" in near.labctl("challenge", "two-site", code=2).stderr
    assert "this is for a lab on one machine" in near.labctl("hint", code=2).stderr
    near.labctl("down")


def test_doctor_asks_a_host(wire: Wire) -> None:
    told = wire.near.labctl("doctor", "--host", "srv1").stdout
    rows = [line.split()[:2] for line in told.splitlines() if line]
    assert {"login", "cables", "logout", "namespace"} <= {name for _, name in rows}
    assert ["ok", "cables"] in rows
    assert told.endswith("srv1 can run labs\n")
    assert "nowhere cannot be reached" in wire.near.labctl("doctor", "--host", "nowhere", code=5).stderr


def test_what_logind_does_at_logout() -> None:
    """Of users it means those of KillOnlyUsers, or all, and never those of KillExcludeUsers (logind.conf(5))."""
    for only in ("as 0", 'as 2 "anna" "root"', ""):
        assert logind.of(f'b true\n{only}\nas 1 "root"', "anna").verdict == "note"
        assert logind.of(f'b true\n{only}\nas 1 "root"', "root").verdict == "ok"
    assert logind.of('b true\nas 1 "bob"\nas 1 "root"', "anna").verdict == "ok"
    for said in ("b false\nas 0\nas 0", ""):
        assert logind.of(said, "anna").verdict == "ok"
