"""labctl: network labs from one YAML file, as root or without any right."""

from __future__ import annotations

__version__ = "0.1.0"
