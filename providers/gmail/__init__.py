"""Gmail by its API: reading, sending, watching, labels. Blocking calls of Google's client run on a lane of their own."""
