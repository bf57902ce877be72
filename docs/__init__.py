"""What the pages take from the code: the man page, the tables of keys, the picture."""
