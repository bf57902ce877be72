"""How an engine imports numpy: without threads, and without what it has no use for.

OpenBLAS, the library that numpy multiplies matrices with, starts a thread for each further CPU as soon as it is loaded,
with buffers for matrices. An engine multiplies none, and hundreds of engines may run on one machine. OpenBLAS reads the
number of threads from the environment.

numpy also imports, whatever it is imported for, its linear algebra, its reading of files, its type hints and the texts
of its help: a third of its memory and half of its time, in each lab. In the body these are empty modules: whatever
another module of numpy takes from one by name is an empty class. The arrays themselves are numpy's own, as ever. This
leans on which modules numpy has, so it is done with the versions alone with which it was tried.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

TRIED = re.compile(r"^version = \"2\.[0-5]\.", re.MULTILINE)
"""In numpy/version.py, that of a version without whose OMITTED the rest is whole."""

OMITTED = ("numpy.lib", "numpy.linalg", "numpy.matrixlib", "numpy._typing", "numpy._core._add_newdocs")
"""What the names of such modules begin with."""

_THREADS = "OPENBLAS_NUM_THREADS"


@contextmanager
def lean() -> Iterator[None]:
    """Let numpy be imported in the body as an engine needs it, in a process that uses it for nothing else.

    The environment is the same before and after. A numpy that is loaded already stays what it is.
    """
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    finders = [_Omitted()] if _was_tried() else []
    sys.meta_path[:0] = finders
    try:
        yield
    finally:
        for finder in finders:
            sys.meta_path.remove(finder)
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


def _was_tried() -> bool:
    found = None if "numpy" in sys.modules else find_spec("numpy")
    if found is None or found.origin is None:
        return False
    version = Path(found.origin).with_name("version.py")
    return bool(TRIED.search(version.read_text())) if version.is_file() else False


class _Omitted:
    """Finds an empty module for each name of OMITTED (importlib.abc.MetaPathFinder and Loader)."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.startswith(OMITTED) else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Have Python make an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(__all__=[], __getattr__=_empty_class)


def _empty_class(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
