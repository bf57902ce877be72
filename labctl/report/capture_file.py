"""A file of packets, and beside it what has Wireshark and tshark decode the packets inside of a tunnel.

The port of a tunnel is any port to Wireshark, so it shows its UDP as data. FILE.lua says that packets are in there. It
also cuts a superframe of the tunnel into its packets, which `-d udp.port==9000,ip` (Decode As) does not.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import FileIO

from labctl.report.pcapng import PcapngWriter
from labctl.topology.interface_ref import InterfaceRef

_STANDARD_OUTPUT = "-"
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
def capture_file(
    path: str, lab: str, describe: Callable[[InterfaceRef], str], tunnel_ports: Collection[int]
) -> Iterator[PcapngWriter]:
    """Yield a writer of packets to a file; each packet is there at once, whoever reads along. Raise OSError."""
    with _opened(path) as out:
        if path != _STANDARD_OUTPUT and tunnel_ports:
            with open(lua(path), "w") as script:
                script.write(_LUA.format(lab=lab, ports=", ".join(map(str, sorted(tunnel_ports)))))
        yield PcapngWriter(out.write, describe, f"lab {lab}; inside of its tunnels: {how_to_read(path, tunnel_ports)}")


@contextmanager
def _opened(path: str) -> Iterator[FileIO]:
    """Yield a file without a buffer: each block that is written is in it as a whole."""
    to_stdout = path == _STANDARD_OUTPUT
    with FileIO(sys.stdout.fileno() if to_stdout else path, "w", closefd=not to_stdout) as out:
        yield out


def how_to_read(path: str, tunnel_ports: Collection[int]) -> str:
    """Return the command that shows a file with the packets inside of tunnels."""
    if path == _STANDARD_OUTPUT:
        decode = " ".join(f"-d udp.port=={port},ip" for port in sorted(tunnel_ports))
        return f"wireshark -k -i - {decode}".rstrip()
    script = f" -X lua_script:{shlex.quote(lua(path))}" if tunnel_ports else ""
    return f"tshark -r {shlex.quote(path)}{script}"


def lua(path: str) -> str:
    """Return the path of the script beside a file."""
    return f"{path}.lua"
