"""What is in the sets and maps of nftables that a rule names: the elements, as bytes."""

from __future__ import annotations

from labctl.frozen import frozen
from labctl.kernel import rtnetlink as rt
from labctl.kernel.nftables.messages import FAMILY_NUMBERS, GETSETELEM, NFGENMSG, elements, number, string

_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_KEY, _DATA, _FLAGS, _KEY_END = 1, 2, 3, 10  # NFTA_SET_ELEM_*
_VALUE, _VERDICT = 1, 2  # NFTA_DATA_*
_INTERVAL_END, _CATCHALL = 0x1, 0x2  # NFT_SET_ELEM_*


@frozen
class Element:
    """An element: its key, or its lowest, with the first one behind it or with its highest; and what a map has for it.

    Of an interval that has no end `behind` is None, as of a single key.
    """

    key: bytes
    behind: bytes | None = None
    data: bytes = b""
    verdict: bytes = b""
    highest: bytes = b""


class Sets:
    """The sets of a namespace, each read once it is asked for."""

    def __init__(self, netlink: rt.Rtnetlink) -> None:
        self._netlink = netlink
        self._known: dict[tuple[str, str, str], tuple[Element, ...] | None] = {}

    def of(self, family: str, table: str, name: str) -> tuple[Element, ...] | None:
        """Return the elements of a set in the kernel's order; None where the kernel does not say."""
        key = (family, table, name)
        if key not in self._known:
            try:
                self._known[key] = tuple(self._read(*key))
            except OSError:
                self._known[key] = None
        return self._known[key]

    def _read(self, family: str, table: str, name: str) -> list[Element]:
        body = NFGENMSG.pack(FAMILY_NUMBERS[family], 0, 0) + string(_LIST_TABLE, table) + string(_LIST_SET, name)
        found = []
        for message in self._netlink.messages(GETSETELEM, body):
            told = rt.attributes(message[NFGENMSG.size :])
            found += [rt.attributes(element) for element in elements(told.get(_LIST_ELEMENTS, b""))]
        return _joined([element for element in found if not number(element.get(_FLAGS, b"\0")) & _CATCHALL])


def _joined(found: list[dict[int, bytes]]) -> list[Element]:
    """Return elements with their ends: of an interval the kernel tells where it begins, and what is behind it."""
    ends = sorted(
        (_value(each, _KEY), number(each.get(_FLAGS, b"\0")) & _INTERVAL_END, at) for at, each in enumerate(found)
    )
    if not any(is_end for _, is_end, _ in ends):
        return [_element(each, None) for each in found]
    return [
        _element(found[at], behind)
        for (_, is_end, at), (behind, _, _) in zip(ends, (*ends[1:], (None, 0, 0)), strict=True)
        if not is_end
    ]


def _element(told: dict[int, bytes], behind: bytes | None) -> Element:
    data = rt.attributes(told.get(_DATA, b""))
    return Element(_value(told, _KEY), behind, data.get(_VALUE, b""), data.get(_VERDICT, b""), _value(told, _KEY_END))


def _value(told: dict[int, bytes], kind: int) -> bytes:
    return rt.attributes(told.get(kind, b"")).get(_VALUE, b"")
