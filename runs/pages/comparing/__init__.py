"""The compare page and what reads like it: groups over seeds, differences, controlled pairs."""
