"""To work in another user's environment, from outside and with no more rights than that user has.

The process becomes the user, and then root of the user namespace, as every command of that user does. It does not enter
the mount namespace: it sees the machine's files and none of the user's, in a mount namespace of its own with an empty
/run, and begins in a network namespace of its own. As it was executed by root of the machine and may not be traced,
the user can end it or stop it, but not read or change what it does (ptrace(2); mm_struct.user_ns).
"""

from __future__ import annotations

import os

from labctl.process.apart import become
from labctl.process.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_NODEV,
    MS_NOSUID,
    MS_REC,
    MS_SLAVE,
    be_untraceable,
    mount,
    setns,
    unshare,
)
from labctl.rootless.holders import Holder, opened


def visit(holder: Holder) -> int:
    """Have this process, a child of root's, be in an environment. Return a descriptor of what that has as its root.

    Nothing is behind that descriptor but what the user has put there. Raise OSError where it cannot be entered.
    """
    with opened(holder.process) as directory:
        become(holder.uid, holder.gid)
        user = os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
        root = os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    setns(user, CLONE_NEWUSER)
    os.close(user)
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    be_untraceable()  # as before, whatever the kernel makes of new credentials
    mount("", "/", flags=MS_REC | MS_SLAVE)
    mount("labctl", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    return root
