"""What a lab would find on this machine, tried in a context like that of a lab, which is thrown away."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from labctl.errors import LabError, MachineError, kernel_words
from labctl.process.child import ChildEnded, in_child
from labctl.rootless.holder import mount_private, new_namespaces
from labctl.rootless.privileges import has_network_rights
from labctl.rootless.userns_diagnosis import Diagnosis, obstacles, read

Result = TypeVar("Result")

ENVIRONMENT = "rootless environment"
"""The name of the row that says whether one can be made."""

_OBSTACLES = ("user namespaces", "their limit", "sysctl (Debian)", "AppArmor", "container", "chroot")


def examine(drivers: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    """Return the rights of this process, what concerns user namespaces, and what `drivers` finds where a lab would be.

    `drivers` is called in a process of its own, which ends with every namespace that it has made.
    """
    privileged = has_network_rights()
    rights = "root: labs are real named namespaces" if privileged else "none: labs are rootless, in an environment each"
    rows = [Diagnosis("rights", "ok", rights)]
    for name, (applies, found, helps) in zip(_OBSTACLES, obstacles(read()), strict=True):
        verdict = "ok" if not applies else "note" if privileged else "missing"
        rows.append(Diagnosis(name, verdict, found, helps if applies else ""))
    try:
        return rows + (in_child(drivers) if privileged else _in_environment(drivers))
    except ChildEnded as ended:
        return [*rows, Diagnosis("probe", "missing", f"its process ended with status {ended.exit_code}")]
    except OSError as error:
        return [*rows, Diagnosis("probe", "missing", kernel_words(error))]


def within(work: Callable[[], Result]) -> Result:
    """Do some work where a lab would be, in a process of its own, which ends with every namespace that it has made.

    Return the result. Raise what it raised, MachineError where there can be no such context.
    """
    try:
        return in_child(work) if has_network_rights() else _in_new_namespaces(work)
    except ChildEnded as ended:
        raise MachineError(
            "a process of labctl was ended at its work", f"its status is {ended.exit_code}", "try again"
        ) from None


def _in_new_namespaces(work: Callable[[], Result]) -> Result:
    uid, gid = os.geteuid(), os.getegid()

    def unshared() -> Result:
        new_namespaces(uid, gid)
        return in_child(work)  # only a child is inside the new PID namespace

    return in_child(unshared)


def _in_environment(drivers: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    def work() -> list[Diagnosis]:
        mount_private("doctor")
        return [Diagnosis(ENVIRONMENT, "ok", "made and left again"), *drivers()]

    try:
        return _in_new_namespaces(work)
    except LabError as error:
        return [Diagnosis(ENVIRONMENT, "missing", f"{error.what}: {error.why}", error.hint)]
