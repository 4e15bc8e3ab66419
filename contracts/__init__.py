"""What crosses the Temporal wire: frozen dataclasses of ids, counts and enums, activity signatures, ids, queues, timeouts.

Nothing here knows how a step is done; workflows and activities meet only on these pages.
"""
