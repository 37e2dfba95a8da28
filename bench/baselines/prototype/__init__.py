"""The prototype's design: FastAPI, a hand-written CacheService with synchronous redis-py, everything in middlewares."""
