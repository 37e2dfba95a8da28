"""The fuzzer: whatever is sent, no answer is a 5xx, and every answer is one that the schema promises.

    make fuzz CASES=100000 SEED=7

Two sources of requests go through one watched door, the project's WSGI application in this process:

- schemathesis (storm.py) draws requests from the project's own OpenAPI document, good and bad ones, with every check
  that it knows;
- the trap table (traps.py) puts every bad value that has ever broken a view into every place that the document names.

wire.py sends to a real granian what an application never sees in that form. world.py makes what they play in.
"""
