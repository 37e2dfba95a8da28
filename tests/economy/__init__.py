"""The economy's endurance run: is every coin and item where the answers say, whatever was killed meanwhile?

Dozens of clients play over HTTP, against granian's workers, on a PostgreSQL and a Redis of the run's own: they gather,
craft, list, buy, cancel, all at once and against each other, while listings run out. PostgreSQL is killed as a whole
and comes back, and so are single workers. Every write has an Idempotency-Key and is repeated under it until its answer
is definite, so that at the end each is known to have happened once or not at all. Then the books that the clients kept
of these answers are compared with the tables, row by row: what was answered is there once, and nothing else is.

    make check-economy OPERATIONS=100000                   a run
    make check-economy OPERATIONS=20000 SEED=7             the same draws; races are not repeated by a seed
    python -m tests.economy --broken lock                  with a defect built in: has to fail

| file | holds |
|---|---|
| `books.py`, `judge.py` | what the answers say, and whether the tables say the same: pure, and tested by itself |
| `truth.py` | the tables, as rows to compare |
| `client.py` | calls over HTTP, each until its answer is definite |
| `ground.py`, `lanes.py`, `scenes.py`, `chaos.py`, `run.py` | a run: its players, what they do, contests, kills |
| `stage.py`, `inside.py` | the servers, and what runs with Django beside them: grants, the sweep, the audit |
| `app.py` | the API with a defect built in |
"""
