"""Digests of what the kernel has of nftables, without what changes by itself: so that two looks can be compared.

The words of a rule are not sure for every expression; the bytes of its expressions are. Out of these goes what has been
counted, and the name of a set without one (`{ 22, 80 }`), which the kernel numbers, is replaced by what is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables.messages import text
from labctl.kernel.nftables.sets import Element

ElementsOf = Callable[[str], "tuple[Element, ...] | None"]

_NAME, _DATA = 1, 2  # NFTA_EXPR_*
_COUNT = ("counter", "last")
_CONSUMED = 4  # NFTA_QUOTA_CONSUMED
_SET_OF = {"lookup": 1, "dynset": 1, "objref": 5}  # NFTA_LOOKUP_SET, NFTA_DYNSET_SET_NAME, NFTA_OBJREF_SET_NAME
_ANONYMOUS = ("__set", "__map")


def of_expressions(expressions: Iterable[bytes], elements_of: ElementsOf) -> str:
    """Return the digest of a rule."""
    return of(*(part for expression in expressions for part in _expression(rt.attributes(expression), elements_of)))


def of_attributes(told: Mapping[int, bytes], kinds: Iterable[int]) -> str:
    """Return the digest of some attributes."""
    return of(*(bytes([kind]) + told.get(kind, b"") for kind in kinds))


def of(*values: bytes) -> str:
    """Return the digest of some values in their order."""
    whole = hashlib.blake2b(digest_size=8)
    for value in values:
        whole.update(len(value).to_bytes(4) + value)
    return whole.hexdigest()


def _expression(told: Mapping[int, bytes], elements_of: ElementsOf) -> Iterable[bytes]:
    name, data = text(told[_NAME]), rt.attributes(told.get(_DATA, b""))
    if name in _COUNT:
        data = {}
    elif name == "quota":
        data.pop(_CONSUMED, None)
    elif name in _SET_OF and text(data.get(_SET_OF[name], b"")).startswith(_ANONYMOUS):
        inside = elements_of(text(data[_SET_OF[name]])) or ()
        parts = sorted(of(each.key, each.behind or b"", each.data, each.verdict, each.highest) for each in inside)
        data[_SET_OF[name]] = ",".join(parts).encode()
    return (name.encode(), *(bytes([kind]) + value for kind, value in sorted(data.items())))
