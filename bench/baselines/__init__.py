"""What the project is compared with: other designs of the same reads and writes, on the same PostgreSQL and Redis.

Each is written as a team would write it that has chosen that design, with the libraries' own defaults, and none is
slowed on purpose. They are measured and not served: none of them is part of the project.
"""
