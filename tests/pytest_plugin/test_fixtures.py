"""The fixtures: which lab a test has, for how long it stays, and what is said where there is none."""

from __future__ import annotations

from tests.pytest_plugin.conftest import Pytest
from tests.pytest_plugin.labs import CANNOT_START, GOOD, MISTAKES

SCOPES = """\
import pytest
from labctl import Lab

pytestmark = pytest.mark.lab("tunnel.yaml", scope="module")
names = []


@pytest.mark.lab("sub/other.yaml")
def test_of_its_own(lab: Lab) -> None:
    assert lab["siteB"].run("ip -br address show tun1").returncode == 0
    assert [result.passed for result in lab.verify("across").results] == [True]
    names.append(lab.name)


def test_shared(lab: Lab) -> None:
    assert [one.name for one in Lab.running()] == [lab.name]  # that of the test before is gone
    names.append(lab.name)


def test_shared_again(lab: Lab) -> None:
    names.append(lab.name)
    assert len(set(names)) == 2 and names[1] == names[2]


@pytest.mark.lab("single-host", scope="session")
def test_that_ships(lab: Lab) -> None:
    names.append(lab.name)
"""

LATER = """\
import pytest
from labctl import Lab
from test_1 import names


@pytest.mark.lab("single-host", scope="session")
def test_of_the_session(lab: Lab) -> None:
    assert lab.name == names[-1]
    assert [one.name for one in Lab.running()] == [lab.name]  # that of the module before is gone


@pytest.fixture(scope="module")
def office(labs):
    with labs.up("tunnel.yaml") as lab:
        yield lab


def test_with_a_fixture_of_its_own(office: Lab) -> None:
    assert office.name not in names


def test_whose_block_is_cut_off(labs) -> None:
    with pytest.raises(ZeroDivisionError), labs.up("tunnel.yaml") as lab:
        1 / 0
    assert lab.name not in [one.name for one in Lab.running()]
"""


def test_a_lab_stays_for_its_test_its_module_or_the_session(tests: Pytest) -> None:
    before = tests.here.snapshot()["processes"]
    (tests.here.home / "sub").mkdir()
    tests.here.file("sub/other.yaml", GOOD)
    tests.here.file("tunnel.yaml", GOOD)
    tests.here.file("test_1.py", SCOPES)
    tests.here.file("test_2.py", LATER)
    tests.run("test_1.py", "test_2.py").assert_outcomes(passed=7)
    assert tests.here.snapshot()["processes"] == before


WRONG = """\
import pytest


def test_unmarked(lab):
    pass


@pytest.mark.lab("tunnel.yaml", "other.yaml")
def test_two(lab):
    pass


@pytest.mark.lab("tunnel.yaml", scope="class")
def test_in_no_class(lab):
    pass


@pytest.mark.lab("tunnel.yaml")
def test_mistakes(lab):
    pass


@pytest.mark.lab("missing.yaml")
def test_missing(lab):
    pass


@pytest.mark.lab("gone.yaml", scope="module")
class TestGone:
    def test_first(self, lab):
        pass

    def test_second(self, lab):
        pass
"""


def test_what_is_wrong_is_told_in_lines_of_labctl(tests: Pytest) -> None:
    tests.here.file("tunnel.yaml", MISTAKES)
    tests.here.file("gone.yaml", CANNOT_START)
    tests.here.file("test_wrong.py", WRONG)
    found = tests.run("test_wrong.py")
    found.assert_outcomes(errors=7)
    found.stdout.fnmatch_lines(
        [
            "test_unmarked uses the fixture `lab`, and no marker names a topology for it",
            '  → @pytest.mark.lab("two-site.yaml"), a file beside that of the test',
            "test_two is marked lab('tunnel.yaml', 'other.yaml', scope='function')",
            "  it takes one file, and a scope around the test: function, class, module, session",
            "test_in_no_class is marked lab('tunnel.yaml', scope='class')",
            "*tunnel.yaml:17:18: there is no namespace 'siteC'",
            "there is no file *missing.yaml",
            "the engine of siteB:tun1 cannot be started: ./gone",
        ]
    )
    assert "Traceback" not in str(found.stdout) and "labs.py" not in str(found.stdout)
