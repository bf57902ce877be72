"""How fast the engine is, beside others that do the same: `python -m benchmarks` (`make bench`).

Every contender has two network namespaces of its own with a veth between them and a tunnel over it, all
inside a namespace that ends with the benchmark. Rounds are interleaved: each contender is measured once in
each round, so that what else the machine does falls on all alike. What counts is the median of the rounds,
and of that the ratio between contenders; the numbers by themselves are the machine's.

    world        namespaces, the wire, processes       contenders   labctl, socat, vxlan, ...
    loads        what is measured, by which program    memory       what one more engine takes
    report       the table, bench.json, bench.svg      goals        the ratios that labctl is to reach
"""
