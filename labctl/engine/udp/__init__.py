"""The UDP side: the sockets of an endpoint, the kernel's offloads for them, and what a wildcard address takes."""
