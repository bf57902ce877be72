"""The text of a hosts file (hosts(5)): what the machine's says of itself, and behind that the names of a lab."""

from __future__ import annotations

HOSTS_FILE = "/etc/hosts"
LOCALHOST = "localhost"

THE_LAB = "# the lab"
"""The line behind which a hosts file is about the lab."""

_OF_ITSELF = ("127.", "::1", "fe00::", "ff00::", "ff02::")
_PLAIN = f"127.0.0.1\t{LOCALHOST}\n::1\t{LOCALHOST}\n"


def hosts_file(machines: str, lab: str) -> str:
    """Return a whole hosts file: what the machine's says of localhost and its own name, then the lines about the lab.

    A name of the lab does not mean the machine, whatever that is called.
    """
    taken = set(lab.lower().split())  # addresses among them, which are no names
    own = []
    for line in machines.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        left = [name for name in names if name.lower() not in taken]
        if address.startswith(_OF_ITSELF) and left:
            own.append(f"{address}\t{' '.join(left)}\n")
    known = any(LOCALHOST in line.split() for line in own)
    return f"{'' if known else _PLAIN}{''.join(own)}{THE_LAB}\n{lab}"


def about_the_lab(text: str) -> str:
    """Return the lines of a hosts file about the lab."""
    return text.partition(f"{THE_LAB}\n")[2]
