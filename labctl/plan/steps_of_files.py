"""The steps that make what the programs of a namespace alone see: its files and directories."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.plan.own_file import OwnFile, digest
from labctl.plan.steps import Removal, Step, many


@dataclass(frozen=True)
class _File(Step):
    """Something at a path that the programs of one namespace see."""

    path: str


@dataclass(frozen=True)
class WriteFile(_File):
    """A file with this content; `mode` as chmod(2) takes it."""

    mode: int
    content: bytes

    @property
    def makes(self) -> OwnFile:
        """Return what is there once it is done."""
        return OwnFile("file", self.mode, digest(self.content))

    @property
    def words(self) -> str:
        return f"file {self.path} ({many(len(self.content), 'byte')}, mode {self.mode:04o})"


@dataclass(frozen=True)
class MakeDirectory(_File):
    """A directory of its own, in which its programs can write."""

    mode: int

    @property
    def makes(self) -> OwnFile:
        """Return what is there once it is done."""
        return OwnFile("directory", self.mode)

    @property
    def words(self) -> str:
        return f"directory {self.path} (mode {self.mode:04o})"


@dataclass(frozen=True)
class RemoveFile(Removal, _File):
    """A file, or a directory with all that is in it."""

    kind: str

    @property
    def words(self) -> str:
        return f"{self.kind} {self.path}"
