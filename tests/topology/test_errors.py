"""Every mistake that a file can have: the file is errors/NAME.yaml, the exact text errors/NAME.txt beside it.

`python tests/topology/test_errors.py` writes the texts anew; read the difference before you keep it.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from labctl.errors import UsageError
from labctl.topology.load import loads

CASES = Path(__file__).parent / "errors"


def text_of(case: Path) -> str:
    # newline="": a reader in text mode would hide what stands at the end of a line.
    with case.open(encoding="utf-8", newline="") as file, pytest.raises(UsageError) as caught:
        loads(file.read(), case.name)
    assert caught.value.exit_code == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return f"{caught.value}\n"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda case: case.stem)
def test_a_wrong_file_is_told_exactly(case: Path) -> None:
    text = text_of(case)
    assert text == case.with_suffix(".txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for wrong in sorted(CASES.glob("*.yaml")):
        wrong.with_suffix(".txt").write_text(text_of(wrong), encoding="utf-8")
