"""What an error of the kernel becomes: a hint about memory and files is for an errno that says so."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from labctl.errors import FULL, USED_UP, CommandFailed, CommandTimedOut, KernelRefused, LabError, kernel_errors_as
from labctl.lab.verify import ChecksFailed, Verified
from labctl.topology.mistakes import FileMistakes, TopologyMistakes
from labctl.topology.model import Topology


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


def _raised(values: dict[str, object]) -> TopologyMistakes:
    with pytest.raises(TopologyMistakes) as raised:
        Topology(**values)
    return raised.value


def _of_a_file(text: str) -> FileMistakes:
    with pytest.raises(FileMistakes) as raised:
        Topology.loads(text)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        LabError("what", "why", "hint"),
        CommandFailed(["ping", "-c1", "::1"], 1, "written", "said"),
        CommandTimedOut(["sleep", "60"], 0.5),
        ChecksFailed(Verified("lab", "", (), ())),
        _raised({"name": "a b", "namespaces": {}}),
        _of_a_file("name: a b\nnamespaces: {}\n"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: LabError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), str(there), there.what, there.why, there.hint) == (
        *(type(error), str(error), error.what, error.why, error.hint),
    )
    assert vars(there) == vars(error)
