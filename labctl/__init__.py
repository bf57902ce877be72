"""labctl: network labs from one YAML file, as root or without any right."""

__version__ = "0.1.0"
