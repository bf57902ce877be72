"""Named network namespaces, made so that one that is ours can always be told from one that is not.

A name is a file of /run/netns onto which the namespace is mounted, as ip-netns(8) has it. The order makes it safe
against a kill at any moment: the namespace is created without a name, its inode is recorded, its `lo` gets a mark, then
the name is claimed with O_EXCL, then the namespace is mounted on it. Before anything is removed, inode and mark are
compared with the recorded ones. The inode alone would not do: the kernel uses the number of a namespace that is gone
for the next one, so another namespace of the same name may have it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from labctl.errors import NOTHING_LEFT, USED_UP, KernelRefused, UsageError, kernel_errors_as, kernel_words
from labctl.kernel.link_message import LOOPBACK_INDEX, loopback
from labctl.kernel.rtnetlink import RTM_NEWLINK, Rtnetlink
from labctl.process.blocked import Blocked
from labctl.process.syscalls import (
    CLONE_NEWNET,
    MS_BIND,
    MS_REC,
    MS_SHARED,
    mount,
    network_namespace,
    open_beneath,
    setns,
    unmount,
    unshare,
)

DIRECTORY = Path("/run/netns")
NS_GET_USERNS, NS_GET_NSTYPE = 0xB701, 0xB703  # ioctl_ns(2)


class NamespaceId(NamedTuple):
    """What a namespace is: device and inode of its nsfs file, and the mark of its lab, which is the alias of its lo."""

    device: int
    inode: int
    mark: str


def path_of(name: str) -> Path:
    return DIRECTORY / name


def taken(name: str) -> bool:
    """Return whether there is anything under a name, of this lab or not."""
    return os.path.lexists(path_of(name))


def is_ours(name: str, recorded: NamespaceId) -> bool:
    """Return whether the namespace under a name is the recorded one."""
    return is_recorded(path_of(name), recorded)


def hidden_outside(name: str) -> bool:
    """Return whether the first process of the machine does not see our namespace under its name, as after `unshare -m`.

    False also where that cannot be told.
    """
    try:
        ours, outside = path_of(name).stat(), os.open("/proc/1/root", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not os.path.samestat(os.stat(str(path_of(name)).lstrip("/"), dir_fd=outside), ours)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        os.close(outside)


def is_recorded(file: Path, recorded: NamespaceId) -> bool:
    """Return whether a file, of /run/netns or /proc/PID/ns/net, is of the recorded namespace."""
    try:
        fd = _open(file)
    except OSError:
        return False
    try:
        return _has_number(os.fstat(fd), recorded) and _mark(fd) == recorded.mark
    finally:
        os.close(fd)


def _open(file: Path) -> int:
    """Return a descriptor of the namespace that a file is.

    Raise OSError where there is none, or something else, and KernelRefused where that cannot be told.
    """
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would wait for ever
        try:
            if fcntl.ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET:
                return fd
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        if error.errno in NOTHING_LEFT:
            raise KernelRefused(f"the namespace {file} cannot be opened", kernel_words(error), USED_UP) from None
        raise


def _has_number(found: os.stat_result, recorded: NamespaceId) -> bool:
    return (found.st_dev, found.st_ino) == recorded[:2]


def _mark(fd: int) -> str:
    with network_namespace(fd):
        netlink = Rtnetlink()
    try:
        return loopback(netlink).alias
    finally:
        netlink.close()


def _set_mark(netlink: Rtnetlink, mark: str) -> None:
    from labctl.kernel.requests import link

    netlink.request(RTM_NEWLINK, link(LOOPBACK_INDEX, (("IFLA_IFALIAS", mark),)))


class Opened(NamedTuple):
    """A namespace at hand: its descriptor, and an rtnetlink socket that belongs to it."""

    fd: int
    netlink: Rtnetlink

    @classmethod
    def here(cls) -> Opened:
        """Return the namespace that this thread is in."""
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return cls(fd, Rtnetlink())
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        self.netlink.close()
        os.close(self.fd)


def create(name: str, mark: str, record: Callable[[NamespaceId], None], waited: Blocked) -> Opened:
    """Make a named namespace; add to `waited` for how long the kernel kept it waiting for one (unshare(2)).

    `record` is called with its identity before it has a name. Raise UsageError where the name is taken,
    KernelRefused where the kernel refuses.
    """
    with kernel_errors_as(f"could not make namespace {name}"):
        born = _new(waited)
    try:
        found = os.fstat(born.fd)
        record(NamespaceId(found.st_dev, found.st_ino, mark))
        _set_mark(born.netlink, mark)
        target = path_of(name)
        with kernel_errors_as(f"could not name namespace {name}"):
            try:
                os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
            except FileExistsError:
                raise name_taken(name) from None
            mount(f"/proc/self/fd/{born.fd}", str(target), flags=MS_BIND)
    except BaseException:
        born.close()
        raise
    return born


def _new(waited: Blocked) -> Opened:
    """Return a new network namespace; this thread stays where it is."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with waited:
            unshare(CLONE_NEWNET)
        try:
            return Opened.here()
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def adopt(root: int, name: str) -> NamespaceId:
    """Give a namespace the name here that it has below another root directory, where it may be anything.

    Only what is a network namespace by the kernel's word, and is owned by our own user namespace, is opened. Raise
    OSError for all else, and where there is nothing.
    """
    found = open_beneath(root, str(path_of(name).relative_to("/")), os.O_PATH)
    try:
        # A file system in a user's hands answers every ioctl as it likes; but for its number it cannot lie.
        if os.fstat(found).st_dev != os.stat("/proc/thread-self/ns/net").st_dev:
            raise OSError(errno.EINVAL, "no namespace")
        fd = _open(Path(f"/proc/self/fd/{found}"))
    finally:
        os.close(found)
    try:
        owner = fcntl.ioctl(fd, NS_GET_USERNS)
        try:
            if not os.path.samestat(os.fstat(owner), os.stat("/proc/thread-self/ns/user")):
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        finally:
            os.close(owner)
        identity = os.fstat(fd)
        target = path_of(name)
        target.touch(mode=0o444, exist_ok=False)
        mount(f"/proc/self/fd/{fd}", str(target), flags=MS_BIND)
        return NamespaceId(identity.st_dev, identity.st_ino, "")
    finally:
        os.close(fd)


