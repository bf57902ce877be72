"""Sixty students over four hosts, by the playbook of `ansible/` and a real ssh: their labs are made, verified, ended.

    python -m tests.hosts.sixty

Needs root, sshd and ansible-core, and takes some minutes. Raise AssertionError where anything fails for anybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.world import REPO
from tests.hosts.machines import USER, Machine, inside, machines

HOSTS = ("srv1", "srv2", "srv3", "srv4")
ON_EACH = 15
FIRST_UID = 31100
AT_ONCE = 8
"""Logins to a host of which sshd drops none (sshd_config(5), MaxStartups)."""

_HOME = """
mkdir -p /home/{name}/.local/bin
cp {labctl} /home/{name}/.local/bin/labctl
chown -R {uid}:{uid} /home/{name}
"""
_SETTINGS = f"""[all:vars]
ansible_become=false
ansible_python_interpreter={sys.executable}
labctl_executable=/home/{USER}/.local/bin/labctl
"""
_CHECKS = """
checks:
  - name: across
    ping: {from: siteA, to: 10.0.102.1, count: 3, timeout: 5}
    crosses: ["siteA:tun0", "siteB:tun1"]
"""


class Controller:
    """The machine of the teacher, who logs in to the hosts as root."""

    def __init__(self, near: Machine, students: Mapping[str, Sequence[str]]) -> None:
        self._near = near
        near.log_in_as_root()
        lines = [f"{name} ansible_host={host}\n" for host, names in students.items() for name in names]
        near.file("inventory.ini", "".join(lines) + _SETTINGS)
        near.file("checks.yaml", _CHECKS)
        near.run("mkdir", "-p", "ansible_collections/labctl")
        near.run("ln", "-s", str(REPO / "ansible"), "ansible_collections/labctl/classroom")

    def play(self, *more: str) -> None:
        """Run the playbook for all, and print how long it took."""
        home, begun = f"/home/{USER}", time.monotonic()
        settings = {"ANSIBLE_COLLECTIONS_PATH": home, "ANSIBLE_HOME": f"{home}/.ansible", "ANSIBLE_NOCOLOR": "1"}
        words = ["-f", str(AT_ONCE), "-i", "inventory.ini", "labctl.classroom.class", *more]
        playing = self._near.start(
            sys.executable, "-m", "ansible", "playbook", *words,
            env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        told, _ = playing.communicate()
        assert playing.returncode == 0, told
        print(f"{' '.join(more)}: {time.monotonic() - begun:.0f} s", flush=True)

    def verified(self) -> Sequence[str]:
        """Return the names of those whose checks were measured, and have passed."""
        found = json.loads(self._near.labctl("class", "results", "results", "-f", "json").stdout)
        return [each["user"] for each in found if each["ok"] and each["measured"]]


@contextmanager
def hosts(made: Path) -> Iterator[tuple[Machine, Mapping[Machine, Sequence[str]]]]:
    """Yield the machine of the teacher, and hosts with their students, who have a home and labctl each."""
    with machines(made, ("near", *HOSTS)) as (near, *found):
        students = {
            host: [f"student{number:02}" for number in range(first, first + ON_EACH)]
            for host, first in zip(found, range(1, 1 + ON_EACH * len(HOSTS), ON_EACH), strict=True)
        }
        uids = {name: FIRST_UID + int(name[-2:]) for names in students.values() for name in names}
        with (made / "passwd").open("a") as passwd, (made / "shadow").open("a") as shadow:
            for name, uid in uids.items():
                passwd.write(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n")
                shadow.write(f"{name}:*:19000:0:99999:7:::\n")
        for host, names in students.items():
            for name in names:
                furnish = _HOME.format(name=name, uid=uids[name], labctl=made / "labctl")
                inside(host.pid, "sh", "-ec", furnish, mount=True)
        yield near, students


def main() -> None:
    made = Path(tempfile.mkdtemp(prefix="sixty-"))
    made.chmod(0o755)
    with hosts(made) as (near, students):
        everybody = sorted(name for names in students.values() for name in names)
        teacher = Controller(near, {host.name: names for host, names in students.items()})
        teacher.play("-e", "lab_state=present", "-e", "topology=two-site")
        for host in students:
            assert len(host.processes_with("labctl: rootless environment of two-site")) == ON_EACH
        teacher.play("-e", "file=checks.yaml")
        assert sorted(teacher.verified()) == everybody
        teacher.play("-e", "lab_state=absent")
        for host in students:
            assert host.processes() == []
        print(f"{len(everybody)} students on {len(students)} hosts: nobody's has failed, and nothing is left")


if __name__ == "__main__":
    main()
