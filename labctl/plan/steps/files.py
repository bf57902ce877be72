"""Steps that make what the programs of a namespace alone see: its files and directories, and the names of the lab."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.plan.facts import Facts, Namespace
from labctl.plan.own_file import OwnFile, digest
from labctl.plan.steps.step import ABSENT, Removal, Step, many, unless


@frozen
class _File(Step):
    """Something at a path that the programs of one namespace see."""

    path: str


@frozen
class _MakeFile(_File):
    """A file or a directory; `mode` as chmod(2) takes it."""

    mode: int

    @property
    def makes(self) -> OwnFile:
        """Return what is there once it is done."""
        raise NotImplementedError

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        found, wanted = there.files.get(self.path), self.makes
        if found is None:
            return ABSENT
        if found.kind != wanted.kind:
            return f"is a {found.kind}" if found.kind else "is something else"
        if found.digest != wanted.digest:
            return "has another content"
        return unless(found.mode == wanted.mode, f"its mode is {found.mode:04o}")


@frozen
class WriteFile(_MakeFile):
    """A file with this content."""

    content: bytes

    @property
    def makes(self) -> OwnFile:
        return OwnFile("file", self.mode, digest(self.content))

    @property
    def words(self) -> str:
        return f"file {self.path} ({many(len(self.content), 'byte')}, mode {self.mode:04o})"


class MakeDirectory(_MakeFile):
    """A directory of its own, in which its programs can write."""

    @property
    def makes(self) -> OwnFile:
        return OwnFile("directory", self.mode)

    @property
    def words(self) -> str:
        return f"directory {self.path} (mode {self.mode:04o})"


@frozen
class RemoveFile(Removal, _File):
    """A file, or a directory with all that is in it."""

    kind: str

    @property
    def words(self) -> str:
        return f"{self.kind} {self.path}"


@frozen
class WriteHosts(Step):
    """The names of the lab; `lines` are those of hosts(5) about it."""

    lines: str

    @property
    def digest(self) -> str:
        """Return what tells these lines from others."""
        return digest(self.lines.encode())

    @property
    def words(self) -> str:
        return f"{many(sum(len(line.split()) - 1 for line in self.lines.splitlines()), 'name')} in /etc/hosts"

    def _in(self, there: Namespace, facts: Facts) -> str | None:
        found = "are not there" if there.hosts is None else "are others"
        return unless(there.hosts == self.digest, found)


class RemoveHosts(Removal):
    """The names of the lab."""

    @property
    def words(self) -> str:
        return "the names of the lab in /etc/hosts"
