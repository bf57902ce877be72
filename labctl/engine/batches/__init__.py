"""Many packets at once, with numpy: what makes the engine fast where there is no core in C.

Nothing here is a rule of its own. `tun` is the port of `tun.offload` that takes several frames with one turn, `split`
makes of them what `packets.split` makes of each, and `coalesce`, its reverse, makes one frame of neighbours. numpy is
imported in this folder alone, so that an engine with the core in C does not have it in its memory.
"""
