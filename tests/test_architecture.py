"""The layers: imports point down only, and what is heavy is imported by who needs it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from labctl.engine.core import library
from labctl.lab.engines import forkserver_client
from labctl.process.python_code import python
from tests.e2e.world import REPO

# Lower layers know nothing of higher ones; the engine stands alone, and how it writes an impairment is how a file does.
LAYERS = (
    *("frozen", "errors engine", "process topology", "plan rootless", "hosts", "kernel", "checks"),
    *("trace", "live", "diagnosis", "lab", "report", "api", "learn", "web", "cli pytest_plugin", "__main__"),
)
LAYER_OF = {package: layer for layer, packages in enumerate(LAYERS) for package in packages.split()}
ONLY_IN = {
    "pyroute2": {"kernel"},
    "rich": {"report"},
    "numpy": {"engine"},
    "cryptography": {"engine"},
    "click": {"cli"},
    "mitogen": {"hosts"},
}
FILES = sorted((REPO / "labctl").rglob("*.py"))


def package_of(file: Path) -> str:
    inside = file.relative_to(REPO / "labctl")
    return inside.parts[0].removesuffix(".py")


@cache
def imports(file: Path) -> frozenset[str]:
    """Return the modules that a file imports, by their whole names."""
    return frozenset(_imports(file))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide where they lead"
            if node.module == "labctl":
                yield from (f"labctl.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPO)))
def test_imports_point_down(file: Path) -> None:
    here = package_of(file)
    if here == "__init__":
        return
    for name in imports(file):
        parts = name.split(".")
        if parts[0] != "labctl" or len(parts) == 1 or parts[1] in (here, "__version__"):
            continue
        assert parts[1] in LAYER_OF, f"{name} is in no layer"
        assert LAYER_OF[parts[1]] < LAYER_OF[here], f"{here} imports {name}, which is not below it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPO)))
def test_a_library_is_imported_by_one_package(file: Path) -> None:
    for name in imports(file):
        packages = ONLY_IN.get(name.split(".")[0])
        assert packages is None or package_of(file) in packages, f"{file.relative_to(REPO)} imports {name}"


def test_the_engine_stands_alone() -> None:
    for file in FILES:
        if package_of(file) == "engine":
            outside = {name for name in imports(file) if name.startswith("labctl.")} - {
                name for name in imports(file) if name.startswith("labctl.engine")
            }
            assert outside == set(), file


ENGINE = (
    "packets errors carrier drop_privileges seccomp",
    "features ports confinement",
    "counters tun udp",
    "accounting",
    "impairment_stage",
    "forward control",
    "loop",
    "cable",
    "core batches",
    "kinds",
    "endpoint",
    "ttun",
    "__main__",
)


def inside(package: str) -> Iterator[tuple[str, str]]:
    """Yield which part of a package imports which other part of it."""
    for file in (REPO / "labctl" / package).rglob("*.py"):
        here = file.relative_to(REPO / "labctl" / package).parts[0].removesuffix(".py")
        for name in imports(file):
            there = name.removeprefix(f"labctl.{package}").removeprefix(".").split(".")[0]
            if name.startswith(f"labctl.{package}.") and there != here:
                yield here, there


def test_the_engine_has_layers_too() -> None:
    """Both sides are below what moves packets between them, which knows them only as ports."""
    layers = {name: number for number, names in enumerate(ENGINE) for name in names.split()}
    for here, there in inside("engine"):
        assert layers[there] < layers[here], f"{here} imports {there}, which is not below it"
        assert (here, there) not in {("forward", "tun"), ("forward", "udp")}


API = (
    *("caller sources", "answering server", "client", "agent"),
    *("work", "over_hosts", "calls", "in_turn machine pictures process streams", "lab namespace"),
)


def test_only_a_call_decides_where_a_lab_is() -> None:
    """What one machine does knows of no host, and what is over hosts sends that to them. A lab has its namespaces."""
    layers = {name: number for number, names in enumerate(API) for name in names.split()}
    found = set(inside("api")) - {("lab", "namespace"), ("namespace", "lab")}
    assert {(here, there) for here, there in found if layers[there] >= layers[here]} == set()


# Without a socket, a clock, a file or a process. Of `sys` it is the byte order.
PURE = {
    *("__future__", "collections", "collections.abc", "dataclasses", "decimal", "difflib", "functools", "ipaddress"),
    *("math", "numpy", "numpy.typing", "random", "re", "struct", "sys", "typing"),
}


def test_packet_arithmetic_is_pure() -> None:
    engine = REPO / "labctl" / "engine"
    batches = {engine / "batches" / f"{name}.py" for name in ("checksums", "coalesce", "headers", "split")}
    for file in (*(engine / "packets").glob("*.py"), *batches):
        for name in imports(file):
            assert name in PURE or name.startswith(("labctl.engine.packets", "labctl.engine.batches")), (file, name)


def test_numpy_is_for_engines_without_the_core_in_c() -> None:
    users = {file.parent for file in FILES if "numpy" in imports(file)}
    assert users == {REPO / "labctl" / "engine" / "batches"}


def test_what_a_cable_decides_is_pure() -> None:
    """Datagrams, replays, pieces and the other end's state: time is an argument. The seal itself is by a library."""
    for name in ("wire", "replay", "records", "line"):
        for imported in imports(REPO / "labctl" / "engine" / "cable" / f"{name}.py"):
            allowed = imported in PURE | {"enum"} or imported.startswith(
                ("labctl.engine.cable", "labctl.engine.packets")
            )
            assert allowed, f"{name} imports {imported}"


