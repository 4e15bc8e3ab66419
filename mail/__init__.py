"""RFC knowledge: bytes in, values out. No I/O, and never an exception on bad mail."""
