"""There is one table of exit codes, and whatever tells of them tells the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.cli.base import cli
from labctl.engine import ttun
from labctl.errors import ExitCode, KernelRefused, LabError, MachineError, UsageError

REPO = Path(__file__).resolve().parents[1]
OWN = [code for code in ExitCode if code < 128]


def test_help_lists_every_code_with_its_meaning() -> None:
    assert cli.epilog == (
        "Exit codes: 0 well, 1 a check failed, 2 the file or the call is wrong, 3 this machine cannot, 4 the kernel "
        "refused and everything was taken back, 5 a check or a host could not be asked. Begin with: labctl up two-site"
    )


@pytest.mark.parametrize(("error", "code"), [(LabError, 1), (UsageError, 2), (MachineError, 3), (KernelRefused, 4)])
def test_every_kind_of_error_has_its_code(error: type[LabError], code: int) -> None:
    assert error.exit_code == code


def test_ttun_ends_with_the_codes_of_labctl() -> None:
    codes = (ttun.WELL, ttun.WRONG_CALL, ttun.CANNOT, ttun.REFUSED)
    assert codes == (ExitCode.SUCCESS, ExitCode.WRONG, ExitCode.CANNOT, ExitCode.REFUSED)


@pytest.mark.parametrize(
    ("command", "module", "told"),
    [
        ("labctl", "click", "interrupted\n"),
        ("labctl", "labctl.errors", "interrupted\n"),
        ("labctl.engine", "argparse", ""),
        ("labctl.engine", "labctl.engine.endpoint", ""),
    ],
)
def test_ctrl_c_while_modules_are_loaded_ends_as_at_any_moment(command: str, module: str, told: str) -> None:
    interrupted = f"""
import sys
class Interrupt:
    def find_spec(name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt)
from {command}.__main__ import main
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", told)


def test_the_pages_list_the_same_codes() -> None:
    pages = [REPO / "README.md", *(REPO / "docs").glob("*.md")]
    tables = [table for page in pages for table in re.findall(r"\| exit code \|.*\n(?:\|.*\n)+", page.read_text())]
    assert tables
    for table in tables:
        rows = dict(re.findall(r"^\| `?(\d+)`? \| (.*) \|$", table, re.MULTILINE))
        assert [int(code) for code in rows if int(code) < 128] == OWN
        for code in OWN:
            assert rows[str(int(code))].replace(",", "").startswith(code.meaning), code
