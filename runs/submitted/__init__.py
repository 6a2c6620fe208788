"""What a person asks for, checked: a network, a job, a grid or a search, and the runs it expands to."""
