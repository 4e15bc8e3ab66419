"""The HTTP room: parse a request, make one call, render the answer; start and poke workflows; stream the event log.

`api/app.py` is its composition root. Everything else here gets what it needs by constructor and knows no provider.
"""
