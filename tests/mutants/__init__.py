"""Mutation testing: small changes to the rules and the economy's services, each of which a test must notice.

`make mutants` runs it. `tree` lays out what mutmut works on, `worker` gives each mutant's tests a database of their
own, `score` judges.
"""
