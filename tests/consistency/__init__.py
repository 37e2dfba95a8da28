"""The consistency checker: does any read show less than was known before it began?

Several API processes serve real reads and writes from dozens of threads. At each step of filling and invalidating they
wait at random (bcraftd.cache.steps), they are killed between any two steps, and Redis is flushed, paused, stopped and
killed. Every read and write notes when it began, when it ended and which version it saw; history.py judges.

    make check-consistency SECONDS=120                     a run
    make check-consistency SECONDS=120 SEED=7              the same schedules again
    python -m tests.consistency --schedule file.json       one schedule, again and again
    python -m tests.consistency --off lease                without a mechanism: has to fail

A run is a row of short episodes, each driven by a schedule that hypothesis drew (schedule.py). The first stale read
ends it: it is printed with what was known before and by whom, then smaller schedules are tried, and the smallest one
that failed is printed as JSON, fit for `--schedule`. Schedules are replayed, races are not: the machine interleaves a
schedule's threads as it likes, so that a failure may take several runs of its schedule to come again.

`make drill` lets the same load and the same judge at instances that it breaks itself (tests/drill/checker.py).

| file | holds |
|---|---|
| `history.py`, `floors.py` | the judge: pure, and tested by itself |
| `schedule.py` | what happens in an episode, drawn and made smaller by hypothesis |
| `views.py` | how a version is found in an answer |
| `app.py`, `world.py` | inside the API processes: waits, deaths, reads and writes through selectors and services |
| `stage.py`, `client.py` | the servers and API processes, and HTTP with them |
| `driver.py`, `lanes.py`, `keeper.py`, `ground.py`, `truth.py` | a run: load, chaos, looks into PostgreSQL |
"""
