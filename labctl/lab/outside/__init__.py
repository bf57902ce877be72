"""The checks of a file, measured in namespaces of which nothing is known but what the kernel says."""
