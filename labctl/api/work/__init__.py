"""What each call does, from looking where the lab lives to the result: in the process that works, whoever has asked."""