def test_the_model_of_a_running_lab_is_pure() -> None:
    """What it knows is read elsewhere, and time is an argument."""
    for file in (REPO / "labctl" / "live").glob("*.py"):
        for name in imports(file):
            assert name in PURE or name.startswith(
                ("labctl.frozen", "labctl.live", "labctl.plan", "labctl.topology", "labctl.engine")
            ), f"{file.name} imports {name}"


def test_a_description_of_a_lab_takes_from_the_engine_only_what_is_pure() -> None:
    for file in FILES:
        if package_of(file) in ("topology", "plan"):
            for name in imports(file):
                assert not name.startswith("labctl.engine") or name.startswith("labctl.engine.packets"), (file, name)


ABOVE_ROOTLESS = [file for file in FILES if LAYER_OF.get(package_of(file), 0) > LAYER_OF["rootless"]]
ASKS_FOR_ITS_CONTEXT = {"has_network_rights", "HostContext", "RootlessContext", "getuid", "geteuid", "getresuid"}


@pytest.mark.parametrize("file", ABOVE_ROOTLESS, ids=lambda file: str(file.relative_to(REPO)))
def test_nothing_above_rootless_asks_which_context_it_is_in(file: Path) -> None:
    """The word for reports, `mode`, is handed on and shown, and never compared."""
    for node in ast.walk(ast.parse(file.read_text())):
        named = {
            getattr(node, field) for field in ("id", "attr", "name") if isinstance(getattr(node, field, None), str)
        }
        assert not named & ASKS_FOR_ITS_CONTEXT, f"{file.relative_to(REPO)}: {named}"
        subjects = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        subjects += [node.subject] if isinstance(node, ast.Match) else []
        for subject in subjects:
            asked = getattr(subject, "attr", getattr(subject, "id", ""))
            assert asked != "mode", f"{file.relative_to(REPO)}:{subject.lineno} asks for the mode"


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a call of labctl has imported when it ends."""
    program = f"""
import sys
sys.argv = ["labctl", *{arguments!r}]
from contextlib import ExitStack
from labctl.cli import run_cli
run_cli(ExitStack())
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


HEAVY = {"pyroute2", "numpy", "rich", "scapy", "yaml"}


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["learn", "--help"], ["status", "-l", "none"], ["down", "none"]])
def test_what_teaches_is_loaded_by_who_learns(arguments: list[str]) -> None:
    assert [name for name in loaded_by(*arguments) if name.startswith("labctl.learn")] == []


def modules_after(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_alone_loads_nothing() -> None:
    """ttun and every engine begin with it."""
    assert modules_after("import labctl") <= {"labctl", "__future__"}


def test_a_program_that_makes_labs_loads_nothing_heavy_for_that() -> None:
    """What works for it has loaded all of that, once."""
    loaded = modules_after("from labctl import Lab; Lab.up; import labctl.api.client")
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()


def test_every_name_of_the_package_is_there() -> None:
    program = "import labctl; assert set(labctl.__all__) <= set(dir(labctl)); from labctl import *; print(Lab, doctor)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPO).returncode == 0


def test_what_needs_no_topology_loads_none() -> None:
    """The model, and what reads a file, take as long to load as all else that `down` and `exec` do."""
    program = "import sys, labctl.lab.down, labctl.lab.execute, labctl.lab.engines.logs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True)
    assert {"yaml", "labctl.topology.model"} & set(done.stdout.split()) == set()


def test_ttun_imports_none_of_the_lab() -> None:
    program = "import sys, labctl.engine.ttun; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert [name for name in modules if name.split(".")[0] in {"pyroute2", "rich", "yaml", "click"}] == []
    assert [name for name in modules if name.startswith("labctl.") and not name.startswith("labctl.engine")] == []


@pytest.mark.parametrize("core", ["c", "python"])
def test_engines_share_nothing_that_they_do_not_need(core: str) -> None:
    """Of what is loaded there an engine copies what it looks at; and some libraries run code of theirs at a fork."""
    if core == "c" and library.chosen()[0] != core and "CI" not in os.environ:
        pytest.skip("labctl was installed without a compiler")
    look = python(f"{forkserver_client.BEGINNING}; forkserver.preload(); print(*sorted(sys.modules))")
    environment = {**os.environ, library.VARIABLE: core}
    done = subprocess.run(look, cwd="/", capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert "setproctitle._setproctitle" in loaded
    assert loaded & (HEAVY - {"numpy"} | {"click", "logging", "setproctitle", "threading"}) == set()
    if core == "python":
        assert "numpy" in loaded
    else:
        assert loaded & {"numpy", "ast", "pickle", "traceback"} == set()
