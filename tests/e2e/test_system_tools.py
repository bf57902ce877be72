"""`verify --system-tools`: the ping and nc of the machine, whichever of the programs of these names it has."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import World


def path_with(here: World, **programs: str) -> dict[str, str]:
    """A PATH on which there is nothing but these, each by the name given."""
    folder = here.home / "bin"
    folder.mkdir()
    for name, program in programs.items():
        found = shutil.which(program)
        assert found, f"{program} is needed by the tests (.ci/run installs it)"
        (folder / name).symlink_to(found)
    return {"PATH": str(folder)}


@pytest.mark.parametrize("netcat", ["nc.openbsd", "nc.traditional", "ncat"])
def test_each_of_the_three_netcats_proves_the_lab(here: World, netcat: str) -> None:
    environment = path_with(here, ping="ping", nc=netcat)
    here.labctl("up", "two-site")
    for _ in range(3):  # exit code 5: the machine was too busy to ask a check
        done = here.labctl("verify", "--system-tools", code=None, env=environment)
        if done.returncode != 5:
            break
    assert done.returncode == 0, done.stdout
    here.labctl("down")


@pytest.mark.parametrize("netcat", ["nc.openbsd", "nc.traditional", "ncat"])
def test_more_is_answered_than_a_pipe_holds(as_user: World, netcat: str) -> None:
    """A server reads what it is to answer only once its client has come."""
    text = "\N{CYRILLIC SMALL LETTER YA}" * 65000
    probe = f"{{from: left, to: right, address: 192.0.2.2, port: 7000, send: {text}, reply: {text}}}"
    as_user.labctl("up", as_user.file("pair.yaml", f"{PAIR}\n  - {{name: large, nc: {probe}}}\n"))
    environment = path_with(as_user, nc=netcat)
    for _ in range(2):  # in turn: neither leaves something in the way of the other
        as_user.labctl("verify", "large", "--system-tools", env=environment)
    as_user.labctl("down")


ROUTED = """\
name: routed
namespaces:
  a:
    interfaces: {eth0: {kind: veth, peer: "r:eth0", addresses: [192.0.2.1/30, "2001:db8::1/64"]}}
    routes: [{to: default, via: 192.0.2.2}, {to: "::/0", via: "2001:db8::2"}]
  r:
    interfaces: {eth0: {kind: veth, peer: "a:eth0", addresses: [192.0.2.2/30, "2001:db8::2/64"]}}
    sysctls: {net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1}
    routes: [{to: 198.51.100.0/24, type: prohibit}, {to: "2001:db8:1::/64", type: prohibit}]
checks:
"""
REFUSED_BY_ROUTER = ("203.0.113.9", "198.51.100.9", "2001:db8:9::9", "2001:db8:1::9")


def test_what_a_router_refuses_was_sent(here: World) -> None:
    """By ICMP it says what a route of type unreachable or prohibit says at once."""
    crosses = 'crosses: ["a:eth0", "r:eth0"]'
    checks = "".join(
        f"  - {{name: {kind}-{number}, {kind}: {{from: a, {probe % to}, timeout: 1}}, expect: {silence}, {crosses}}}\n"
        for number, to in enumerate(REFUSED_BY_ROUTER)
        for kind, probe, silence in (
            ("nc", 'to: r, address: "%s", port: 80, server: false, reply: hello', "not-delivered"),
            ("dns", 'name: www.lab, server: "%s", is: []', "no-reply"),
        )
    )
    here.labctl("up", here.file("routed.yaml", ROUTED + checks))
    for option in ([], ["--system-tools"]):
        found = here.json("verify", *option, code=None)["checks"]
        assert {each["outcome"] for each in found} == {"silent"}, (option, found)
        assert [each for each in found if not each["passed"]] == [], option
    here.labctl("down")


def test_busybox_pings_and_its_nc_is_refused_before_the_first_check(here: World) -> None:
    environment = path_with(here, ping="busybox", nc="busybox")
    here.labctl("up", "two-site")
    here.labctl("verify", "--system-tools", "ping-across-a-to-b", "silent-neighbour-a", env=environment)
    said = here.labctl("verify", "--system-tools", code=3, env=environment)
    assert "BusyBox" in said.stderr and "netcat-openbsd" in said.stderr and len(said.stderr.splitlines()) <= 3
    assert "ping" not in said.stdout, "no check was tried"
    here.labctl("down")


STRANGE = """\
#!/bin/sh
echo "$0, a friendly program"
"""


def test_what_is_not_known_is_refused_by_its_own_words(as_user: World) -> None:
    folder = as_user.home / "bin"
    folder.mkdir()
    for name in ("ping", "nc"):
        (folder / name).write_text(STRANGE)
        (folder / name).chmod(0o755)
    as_user.labctl("up", as_user.file("pair.yaml", PAIR))
    said = as_user.labctl("verify", "--system-tools", code=3, env={"PATH": f"{folder}:/usr/bin:/bin"}).stderr
    assert "a friendly program" in said and "iputils" in said and len(said.splitlines()) <= 3
    as_user.labctl("down")


LOCALE = """\
#!/bin/sh
[ "$LC_ALL" = C ] || { echo "Netz ist nicht erreichbar"; exit 2; }
exec %s "$@"
"""


def test_every_tool_speaks_the_language_that_is_understood(as_user: World) -> None:
    folder = as_user.home / "bin"
    folder.mkdir()
    for name in ("ping", "nc"):
        (folder / name).write_text(LOCALE % shutil.which(name))
        (folder / name).chmod(0o755)
    as_user.labctl("up", "two-site")
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"}
    as_user.labctl("verify", "--system-tools", "ping-across-a-to-b", "hello-over-tcp-a-to-b", env=environment)
    as_user.labctl("down")


@pytest.mark.parametrize(
    ("missing", "there", "package"), [("nc", "ping", "netcat-openbsd"), ("ping", "nc", "iputils-ping")]
)
def test_a_missing_tool_is_named_with_its_package(here: World, missing: str, there: str, package: str) -> None:
    environment = path_with(here, **{there: there})
    here.labctl("up", "two-site")
    said = here.labctl("verify", "--system-tools", code=3, env=environment).stderr
    assert f"no {missing} " in said and package in said and len(said.splitlines()) <= 3
    here.labctl("down")


def test_without_the_option_no_tool_is_needed(here: World) -> None:
    empty = path_with(here)
    file = here.file("pair.yaml", PAIR)
    for words in (["up", file], ["verify"], ["status"], ["down"]):
        here.labctl(*words, env=empty)


def test_the_command_that_is_shown_is_what_a_person_can_type(here: World) -> None:
    here.labctl("up", "two-site")
    starter = here.home / "labctl"
    starter.write_text('#!/bin/sh\nexec "$LABCTL_PYTHON" -m labctl "$@"\n')
    starter.chmod(0o755)
    environment = {"PATH": f"{here.home}:/usr/sbin:/usr/bin:/sbin:/bin", "LABCTL_PYTHON": here.command()[0]}
    checks = here.json("verify")["checks"]
    ping = next(check["command"] for check in checks if check["name"] == "ping-across-a-to-b")
    assert "3 received" in here.run("sh", "-c", ping, env=environment).stdout
    here.labctl("down")
