"""Microsoft 365 mailboxes through Graph, over httpx: read by delta, sent as draft and then send, watched, written back to."""
