"""For those who write lessons: a skeleton, and the proof that a lesson does what it claims."""
