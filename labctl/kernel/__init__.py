"""Namespaces, interfaces and routes of the kernel: netlink, nsfs and /proc/sys, and nothing above knows how."""