def disown(name: str) -> None:
    """Take a name away here that was given by `adopt`; where there is none, nothing is done."""
    if taken(name):
        with suppress(OSError):  # it was not mounted yet
            unmount(str(path_of(name)))
        path_of(name).unlink()


def name_taken(name: str) -> UsageError:
    return UsageError(
        f"a network namespace named {name} exists already and is not of this lab",
        f"{path_of(name)} was there before",
        "put a prefix before every name with --name, for example: labctl up FILE --name mine",
    )


def open_namespace(name: str) -> int:
    """Return an open descriptor of a named namespace. Raise UsageError where it is gone."""
    try:
        return _open(path_of(name))
    except OSError as error:
        raise UsageError(f"namespace {name} is gone", kernel_words(error), "labctl up FILE makes it again") from None


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Run a block inside a named namespace."""
    fd = open_namespace(name)
    try:
        with network_namespace(fd):
            yield
    finally:
        os.close(fd)


def remove(name: str, recorded: NamespaceId) -> bool:
    """Remove a name if it is that of the recorded namespace. Return whether it was."""
    if is_ours(name, recorded):
        return remove_own(name, recorded)
    return remove_claim(name)


def remove_own(name: str, recorded: NamespaceId) -> bool:
    """Remove the name of a namespace that is known to be ours, and has lived since: its number is proof enough.

    Asking for its mark again would wait for the kernel, which is busy with the namespaces that were just removed.
    """
    target = path_of(name)
    if not _has_number(target.stat(), recorded):
        return False
    unmount(str(target))
    target.unlink()
    return True


def remove_claim(name: str) -> bool:
    """Remove a name that is only a claim. Return whether it was."""
    if not is_claim(name):
        return False
    path_of(name).unlink()
    return True


def is_claim(name: str) -> bool:
    """Return whether a name is the empty plain file of a claim without its mount: cut off, or unmounted."""
    try:
        found = path_of(name).lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0 and found.st_dev == DIRECTORY.stat().st_dev


def directory_is_ready() -> bool:
    """Return whether /run/netns is a mount of its own, which may be of the directory onto itself."""
    return DIRECTORY.is_dir() and _mount_of(DIRECTORY) != _mount_of(DIRECTORY.parent)


def _mount_of(path: Path) -> str:
    """Return the ID of the mount that a path is on (proc(5), fdinfo)."""
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    finally:
        os.close(fd)
    return next(line for line in lines if line.startswith("mnt_id:"))


def make_directory() -> None:
    """Make /run/netns as ip-netns(8) does: a mount of its own whose mounts propagate to every mount namespace."""
    DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    target = str(DIRECTORY)
    mount(target, target, flags=MS_BIND | MS_REC)
    mount("", target, flags=MS_SHARED | MS_REC)


def remove_directory(existed_before: bool) -> None:
    """Undo `make_directory`, as far as it came, unless another program has a namespace there."""
    if not DIRECTORY.is_dir() or any(DIRECTORY.iterdir()):
        return
    if directory_is_ready():
        unmount(str(DIRECTORY))
    if not existed_before:
        DIRECTORY.rmdir()
