"""The rules that others published, each as its description says, replayed on the same runs."""
