"""A file of packets, and beside it what has Wireshark and tshark decode the packets inside of a tunnel.

The port of a tunnel is any port to Wireshark, so it shows its UDP as data. FILE.lua says that packets are in there. It
also cuts a superframe of the tunnel into its packets, which `-d udp.port==9000,ip` (Decode As) does not.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from labctl.errors import LabError, UsageError, kernel_words
from labctl.lab.carriers import Carriers
from labctl.report.pcapng import PcapngWriter

STANDARD_OUTPUT = "-"
_LUA = """\
-- Has Wireshark and tshark decode the IP packets in the UDP of the tunnels of lab {lab}.
-- wireshark -X lua_script:THIS_FILE FILE
local tunnel = Proto("ttun", "IP in UDP, by the engines of labctl")
local ip = Dissector.get("ip")

local function stated_length(buffer, at)
  local version = math.floor(buffer(at, 1):uint() / 16)
  if version == 4 then return buffer(at + 2, 2):uint() end
  if version == 6 then return buffer(at + 4, 2):uint() + 40 end
  return 0
end

function tunnel.dissector(buffer, info, tree)
  local at = 0
  while at + 20 <= buffer:len() do  -- a superframe carries several packets, one behind another
    local length = math.min(stated_length(buffer, at), buffer:len() - at)
    if length < 20 then break end
    ip:call(buffer(at, length):tvb(), info, tree)
    at = at + length
  end
  return at
end

for _, port in ipairs({{{ports}}}) do
  DissectorTable.get("udp.port"):add(port, tunnel)
end
"""


@contextmanager
def created(path: str) -> Iterator[Callable[[bytes], None]]:
    """Yield what writes to a new file, so that each block is in it at once. Raise UsageError where it cannot be made.

    The writer raises LabError where a block cannot be written, BrokenPipeError where its reader has gone.
    """
    to_stdout = path == STANDARD_OUTPUT
    try:
        out = open(sys.stdout.fileno() if to_stdout else path, "wb", closefd=not to_stdout)  # noqa: SIM115  # see below
    except OSError as error:
        raise UsageError(f"{path} cannot be written", kernel_words(error)) from None

    def write(block: bytes) -> None:
        with _told(path):
            out.write(block)
            out.flush()

    try:
        yield write
    finally:
        with _told(path):
            out.close()


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        what = "standard output" if path == STANDARD_OUTPUT else path
        raise LabError(f"{what} could not be written to its end", kernel_words(error)) from None


def capture_file(
    path: str,
    write: Callable[[bytes], None],
    lab: str,
    carriers: Carriers,
) -> PcapngWriter:
    """Return a writer of packets to a file that was created, and write the script beside it. Raise LabError."""
    ports = carriers.tunnel_ports
    if ports and os.path.isfile(path):
        with _told(lua(path)), open(lua(path), "w") as script:
            script.write(_LUA.format(lab=lab, ports=", ".join(map(str, sorted(ports)))))
    return PcapngWriter(write, carriers.describe, f"lab {lab}; inside of its tunnels: {how_to_read(path, ports)}")


def how_to_read(path: str, tunnel_ports: Collection[int]) -> str:
    """Return the command that shows a file with the packets inside of tunnels."""
    if not os.path.isfile(path):
        decode = " ".join(f"-d udp.port=={port},ip" for port in sorted(tunnel_ports))
        return f"wireshark -k -i - {decode}".rstrip()  # what reads a pipe has no script beside it
    script = f" -X lua_script:{shlex.quote(lua(path))}" if tunnel_ports else ""
    return f"tshark -r {shlex.quote(path)}{script}"


def lua(path: str) -> str:
    """Return the path of the script beside a file."""
    return f"{path}.lua"
