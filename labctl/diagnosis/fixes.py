"""What mends a cause: one command to type, or the line of the file that is wrong and what to write there.

Where the lab differs from its file at the place of the cause, the file is right, and `labctl up` mends the difference.
Where it does not, it is as its file says, and the file is wrong.
"""

from __future__ import annotations

from labctl.diagnosis.facts import Case


def inside(namespace: str, command: str) -> str:
    """Return what runs a command in a namespace of a lab."""
    return f"labctl exec {namespace} -- {command}"


def up(case: Case) -> str:
    """Return what makes the lab as its file says; what shows how it differs, where it has no file."""
    return f"labctl up {case.file.name}" if case.file.name else "labctl status"


def drifted(case: Case, *namespaces: str) -> bool:
    """Return whether one of these namespaces differs from the file."""
    return any(change.step.namespace in namespaces for change in case.changes)


def write(case: Case, *path: str | int, text: str) -> str:
    """Return the line of a part of the file, and what to write there."""
    return f"{case.file.at(*path)}: {text}"


def mend(case: Case, namespace: str, *path: str | int, text: str) -> str:
    """Return `up` where the namespace differs from the file; else what is to be written in the file."""
    if drifted(case, namespace):
        return up(case)
    return write(case, *path, text=text)
