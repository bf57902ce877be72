"""Nothing that a file can hold raises anything but UsageError, and its text is fit for a terminal."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.errors import UsageError
from labctl.topology.load import load, loads
from labctl.topology.shipped import find, names

SHIPPED = [find(name).read_text(encoding="utf-8") for name in names()]
WORDS = [
    *sorted({word for text in SHIPPED for word in text.split()}),
    *("\t", "*a", "&a", "!!x", "<<: ", "- ", "? ", "'", '"', "{", "}", "[", "]", "|", "---", "%", "\x85", "\u2028"),
    *("[key]: 1", ": ", "0", "-1", "1e400", "null", "true", "kind: tap", "kind: lo", "from_: a", "\ud800", "\0", "\\"),
]
PATIENT = settings(deadline=None, max_examples=300)


def survives(text: str) -> None:
    try:
        loads(text, "lab.yaml")
    except UsageError as error:
        assert str(error)
        assert all(char.isprintable() or char == "\n" for char in str(error))


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        with contextlib.suppress(UsageError):
            load(Path(file.name))


@PATIENT
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    survives(text)


@PATIENT
@given(st.sampled_from(SHIPPED), st.data())
def test_a_mutated_topology(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = begin + data.draw(st.integers(0, 30))
        text = text[:begin] + data.draw(st.sampled_from(WORDS) | st.text(max_size=5)) + text[end:]
    survives(text)


# Values of the right shape and the wrong kind: these get past YAML, as far as the rules.
SCALARS = st.sampled_from(
    ["a:t", "10.0.1.1/24", "10.0.1.1", "10.0.1.1:9", "fd00::1/64", "fe80::1", "default", "tun", "veth", "lo", "", "no"]
) | st.none() | st.booleans() | st.integers() | st.floats()  # fmt: skip
KEYS = st.sampled_from([
    *("name", "namespaces", "ttun", "checks", "interfaces", "routes", "sysctls", "kind", "peer", "addresses", "mtu"),
    *("ports", "to", "via", "dev", "metric", "device", "bind", "ping", "nc", "from", "address", "port", "crosses"),
    *("quiet", "expect", "a", "t", "lo", "net.ipv4.conf.a.b", "[key]"),
])  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=5), max_leaves=15
)
NAMESPACE = st.fixed_dictionaries(
    {}, optional={"interfaces": st.dictionaries(KEYS, TREES, max_size=3), "routes": st.lists(TREES), "sysctls": TREES}
)


@PATIENT
@given(
    st.fixed_dictionaries(
        {"name": st.just("lab"), "namespaces": st.dictionaries(KEYS, NAMESPACE | TREES, max_size=3)},
        optional={"ttun": st.lists(TREES, max_size=3) | TREES, "checks": st.lists(TREES, max_size=3) | TREES},
    )
)
def test_any_tree(tree: object) -> None:
    survives(json.dumps(tree))  # JSON is YAML
