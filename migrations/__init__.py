"""Alembic's environment and versions: how the schema got from nothing to now, step by step and back."""
