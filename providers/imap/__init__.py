"""IMAP: read mailboxes without changing them, hear of new mail, file the copy of what was sent."""
