"""The common way of a packet in C (`common_way.c`), and what Python needs to call it and to go on where it stops.

It is chosen where it was compiled when labctl was installed (`hatch_build.py`), unless LABCTL_CORE=python says
otherwise; without it everything is done by the modules beside it, to the same effect.
"""
