"""The hosts of an Ansible inventory, as Ansible reads it: INI, YAML, a directory or a program that writes one.

`ansible-inventory` knows groups, ranges, and which variable of several holds; nothing of Ansible is imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from labctl.errors import UsageError, kernel_words
from labctl.topology.values.hosts import Destination

SECONDS = 60.0
"""How long an inventory may take: a program may ask a cloud."""

VARIABLES = {"address": "labctl_address", "ports": "labctl_ports", "namespaces": "labctl_namespaces"}
"""What a host of a lab may have, and what it is called as a variable of Ansible."""

_OTHERWISE = "or write YAML with `hosts:` at its top"


class _Listed(NamedTuple):
    """What `ansible-inventory --list` writes: the hosts of all groups, and the variables of each host."""

    hosts: list[str]
    variables: dict[str, dict[str, Any]]


def hosts_in(path: Path) -> dict[str, dict[str, Any]]:
    """Return what an Ansible inventory says of each of its hosts, in the words of `hosts:` of an inventory of labctl.

    Raise UsageError where Ansible is not there, or finds no host.
    """
    listed, said = _listed(path)
    if not (listed.hosts or listed.variables):
        raise UsageError(f"{path} has no hosts", said, f"is it an inventory? ansible-inventory -i {path} --list")
    return {
        name: _host(name, listed.variables.get(name, {})) for name in dict.fromkeys((*listed.hosts, *listed.variables))
    }


def _listed(path: Path) -> tuple[_Listed, str]:
    """Return what Ansible makes of an inventory, and the first thing that it has to say about it."""
    program = shutil.which("ansible-inventory")
    if program is None:
        why = "it is for Ansible, and there is no program ansible-inventory"
        raise UsageError(f"{path} cannot be read", why, f"pip install ansible-core, {_OTHERWISE}")
    command = [program, "--inventory", os.path.abspath(path), "--list"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{path} cannot be read", f"ansible-inventory took longer than {SECONDS:g} s", "") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read", f"{program}: {kernel_words(error)}", _OTHERWISE) from None
    said = next((line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()), "")
    return _parsed(done.stdout if done.returncode == 0 else b"{}"), said


def _names(listed: Any) -> list[str]:
    if not isinstance(listed, list):
        raise TypeError(listed)
    return [str(name) for name in listed]


def _parsed(output: bytes) -> _Listed:
    """Return what is in the output of `ansible-inventory --list`; nothing where it is of another form."""
    try:
        groups = json.loads(output)
        variables = groups.pop("_meta", {}).get("hostvars", {})
        hosts = [name for group in groups.values() for name in _names(group.get("hosts", []))]
        return _Listed(hosts, {str(name): dict(of) for name, of in variables.items()})
    except (ValueError, TypeError, AttributeError):
        return _Listed([], {})


def _host(name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: variables[variable] for key, variable in VARIABLES.items() if variable in variables}
    if isinstance(names := found.get("namespaces"), str):
        found["namespaces"] = names.replace(",", " ").split()
    login = {key: variables[f"ansible_{key}"] for key in ("host", "user", "port") if f"ansible_{key}" in variables}
    if login:
        found["ssh"] = str(Destination(login.get("host", name), login.get("user"), login.get("port")))
    return found
