"""What the programs called ping and nc say of themselves and of a check: their own words, as they were printed."""

from __future__ import annotations

import pytest

from labctl.checks import command_lines, programs
from labctl.topology.model import Nc, Ping

IPUTILS = "ping from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes\n"
INETUTILS = "ping (GNU inetutils) 2.4\nCopyright (C) 2022 Free Software Foundation, Inc.\n"
BUSYBOX_PING = """\
ping: invalid option -- 'V'
BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.

Usage: ping [OPTIONS] HOST
"""
TOYBOX_PING = "ping: Unknown option 'V' (see \"ping --help\")\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [(IPUTILS, command_lines.iputils), (INETUTILS, command_lines.inetutils), (BUSYBOX_PING, command_lines.busybox)],
    ids=["iputils", "inetutils", "busybox"],
)
def test_a_ping_that_is_known_is_called_as_it_likes(said: str, words: object) -> None:
    assert programs.ping_words(said) is words


@pytest.mark.parametrize("said", [TOYBOX_PING, "", "ping 4.2 by a friend"])
def test_a_ping_that_is_not_known_is_not_guessed_at(said: str) -> None:
    assert programs.ping_words(said) is None


def test_a_ping_waits_at_least_as_long_as_the_file_says() -> None:
    asked = Ping.read({"from": "a", "to": "192.0.2.1", "timeout": 0.3, "interval": 0.05})
    assert command_lines.iputils(asked)[1:-1] == ["-c", "3", "-i", "0.05", "-s", "56", "-n", "-W", "0.3"]
    assert command_lines.busybox(asked)[1:-1] == ["-c", "3", "-i", "0.05", "-s", "56", "-W", "1"]


OPENBSD = "OpenBSD netcat (Debian patchlevel 1.219-1)\nusage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval]\n"
ON_OPENBSD = "usage: nc [-46cDdFhklNnrStUuvz] [-C certfile] [-e name] [-H hash] [-I length]\n"
TRADITIONAL = "[v1.10-47]\nconnect to somewhere:\tnc [-options] hostname port[s] [ports] ... \n"
NCAT = "Ncat 7.93 ( https://nmap.org/ncat )\nUsage: ncat [options] [hostname] [port]\n"
BUSYBOX_SMALL = """\
nc: invalid option -- 'h'
BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.

Usage: nc [-iN] [-wN] [-l] [-p PORT] [-f FILE|IPADDR PORT] [-e PROG]

Open a pipe to IP:PORT or FILE

\t-l\tListen mode, for inbound connects
\t\t(use -ll with -e for persistent server)
\t-p PORT\tLocal port
"""
BUSYBOX_FULL = """\
BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.

Usage: nc [OPTIONS] HOST PORT  - connect
nc [OPTIONS] -l -p PORT [HOST] [PORT]  - listen

\t-l\tListen mode
\t-p PORT\tLocal port
\t-s ADDR\tLocal address
\t-u\tUDP mode
"""
TOYBOX_NC = "nc: Unknown option 'h' (see \"nc --help\")\n"
GNU_NETCAT = "GNU netcat 0.7.1, a rewrite of the famous networking tool.\nBasic usages:\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (OPENBSD, command_lines.openbsd_verbose),
        (ON_OPENBSD, command_lines.openbsd_verbose),
        (TRADITIONAL, command_lines.traditional),
        (NCAT, command_lines.openbsd),
        (BUSYBOX_FULL, command_lines.traditional),
    ],
    ids=["Debian", "OpenBSD", "traditional", "ncat", "busybox"],
)
def test_an_nc_that_is_known_is_called_as_it_likes(said: str, words: object) -> None:
    assert programs.nc_words(said) is words


@pytest.mark.parametrize("said", [BUSYBOX_SMALL, TOYBOX_NC, GNU_NETCAT, ""])
def test_an_nc_that_is_not_known_or_cannot_is_not_guessed_at(said: str) -> None:
    assert programs.nc_words(said) is None


def test_only_tcp_clients_are_asked_to_tell_more() -> None:
    asked = {"from": "a", "to": "b", "address": "192.0.2.1", "port": 80}
    assert "-v" in command_lines.openbsd_verbose(Nc.read(asked))[1]
    assert "-v" not in command_lines.openbsd_verbose(Nc.read(asked | {"protocol": "udp"}))[1]


@pytest.mark.parametrize(
    ("said", "introduction"),
    [
        (BUSYBOX_SMALL, "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary."),
        (TOYBOX_PING, "ping: Unknown option 'V' (see \"ping --help\")"),
        ("", "nothing"),
    ],
)
def test_a_program_is_introduced_by_its_own_line(said: str, introduction: str) -> None:
    assert programs.introduction(said) == introduction


