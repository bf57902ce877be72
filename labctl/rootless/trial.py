"""What a lab would find on this machine, tried in a context like that of a lab, which is thrown away."""

from __future__ import annotations

import os
from collections.abc import Callable

from labctl.errors import LabError, kernel_words
from labctl.process.child import ChildEnded, in_child
from labctl.rootless.holder import mount_private, new_namespaces
from labctl.rootless.privileges import has_network_rights
from labctl.rootless.userns_diagnosis import Diagnosis, obstacles, read

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
        return rows + in_child(drivers if privileged else lambda: _in_environment(drivers))
    except ChildEnded as ended:
        return [*rows, Diagnosis("probe", "missing", f"its process ended with status {ended.exit_code}")]
    except OSError as error:
        return [*rows, Diagnosis("probe", "missing", kernel_words(error))]


def _in_environment(drivers: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    def work() -> list[Diagnosis]:
        mount_private("doctor")
        return [Diagnosis(ENVIRONMENT, "ok", "made and left again"), *drivers()]

    try:
        new_namespaces(os.geteuid(), os.getegid())
        return in_child(work)  # only a child is inside the new PID namespace
    except LabError as error:
        return [Diagnosis(ENVIRONMENT, "missing", f"{error.what}: {error.why}", error.hint)]
