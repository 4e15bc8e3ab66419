"""Desk decisions: when to try again, whether to answer automatically, what a template says. Pure; facts come in, a decision goes out."""
