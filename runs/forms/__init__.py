"""Django forms that read a submission; the one validation of ``runs.submitted`` judges what they read."""
