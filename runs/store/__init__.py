"""What is stored of a run besides its row: its points, and the typed rows of the runs table."""
