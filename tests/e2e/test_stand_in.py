"""Where the kernel has no dummy, the stand-in is told everywhere and behaves as a dummy does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.world import World

DUMMY = """\
name: quiet
namespaces:
  host: {interfaces: {dummy0: {kind: dummy, addresses: [10.0.1.1/24, "fd00:1::1/64"]}}}
"""


@pytest.fixture
def lab(here: World) -> Any:
    yield here.json("up", here.file("quiet.yaml", DUMMY))
    here.labctl("down")


def has_dummy(here: World) -> bool:
    findings = {finding["name"]: finding["verdict"] for finding in here.json("doctor")["findings"]}
    return bool(findings["dummy"] == "ok")


def test_a_substitution_is_told_by_up_and_status_if_there_is_one(here: World, lab: Any) -> None:
    status = here.json("status")
    link = status["namespaces"]["host"]["interfaces"]["dummy0"]
    assert link["kind"] == "dummy"
    if has_dummy(here):
        assert (lab["substitutions"], status["substitutions"], link["stand_in"]) == ([], [], "")
    else:
        (told,) = lab["substitutions"]
        assert (told["subject"], told["wanted"]) == ("host:dummy0", "dummy") and told["used"] and told["reason"]
        assert status["substitutions"] == lab["substitutions"]
        assert link["stand_in"] == "bridge"


def test_a_substitution_is_told_to_a_person_if_there_is_one(here: World) -> None:
    said = here.labctl("up", here.file("quiet.yaml", DUMMY)).stdout
    seen = here.labctl("status").stdout
    assert [("in place of dummy" in text) for text in (said, seen)] == [not has_dummy(here)] * 2
    here.labctl("down")


@pytest.mark.parametrize("address", ["10.0.1.1", "fd00:1::1"])
def test_its_own_address_answers(here: World, lab: Any, address: str) -> None:
    assert "3 received" in here.labctl("exec", "host", "--", "ping", "-c", "3", "-i", "0.05", address).stdout


def test_a_neighbour_is_silent_and_every_packet_is_counted(here: World) -> None:
    # Without IPv6, whose router solicitations a real dummy would carry and count.
    here.labctl("up", here.file("silent.yaml", DUMMY.replace(', "fd00:1::1/64"', "")))

    def counters() -> dict[str, int]:
        found: dict[str, int] = here.json("status")["namespaces"]["host"]["interfaces"]["dummy0"]["counters"]
        return found

    before = counters()
    said = here.labctl("exec", "host", "--", "ping", "-c", "4", "-i", "0.05", "-W", "0.5", "10.0.1.77", code=1).stdout
    after = counters()
    assert "0 received" in said and "Unreachable" not in said
    assert after["tx_packets"] - before["tx_packets"] == 4
    assert after["rx_packets"] == before["rx_packets"]
    here.labctl("down")
