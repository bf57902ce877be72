"""Lessons: what an author writes, how it is read and judged, and those that ship with labctl."""
