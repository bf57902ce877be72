"""Internet checksums (RFC 1071) of many packets at once.

A checksum is the ones' complement of a sum of 16-bit words modulo 65535. Modulo 65535 a word of 32 bits
counts as its two halves, and the byte order does not matter as long as it is the same everywhere. So the
machine adds 32-bit words as they lie in memory, into 64 bits, which 2^32 words cannot overflow.

Sums here are such unfolded numbers "as they lie in memory". A stored 16-bit field is read and written as
it lies, too; `native` turns a number such as a length into that form.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Rows: TypeAlias = "npt.NDArray[np.uint8]"
Sums: TypeAlias = "npt.NDArray[np.uint64]"
Words: TypeAlias = "npt.NDArray[np.uint16]"
# A strided view of one field in every row; its byte order is part of its type.
Field: TypeAlias = "npt.NDArray[Any]"

_add = np.add.reduce
_SWAPPED = sys.byteorder == "little"


def native(number: int) -> int:
    """Return a 16-bit number as it lies in memory in network byte order."""
    return (number & 0xFF) << 8 | number >> 8 if _SWAPPED else number


def folded(total: int) -> int:
    """Return a sum folded into 16 bits; 0 only for 0."""
    return (total - 1) % 65535 + 1 if total else 0


def row_sums(rows: Rows) -> Sums:
    """Return the sum of each row, an odd last byte padded on the right."""
    width = rows.shape[1]
    words = width & ~3
    total: Sums = _add(rows[:, :words].view(np.uint32), axis=1, dtype=np.uint64)
    if width & 2:
        total += rows[:, words : words + 2].view(np.uint16)[:, 0]
    if width & 1:
        last = rows[:, width - 1].astype(np.uint64)
        total += last if _SWAPPED else last << np.uint64(8)
    return total


def are_right(sums: Sums) -> npt.NDArray[np.bool_]:
    """Return for each sum, over data that includes its own checksum, whether it is right (RFC 1071).

    Data of nothing but zeros would pass, too; no header is that.
    """
    right: npt.NDArray[np.bool_] = sums % 65535 == 0
    return right


def finished(sums: Sums) -> Sums:
    """Return the checksums for these sums, as they lie in memory; never 0xffff, which equals 0."""
    # 2^64 is 1 modulo 65535, so the complement of a 64-bit number is its negative.
    checks: Sums = ~sums % 65535
    return checks


def field(rows: Rows, at: int, kind: str) -> Field:
    """Return a view of the field at offset `at` of every row, to read and to write."""
    return rows[:, at : at + np.dtype(kind).itemsize].view(kind)[:, 0]
