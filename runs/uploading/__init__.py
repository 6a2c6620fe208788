"""Reading files that were uploaded, in a process for each."""
