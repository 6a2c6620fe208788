"""Labelled runs, sick and healthy: how well the alerts tell them apart, beside the rules that others published."""
