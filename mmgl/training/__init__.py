"""The loop that trains any method, and the run folder it leaves."""
