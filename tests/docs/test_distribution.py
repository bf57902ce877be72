"""What an installation makes, for one user or for all: a wheel, in an environment of its own.

    pipx install .

    python3 -m venv /opt/labctl
    /opt/labctl/bin/pip install .
    ln -s /opt/labctl/bin/labctl /opt/labctl/bin/ttun /usr/local/bin/

The libraries that labctl needs are those of the environment of the test: nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from email.parser import HeaderParser
from pathlib import Path

import pytest

import labctl
from tests.e2e.world import REPO


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel of the checkout."""
    top = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(top), cwd=REPO)
    (wheel,) = top.glob("labctl_netns-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", str(top / "venv"))
    python = top / "venv/bin/python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    packages = run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return top / "venv"


def run(*command: str, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_work_where_they_are_linked_to(installed: Path, tmp_path: Path) -> None:
    for name in ("labctl", "ttun"):
        (tmp_path / name).symlink_to(installed / "bin" / name)
    assert run(str(tmp_path / "labctl"), "--version", cwd=tmp_path).split()[-1] == labctl.__version__
    assert "no mistakes" in run(str(tmp_path / "labctl"), "validate", "two-site", cwd=tmp_path)
    assert "PEER" in run(str(tmp_path / "ttun"), "--help", cwd=tmp_path).upper()


def test_the_engine_has_its_core_in_c_where_there_is_a_compiler(installed: Path, tmp_path: Path) -> None:
    compiler = bool(shutil.which("cc"))
    assert compiler or "CI" not in os.environ, "CI must offer a compiler"
    core = "core in C (compiled)" if compiler else "core in Python (not compiled)"
    assert run(str(installed / "bin/ttun"), "--version", cwd=tmp_path) == f"ttun {labctl.__version__}; {core}\n"


def test_the_wheel_has_the_topologies_the_types_the_man_page_and_its_own_name(installed: Path) -> None:
    (package,) = installed.glob("lib/python*/site-packages/labctl")
    assert {file.name for file in (package / "topologies").iterdir()} >= {"two-site.yaml", "single-host.yaml"}
    assert (package / "py.typed").is_file()
    assert (installed / "share/man/man1/labctl.1").read_text() == (REPO / "docs/labctl.1").read_text()
    (metadata,) = package.parent.glob("labctl_netns-*.dist-info/METADATA")
    told = HeaderParser().parsestr(metadata.read_text())
    assert (told["Name"], told["Version"]) == ("labctl-netns", labctl.__version__)


def test_pytest_finds_the_plugin(installed: Path, tmp_path: Path) -> None:
    words = ("-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", "--lab", "two-site")
    assert run(str(installed / "bin/python"), *words, cwd=tmp_path).splitlines()[0] == "two-site::underlay"
