"""The command line, one group of commands a file. Part of the roof: it composes rooms and reads settings."""
