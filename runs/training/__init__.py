"""What a worker does with the runs that it claims, from the claim to the last row written."""
