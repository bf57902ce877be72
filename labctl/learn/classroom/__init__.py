"""A class: the labs and lessons of all users of a server, for the one person who is root there.

A student controls all that is in their environment. So root takes from it nothing but what its own kernel says; what
else there is to read or to do is done by a process with the rights of that student, and what it says is checked as what
a stranger says. What a student has written of themselves is called self-reported. What counts is what is measured from
outside (`labctl.lab.outside`).
"""
