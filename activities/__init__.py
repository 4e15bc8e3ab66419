"""One step each: a contract comes in, the rooms are called, a contract goes out. What comes next is the workflow's."""