SENT_3 = {
    "3 packets transmitted, 3 received, 0% packet loss, time 109ms": "answered",
    "3 packets transmitted, 3 packets received, 0% packet loss": "answered",
    "3 packets transmitted, 3 packets received, 0.0% packet loss": "answered",
    "3 packets transmitted, 3 received, +2 duplicates, 0% packet loss, time 2003ms": "answered",
    "3 packets transmitted, 3 packets received, 2 duplicates, 0% packet loss": "answered",
    "3 packets transmitted, 2 received, 33.3333% packet loss, time 2003ms": "differs",
    "3 packets transmitted, 1 packets received, 66% packet loss": "differs",
    "3 packets transmitted, 0 received, 100% packet loss, time 2003ms": "silent",
    "3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 2032ms": "silent",
    "3 packets transmitted, 0 packets received, 100% packet loss": "silent",
    "2 packets transmitted, 2 received, 0% packet loss, time 1001ms": "unasked",
    "3 packets transmitted, 5 received, -66% packet loss": "unasked",
    "3 Pakete übertragen, 3 empfangen, 0% Paketverlust": "unasked",
    "ping: invalid argument: '0.05'": "unasked",
    "ping: socket: Operation not permitted": "unasked",
    "ping: socktype: SOCK_RAW\nping: socket: Permission denied": "unasked",
    "ping: unknown host": "unasked",
    "": "unasked",
    "ping: connect: Network is unreachable": "not-sent",
    "ping: connect: No route to host": "not-sent",
    "ping: sendto: Invalid argument": "not-sent",
    "ping: sending packet: Permission denied": "not-sent",
    "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules": "not-sent",
    "ping: sendto: Network unreachable": "not-sent",
    "ping: sendmsg: Operation not permitted\n3 packets transmitted, 0 received, 100% packet loss": "not-sent",
    "ping: sendmsg: Operation not permitted\n3 packets transmitted, 2 received, 33% packet loss": "differs",
}


@pytest.mark.parametrize("said", SENT_3)
def test_what_a_ping_says_is_read_back(said: str) -> None:
    around = f"PING 10.0.0.1 (10.0.0.1): 56 data bytes\n{said}\nround-trip min/avg/max = 0.1/0.2/0.3 ms\n"
    assert programs.ping_outcome(around, 3).state == SENT_3[said]


ENDED = {
    "nc: connect to 8.8.8.8 port 81 (tcp) failed: Network is unreachable": "not-sent",
    "(UNKNOWN) [10.0.0.1] 81 (?) : Permission denied": "not-sent",
    "Ncat: Invalid argument.": "not-sent",
    "Ncat: No route to host.": "not-sent",
    "nc: invalid option -- 'n'": "unasked",
    "nothing": "unasked",
    "(UNKNOWN) [127.0.0.1] 81 (?) : Connection refused": None,
    "Ncat: Connection reset by peer.": None,
}


@pytest.mark.parametrize("said", ENDED)
def test_what_an_nc_says_that_ended_is_read_back(said: str) -> None:
    failure = programs.client_failure(said, has_way=False)
    assert (failure and failure.state) == ENDED[said]


BY_ICMP = ("Network is unreachable", "Permission denied", "No route to host")


@pytest.mark.parametrize("said", ENDED)
def test_where_the_kernel_has_a_way_it_is_the_network_that_refuses(said: str) -> None:
    failure = programs.client_failure(said, has_way=True)
    assert (failure and failure.state) == (None if any(words in said for words in BY_ICMP) else ENDED[said])


def test_the_time_of_each_reply_is_read() -> None:
    said = (
        "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.045 ms\n"
        "64 bytes from 10.0.0.1: seq=1 ttl=64 time=20.5 ms\n"
        "64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=2000 ms\n"
        "rtt min/avg/max/mdev = 0.045/0.045/0.045/0.000 ms"
    )
    assert programs.ping_times(said) == pytest.approx([0.000045, 0.0205, 2.0])


COPIED = """\
64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.045 ms
64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=30 ms (DUP!)
64 bytes from 10.0.0.1: icmp_seq=2 ttl=64 time=40 ms (BAD CHECKSUM!)

2 packets transmitted, 1 received, +1 duplicates, +1 corrupted, 50% packet loss, time 1ms
"""


def test_a_copy_of_a_reply_or_one_that_is_damaged_does_not_stand_for_another() -> None:
    assert programs.ping_times(COPIED) == pytest.approx([0.000045])
    assert programs.ping_received(COPIED) == 1 and programs.ping_received("") == 0
