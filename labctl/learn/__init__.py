"""Teaching with labs: lessons that check themselves, hidden faults, and a class of students.

A lesson, a fault and a grade are stories over the labs of `labctl.api`: nothing here asks the kernel for anything, and
whatever a student has done is judged by labctl's own checks.
"""
