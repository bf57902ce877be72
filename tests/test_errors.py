"""What an error of the kernel becomes: a hint about memory and files is for an errno that says so."""

from __future__ import annotations

import errno
import os

import pytest

from labctl.errors import FULL, USED_UP, KernelRefused, kernel_errors_as


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        *((number, USED_UP) for number in (errno.ENOMEM, errno.EMFILE, errno.EAGAIN)),
        (errno.ENOSPC, FULL),
        (errno.EACCES, ""),
    ],
)
def test_a_hint_is_for_an_errno_that_says_so(number: int, hint: str) -> None:
    with pytest.raises(KernelRefused) as raised, kernel_errors_as("it could not be started"):
        raise OSError(number, os.strerror(number))
    assert (raised.value.what, raised.value.hint) == ("it could not be started", hint)
    assert errno.errorcode[number] in raised.value.why
