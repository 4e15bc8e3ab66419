"""Every SQL statement. A session comes in; ids and frozen values go out."""
