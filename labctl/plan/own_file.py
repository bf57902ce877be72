"""What a namespace alone has at a path, as it is asked for and as it is found."""

from __future__ import annotations

from labctl.frozen import frozen


@frozen
class OwnFile:
    """What a namespace alone has at a path: `kind` is file, directory, or empty for anything else; `mode` as chmod(2).

    `digest` tells the content of a file from another.
    """

    kind: str
    mode: int
    digest: str = ""


def digest(content: bytes) -> str:
    """Return what tells one content of a file from another."""
    from hashlib import blake2b  # loads OpenSSL, which takes as long as all of this package

    return blake2b(content, digest_size=16).hexdigest()
