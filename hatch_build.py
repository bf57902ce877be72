"""Compiles the core of the engine, `labctl/engine/core/common_way.c`, on installation (a hatchling build hook).

There need be no compiler: then the wheel is one of Python alone, and the engine forwards by numpy. Where there is one,
the wheel is for this kind of machine and any Python 3, since the library is called through ctypes. An editable install
finds it beside its source.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CORE = Path("labctl/engine/core")
SOURCE, LIBRARY = "common_way.c", "libcommonway.so.1"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the library to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; where that fails, say so and go on."""
        editable = version == "editable"
        into = Path(self.root, CORE) if editable else Path(self.directory)
        into.mkdir(parents=True, exist_ok=True)
        library = into / LIBRARY
        if not compiled(Path(self.root, CORE, SOURCE), library) or editable:
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["force_include"][str(library)] = str(CORE / LIBRARY)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for a wheel: it is in there now."""
        if version != "editable":
            (Path(self.directory) / LIBRARY).unlink(missing_ok=True)


def compiled(source: Path, library: Path) -> bool:
    """Compile with $CC or cc; return whether there is a library of this source now."""
    library.unlink(missing_ok=True)
    command = [*shlex.split(os.environ.get("CC", "cc")), "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        print(f"labctl: the core of the engine is not compiled, so numpy does its work: {why}", file=sys.stderr)
        return False
    return True
