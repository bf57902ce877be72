"""What may be asked of labctl. Each call decides where the lab is, and has the work done there.

A lab that is made is over the hosts that its topology names; one that runs, over those of its record (hosts/record.py).
Else it is on this machine. `api.work` does it here and knows of no other machine, `api.over_hosts` sends `api.work` to
the hosts. It is imported where it is used: a lab on one machine does without.
"""
