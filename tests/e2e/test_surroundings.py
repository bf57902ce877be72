"""labctl is called from odd places: without a working directory, without streams, with nowhere to write to."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.e2e.labs import PAIR, tunnel
from tests.e2e.test_engines import SOCAT
from tests.e2e.world import World, eventually


def nowhere(here: World) -> dict[str, Any]:
    """Options of a call from a directory that has just been deleted."""
    place = here.home / "deleted"
    place.mkdir()
    return {"cwd": place, "before": place.rmdir}


def test_a_lab_from_a_directory_that_is_no_more(here: World) -> None:
    theirs = (
        f'{{device: "siteA:tun0", bind: "192.0.2.1:9000", peer: "192.0.2.2:9000", engine: {{command: "{SOCAT}"}}}},'
    )
    here.labctl("up", here.file("tunnel.yaml", tunnel(ttun_a=theirs)), **nowhere(here))
    assert here.json("verify")["passed"]
    here.labctl("exec", "siteA", "--", "true", **nowhere(here))
    assert "there is no file" in here.labctl("exec", "siteA", "--", "./true", code=2, **nowhere(here)).stderr
    assert "nothing to do" in here.labctl("plan", str(here.home / "tunnel.yaml"), **nowhere(here)).stdout
    assert "tunnel.yaml" in here.labctl("status", **nowhere(here)).stdout
    here.labctl("down", **nowhere(here))


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)], ids=str)
def test_streams_that_are_closed_are_in_nobodys_way(here: World, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    here.labctl("up", here.file("tunnel.yaml", tunnel()), before=close)
    assert here.json("verify")["passed"]
    assert all(engine["running"] for engine in here.json("status")["engines"])
    here.labctl("exec", "siteA", "--", "sh", "-c", "read line; echo; echo >&2; exit 7", before=close, code=7)
    here.labctl("list", before=close)
    here.labctl("down", before=close)


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_lab_stays_whose_making_cannot_be_told(here: World, form: str) -> None:
    file = here.file("pair.yaml", PAIR)
    with open("/dev/full", "w") as full:
        for words in (["up", file, "-f", form], ["up", file, "-f", form]):
            said = here.labctl(*words, code=1, stdout=full).stderr
            assert "No space left on device (ENOSPC)" in said and len(said.splitlines()) <= 3
            assert here.json("verify")["passed"]
        edited = here.file("edited.yaml", PAIR.replace("192.0.2.", "198.51.100."))
        here.labctl("up", edited, "--explain", "-f", form, code=1, stdout=full)
        assert here.json("verify")["passed"]
        here.labctl("down", code=1, stdout=full)
    assert here.json("list") == []


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_lab_stays_that_nobody_wants_to_read_of(here: World, form: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert here.labctl("up", here.file("pair.yaml", PAIR), "-f", form, stdout=writer).stderr == ""
    assert here.json("verify")["passed"]
    assert here.labctl("down", stdout=writer).stderr == ""
    os.close(writer)


def test_a_pipe_that_others_have_made_non_blocking_is_waited_for(as_root: World) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, bytes(1 << 20))  # as much as it takes
    with as_root.start_labctl("up", as_root.file("pair.yaml", PAIR), stdout=writer) as making:
        os.close(writer)
        eventually(lambda: as_root.labctl("list").stdout.count("up"), "the lab is made")
        with open(reader, "rb") as pipe:
            assert b"pair is up" in pipe.read()
        assert making.wait() == 0
    assert as_root.json("verify")["passed"]
    as_root.labctl("down")


def test_a_full_disk_is_told_in_the_words_of_the_kernel_also_of_work_inside_the_lab(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    with open("/dev/full", "w") as full:
        for words in (["list"], ["graph", "-f", "json"], ["trace", "left", "--", "true"], ["why", "left", "192.0.2.2"]):
            said = here.labctl(*words, code=1, stdout=full).stderr
            assert said.splitlines()[-2:] == [
                "not all output could be written",
                "  No space left on device (ENOSPC)",
            ]
    here.labctl("down")


@pytest.mark.parametrize(
    ("words", "code"), [(("schema",), 0), (("topologies", "show", "two-site"), 0), (("class", "collect", "."), 1)]
)
def test_a_reader_that_has_gone_changes_no_exit_code(as_user: World, words: tuple[str, ...], code: int) -> None:
    as_user.file("no-submission.json", "{}")
    reader, writer = os.pipe()
    os.close(reader)
    assert as_user.labctl(*words, code=code, stdout=writer).stderr == ""
    os.close(writer)


@pytest.mark.parametrize("words", [("status",), ("bogus",), ("validate", "nothing"), ("up", "two-site", "--bogus")])
def test_where_an_error_cannot_be_written_the_exit_code_tells(as_user: World, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        as_user.run(*as_user.command(*words), stderr=full, code=2)


def test_a_reader_of_json_that_has_gone_is_no_failure(here: World) -> None:
    here.labctl("up", here.file("pair.yaml", PAIR))
    reader, writer = os.pipe()
    os.close(reader)
    here.labctl("status", "-f", "json", stdout=writer)
    here.labctl("trace", "-f", "json", "left", "--", "sh", "-c", "exit 7", stdout=writer, code=7)
    os.close(writer)
    here.labctl("down")


def test_a_terminal_that_knows_few_characters_is_shown_others(here: World) -> None:
    plain: dict[str, Any] = {"env": {"PYTHONIOENCODING": "ascii"}}
    assert "eth0  ? right:eth0" in here.labctl("up", here.file("pair.yaml", PAIR), **plain).stdout
    here.labctl("status", **plain)
    here.labctl("verify", **plain)
    here.labctl("down", **plain)
