"""The TUN side: the device, the kernel's offloads for it, and how large its superframes may be."""
