"""Faults beyond one machine, made for real on this one: who answers wrongly, and for how long (`make drill`)."""
