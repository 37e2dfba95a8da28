"""Django's PostgreSQL backend, with a place around each commit."""
