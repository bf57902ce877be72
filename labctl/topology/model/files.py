"""What a namespace alone sees at a path: a file or a directory of its own."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from labctl.topology.model.base import Model, key

if TYPE_CHECKING:
    from labctl.topology.fields import Base64, FileMode, SourcePath


class File(Model, called="a file"):
    """A file or a directory that the programs of one namespace see at a path, in place of what the machine has there.

    Once the topology file has been read, none has a `source` any more: what was in there is its content.
    """

    content: str | None = key(default=None, description="What is in the file.", examples=["nameserver 10.0.0.53"])
    base64: Base64 | None = key(default=None, description="What is in a file that is no text, in base64 (RFC 4648).")
    source: SourcePath | None = key(
        default=None, description="The file that is copied, seen from the directory of this file.", examples=["r1.conf"]
    )
    directory: bool = key(
        default=False,
        description="true: a directory of the namespace's own, empty at first, that its programs can write to.",
    )
    mode: FileMode | None = key(
        default=None, description='Permissions, as chmod has them; "0644", or "0755" for a directory, where absent.'
    )

    @property
    def data(self) -> bytes:
        """Return what is in it; nothing of a directory."""
        return base64.b64decode(self.base64) if self.base64 is not None else (self.content or "").encode()

    @property
    def permissions(self) -> int:
        """Return its mode as a number."""
        return int(self.mode, 8) if self.mode else 0o755 if self.directory else 0o644

    def holding(self, data: bytes) -> File:
        """Return this file with some content in place of its source."""
        try:
            return self.replace(source=None, content=data.decode())
        except UnicodeDecodeError:
            return self.replace(source=None, base64=base64.b64encode(data).decode())
