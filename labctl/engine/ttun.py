"""The command `ttun`: one end of a tunnel between a TUN device and a UDP peer.

    ttun tun0 10.0.1.1 9000 10.0.2.1 9000

Its exit codes are labctl's: 0 ended well, 2 the call is wrong, 3 this machine cannot, 4 the kernel
refused.
"""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

from labctl.engine.core.library import chosen
from labctl.engine.endpoint import Endpoint, serve
from labctl.engine.errors import EngineError
from labctl.engine.loop.event_loop import Ending
from labctl.engine.packets.address import Address
from labctl.engine.packets.impairment import Impairment

WELL, WRONG_CALL, CANNOT, REFUSED = 0, 2, 3, 4

# No right, or no driver: another machine, or another user, could. Everything else the kernel refused.
_INCAPABLE = {errno.EPERM, errno.EACCES, errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EAFNOSUPPORT}


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors have three lines at most, like all errors of labctl."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_CALL, f"ttun: {message}\n  usage: {self.usage}\n  `ttun --help` explains\n")


class _Version(argparse.Action):
    """Prints the version, and which core engines have here and why; then exits."""

    def __call__(self, parser: argparse.ArgumentParser, *given: object) -> NoReturn:
        from importlib.metadata import version

        core, why = chosen()
        print(f"ttun {version('labctl-netns')}; core in {'C' if core == 'c' else 'Python'} ({why})")
        parser.exit(WELL)


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code; a wrong call exits (SystemExit) as argparse does."""
    parser = ttun_parser()
    given = parser.parse_args(argv)
    try:
        endpoint = endpoint_of(given)
    except ValueError as error:
        parser.error(str(error))
    try:
        ending = serve(endpoint, endpoint.kinds, counters_path=given.counters, out=sys.stdout)
    except EngineError as error:
        print(f"ttun: {error}", file=sys.stderr)
        return CANNOT if error.errno in _INCAPABLE else REFUSED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # the second, while a write to our output was stuck after the first
    except BrokenPipeError:
        # The reader of our output is gone. Python would flush it once more at exit and complain.
        with suppress(BrokenPipeError):
            sys.stdout.close()
        return WELL
    except OSError as error:
        print(f"ttun: forwarding broke off\n  {error}", file=sys.stderr)
        return REFUSED
    if ending is Ending.DEVICE_GONE:
        print(f"ttun: {endpoint.device} was deleted: nothing is left to forward", file=sys.stderr)
    return WELL


def endpoint_of(given: argparse.Namespace) -> Endpoint:
    """Return the endpoint that the words of a command describe. Raise ValueError for one that cannot be."""
    return Endpoint(
        given.device,
        Address(given.bind_ip, given.bind_port),
        Address(given.peer_ip, given.peer_port),
        verbose=given.verbose,
        offload=given.offload,
        too_big=given.too_big,
        impair=Impairment.from_text(given.impair),
        impair_in=Impairment.from_text(given.impair_in),
    )


def _port(word: str) -> int:
    """Return a port as a number; what range it is in is for the address to say."""
    with suppress(ValueError):
        return int(word)
    raise argparse.ArgumentTypeError(f"{word!r} is no UDP port: it must be 1 to 65535")


@cache
def ttun_parser() -> argparse.ArgumentParser:
    """Return the parser of the command; where a call is wrong it exits (SystemExit)."""
    parser = _Parser(
        prog="ttun",
        usage="ttun DEV BIND-IP BIND-PORT PEER-IP PEER-PORT [OPTION...]",
        description="Forward IP packets between a TUN device and a UDP peer, one packet per datagram.",
        epilog="example: ttun tun0 10.0.1.1 9000 10.0.2.1 9000",
        allow_abbrev=False,
    )
    parser.add_argument("device", metavar="DEV", help="the TUN device; made if it is not there")
    parser.add_argument("bind_ip", metavar="BIND-IP", help="the address that datagrams leave from")
    parser.add_argument("bind_port", metavar="BIND-PORT", type=_port, help="and its port")
    parser.add_argument("peer_ip", metavar="PEER-IP", help="the address that datagrams go to")
    parser.add_argument("peer_port", metavar="PEER-PORT", type=_port, help="and its port")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and which core is chosen")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for every packet")
    parser.add_argument("--counters", metavar="FILE", type=Path, help="count in this memory-mapped file")
    parser.add_argument("--no-offload", dest="offload", action="store_false", help="handle packets one by one")
    parser.add_argument(
        "--too-big",
        choices=("fragment", "icmp"),
        default="fragment",
        help="what a packet over the path's MTU gets: fragments (default) or an ICMP answer",
    )
    impair = "delay, jitter, loss, duplicate, corrupt, reorder, rate and seed, as in 'delay 50ms loss 10%%'"
    parser.add_argument("--impair", metavar="WORDS", default="", help=f"impairments of outgoing packets: {impair}")
    parser.add_argument("--impair-in", metavar="WORDS", default="", help="the same for incoming packets")
    return parser


if __name__ == "__main__":
    sys.exit(main())
