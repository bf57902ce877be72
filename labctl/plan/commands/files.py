"""What ip-netns(8) can do of the files of a namespace, as commands: /etc/netns/NAME/FILE is seen as /etc/FILE.

It binds a file over its namesake, which must be there, and nothing deeper than that. Of all else the command is a
comment, which says what is missing.
"""

from __future__ import annotations

import base64
import shlex
from pathlib import PurePosixPath

from labctl.plan.steps import MakeDirectory, RemoveFile, RemoveHosts, Step, WriteFile, WriteHosts
from labctl.topology.hosts_file import HOSTS_FILE, THE_LAB

_ETC = PurePosixPath("/etc")


def file_command(step: WriteFile | MakeDirectory | RemoveFile) -> str:
    """Return one line of shell."""
    file = netns_file(step)
    match step:
        case WriteFile(mode=mode, content=content) if file:
            where = shlex.quote(file)
            return f"{_directory_of(file)} && {_printed(content)} > {where} && chmod {mode:04o} {where}"
        case RemoveFile() if file:
            return shlex.join(("rm", "-f", file))
    return f"# labctl alone: {step.words}, for programs in {step.namespace}"


def hosts_command(step: WriteHosts | RemoveHosts) -> str:
    """Return one line of shell: what the machine's hosts file says of itself, and the names of the lab behind it."""
    file = netns_file(step)
    if isinstance(step, RemoveHosts):
        return shlex.join(("rm", "-f", file))
    lines = _printed(f"{THE_LAB}\n{step.lines}".encode())
    machines = r"grep -E '^(127\.|::1|f[ef]0)' /etc/hosts || :"
    return f"{_directory_of(file)} && {{ {machines}; {lines}; }} > {shlex.quote(file)}"


def netns_file(step: Step) -> str:
    """Return the file in which ip-netns(8) finds what a step makes or removes; empty where it has none for it."""
    match step:
        case WriteHosts() | RemoveHosts():
            path = HOSTS_FILE
        case WriteFile(path=path) | RemoveFile(path=path) if PurePosixPath(path).parent == _ETC:
            pass
        case _:
            return ""
    return f"/etc/netns/{step.namespace}/{PurePosixPath(path).name}"


def _directory_of(file: str) -> str:
    return shlex.join(("mkdir", "-p", str(PurePosixPath(file).parent)))


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
