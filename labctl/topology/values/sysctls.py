"""Settings below /proc/sys: the value of one, and how its name is written."""

from __future__ import annotations

from typing import Any

from labctl.topology.values.text import as_text, mistake

SAME_SYSCTL = {"net/ipv4/ip_forward": "net/ipv4/conf/all/forwarding"}
"""Two names of one setting, by their path below /proc/sys (devinet_sysctl_forward() in the kernel)."""


def parse_sysctl(value: Any) -> str:
    """Return the value of a sysctl, its words apart by one space."""
    text = " ".join(as_text(value, "the value of a sysctl").split())
    if not text.isprintable() or not text:
        raise mistake(f"{text!r} is no value of a sysctl", "for example 1")
    return text


def sysctl_parts(key: str) -> tuple[str, ...]:
    """Return the parts of a sysctl's name below /proc/sys, as sysctl(8) reads it.

    The separator that stands first, '.' or '/', separates; the other one then stands for a dot inside a part, so that
    `net.ipv4.conf.eth0/1.forwarding` and `net/ipv4/conf/eth0.1/forwarding` are the same.
    """
    separator = "/" if "/" in key.split(".", 1)[0] else "."
    parts = key.split(separator)
    return tuple(parts) if separator == "/" else tuple(part.replace("/", ".") for part in parts)
