"""Which files are collected, and what is said of those that are wrong or not there."""

from __future__ import annotations

import pytest

from tests.e2e.world import World
from tests.pytest_plugin.conftest import Pytest
from tests.pytest_plugin.labs import GOOD, MISTAKES


@pytest.fixture
def tests(as_user: World) -> Pytest:
    return Pytest(as_user)


ONE = "def test_one():\n    pass\n"


def collected(found: pytest.RunResult) -> list[str]:
    return [line for line in found.outlines if "::" in line]


def test_the_checks_of_a_lab_file_are_tests_beside_others(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", GOOD)
    tests.here.file("other.yaml", GOOD)
    tests.here.file("test_one.py", ONE)
    found = collected(tests.run("--collect-only", "-q"))
    assert found == ["test_one.py::test_one", "tunnel.lab.yaml::local", "tunnel.lab.yaml::across"]


def test_a_lab_that_is_named_is_run_alone(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", GOOD)
    tests.here.file("test_one.py", ONE)
    tests.here.file("other.yaml", GOOD)
    found = collected(tests.run("--collect-only", "-q", "--lab", "other.yaml", "--lab", "single-host"))
    assert found[:3] == ["other.yaml::local", "other.yaml::across", "single-host::own-tun-address-a"]
    assert not any(name.startswith(("test_one", "tunnel")) for name in found)


def test_a_lab_that_is_named_is_run_beside_the_files_that_are(tests: Pytest) -> None:
    tests.here.file("test_one.py", ONE)
    tests.here.file("other.yaml", GOOD)
    found = collected(tests.run("--collect-only", "-q", "test_one.py", "--lab", "other.yaml"))
    assert found == ["test_one.py::test_one", "other.yaml::local", "other.yaml::across"]


@pytest.mark.parametrize("words", [["tunnel.lab.yaml", "-k", "acr"], ["tunnel.lab.yaml::across"]])
def test_a_check_is_chosen_by_name(tests: Pytest, words: list[str]) -> None:
    tests.here.file("tunnel.lab.yaml", GOOD)
    assert collected(tests.run("--collect-only", "-q", *words)) == ["tunnel.lab.yaml::across"]


def test_a_mistake_in_a_file_is_told_with_its_place(tests: Pytest) -> None:
    tests.here.file("tunnel.lab.yaml", MISTAKES)
    found = tests.run("-q")
    assert found.ret == pytest.ExitCode.INTERRUPTED
    place = next(line for line in found.outlines if "tunnel.lab.yaml:" in line)
    assert place == "tunnel.lab.yaml:17:18: there is no namespace 'siteC'"
    assert "Traceback" not in str(found.stdout) and ".py" not in str(found.stdout)


@pytest.mark.parametrize("name", ["gone.yaml", "sub"])
def test_what_is_no_file_is_told(tests: Pytest, name: str) -> None:
    (tests.here.home / "sub").mkdir()
    found = tests.run("--lab", name)
    assert (found.ret, found.errlines[0]) == (
        pytest.ExitCode.USAGE_ERROR,
        f"ERROR: --lab: there is no file {tests.here.home / name}",
    )


def test_a_name_that_does_not_ship_is_told(tests: Pytest) -> None:
    found = tests.run("--lab", "two-sites")
    assert (found.ret, found.outlines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert found.errlines[0].startswith("ERROR: --lab: there is no file and no shipped topology 'two-sites'")
    assert "two-site" in str(found.stderr) and "Traceback" not in str(found.stderr)


def test_the_labs_of_a_run_are_over_the_hosts_of_an_inventory(tests: Pytest) -> None:
    """Here one that does not fit the file: nothing is logged in to."""
    tests.here.file("tunnel.lab.yaml", GOOD)
    tests.here.file("servers.yaml", "hosts: {srv1: {namespaces: [siteA]}, srv2: {namespaces: [siteC]}}\n")
    found = tests.run("-q", "--lab-inventory", "servers.yaml", "tunnel.lab.yaml::local")
    assert any("servers.yaml:1:58: there is no namespace 'siteC'" in line for line in found.outlines), found.outlines
