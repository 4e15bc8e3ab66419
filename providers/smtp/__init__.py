"""SMTP submission: hand over frozen bytes and say truthfully what is known about the outcome."""
