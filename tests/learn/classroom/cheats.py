"""Students who want a check to pass without a tunnel: what each does in a lab whose tunnel carries nothing.

A cheat gets the student, does what is to be done before, and returns the programs that have to run meanwhile: by the
namespace that they run in, or by an empty word for one that runs outside. Each prints `ready`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.learn.classroom.school import Student, written

Programs = Sequence[tuple[str, str]]
Cheat = Callable[[Student], Programs]

_READY = "print('ready', flush=True)\n"
_TUN = """
import fcntl, os, struct
def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name, 0x1001))
    return fd
def summed(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", total ^ 0xffff)
def answered(packet):
    "The echo reply to an echo request."
    icmp = b"\\0\\0\\0\\0" + packet[24:]
    return packet[:12] + packet[16:20] + packet[12:16] + icmp[:2] + summed(icmp + b"\\0" * (len(icmp) % 2)) + icmp[4:]
"""
_ANSWERS = f"""{_TUN}
device = tun(b"tun0")
{_READY}
while True:
    packet = os.read(device, 65535)
    if packet[9] == 1 and packet[20] == 8:
        os.write(device, answered(packet))
"""
_OF_ROOT_AND_MINE = """
import ctypes, os, signal, sys, time
ROOT = os.stat("/").st_uid
def verifiers():
    "The processes of this user that may not be traced: those that measure."
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}/stat").st_uid == ROOT:
                with open(f"/proc/{name}/status") as status:
                    if f"Uid:\\t{os.getuid()}\\t" in status.read():
                        yield int(name)
        except OSError:
            pass
"""


def broken(student: Student) -> None:
    """Let no packet through the tunnel."""
    student.labctl("impair", "siteA:tun0", "--loss", "100%")


def without_engines(student: Student) -> None:
    """End the engines for good."""
    for engine in student.json("status")["engines"]:
        student.labctl("exec", "siteA", "--", "kill", "-9", str(engine["pid"]))


def does_nothing(student: Student) -> Programs:
    """Not a cheat: a tunnel that carries nothing."""
    broken(student)
    return ()


def edited_checks(student: Student) -> Programs:
    """A file of the lab's name whose checks are easy."""
    text = (Path(__file__).parents[3] / "topologies/two-site.yaml").read_text().partition("\nchecks:")[0]
    file = written(student, "mine.yaml", text + "\nchecks: [{name: across, ping: {from: siteA, to: 10.0.101.1}}]\n")
    student.labctl("up", str(file))
    broken(student)
    student.labctl("verify")  # which it has passed, by the student's own file
    return ()


def faked_counters(student: Student) -> Programs:
    """Counters of engines that go on counting, and replies from a program."""
    without_engines(student)
    counting = f"""
import glob, mmap, struct, time
files = [open(name, "r+b") for name in glob.glob("/run/labctl/two-site/engines/*.counters")]
cells = [memoryview(mmap.mmap(file.fileno(), 0))[16:].cast("Q") for file in files]
assert len(cells) == 2
{_READY}
while True:
    for engine in cells:
        for cell in (0, 2, 4, 6):
            engine[cell] += 1
    time.sleep(0.01)
"""
    return ("siteA", _ANSWERS), ("siteB", counting)


def a_ping_of_ones_own(student: Student) -> Programs:
    """Programs called ping, nc and ip before all others in PATH, and in the profile of the shell."""
    broken(student)
    for name in ("ping", "nc", "ip", "python3"):
        written(student, f"bin/{name}", "#!/bin/sh\necho 2 packets transmitted, 2 received\n").chmod(0o755)
    written(student, ".profile", "PATH=$HOME/bin:$PATH\n")
    return ()


def an_engine_that_answers(student: Student) -> Programs:
    """A program at the near end of the tunnel that answers every echo request itself."""
    without_engines(student)
    return (("siteA", _ANSWERS),)


def stopped_engines(student: Student) -> Programs:
    """Engines that stand still: silence is what one of the checks wants."""
    for engine in student.json("status")["engines"]:
        student.labctl("exec", "siteA", "--", "kill", "-STOP", str(engine["pid"]))
    return ()


def a_stopped_clock(student: Student) -> Programs:
    """Whoever measures is stopped and continued all the time."""
    broken(student)
    stops = f"""{_OF_ROOT_AND_MINE}
{_READY}
while True:
    for pid in verifiers():
        for number in (signal.SIGSTOP, signal.SIGCONT):
            try:
                os.kill(pid, number)
            except OSError:
                pass
            time.sleep(0.005)
    time.sleep(0.005)
"""
    return (("", stops),)


def another_topology(student: Student) -> Programs:
    """A cable that is called as the tunnel is, in a lab of the same name."""
    file = written(
        student,
        "mine.yaml",
        """
name: two-site
namespaces:
  siteA:
    interfaces:
      wan0: {kind: veth, peer: "siteB:wan0", addresses: [192.0.2.1/30]}
      tun0: {kind: veth, peer: "siteB:tun1", addresses: [10.0.101.1/24]}
    routes: [{to: 10.0.102.0/24, dev: tun0}]
  siteB:
    interfaces:
      wan0: {kind: veth, peer: "siteA:wan0", addresses: [192.0.2.2/30]}
      tun1: {kind: veth, peer: "siteA:tun0", addresses: [10.0.102.1/24]}
    routes: [{to: 10.0.101.0/24, dev: tun1}]
""",
    )
    student.labctl("down")
    student.labctl("up", str(file))
    return ()


def _renamed(student: Student, code: str) -> Programs:
    broken(student)
    changed = student.labctl("exec", "siteB", "--", sys.executable, "-c", f"import os\n{code}", code=None)
    assert changed.returncode == 0, changed.stderr
    return ()


