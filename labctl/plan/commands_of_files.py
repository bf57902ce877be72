"""What ip-netns(8) can do of the files of a namespace, as commands: /etc/netns/NAME/FILE is seen as /etc/FILE.

It binds a file over its namesake, which must be there, and nothing deeper than that. Of all else the command is a
comment, which says what is missing.
"""

from __future__ import annotations

import base64
import shlex
from pathlib import PurePosixPath

from labctl.plan.steps_of_files import MakeDirectory, RemoveFile, WriteFile

_ETC = PurePosixPath("/etc")


def file_command(step: WriteFile | MakeDirectory | RemoveFile) -> str:
    """Return one line of shell."""
    match step:
        case WriteFile(namespace=name, path=path, mode=mode, content=content) if is_for_ip_netns(path):
            directory = shlex.quote(f"/etc/netns/{name}")
            file = shlex.quote(f"/etc/netns/{name}/{PurePosixPath(path).name}")
            return f"mkdir -p {directory} && {_printed(content)} > {file} && chmod {mode:04o} {file}"
        case RemoveFile(namespace=name, path=path) if is_for_ip_netns(path):
            return shlex.join(("rm", "-f", f"/etc/netns/{name}/{PurePosixPath(path).name}"))
    return f"# labctl alone: {step.words}, for programs in {step.namespace}"


def is_for_ip_netns(path: str) -> bool:
    """Return whether ip-netns(8) can show a file at this path."""
    return PurePosixPath(path).parent == _ETC


def _printed(content: bytes) -> str:
    """Return what prints some bytes, in one line."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if not all(letter.isprintable() or letter in "\n\t" for letter in text):
        return f"echo {base64.b64encode(content).decode()} | base64 -d"
    escaped = text.replace("\\", r"\\").replace("%", "%%").replace("\n", r"\n").replace("\t", r"\t")
    return f"printf -- {shlex.quote(escaped)}"
