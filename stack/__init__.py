"""Starts the embedded servers (PostgreSQL, Temporal, S3, demo mail) for one machine: demo, small installations, tests."""