_UNMOUNT = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
name = b"/run/netns/siteB"
assert libc.umount2(name, 2) == 0
"""


def a_link_for_a_name(student: Student) -> Programs:
    """A symbolic link in the place of a namespace, to one that answers."""
    return _renamed(student, f"{_UNMOUNT}os.unlink(name)\nos.symlink('/proc/1/ns/net', name)")


def a_fifo_for_a_name(student: Student) -> Programs:
    """A FIFO in the place of a namespace, which nothing is ever written to."""
    return _renamed(student, f"{_UNMOUNT}os.unlink(name)\nos.mkfifo(name)")


def one_namespace_for_both(student: Student) -> Programs:
    """Both names are of one namespace, which has all addresses."""
    student.labctl("exec", "siteA", "--", "ip", "addr", "add", "10.0.102.1/32", "dev", "lo")
    return _renamed(student, f"{_UNMOUNT}assert libc.mount(b'/run/netns/siteA', name, b'', 4096, None) == 0")


def an_address_too_near(student: Student) -> Programs:
    """The address of the far end at the near one, where it answers without a tunnel."""
    broken(student)
    student.labctl("exec", "siteA", "--", "ip", "addr", "add", "10.0.102.1/32", "dev", "lo")
    return ()


def a_way_around(student: Student) -> Programs:
    """A program with both TUN devices in its hands: what goes into one comes out of the other, and nothing between."""
    without_engines(student)
    around = f"""{_TUN}
import ctypes, select
libc = ctypes.CDLL(None)
ends = []
for space, name in ((b"siteA", b"tun0"), (b"siteB", b"tun1")):
    assert libc.setns(os.open(b"/run/netns/" + space, os.O_RDONLY), 0x40000000) == 0
    ends.append(tun(name))
{_READY}
while True:
    for end in select.select(ends, [], [])[0]:
        os.write(ends[end == ends[0]], os.read(end, 65535))
"""
    return (("siteA", around),)


def decoys(student: Student) -> Programs:
    """The connection of the check goes by the cable, and beside it others to the same port go through the tunnel."""
    for words in (
        ("siteB", "ip", "route", "add", "10.0.101.1/32", "via", "192.0.2.1", "table", "77"),
        ("siteB", "ip", "rule", "add", "ipproto", "tcp", "sport", "20000-65000", "lookup", "77"),
        ("siteB", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1"),
    ):
        student.labctl("exec", words[0], "--", *words[1:])
    knocks = f"""
import socket, time
{_READY}
while True:
    with socket.socket() as each:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\1\\0\\0\\0\\0\\0\\0\\0")
        each.bind(("10.0.102.1", 1500))
        each.setblocking(False)
        try:
            each.connect(("10.0.101.1", 8000))
        except OSError:
            pass
        time.sleep(0.005)
"""
    return (("siteB", knocks),)


def kills_who_measures(student: Student) -> Programs:
    """Whoever measures is killed."""
    broken(student)
    kills = f"""{_OF_ROOT_AND_MINE}
{_READY}
while True:
    for pid in verifiers():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
"""
    return (("", kills),)


def traces_who_measures(student: Student) -> Programs:
    """Whoever measures is traced, read and robbed of descriptors: as the user, and as root of the user namespace."""
    broken(student)
    (holder,) = student.processes_titled("rootless environment")
    traces = """
import json
libc = ctypes.CDLL(None, use_errno=True)
def attempts(pid):
    yield "seize", libc.ptrace(0x4206, pid, None, None)
    yield "attach", libc.ptrace(16, pid, None, None)
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    yield "readv", libc.process_vm_readv(pid, vector, 1, vector, 1, 0)
    for name in ("mem", "environ", "fd", "ns/net", "root", "auxv"):
        try:
            os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
            yield name, 0
        except OSError:
            yield name, -1
    try:
        process = os.pidfd_open(pid)
        yield "getfd", libc.syscall(438, process, 1, 0)
        yield "setns", libc.setns(process, 0x00020000)
    except OSError:
        pass
tried = {}
file = open(FILES[0], "w")
print('ready', flush=True)
if not os.fork():
    file = open(FILES[1], "w")
    assert libc.setns(os.open(f"/proc/{HOLDER}/ns/user", os.O_RDONLY), 0x10000000) == 0
    ROOT = os.stat("/").st_uid
while True:
    for pid in verifiers():
        for name, result in attempts(pid):
            tried[name] = max(result, tried.get(name, -1))
    if tried:
        file.seek(0)
        file.write(json.dumps(tried))
        file.flush()
"""
    files = [str(student.home / f"tried-{who}.json") for who in TRACERS]
    return (("", f"HOLDER, FILES = {holder}, {files}\n{_OF_ROOT_AND_MINE}{traces}"),)


TRACERS = ("as-user", "as-root-of-the-namespace")


def tried(student: Student, who: str) -> dict[str, int]:
    """Return the results of what was tried on whoever measured, by name: negative where it was refused."""
    found: dict[str, int] = json.loads((student.home / f"tried-{who}.json").read_text())
    return found


FAILS: Sequence[Cheat] = (
    does_nothing,
    edited_checks,
    faked_counters,
    a_ping_of_ones_own,
    an_engine_that_answers,
    stopped_engines,
    another_topology,
    an_address_too_near,
    a_way_around,
    decoys,
    traces_who_measures,
)
"""What a check is asked about, and fails."""

IS_NOT_ASKED: Sequence[Cheat] = (one_namespace_for_both, kills_who_measures)
"""What keeps all checks from being asked."""

EITHER: Sequence[Cheat] = (a_link_for_a_name, a_fifo_for_a_name, a_stopped_clock)
"""What keeps some from being asked."""
