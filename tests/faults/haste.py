"""The waits of `hasty_worker`, for tests that count on them: reading them here changes nothing in the reader's process."""

HEARTBEAT_SECONDS = 4.0  # a stopped worker is given up after this
VERIFY_AFTER = (0, 1, 2)  # seconds at which Sent is searched
