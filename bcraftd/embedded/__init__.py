"""PostgreSQL and Redis without Docker: servers from Python wheels, started and stopped with the process that asked.

Nothing here imports Django, so that the servers can run before the settings that name them are read.
"""
