"""DNS as this installation's name servers answer it."""
