"""What this machine can do, found out by doing it, and what helps where it cannot.

Every driver is tried where a lab would be, in a namespace that is thrown away. Settings are read only to say why
something was refused.
"""

from __future__ import annotations

import enum
import os

from labctl.errors import LabError, kernel_words
from labctl.kernel import tuntap, view
from labctl.kernel.link_message import LOOPBACK_INDEX
from labctl.kernel.surroundings import Mounts
from labctl.process.syscalls import CLONE_NEWNET, CLONE_NEWNS, unshare
from labctl.rootless import trial
from labctl.rootless.userns_diagnosis import Diagnosis


def examine() -> list[Diagnosis]:
    """Return every row of `labctl doctor`."""
    return [*trial.examine(_drivers), _engine()]


class Able(enum.Enum):
    """Which labs a machine can run, in words; a lab with a tunnel takes a TUN device."""

    ALL = "can run labs"
    WITHOUT_TUN = "can run only labs without a TUN device, and so no tunnel"
    NONE = "cannot run labs"


def able(findings: list[Diagnosis]) -> Able:
    """Return which labs can be run where this was found."""
    missing = {finding.name for finding in findings if finding.verdict == "missing"}
    if missing & {trial.ENVIRONMENT, "namespace", "veth"}:
        return Able.NONE
    return Able.WITHOUT_TUN if "tun" in missing else Able.ALL


def _drivers() -> list[Diagnosis]:
    """Make one of everything, in a network namespace that ends with this process. Return what came of each."""
    try:
        unshare(CLONE_NEWNET)
    except OSError as error:
        return [Diagnosis("namespace", "missing", kernel_words(error), "use sudo")]
    from labctl.kernel import netem, requests
    from labctl.kernel import rtnetlink as rt
    from labctl.plan.netem import Netem

    netlink = rt.Rtnetlink()
    found = [Diagnosis("namespace", "ok", "made and left again")]
    for kind, helps in (
        ("veth", "load the driver: modprobe veth"),
        ("bridge", "load the driver: modprobe bridge"),
        ("dummy", "a bridge without ports stands in; modprobe dummy for the real one"),
    ):
        try:
            netlink.request(rt.RTM_NEWLINK, requests.new_link(f"t-{kind}", kind), rt.NLM_F_CREATE | rt.NLM_F_EXCL)
            found.append(Diagnosis(kind, "ok", "made"))
        except rt.Refused as error:
            verdict = "note" if kind == "dummy" else "missing"
            found.append(Diagnosis(kind, verdict, kernel_words(error), helps))
    try:
        netem.attach(netlink, LOOPBACK_INDEX, Netem())
        found.append(Diagnosis("netem", "ok", "attached"))
    except rt.Refused as error:
        helps = "`impair:` of a veth or a tap needs it (modprobe sch_netem), that of a tunnel endpoint does not"
        found.append(Diagnosis("netem", "note", kernel_words(error), helps))
    return [*found, _tun(), _nft(), _settings(), _sysfs()]


def _tun() -> Diagnosis:
    try:
        tuntap.create("t-tun", "tun", 77, None)
        return Diagnosis("tun", "ok", f"made through {tuntap.DEVICE}")
    except LabError as error:
        return Diagnosis("tun", "missing", error.why, f"{error.hint}; labs without a TUN work")
    except OSError as error:
        return Diagnosis("tun", "missing", kernel_words(error), tuntap.how_to_mend(error.errno or 0))


def _nft() -> Diagnosis:
    from labctl.kernel.nftables import program
    from labctl.kernel.nftables.tables import tables

    try:
        list(tables())
    except OSError as error:
        return Diagnosis("nft", "note", kernel_words(error), "`nft:` and `masquerade:` need it: modprobe nf_tables")
    if found := program.path():
        return Diagnosis("nft", "ok", f"nftables, and {found}")
    helps = "`nft:` of a namespace needs it (apt install nftables); `masquerade:` does not"
    return Diagnosis("nft", "note", "nftables, but no program nft", helps)


def _settings() -> Diagnosis:
    if os.statvfs("/proc/sys").f_flag & os.ST_RDONLY:
        helps = "a setting that is not right already cannot be made; in a container: start it with --privileged"
        return Diagnosis("sysctls", "note", "/proc/sys is read-only", helps)
    return Diagnosis("sysctls", "ok", "/proc/sys is writable")


def _sysfs() -> Diagnosis:
    try:
        unshare(CLONE_NEWNS)
        view.mount_sysfs(Mounts())
        return Diagnosis("sysfs", "ok", "mounted: programs in a namespace see its own /sys/class/net")
    except OSError as error:
        helps = "programs in a namespace see the machine's /sys/class/net; `ip link` shows that of the namespace"
        return Diagnosis("sysfs", "note", kernel_words(error), helps)


def _engine() -> Diagnosis:
    """Tell which core engines have that are started now."""
    from labctl.engine.core import library

    core, why = library.chosen()
    if core == "c":
        return Diagnosis("engine", "ok", f"its core is in C ({why})")
    helps = "" if library.is_unwanted() else "faster with a C compiler (Debian: gcc libc6-dev): install labctl again"
    return Diagnosis("engine", "note", f"its core is in Python ({why})", helps)
