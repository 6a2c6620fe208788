"""Training health: signals, checks, alerts and advice."""
