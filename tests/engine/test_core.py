"""The core in C: it is there, it does the common way itself, and whatever it does is what Python would have done."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.engine.core import library
from labctl.engine.counters import NAMES
from labctl.engine.features import Feature
from labctl.engine.forward import DeviceGone
from labctl.engine.packets.impairment import Impairment
from labctl.engine.packets.vnet import EMPTY
from labctl.engine.ttun import main

from .core_rig import CoreRig, compile_faulty
from .fuzz_core import fuzz
from .oracle import ACK, PSH, TCP, UDP, Segment
from .samples import PING, ipv4, udp
from .test_fast_ports import read_frame
from .test_offload import NOISE
from .world import REPOSITORY, balance

SIX = {"source": "fd00::1", "destination": "fd00::2"}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        if "CI" in os.environ:
            pytest.fail("CI must offer a compiler")
        pytest.skip("needs a compiler")
    return compile_faulty(tmp_path_factory.mktemp("core"), "-Wall", "-Wextra", "-Werror")


@pytest.fixture
def rig(faulty: Path) -> Iterator[CoreRig]:
    with closing(CoreRig("c", faulty)) as rig:
        yield rig


def test_it_is_compiled_where_there_is_a_compiler() -> None:
    if "CI" not in os.environ and not library.LIBRARY.exists():
        pytest.skip("labctl was installed without a compiler")
    assert library.chosen() == ("c", "compiled")


def test_a_variable_chooses_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "python")
    assert library.chosen() == ("python", "LABCTL_CORE=python")


def test_without_it_python_is_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "none.so")
    assert library.chosen() == ("python", "not compiled")


def test_what_was_compiled_from_another_source_is_not_used(monkeypatch: pytest.MonkeyPatch, faulty: Path) -> None:
    monkeypatch.setattr(library, "LIBRARY", faulty)
    monkeypatch.setattr(library, "Shared", ctypes.c_int)
    with pytest.raises(OSError, match="compiled from another"):
        library.load()


def test_both_know_the_same_numbers() -> None:
    source = library.SOURCE.read_text()
    for number, name in enumerate(NAMES[:10]):
        cell = name.removesuffix("_packets").upper()
        assert name.endswith("_bytes") or f"{cell} = {number}" in source
    for feature in (Feature.UDP_SEGMENT, Feature.TCP_MERGE, Feature.UDP_MERGE):
        assert f"USE_{feature.name} = {feature.value}" in source


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("version", [4, 6])
def test_the_common_way_never_meets_python(rig: CoreRig, protocol: int, version: int) -> None:
    whole = replace(Segment(NOISE[:7001], protocol=protocol), **(SIX if version == 6 else {}))  # type: ignore[arg-type]
    packets = [each.packet() for each in whole.cut(1000)]
    for frame in (read_frame(whole, 1000), EMPTY + PING, read_frame(replace(whole, payload=NOISE[:99]))):
        rig.device.send(frame)
    rig.arrive(b"".join(packets), len(packets[0]))
    rig.arrive(PING)
    rig.turn()
    assert rig.left == 0
    assert rig.sent() == [*packets, PING, replace(whole, payload=NOISE[:99]).packet()]
    merged, lone = rig.written()
    assert (len(merged), lone) == (10 + whole.head + 7001, EMPTY + PING)
    now = balance(rig.counters)
    assert (now["tun_read_frames"], now["tun_written_frames"]) == (3, 2)
    assert (now["tun_read_packets"], now["tun_written_packets"]) == (10, 9)


def test_neighbours_of_one_size_leave_with_one_call_in_their_order(rig: CoreRig) -> None:
    sizes = [Segment(NOISE[:size], UDP).packet() for size in (100, 100, 100, 60, 100, 100)]
    rig.faults.extend([0, 0, 0, errno.EPERM])
    for each in sizes:
        rig.device.send(EMPTY + each)
    rig.turn()
    assert rig.sent() == sizes
    assert list(rig.faults) == [errno.EPERM], "three trains were three calls"
    assert rig.left == 0


def test_a_superframe_for_several_calls_goes_on_where_one_was_refused(rig: CoreRig) -> None:
    whole = Segment(NOISE[:6000] * 10)
    rig.faults.extend([0, errno.ENETUNREACH])
    rig.device.send(read_frame(whole, 400))
    rig.turn()
    packets = [each.packet() for each in whole.cut(400)]
    assert rig.sent() == packets[:64] + packets[128:]
    assert balance(rig.counters)["out_unreachable"] == 64
    assert rig.counters.snapshot()["tun_read_frames"] == 1


def test_a_notice_about_an_earlier_datagram_costs_no_packet(rig: CoreRig) -> None:
    packets = [each.packet() for each in Segment(NOISE[:3000]).cut(1000)]
    rig.faults.append(errno.ECONNREFUSED)
    rig.device.send(read_frame(Segment(NOISE[:3000]), 1000))
    rig.turn()
    assert rig.sent() == packets
    assert balance(rig.counters)["icmp_errors"] == 1


def test_a_refused_merge_is_given_up_and_written_packet_by_packet(rig: CoreRig) -> None:
    packets = [each.packet() for each in Segment(NOISE[:3000]).cut(1000)]
    rig.faults.append(errno.EINVAL)
    for _ in range(2):
        rig.arrive(b"".join(packets), len(packets[0]))
        rig.turn()
    assert rig.written() == [EMPTY + each for each in packets] * 2
    assert Feature.TCP_MERGE not in rig.counters.features
    assert len(rig.lines) == 1 and rig.lines[0].startswith("tcp-merge is off")
    balance(rig.counters)


def test_a_damaged_packet_is_not_merged(rig: CoreRig) -> None:
    packets = [each.packet() for each in Segment(NOISE[:5000], flags=ACK | PSH).cut(1000)]
    packets[2] = packets[2][:-1] + bytes([packets[2][-1] ^ 1])
    rig.arrive(b"".join(packets), len(packets[0]))
    rig.turn()
    assert [len(each) for each in rig.written()] == [10 + 52 + 2000, 10 + 52 + 1000, 10 + 52 + 2000]


def test_an_impairment_of_one_direction_leaves_the_other_to_the_core(rig: CoreRig) -> None:
    rig.forwarder.stage_out.change(Impairment(loss=1.0))
    rig.device.send(read_frame(Segment(NOISE[:3000]), 1000))
    rig.arrive(PING)
    rig.turn()
    assert (rig.sent(), rig.written(), rig.left) == ([], [EMPTY + PING], 1)
    assert balance(rig.counters)["out_lost"] == 3


def test_its_own_datagrams_are_for_python(rig: CoreRig) -> None:
    own = ipv4("10.0.1.1", "10.0.2.1", UDP, udp(9000, 9000, PING))
    for each in (own, ipv4("10.9.9.1", "10.9.9.2", UDP, udp(7, 7, own)), PING):
        rig.device.send(EMPTY + each)
    rig.turn()
    assert rig.sent() == [PING]
    assert balance(rig.counters)["out_routing_loop"] == 2


def test_a_fault_of_the_device_is_raised_in_python(rig: CoreRig) -> None:
    assert isinstance(rig.tun.fileno(), int) and rig.core
    os.dup2(os.open(os.devnull, os.O_WRONLY), rig.tun.fileno())  # to read from it is EBADF
    with pytest.raises(OSError) as caught:
        rig.forwarder.tun_to_peer()
    assert caught.value.errno == errno.EBADF and not isinstance(caught.value, DeviceGone)


def test_the_two_cores_do_the_same(faulty: Path) -> None:
    out, into, left = fuzz(1500, 1, faulty)
    assert out > 10_000 and into > 2000
    assert left < 3000


def test_an_install_without_a_compiler_is_whole(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import hatch_build;"
        "print(hatch_build.compiled(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    for compiler, made in (("/nonexistent/cc", False), ("cc", bool(shutil.which("cc")))):
        done = subprocess.run(
            [sys.executable, "-c", code, library.SOURCE, tmp_path / "made.so"],
            cwd=REPOSITORY,
            env={**os.environ, "CC": compiler},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == f"{made}\n"
        assert ("numpy does its work" in done.stderr) is not made
        assert (tmp_path / "made.so").exists() is made


def test_ttun_tells_which_core_it_has(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(library.VARIABLE, "python")
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.endswith("; core in Python (LABCTL_CORE=python)\n")
