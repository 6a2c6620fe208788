"""Labelled runs, sick and healthy: how well alerts tell them apart, beside rules that others published."""
