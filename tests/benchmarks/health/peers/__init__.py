"""The rules that others published, each as its description says, replayed on the same runs.

What every file shares: rules read the looks of ``probe``, so that what asks for every step, or counts steps,
epochs or checks running, does so over those; and the output layer is seen by its answers. Where a file
differs from its source in more, its docstring says so.
"""
