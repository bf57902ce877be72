"""Any user may write into the list of the names of environments: nothing in it is in the way, none is trusted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.labs import PAIR
from tests.e2e.world import World

BIND = """if True:
    import ast, socket, sys
    named = socket.socket(socket.AF_UNIX)
    named.bind(ast.literal_eval(sys.argv[1]))
    if "listen" in sys.argv:
        named.listen(0)
    print("bound", flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_socket_named(here: World, name: bytes, *how: str) -> Iterator[None]:
    with here.start([sys.executable, "-c", BIND, repr(name), *how], stdin=-1, stdout=-1) as process:
        assert process.stdout and process.stdout.readline() == "bound\n"
        try:
            yield
        finally:
            process.communicate()


@pytest.mark.parametrize(
    "name", [b"\0\xff\xfe", b"\0x\nfoo", b"\0@labctl/\xff", b"\0labctl/7/\xff", b"\0\n\n"], ids=repr
)
def test_a_strange_socket_is_in_nobodys_way(as_user: World, name: bytes) -> None:
    with a_socket_named(as_user, name):
        assert as_user.json("list") == []
        as_user.labctl("up", as_user.file("pair.yaml", PAIR))
        assert [lab["lab"] for lab in as_user.json("list")] == ["pair"]
        as_user.labctl("down")
        as_user.labctl("down", "pair")


@pytest.mark.parametrize("of", ["mine", "somebody else's"])
@pytest.mark.parametrize("line", ["1 2 3 4 5 6 77", "0000000000000000: 00000002 00000000 00010000 0001 01 77"])
def test_a_name_that_reads_like_an_environment_makes_none(as_user: World, line: str, of: str) -> None:
    uid = as_user.uid if of == "mine" else as_user.uid + 1
    with a_socket_named(as_user, f"\0x\n{line} @labctl/{uid}/ghost".encode()):
        assert as_user.json("list") == []
        assert "nothing to do" in as_user.labctl("down", "ghost").stdout
        assert "nothing to do" in as_user.labctl("down", "x" * 300).stdout
        assert "no lab named ghost" in as_user.labctl("status", "ghost", code=2).stderr


def test_a_name_that_listens_and_never_answers_is_not_waited_for(as_user: World) -> None:
    with a_socket_named(as_user, f"\0labctl/{as_user.uid}/ghost".encode(), "listen"):
        for _ in range(3):
            as_user.json("list")
        as_user.labctl("up", as_user.file("pair.yaml", PAIR))
        as_user.labctl("down", "pair")
