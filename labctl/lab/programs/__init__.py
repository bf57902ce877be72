"""The programs of a lab that are not labctl's: those of a namespace, and engines that the file names.

How they are started, supervised, found again and ended is one for both.
"""
