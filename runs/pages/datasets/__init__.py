"""The pages of datasets: the list, the profile, and the way from a CSV file to a dataset."""
